"""Initializing a model of PyTorch leaves its random numbers where they were, and does not depend on them."""

import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers
from initcore.torch import lsuv, standardize  # noqa: E402

X = torch.arange(20.0).reshape(5, 4).sin()


class Draws(nn.Module):
    """Draws while it is traced, and while it runs."""

    def __init__(self):
        super().__init__()
        self.up, self.dropout, self.down = nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 4)

    def forward(self, x):
        y = F.dropout(F.rrelu(self.up(x), training=True)) + torch.rand(8) * torch.randn(1)
        y = y * torch.bernoulli(torch.full((8,), 0.5)) + torch.rand_like(y)
        if torch.randperm(2)[0] + torch.rand(()) > 0.5:
            y = y + 1
        torch.manual_seed(3)
        return x + self.down(self.dropout(y))


def orthogonal():
    return nn.utils.parametrizations.orthogonal(nn.Linear(3, 7))


def refused(model):
    with pytest.raises(ValueError, match="finite"):
        lsuv(model, X * float("nan"))


@pytest.mark.parametrize(
    "build, call",
    [
        (Draws, ic.initialize),
        (Draws, lambda model: ic.initialize(model, residual="gpt2")),
        (Draws, lambda model: ic.initialize(model, activation="relu", mup=model)),
        (Draws, lambda model: ic.initialize(model, "lsuv", data=X)),
        (Draws, lambda model: lsuv(model, X, training=True, start=None)),
        (Draws, lambda model: standardize(model, X, training=True)),
        (Draws, refused),
        (orthogonal, ic.initialize),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.RReLU()), ic.initialize),
    ],
)
def test_the_generator_goes_on_as_if_nothing_was(build, call):
    model = build()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    call(model)
    assert torch.equal(expected, torch.rand(3))


@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
@pytest.mark.parametrize("by", ["matrix_exp", "cayley", "householder"])
def test_what_a_parametrization_draws_follows_from_the_seed(shape, by):
    """Of an orthogonal matrix that is not square, it draws the rows or columns that make it so."""

    def state(torch_seed, seed):
        torch.manual_seed(0)
        model = nn.utils.parametrizations.orthogonal(nn.Linear(*shape), orthogonal_map=by)
        torch.manual_seed(torch_seed)
        ic.initialize(model, seed=seed)
        return [tensor.clone() for tensor in model.state_dict().values()]

    assert all(map(torch.equal, state(1, 6), state(2, 6)))
    assert not all(map(torch.equal, state(1, 6), state(1, 7)))
