"""The peers take the same steps as we do: what is compared in time is the same mathematics."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from initcore.bench import entries, in_numpy
from initcore.bench.in_jax import JAX
from initcore.bench.in_numpy import NumPy
from initcore.bench.in_numpy_plain import PlainNumPy
from initcore.bench.in_torch import CompiledPyTorch, PyTorch
from initcore.bench.interleaved import optional
from initcore.bench.networks import NETWORKS, Workload
from initcore.bench.peers import IN_BF16, PATIENT, PEERS, Initcore
from initcore.info import build_info

# One batch is all of the data, so that the order of the rows plays no part.
SMALL = Workload((6, 9, 7, 3), batch=32, rows=32)
VARIANTS = [
    SMALL,
    *(replace(SMALL, optimizer=name) for name in ("sgd", "rmsprop", "adagrad")),
    *(replace(SMALL, activation=name) for name in ("tanh", "sigmoid", "gelu")),
    replace(SMALL, normalization=True),
    replace(SMALL, normalization=True, activation="gelu"),
]
STEPS = 3


def name(work):
    return " ".join([work.optimizer, work.activation, "normalized" if work.normalization else ""])


def assert_same_steps(work, peer, arrays):
    """Start ours from the arrays of a peer (kernel, bias, scale, shift by layer); let both take steps."""
    mine = Initcore(work, 1)
    views = mine.model.parameters  # in the same order: Dense, then its normalization
    before = arrays()
    for view, value in zip(views.values(), before, strict=True):
        view[...] = value
    peer.run(STEPS)
    mine.run(STEPS)
    for (name, own), old, theirs in zip(views.items(), before, arrays(), strict=True):
        if work.normalization and name.endswith("/bias") and theirs.shape != (work.widths[-1],):
            continue  # the normalization takes the bias out again: its gradient is rounding alone
        step = abs(theirs - old).max()
        assert step > 0
        # The median: where a gradient is nearly zero, Adam and RMSprop make a step of the rounding errors.
        assert np.median(abs(own - theirs)) <= 1e-3 * step, name


@pytest.mark.parametrize("work", VARIANTS, ids=name)
def test_numpy_takes_our_steps(work):
    peer = NumPy(work, 1)
    assert_same_steps(work, peer, lambda: [array.copy() for layer in peer.p for array in layer])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adagrad"])
def test_numpy_takes_them_in_pieces_too(monkeypatch, optimizer):
    monkeypatch.setattr(in_numpy, "_PIECE", 50)
    test_numpy_takes_our_steps(replace(SMALL, optimizer=optimizer))


def test_plain_numpy_takes_our_steps():
    peer = PlainNumPy(SMALL, 1)
    assert_same_steps(SMALL, peer, lambda: [array.copy() for array in peer.p])


@pytest.mark.peers
@pytest.mark.parametrize("work", VARIANTS, ids=name)
def test_pytorch_takes_our_steps(work):
    pytest.importorskip("torch", reason="compares with PyTorch")
    peer = PyTorch(work, 1)
    assert_same_steps(work, peer, lambda: [p.detach().numpy().T.copy() for p in peer.model.parameters()])


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # about itself
def test_compiled_pytorch_takes_our_steps():
    pytest.importorskip("torch", reason="compares with PyTorch")
    peer = CompiledPyTorch(SMALL, 1)
    assert_same_steps(SMALL, peer, lambda: [p.detach().numpy().T.copy() for p in peer.model.parameters()])


@pytest.mark.peers
@pytest.mark.parametrize("work", VARIANTS, ids=name)
def test_jax_takes_our_steps(work):
    pytest.importorskip("jax", reason="compares with JAX")
    peer = JAX(work, 1)
    order = ("w", "b", "scale", "shift")

    def arrays():
        return [np.array(layer[key]).T for layer in peer.state[0] for key in order if key in layer]

    assert_same_steps(work, peer, arrays)


@pytest.mark.parametrize(
    "peer",
    [
        Initcore,
        *(
            pytest.param(peer, marks=() if peer.module == "numpy" else pytest.mark.peers, id=peer.name)
            for peer in PEERS
        ),
    ],
)
@pytest.mark.parametrize("work", [SMALL, replace(SMALL, dropout=0.3), *VARIANTS[1:]], ids=name)
def test_whoever_offers_the_work_does_it(peer, work):
    if not optional(peer.module):
        pytest.skip(f"needs {peer.module}")
    if not peer.offers(work):
        assert peer.name in ("scikit-learn", "NumPy, plain")
        return
    peer(replace(work, rows=64), 1).run(2)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adagrad"])
def test_the_bytes_are_those_of_the_optimizer(optimizer):
    """Parameter, gradient and slots are read; all but the gradient are written."""
    work = replace(SMALL, optimizer=optimizer)
    slots = len(Initcore(work, 1).model.optimizer.init(1).slots)
    entry = entries.training(work, 1, peers=())
    assert entry.moved == 4 * (2 + slots + 1 + slots) * work.parameters * work.steps


def test_the_work_is_counted():
    work = Workload((784, 128, 10), 32, rows=64, epochs=3)
    assert work.name == "784-128-10, batch 32" and work.steps == 6
    assert work.parameters == 784 * 128 + 128 + 128 * 10 + 10
    assert work.flops == 2 * 32 * (2 * 784 * 128 + 3 * 128 * 10)
    assert len({one.name for one in NETWORKS}) == len(NETWORKS)
    assert all(one.rows % one.batch == 0 for one in NETWORKS)


def test_only_who_can_is_compared_in_bf16():
    work = replace(SMALL, precision="bf16")
    assert {peer.name for peer in PATIENT if peer.offers(work)} == {"PyTorch"}
    assert all(peer.offers(work) for peer in IN_BF16)


@pytest.mark.skipif(not build_info()["bf16"], reason="needs an instruction for products in bfloat16")
def test_ours_and_the_strict_one_differ_in_their_products_alone():
    ours, strict = (made(replace(SMALL, precision="bf16"), 1) for made in (Initcore, IN_BF16[0]))
    assert (ours.model.precision, strict.model.precision) == ("bf16", "fp32")
    for name, array in ours.model.parameters.items():
        assert (array == strict.model.parameters[name]).all()
