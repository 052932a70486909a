"""Gated pairs of kernels in models of PyTorch: silu(g(x)) * u(x), and what only looks like it."""

import numpy as np
import pytest
from reference_expectations import deviation_of_square

import initcore as ic
from initcore import theory

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers


class Layers(nn.Module):
    """Kernels, and what is made of their outputs."""

    def __init__(self, forward, **sizes):
        super().__init__()
        self.of = forward
        for name, (inputs, outputs) in sizes.items():
            setattr(self, name, nn.Linear(inputs, outputs))

    def forward(self, x):
        return self.of(self, x)


def packed(m, x):
    u, v = m.uv(x).chunk(2, dim=-1)
    return v * F.relu(u)


def halves(f):
    def forward(m, x):
        u, v = m.uv(x).chunk(2, dim=-1)
        return f(u) * v

    return forward


GATES = [
    ("swiglu", lambda m, x: F.silu(input=m.u(x)) * m.v(x)),
    ("swiglu", halves(F.silu)),
    ("geglu", lambda m, x: m.v(x) * F.gelu(m.u(x))),
    ("a gate of gelu_tanh", lambda m, x: m.v(x) * F.gelu(m.u(x), approximate="tanh")),
    ("glu", lambda m, x: m.v(x) * torch.sigmoid(m.u(x))),
    ("glu", lambda m, x: F.glu(m.uv(x))),
    ("reglu", lambda m, x: m.v(x) * F.relu(m.u(x))),
    ("reglu", packed),
]


@pytest.mark.parametrize("title, forward", GATES)
def test_inputs_of_second_moment_1_give_such_a_product(title, forward):
    """All u and v are independent: the inputs are at right angles."""
    n = 400
    model = Layers(forward, u=(n, n), v=(n, n), uv=(n, 2 * n))
    table = ic.initialize(model, seed=1)
    used = [row for row in table if row.role == "kernel" and f"through {title}" in row.why]
    assert {row.name for row in used} in ({"u.weight", "v.weight"}, {"uv.weight"})
    assert len({row.std for row in used}) == 1
    with torch.no_grad():
        y = model(n**0.5 * torch.eye(n)).double().numpy()
    gate = theory.GATED.get(title, "gelu_tanh")
    assert (y**2).mean() == pytest.approx(1, abs=5 * deviation_of_square(gate) / n)


@pytest.mark.parametrize(
    "forward, whys",
    [
        (lambda m, x: m.u(x) * torch.sigmoid(m.v(torch.relu(m.u(x)))), ("relu and a product", "sigmoid")),
        (lambda m, x: (h := m.u(x)) * torch.sigmoid(h) + m.v(x), ("sigmoid and a product", "ends there")),
        (lambda m, x: torch.tanh(m.u(x)) * torch.sigmoid(m.v(x)), ("through tanh", "through sigmoid")),
        (lambda m, x: torch.relu(0.5 * m.u(x)) + x * torch.tanh(m.v(x)), ("through relu", "through tanh")),
    ],
)
def test_other_products_are_no_gates(forward, whys):
    table = ic.initialize(Layers(forward, u=(8, 8), v=(8, 8)))
    for name, words in zip("uv", whys, strict=True):
        assert words in table[f"{name}.weight"].why


@pytest.mark.parametrize(
    "f",
    [
        lambda y: F.relu(y) ** 2,
        lambda y: torch.square(F.relu(y)),
        lambda y: F.relu(y).pow(2),
        lambda y: (z := F.relu(y)) * z,
    ],
)
def test_activations_one_after_another_are_one(f):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)

        def forward(self, x):
            return self.down(f(self.up(x)))

    row = ic.initialize(Model())["up.weight"]
    assert "of relu" in row.why
    assert row.std == pytest.approx(ic.theory.gain(lambda x: np.maximum(x, 0) ** 2).forward / 4, rel=1e-6)


def test_what_has_no_gain_is_not_known():
    class Inverse(nn.Module):
        def forward(self, x):
            return torch.reciprocal(x)

    row = ic.initialize(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), Inverse()))["0.weight"]
    assert "not known (it goes through Inverse() of relu" in row.why
