"""The pool: what it promises where it meets forks, other threads, limits and failures.

Whatever may hang or needs another environment runs in a process of its own, with a time limit.
"""

import math
import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest

from initcore import _core

LIMIT = 60  # seconds after which a process counts as hung


@pytest.fixture(autouse=True)
def two_threads():
    """At least two threads, also on a machine with one processor."""
    before = _core.num_threads()
    _core.set_num_threads(2)
    yield
    _core.set_num_threads(before)


def product(seed: int = 0) -> np.ndarray:
    """A matrix product large enough to be shared out."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((300, 200)), rng.standard_normal((200, 250))
    c = np.full((300, 250), np.nan)
    _core.matmul("nn", a, b, c)
    return c


def run(code: str, **options) -> subprocess.CompletedProcess:
    """The code in a fresh interpreter."""
    environment = os.environ | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        **options,
    )


def assert_partition(ranges: list[tuple[int, int, int]], units: int) -> None:
    ends = sorted((begin, end) for begin, end, _ in ranges)
    assert [begin for begin, _ in ends] == [0, *(end for _, end in ends[:-1])]
    assert ends[-1][1] == units
    assert all(begin < end for begin, end in ends)


# What a job is


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("units", [1, 2, 3, 7, 64, 1000, 2**40])
def test_ranges_cover_every_unit_once(units, threads):
    _core.set_num_threads(threads)
    assert_partition(_core.parallel_probe(units), units)


def test_no_units_are_no_work():
    assert _core.parallel_probe(0) == []


def test_workers_take_part():
    """Unless the machine keeps them from it, after which the caller works alone for a while."""
    for _ in range(50):
        _core.set_num_threads(2)  # forgets what was before
        threads = {thread for _, _, thread in _core.parallel_probe(40, seconds_per_unit=0.002)}
        if len(threads) == 2:
            return
    raise AssertionError("no worker ever took part")


def test_fewer_threads_from_the_next_job_on():
    _core.set_num_threads(8)
    _core.parallel_probe(8)
    assert _core.pool_state()["workers"] >= 7
    _core.set_num_threads(2)
    assert len({thread for _, _, thread in _core.parallel_probe(64, seconds_per_unit=0.001)}) <= 2


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_number_of_threads_is_at_least_one(wrong):
    with pytest.raises(ValueError, match=f"at least 1, got {wrong}"):
        _core.set_num_threads(wrong)


def test_bits_do_not_depend_on_the_number_of_threads(isa):
    results = []
    for threads in (1, 2, 3, 7):
        _core.set_num_threads(threads)
        results.append(product().tobytes())
    assert len(set(results)) == 1


# Failures


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("fail_at", [0, 17, 39])
def test_an_exception_comes_back_and_the_pool_goes_on(threads, fail_at):
    _core.set_num_threads(threads)
    with pytest.raises(RuntimeError, match=f"unit {fail_at} failed"):
        _core.parallel_probe(40, seconds_per_unit=0.0005, fail_at=fail_at)
    assert_partition(_core.parallel_probe(40), 40)


REFUSED = """
import resource, sys, warnings
import numpy as np
from initcore import _core
serial, parallel = np.empty((300, 250)), np.empty((300, 250))
a, b = np.random.default_rng(0).random((300, 200)), np.random.default_rng(1).random((200, 250))
_core.set_num_threads(1)
_core.matmul("nn", a, b, serial)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, hard))  # a thread's stack takes more
_core.set_num_threads(4)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        _core.matmul("nn", a, b, parallel)
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
assert serial.tobytes() == parallel.tobytes()
print(_core.pool_state(), [w.category.__name__ for w in caught])
"""


def test_a_thread_that_cannot_start_costs_one_warning():
    result = run(REFUSED)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "{'workers': 0, 'refused': True} ['RuntimeWarning']"


# Forks and other threads


def test_a_forked_child_computes():
    expected = product().tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with other threads running
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # the same from JAX, where another test has imported it
        child = os.fork()
    if child == 0:
        before = _core.pool_state()["workers"]
        same = product().tobytes() == expected
        os._exit(0 if same and before == 0 and _core.pool_state()["workers"] == 1 else 1)
    deadline = time.monotonic() + LIMIT
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.005)
    assert os.waitstatus_to_exitcode(status) == 0
    assert product().tobytes() == expected


PROCESSES = """
import multiprocessing, sys
import numpy as np
from initcore import _core

def product(seed):
    rng = np.random.default_rng(seed)
    a, b, c = rng.random((300, 200)), rng.random((200, 250)), np.empty((300, 250))
    _core.set_num_threads(2)
    _core.matmul("nn", a, b, c)
    return c.tobytes()

if __name__ == "__main__":
    expected = [product(seed) for seed in range(4)]
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert pool.map(product, range(4)) == expected
    print("equal")
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_worker_processes_compute(method, tmp_path):
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script), method],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "equal"), result.stderr


def test_many_python_threads_at_once_get_the_same_bits():
    seeds = list(range(24))
    expected = [product(seed).tobytes() for seed in seeds]
    with ThreadPool(6) as pool:
        assert [c.tobytes() for c in pool.map(product, seeds, chunksize=1)] == expected


def test_the_number_of_threads_may_change_while_others_compute():
    expected = product().tobytes()
    with ThreadPool(3) as pool:
        pending = [pool.apply_async(product) for _ in range(60)]
        for threads in (1, 4, 2, 6) * 10:
            _core.set_num_threads(threads)
            _core.parallel_probe(16)
        assert {result.get(LIMIT).tobytes() for result in pending} == {expected}


def test_whoever_finds_the_pool_busy_does_not_wait():
    with ThreadPool(1) as pool:
        slow = pool.apply_async(_core.parallel_probe, (8, 0.1))
        while _core.pool_state()["workers"] == 0:
            time.sleep(0.001)
        ranges = _core.parallel_probe(1000)
        assert not slow.ready()
        assert_partition(slow.get(LIMIT), 8)
    assert_partition(ranges, 1000)


def test_the_interpreter_exits_while_the_pool_computes():
    code = (
        "import threading; from initcore import _core; _core.set_num_threads(3);"
        "threading.Thread(target=_core.parallel_probe, args=(1000, 0.1), daemon=True).start();"
        "_core.parallel_probe(100); print('end')"
    )
    result = run(code)
    assert (result.returncode, result.stdout.strip()) == (0, "end"), result.stderr


# Limits


COUNT = "from initcore import _core; print(_core.num_threads())"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks on this system")
def test_affinity_limits():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);" + COUNT
    assert run(code, env={"OMP_NUM_THREADS": "8"}).stdout.strip() == "1"


@pytest.mark.parametrize(
    ("env", "asked"),
    [
        ({"INITCORE_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"}, 1),
        ({"INITCORE_NUM_THREADS": "", "OMP_NUM_THREADS": "1"}, 1),
        ({"INITCORE_NUM_THREADS": "", "OMP_NUM_THREADS": "1,4"}, 1),
        ({"INITCORE_NUM_THREADS": "", "OMP_NUM_THREADS": "all"}, 0),
        ({"INITCORE_NUM_THREADS": "1000000", "OMP_NUM_THREADS": ""}, 1000000),
    ],
)
def test_environment_limits(env, asked):
    result = run("from initcore import _core; print(_core.cpu_limits(), _core.num_threads())", env=env)
    limits, threads = result.stdout.strip().rsplit(" ", 1)
    assert f"'environment': {asked}," in limits
    assert int(threads) == min(asked or 10**9, _core.cpu_limits()["affinity"], int(threads))


@pytest.mark.parametrize("wrong", ["two", "0", "-3", "1.5"])
def test_a_wrong_number_in_the_environment_is_named(wrong):
    result = run(COUNT, env={"INITCORE_NUM_THREADS": wrong})
    assert result.returncode == 1
    assert (
        f"ImportError: INITCORE_NUM_THREADS must be a whole number of at least 1, got '{wrong}'"
        in result.stderr
    )


V2 = "0::{group}\n"
V1 = "5:memory:/elsewhere\n4:cpu,cpuacct:{group}\n"
GROUPS = {
    # What the files say, and the processors' worth of time that this grants.
    "two processors": (V2, "/", {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2.0),
    "half a processor": (V2, "/", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
    "no limit": (V2, "/", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
    "no file": (V2, "/", {}, math.inf),
    "not a number": (V2, "/", {"sys/fs/cgroup/cpu.max": "\0 lots of \xff\n"}, math.inf),
    "an empty file": (V2, "/", {"sys/fs/cgroup/cpu.max": ""}, math.inf),
    "no period": (V2, "/", {"sys/fs/cgroup/cpu.max": "100000 0\n"}, math.inf),
    "groups around it": (
        V2,
        "/a/b",
        {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"},
        1.5,
    ),
    "the host's path": (V2, "/docker/0123", {"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3.0),
    "version 1": (
        V1,
        "/a",
        {
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        },
        2.5,
    ),
    "version 1 without limit": (
        V1,
        "/",
        {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        math.inf,
    ),
    "no such line": ("nonsense\n::\n1:cpu\n", "", {}, math.inf),
}


@pytest.mark.parametrize("name", GROUPS)
def test_control_groups_limit(name, tmp_path):
    lines, group, files, quota = GROUPS[name]
    for path, text in {"proc/self/cgroup": lines.format(group=group), **files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    limits = _core.cpu_limits(str(tmp_path))
    assert limits["quota"] == quota
    free = min(limits["environment"] or limits["hardware"], limits["affinity"])
    assert limits["allowed"] == max(1, min(free, math.ceil(quota) if quota < free else free))


def test_a_job_that_is_to_be_computed_alone_is_one_range_of_the_caller():
    ranges = _core.parallel_probe(64, alone=True)
    assert [(begin, end) for begin, end, _ in ranges] == [(0, 64)]
    assert len(_core.parallel_probe(64)) > 1


@pytest.mark.parametrize(
    "together, alone, expected",
    [
        (2e-4, 1e-4, (0.995, 1)),  # they slow each other down
        (1e-4, 2e-4, (0, 0.02)),
        (8e-4, 1.5e-3, (0, 0.02)),  # alone it would be a long step
        (2e-3, 1e-3, (0, 0)),  # long steps are not tried
    ],
)
def test_steps_are_computed_by_as_many_threads_as_are_faster(together, alone, expected):
    steps = np.array(_core.thread_trial(20_000, together, alone))
    assert expected[0] <= steps.mean() <= expected[1]
    if expected[1] > 0:  # both are tried again and again
        assert all({True, False} <= set(part.tolist()) for part in np.array_split(steps, 4))


def test_where_one_thread_is_hardly_faster_that_is_asked_again_soon_at_first():
    narrowly, clearly = (np.array(_core.thread_trial(20_000, together, 1e-4)) for together in (1.05e-4, 2e-4))
    tries = narrowly.argmax()  # of steps together, with which both begin
    assert tries == clearly.argmax() > 0
    alone = [steps[tries:].tolist().index(False) for steps in (narrowly, clearly)]  # until it is tried again
    assert alone[0] < alone[1] / 4
    assert narrowly.mean() > 0.98
