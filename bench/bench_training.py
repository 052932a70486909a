"""One training step: microseconds here and in the peers, in one interleaved run, beside the roof.

First with Adam, then what makes a step another one: the optimizer, dropout, batch
normalization, the activation.
"""

import os
from dataclasses import replace

import pytest

from initcore.bench import entries
from initcore.bench.networks import LARGE, NETWORKS
from initcore.bench.peers import PATIENT, PEERS
from initcore.info import build_info

every_network = pytest.mark.parametrize("work", NETWORKS, ids=lambda work: work.name)


def shortened(work, benchmark):
    """Return two steps of the work where it is only asked whether everything still runs."""
    return work if benchmark.enabled else replace(work, rows=2 * work.batch, epochs=1)


@pytest.fixture
def step(measure, benchmark, threads):
    def run(work, seconds, group="training step", peers=PEERS):
        measure(entries.training(shortened(work, benchmark), threads, peers, group), seconds)

    return run


@every_network
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch.compile, about itself
def bench_step(step, work, benchmark):
    patient = os.environ.get("INITCORE_BENCH_PATIENT") and benchmark.enabled
    step(work, 5.0, peers=PATIENT if patient else PEERS)


@every_network
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad"])
def bench_optimizer(step, work, optimizer):
    step(replace(work, optimizer=optimizer), 2.5, f"training step with {optimizer}")


@every_network
def bench_dropout(step, work):
    step(replace(work, dropout=0.2), 2.5, "training step with dropout")


@every_network
def bench_normalization(step, work):
    step(replace(work, normalization=True), 2.5, "training step with batch normalization")


@every_network
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def bench_activation(step, work, activation):
    step(replace(work, activation=activation), 2.5, f"training step with {activation}")


@pytest.mark.skipif(not build_info()["bf16"], reason="needs an instruction for products in bfloat16")
@pytest.mark.parametrize("work", LARGE, ids=lambda work: work.name)
def bench_bf16(measure, benchmark, threads, work):
    measure(entries.training_in_bf16(shortened(work, benchmark), threads), 5.0)
