"""One training step with Adam, one thread: microseconds here and in the peers, in one interleaved run."""

import pytest
from interleaved import optional, time_per
from peers import PEERS, ROWS, Initcore

# Network, batch size, and how many epochs make one timing.
NETWORKS = {
    "784-128-10, batch 32": ((784, 128, 10), 32, 4),
    "784-128-64-10, batch 64": ((784, 128, 64, 10), 64, 4),
    "20-32-16-2, batch 32": ((20, 32, 16, 2), 32, 40),
    "784-512-512-10, batch 128": ((784, 512, 512, 10), 128, 2),
}


@pytest.mark.parametrize("network", NETWORKS)
def bench_step(benchmark, compare, network):
    widths, batch, epochs = NETWORKS[network]
    epochs = epochs if benchmark.enabled else 1

    def call(contestant):
        made = contestant(widths, batch)
        return lambda: made.run(epochs)

    peers = {peer.name: call(peer) if optional(peer.module) else None for peer in PEERS}
    compare("training step", call(Initcore), peers, time_per("us per step", epochs * (ROWS // batch)))
