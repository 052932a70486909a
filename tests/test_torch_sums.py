"""Which sums of a model are residual connections, which are not, and what a network ends with."""

import pytest
import residual_forwards

import initcore as ic

torch = pytest.importorskip("torch", reason="traces modules of a live PyTorch")
pytestmark = pytest.mark.peers
from initcore.torch.branches import branches  # noqa: E402

nn, F = torch.nn, torch.nn.functional


def model(forward, parameters=()):
    """A module of 4 features with linear layers a, b, c, d, a table t, and such parameters."""

    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            for name in "abcd":
                self.add_module(name, nn.Linear(4, 4))
            self.t = nn.Embedding(9, 4)
            self.norm = nn.LayerNorm(4)
            for name in parameters:
                setattr(self, name, nn.Parameter(torch.full((4,), 0.5)))

    Made.forward, Made.f = forward, lambda made, x: relu_of(made.a, made.b, x)
    return Made()


def relu_of(first, last, x):
    return last(first(x).relu())


NOT_RESIDUAL = {
    **residual_forwards.NOT_RESIDUAL,
    "another input": lambda m, x, y: relu_of(m.a, m.b, x) + m.c(y),
    "another input as it is": lambda m, x, y: m.a(x) + y,
    "an embedding": lambda m, x: m.a(m.t(x)) + m.t(x.flip(0)),
    "what only its shape is of": lambda m, x: m.a(x).relu() + torch.zeros(x.shape),
    "scale and shift by a condition": lambda m, x, y: m.a(y) * m.b(x) + m.c(y),
    "a cell of gates": lambda m, x, y: m.a(x).sigmoid() * y + m.b(x).sigmoid() * m.c(x).tanh(),
    "logits of attention": lambda m, x: (q := m.a(x)) @ m.b(x).mT + q @ m.p,
}


@pytest.mark.parametrize("what", NOT_RESIDUAL)
def test_other_sums_are_no_branches(what):
    made = model(NOT_RESIDUAL[what], ["p"])
    assert not [place for place in branches(made).values() if place.branch]
    with pytest.raises(ValueError, match="none was found"):
        ic.initialize(made, residual="fixup")


RESIDUAL = {
    **residual_forwards.RESIDUAL,
    "in place": lambda m, x: torch.add(relu_of(m.a, m.b, x), x),
    "with a skipped mask": lambda m, x, y: x * y + relu_of(m.a, m.b, x) * y,
    "with a memory": lambda m, x, y: x + m.b(m.a(x) * y),
    "with a condition": lambda m, x, y: x + relu_of(m.a, m.b, x) * m.d(m.c(y).relu()),
    "with one from before": lambda m, x, y: (h := x + m.p * y) + m.b((m.a(h) * (1 + m.c(y)) + m.d(y)).relu()),
}


@pytest.mark.parametrize("what", RESIDUAL)
def test_residual_connections(what):
    found = branches(model(RESIDUAL[what], ["p"]))
    inside = {name: place.roles for name, place in found.items() if place.branch and "weight" in name}
    assert inside == {"a.weight": ("mlp_inner",), "b.weight": ("mlp_last",)}


def test_attention_has_its_kernels_of_a_memory():
    def forward(m, x, y):
        k = m.c(m.d(y).relu())
        return x + m.b((m.a(x) @ k.mT).softmax(-1) @ k)

    found = branches(model(forward))
    inside = {name for name, place in found.items() if place.branch and "weight" in name}
    assert inside == {"a.weight", "b.weight", "c.weight"} and found["b.weight"].depth == 2


def test_branches_side_by_side_are_two():
    found = branches(model(lambda m, x: x + relu_of(m.a, m.b, x) + relu_of(m.c, m.d, x)))
    assert {name: place.roles[0] for name, place in found.items() if "weight" in name} == {
        "a.weight": "mlp_inner",
        "b.weight": "mlp_last",
        "c.weight": "mlp_inner",
        "d.weight": "mlp_last",
    }
    assert len({place.branch for place in found.values()}) == 2


OUTPUTS = {
    **residual_forwards.OUTPUTS,
    "a head that others follow": (lambda m, x: m.norm(m.a(x + relu_of(m.c, m.d, x))).softmax(-1), {"a"}),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_the_output_is_where_the_network_ends(what):
    forward, expected = OUTPUTS[what]
    made = model(forward)
    table = ic.initialize(made, residual="fixup")
    zeros = {row.name[0] for row in table if row.role == "kernel" and "output" in row.why}
    assert zeros == expected
    assert all((made.get_submodule(name).weight == 0).all() for name in expected)
    assert any("ends with" in note for note in table.notes) == (not expected)


def test_a_tied_head_does_not_start_at_zero():
    def forward(m, x):
        h = m.t(x)
        return m.d(h + relu_of(m.a, m.b, h))

    made = model(forward)
    made.d = nn.Linear(4, 9)
    made.d.weight = made.t.weight
    ic.initialize(made, residual="fixup")
    assert (made.t.weight != 0).all()


class LayerScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((4,), 1e-5))

    def forward(self, x):
        return x * self.gamma


def scaled_block(of_its_own=False):
    def forward(m, x):
        branch = relu_of(m.a, m.b, x) + m.shift
        return x + (m.scale(branch) if of_its_own else m.scale[None] * branch)

    made = model(forward, ["shift"] if of_its_own else ["shift", "scale"])
    if of_its_own:
        made.scale = LayerScale()
    return made


@pytest.mark.parametrize("of_its_own", [True, False])
@pytest.mark.parametrize("name", list(ic.residual.SCHEMES))
def test_only_what_multiplies_is_a_multiplier(name, of_its_own):
    made = scaled_block(of_its_own)
    if name == "zero_gamma":
        with pytest.raises(ValueError, match="a normalization at the end"):
            ic.initialize(made, residual=name)
        return
    table = ic.initialize(made, residual=name)
    scale = "scale.gamma" if of_its_own else "scale"
    assert (made.shift == 0.5).all() and not table["shift"].changed
    expected = {"fixup": 1.0, "rezero": 0.0, "skip_init": 0.0}.get(name)
    assert table[scale].changed == (expected is not None)
    if expected is not None:
        assert (made.get_parameter(scale) == expected).all()
        assert "not known" not in table[scale].why


def test_branches_in_one_module_are_told_apart():
    def forward(m, x):
        h = x + relu_of(m.a, m.b, x)
        return h + relu_of(m.c, m.d, h)

    block = model(forward)
    found = branches(nn.Sequential(block, nn.Linear(4, 2)))
    assert len({place.branch for place in found.values() if place.branch}) == 2
