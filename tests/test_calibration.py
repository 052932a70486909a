"""Initialization from data, the part that knows no framework: by networks of NumPy and of PyTorch."""

import functools

import numpy as np
import pytest

from initcore.calibration import Calibrated, Calibration, Goal, calibrate


class Affine:
    """A layer of NumPy, with units on the last of any number of axes."""

    def __init__(self, rng, inputs, units):
        self.w, self.b = rng.normal(2, 5, (inputs, units)), rng.normal(0, 3, units)

    def calibrate(self, x, goal):
        def scale(factor):
            assert np.shape(factor) in ((1,), self.b.shape)
            self.w *= factor

        shift = functools.partial(np.add, self.b, out=self.b)
        return calibrate("affine", lambda: x @ self.w + self.b, scale, shift, goal)


@pytest.mark.parametrize("shape", [(40, 6), (5, 8, 6), (2, 3, 4, 6)])
@pytest.mark.parametrize("per", ["layer", "unit"])
@pytest.mark.parametrize("center", [False, True])
def test_units_are_the_last_axis(shape, per, center, rng):
    layer, x = Affine(rng, 6, 4), rng.normal(1, 2, shape)
    layer.b *= center  # else a layer's variance is at least that of its biases, which may be above the goal
    row = layer.calibrate(x, Goal(variance=3.0, tolerance=1e-3, per=per, center=center))
    z = (x @ layer.w + layer.b).reshape(-1, 4)
    around = z - (z.mean(axis=0) if center or per == "unit" else z.mean())
    variance = np.mean(around**2, axis=0 if per == "unit" else None)
    np.testing.assert_allclose(variance, 3, rtol=1e-3)
    assert row.converged and row.after == pytest.approx(np.mean(variance))
    assert not center or np.abs(z.mean(axis=0)).max() < 1e-12


def test_a_goal_that_cannot_be_reached_is_told(rng):
    """Biases alone spread by more than what is asked for."""
    layer, x = Affine(rng, 6, 4), rng.normal(size=(100, 6))
    layer.b[:] = [-10, -5, 5, 10]
    row = layer.calibrate(x, Goal(max_iterations=3))
    assert not row.converged and row.forwards == 4 and row.error > 1


def test_a_table_of_what_was_done():
    rows = [Calibrated("dense", 2, 31.4, 1.0, 0.0, 0.2, True), Calibrated("dense_1", 11, 9, 5, 4, 1, False)]
    table = Calibration(rows)
    assert not table.converged and Calibration(rows[:1]).converged and table[1].name == "dense_1"
    lines = repr(table).splitlines()
    assert len(lines) == 3 and lines[1].split()[:3] == ["dense", "2", "31.4"] and "not within" in lines[2]


@pytest.mark.peers
@pytest.mark.parametrize("per", ["layer", "unit"])
def test_a_hook_calibrates_a_network_of_pytorch_in_one_pass(per, rng):
    """Branches and all: the pass stops before each layer, and goes on from what it now gives."""
    torch = pytest.importorskip("torch", reason="uses PyTorch")
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return x + self.other(torch.relu(self.conv(x)))

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Block(), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    x = torch.tensor(rng.normal(3, 2, (20, 3, 8, 8)), dtype=torch.float32)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    rows, passes, goal = [], [], Goal(per=per, center=True, tolerance=1e-3)

    def before(module, inputs):
        def run():
            passes.append(module)
            return module.forward(*inputs).movedim(1, -1).numpy()

        def scale(factor):
            module.weight *= torch.tensor(factor, dtype=torch.float32).reshape(
                -1, *[1] * (module.weight.ndim - 1)
            )

        def shift(offset):
            module.bias += torch.tensor(offset, dtype=torch.float32)

        rows.append(calibrate(type(module).__name__, run, scale, shift, goal))

    hooks = [layer.register_forward_pre_hook(before) for layer in layers]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    assert len(rows) == len(layers) == 4 and Calibration(rows).converged and len(passes) == 3 * 4
    outputs = []
    for layer in layers:
        layer.register_forward_hook(lambda module, inputs, y: outputs.append(y))
    with torch.no_grad():
        model(x)
    for y in outputs:
        z = y.movedim(1, -1).numpy().reshape(-1, y.shape[1])
        assert np.abs(z.mean(axis=0)).max() < 1e-4
        np.testing.assert_allclose(z.var(axis=0) if per == "unit" else z.var(), 1, rtol=2e-3)
