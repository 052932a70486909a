"""One training step with Adam, one thread: microseconds here and in the peers, in one interleaved run."""

import importlib.util
import itertools

import numpy as np
import pytest
from interleaved import medians
from peers import MODULES, PEERS, Initcore

# Network and batch size of each row.
ROWS = {
    "784-128-10 batch 32": ((784, 128, 10), 32),
    "784-128-64-10 batch 64": ((784, 128, 64, 10), 64),
    "20-32-16-2 batch 32": ((20, 32, 16, 2), 32),
    "784-512-512-10 batch 128": ((784, 512, 512, 10), 128),
}


@pytest.mark.parametrize("row", ROWS)
def bench_step(benchmark, row):
    widths, batch = ROWS[row]
    size = sum(m * n for m, n in itertools.pairwise(widths))
    steps = int(np.clip(2e7 / (size + 5e4), 8, 128))
    contestants = {"initcore": Initcore(widths, batch)}
    missing = []
    for name, peer in PEERS.items():
        if importlib.util.find_spec(MODULES[name]) is None:
            missing.append(name)
        else:
            contestants[name] = peer(widths, batch)
    benchmark.group = "training step"
    benchmark.extra_info["row"] = row
    if benchmark.enabled:
        times = medians({name: lambda peer=peer: peer.run(steps) for name, peer in contestants.items()})
        for name, seconds in times.items():
            benchmark.extra_info[f"{name} us"] = round(seconds / steps * 1e6, 2)
            if name != "initcore":
                benchmark.extra_info[f"{name} / initcore"] = round(seconds / times["initcore"], 2)
        benchmark.extra_info["missing"] = missing
        print(f"\n{row}: " + ", ".join(f"{k} {v}" for k, v in benchmark.extra_info.items() if k != "row"))
    benchmark.pedantic(contestants["initcore"].run, args=(steps,), rounds=3, warmup_rounds=1)
