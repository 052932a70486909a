"""`initialize` on PyTorch's modules sets all tensors or none."""

import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn = torch.nn
pytestmark = pytest.mark.peers


class Refuses(nn.Module):
    def forward(self, x):
        return x

    def right_inverse(self, x):
        raise RuntimeError("no such value")


def refusing():
    model = nn.Sequential(
        nn.Linear(4, 4), nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4)
    )
    nn.utils.parametrize.register_parametrization(model[2], "bias", nn.Identity())
    model[2].parametrizations.bias[0] = Refuses()
    return model


@pytest.mark.parametrize(
    "build, scheme, words",
    [
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).half()), 1e6, "1.weight.*65504"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), {"1.bias": "he_normal"}, "1.bias.*axes"),
        (
            lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).half()),
            ic.initializers.RandomNormal(0.0, 1e6),
            "1.weight.*65504",
        ),
        (refusing, {"bias": 0.5}, "no such value"),
    ],
)
def test_what_cannot_be_set_changes_nothing(build, scheme, words):
    model = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises((ValueError, RuntimeError), match=words):
        ic.initialize(model, scheme)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
