"""Residual schemes on PyTorch's modules that run the same block several times."""

import pytest

import initcore as ic
from initcore import residual

torch = pytest.importorskip("torch", reason="looks for branches in modules of a live PyTorch")
pytestmark = pytest.mark.peers
from initcore.torch.branches import branches  # noqa: E402

nn, F = torch.nn, torch.nn.functional


class Shared(nn.Module):
    """One block, run several times; one after another, or on inputs of their own."""

    def __init__(self, times, towers=False, multiplied=False):
        super().__init__()
        self.times, self.towers = times, towers
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.alphas = nn.ParameterList(torch.ones(()) for _ in range(times if multiplied else 0))

    def forward(self, x):
        def run(x, i):
            y = self.down(F.relu(self.up(x)))
            return x + (self.alphas[i] * y if len(self.alphas) else y)

        if self.towers:
            return torch.cat([run(x[i], i) for i in range(self.times)])
        for i in range(self.times):
            x = run(x, i)
        return x


@pytest.mark.parametrize("times", [1, 2, 9])
def test_a_block_counts_as_often_as_it_is_run(times):
    model, plain = Shared(times), ic.initialize(Shared(times))["up.weight"].std
    assert {place.times for place in branches(model).values()} == {times}
    table = ic.initialize(model, residual="gpt2")
    assert table["down.weight"].std == pytest.approx(0.02 * times**-0.5)
    table = ic.initialize(model, residual="fixup")
    assert table["up.weight"].std == pytest.approx(plain * times**-0.5)
    table = ic.initialize(model, residual="deepnorm")
    assert table["up.weight"].std == pytest.approx(
        (2 / 24) ** 0.5 * residual.deepnorm(times).factor("mlp_inner")
    )
    assert {place.times for place in branches(Shared(times, towers=True)).values()} == {1}


def test_a_shared_block_may_have_multipliers_of_its_own():
    model = Shared(3, multiplied=True)
    ic.initialize(model, residual="rezero")
    x = torch.randn(2, 8)
    assert torch.equal(model(x), x)
