"""A training step allocates nothing: seen by counters in front of the C library's functions for it."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

from initcore import _core

COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static long count;
static void counted(void) { __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED); }
long allocations(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }

void *malloc(size_t n) { return counted(), __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return counted(), __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return counted(), __libc_realloc(p, n); }
void *memalign(size_t alignment, size_t n) { return counted(), __libc_memalign(alignment, n); }
void *aligned_alloc(size_t alignment, size_t n) { return counted(), __libc_memalign(alignment, n); }
int posix_memalign(void **p, size_t alignment, size_t n) {
  counted();
  void *const found = __libc_memalign(alignment, n);
  if (found) *p = found;
  return found ? 0 : ENOMEM;
}

#define MAP(name, offset_type)                                                            \
  void *name(void *p, size_t n, int protection, int flags, int file, offset_type offset) { \
    static void *(*real)(void *, size_t, int, int, int, offset_type);                     \
    if (!real) real = (void *(*)(void *, size_t, int, int, int, offset_type))dlsym(RTLD_NEXT, #name); \
    counted();                                                                            \
    return real(p, n, protection, flags, file, offset);                                   \
  }
MAP(mmap, off_t)
MAP(mmap64, off64_t)
"""

PREAMBLE = """
import ctypes, mmap, os, sys
count = ctypes.CDLL(sys.argv[1]).allocations
count.restype = ctypes.c_long
count.argtypes = []
"""

# Each function is called as any program would, and allocates once; in parentheses what is not counted.
CALLS = """
pointer, c = ctypes.c_void_p(), ctypes.CDLL(None)
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
for name, arguments in {
    "(getpid)": (),
    "malloc": (64,),
    "calloc": (1, 64),
    "realloc": (None, 64),
    "memalign": (64, 64),
    "aligned_alloc": (64, 64),
    "posix_memalign": (ctypes.byref(pointer), 64, 64),
    "mmap": (None, 4096, mmap.PROT_READ, private, -1, ctypes.c_long(0)),
    "mmap64": (None, 4096, mmap.PROT_READ, private, -1, ctypes.c_long(0)),
}.items():
    function, seen = c[name.strip("()")], []
    for _ in range(5):
        before = count()
        function(*arguments)
        seen.append(count() - before)
    print(name, min(seen))
"""

STEPS = """
import numpy as np
import initcore as ic
from initcore import _core

threads, precision, batch, width = int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
ic.set_num_threads(threads)
rng = np.random.default_rng(0)
BATCHES = 100
dtype = "float64" if precision == "fp64" else "float32"
for activation, optimizer, loss in [
    ("relu", "adam", "sparse_categorical_crossentropy"),
    ("gelu", "rmsprop", "categorical_crossentropy"),
    ("prelu", ic.optimizers.SGD(clipnorm=1.0), "mse"),
    ("softmax", ic.optimizers.Nadam(global_clipnorm=1.0), "huber"),
]:
    dense = ic.Dense(width, activation, kernel_regularizer="l2")
    hidden = [dense, ic.layers.BatchNormalization(), ic.layers.Dropout(0.5)]
    hidden.append(ic.layers.Residual([ic.Dense(width)]))
    model = ic.Sequential([*hidden, ic.Dense(3)], input_shape=(5,), dtype=dtype, precision=precision)
    model.compile(optimizer, loss, metrics=["accuracy"])
    x = rng.normal(size=(batch * BATCHES, 5)).astype(dtype)
    y = rng.integers(0, 3, len(x)) if loss.startswith("sparse") else np.eye(3)[rng.integers(0, 3, len(x))]
    model.fit(x, y, batch_size=batch, verbose=0)
    program = model._programs["train"][1]
    data = model._prepare(x, y)
    rates = np.full(BATCHES, 1e-3)

    def allocated(batches):
        segments = ["gather", "forward", "loss", "metrics", "backward", "update"]
        program.plan.core.start(segments, len(x), inputs=data.inputs(), learning_rates=rates, step=1)
        before = count()
        assert program.plan.core.advance(batches, 60.0) == batches
        return count() - before

    allocated(1)
    print(allocated(BATCHES) - allocated(1))
print(_core.pool_state()["workers"])
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run code behind the counter, and return what it printed."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs a C compiler and glibc, to put a counter before its functions")
    folder = tmp_path_factory.mktemp("counter")
    library = folder / "counter.so"
    (folder / "counter.c").write_text(COUNTER)
    command = [compiler, "-shared", "-fPIC", "-fno-builtin", "-o", library, folder / "counter.c", "-ldl"]
    subprocess.run(command, check=True, timeout=60)

    def run(code, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", PREAMBLE + code, library, *map(str, arguments)],
            env=os.environ | {"LD_PRELOAD": str(library)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_every_way_to_memory_is_counted(run):
    for line in run(CALLS):
        name, counted = line.split()
        assert int(counted) == (not name.startswith("(")), line


@pytest.mark.parametrize("batch, width", [(4, 9), (64, 160)], ids=["small", "large"])
@pytest.mark.parametrize("precision", ["fp32", "fp64", "bf16"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_allocates_nothing(run, threads, precision, batch, width):
    if precision == "bf16" and not _core.active_bf16():
        pytest.skip("needs an instruction for products in bfloat16")
    *allocated, workers = map(int, run(STEPS, threads, precision, batch, width))
    assert allocated == [0] * 4
    assert workers == (threads - 1 if width > 100 else 0), "small steps are not worth a second thread"
