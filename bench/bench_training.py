"""One training step with Adam, one thread: microseconds here and in the peers, in one interleaved run."""

import importlib.util

import pytest
from interleaved import medians
from peers import MODULES, PEERS, ROWS, Initcore

# Network, batch size, and how many epochs make one timing.
NETWORKS = {
    "784-128-10, batch 32": ((784, 128, 10), 32, 2),
    "784-128-64-10, batch 64": ((784, 128, 64, 10), 64, 2),
    "20-32-16-2, batch 32": ((20, 32, 16, 2), 32, 20),
    "784-512-512-10, batch 128": ((784, 512, 512, 10), 128, 1),
}


@pytest.mark.parametrize("network", NETWORKS)
def bench_step(benchmark, network):
    widths, batch, epochs = NETWORKS[network]
    steps = epochs * (ROWS // batch)
    contestants = {"initcore": Initcore(widths, batch)}
    missing = [name for name in PEERS if importlib.util.find_spec(MODULES[name]) is None]
    contestants |= {name: peer(widths, batch) for name, peer in PEERS.items() if name not in missing}
    benchmark.group = "training step"
    if benchmark.enabled:
        times = medians({name: lambda peer=peer: peer.run(epochs) for name, peer in contestants.items()})
        microseconds = {name: seconds / steps * 1e6 for name, seconds in times.items()}
        ratios = {name: value / microseconds["initcore"] for name, value in microseconds.items()}
        benchmark.extra_info |= {"us per step": microseconds, "times initcore's": ratios, "missing": missing}
        columns = [f"{name} {value:.4g} us ({ratios[name]:.2f}x)" for name, value in microseconds.items()]
        print(f"\n{network}: {', '.join(columns)}" + (f"; missing: {', '.join(missing)}" if missing else ""))
    benchmark.pedantic(contestants["initcore"].run, args=(epochs,), rounds=3)
