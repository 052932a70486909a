"""Gated pairs of kernels in models of PyTorch: silu(g(x)) * u(x), and what only looks like it."""

import pytest

import initcore as ic

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


GATES = [
    ("swiglu", lambda m, x: F.silu(input=m.u(x)) * m.v(x), {"u", "v"}),
    ("a gate of gelu_tanh", lambda m, x: m.v(x) * F.gelu(m.u(x), approximate="tanh"), {"u", "v"}),
    ("reglu", packed, {"uv"}),
]


@pytest.mark.parametrize("title, forward, names", GATES)
def test_both_sides_of_a_gate_have_its_gain(title, forward, names):
    model = Layers(forward, **{name: (400, 400 * len(name)) for name in names})
    table = ic.initialize(model)
    for name in names:
        assert f"through {title}" in table[f"{name}.weight"].why
    gain = 20 * table[f"{name}.weight"].std
    with torch.no_grad():
        y = model(torch.randn(300, 400) / gain)
    assert (y**2).mean() == pytest.approx(gain**-2, rel=0.15)  # as much as went in


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
