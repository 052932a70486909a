"""LSUV and standardization of PyTorch's modules, and `initialize` with data."""

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="calibrates modules of a live PyTorch")
pytestmark = pytest.mark.peers
from initcore.torch import lsuv, standardize  # noqa: E402

nn = torch.nn
X = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, groups=2),
        nn.BatchNorm2d(6),
        nn.Tanh(),
        nn.Flatten(),
        nn.utils.parametrizations.weight_norm(nn.Linear(6 * 64, 20)),
        nn.Dropout(),
        nn.Linear(20, 4),
    )


def outputs(model, x=X):
    """What every layer with a kernel gives, units last."""
    found = {}

    def hook(name):
        def keep(module, args, y):
            found[name] = (y.movedim(1, -1) if y.ndim == 4 else y).detach().double().flatten(0, -2)

        return keep

    kernels = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    handles = [m.register_forward_hook(hook(n)) for n, m in model.named_modules() if isinstance(m, kernels)]
    model.eval()(x)
    for handle in handles:
        handle.remove()
    return found


def variances(model, x=X):
    return {name: float(z.var(correction=0)) for name, z in outputs(model, x).items()}


def copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("per", ["layer", "unit"])
@pytest.mark.parametrize("center", [False, True])
def test_every_layer_gives_variance_1(per, center):
    model = network().train()
    done = lsuv(model, X, per=per, center=center, tolerance=0.01)
    assert model.training and done.converged and [row.name for row in done] == ["0", "2", "6", "8"]
    for z in outputs(model).values():
        if per == "unit":
            assert torch.allclose(z.var(dim=0, correction=0), torch.ones(z.shape[1]).double(), rtol=0.02)
        else:
            around = z - (z.mean(dim=0) if center else z.mean())
            assert float((around**2).mean()) == pytest.approx(1, rel=0.02)
        if center:
            assert float(z.mean(dim=0).abs().max()) < 1e-3


def test_standardized_units():
    model = network()
    before = copied(model)
    standardize(model, X)
    for z in outputs(model).values():
        assert torch.allclose(z.mean(dim=0), torch.zeros(z.shape[1]).double(), atol=2e-3)
        assert torch.allclose(z.std(dim=0, correction=0), torch.ones(z.shape[1]).double(), atol=2e-3)
    assert torch.equal(before["3.running_mean"], model.state_dict()["3.running_mean"])


def test_in_training_the_moving_statistics_stay():
    model = network()
    kept = model[3].running_mean.clone()
    lsuv(model, X, training=True)
    assert torch.equal(kept, model[3].running_mean) and int(model[3].num_batches_tracked) == 0


def test_what_cannot_be_changes_nothing():
    model = network().eval()
    before = copied(model)
    with pytest.raises(ValueError, match="finite"):
        lsuv(model, X * float("nan"))
    with pytest.raises(RuntimeError):
        lsuv(model, torch.ones(2, 5))
    with pytest.raises(ValueError, match="reach no"):
        lsuv(nn.ReLU(), X)
    with pytest.raises(ValueError, match="bias"):
        lsuv(nn.Sequential(nn.Linear(3, 3, bias=False)), torch.randn(9, 3), center=True)
    assert same(before, copied(model)) and not model.training
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_arguments_by_name_and_layers_used_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.unused = nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x, *, scale):
            return self.fc(torch.relu(self.fc(x * scale)))

    done = lsuv(Twice(), {"x": torch.randn(50, 5), "scale": 3.0})
    assert [row.name for row in done] == ["fc"]


def test_initialize_takes_data():
    model = network()
    table = ic.initialize(model, "lsuv", data=X, seed=3)
    assert table["0.weight"].scheme == "lsuv" and "variance" in table["0.weight"].why
    assert table["0.bias"].scheme == "zeros" and table["3.weight"].scheme == "ones"
    for z in outputs(model).values():
        assert float(z.var()) == pytest.approx(1, rel=0.11)
    before = copied(model)
    with pytest.raises(ValueError, match="finite"):
        ic.initialize(model, "lsuv", data=X * float("inf"))
    assert same(before, copied(model))


def test_initialize_takes_data_for_our_models():
    model = ic.Sequential([ic.Dense(16, activation="relu"), ic.Dense(3)], input_shape=(5,))
    x = np.random.default_rng(0).normal(3, 2, (100, 5))
    table = ic.initialize(model, "lsuv", data=x, seed=2)
    assert [row.scheme for row in table] == ["lsuv", "zeros", "lsuv", "zeros"]
    assert model.predict(x).var() == pytest.approx(1, rel=0.11)
    kept = {name: array.copy() for name, array in model.parameters.items()}
    for arguments in ({"data": x * np.inf}, {}):
        with pytest.raises(ValueError, match=r"finite|data="):
            ic.initialize(model, "lsuv", seed=3, **arguments)
    with pytest.raises(ValueError, match="data="):
        ic.initialize(model, "auto", data=x)
    assert all(np.array_equal(kept[name], array) for name, array in model.parameters.items())


def by_hooks():
    """Layers whose kernels hooks compute before every forward, the first one's with a norm of its own."""
    prune = pytest.importorskip("torch.nn.utils.prune", reason="prunes a layer")
    model = nn.Sequential(*[nn.Linear(20, 20) for _ in range(4)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(model[1])
        nn.utils.weight_norm(model[2], dim=None)
    nn.utils.spectral_norm(model[0])
    prune.random_unstructured(model[3], "weight", 0.5)
    return model


@pytest.mark.parametrize("per", ["layer", "unit"])
def test_computed_kernels_are_scaled_by_what_they_are_computed_from(per):
    model, x = by_hooks(), torch.randn(200, 20) * 4 + 1
    done = lsuv(model, x, per=per)
    assert [row.converged for row in done] == [False, True, True, True]  # spectral norm undoes any scale
    for row, z in zip(done, outputs(model, x).values(), strict=True):
        variance = z.var(dim=0, correction=0).mean() if per == "unit" else z.var(correction=0)
        assert row.after == pytest.approx(float(variance), rel=1e-4)
    assert (model[3].weight == 0).sum() == 200 and not (model[3].weight_orig == 0).any()


def test_tied_kernels_are_scaled_once_and_measured_at_last():
    first, second = nn.Linear(20, 20), nn.Linear(20, 20)
    second.weight = first.weight
    model, x = nn.Sequential(first, nn.ReLU(), second), torch.randn(200, 20)
    done = lsuv(model, x)
    assert done[0].converged and [row.after for row in done] == pytest.approx([*variances(model, x).values()])
    embedding, head = nn.Embedding(20, 20), nn.Linear(20, 20)
    head.weight = embedding.weight
    model, x = nn.Sequential(embedding, nn.Linear(20, 20), head), torch.arange(20)
    done = lsuv(model, x, start=None)  # scaling the head scales the embedding: said as it is
    assert [row.after for row in done] == pytest.approx([*variances(model, x).values()], rel=1e-4)
    assert not done.converged


def test_random_numbers_of_the_forward_are_the_same_in_both_passes():
    model, state = network(), torch.random.get_rng_state()
    assert standardize(model, X, training=True).converged
    assert torch.equal(state, torch.random.get_rng_state())


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.never = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)
        self.last.weight = self.never.weight

    def forward(self, x):
        x = self.first(x)
        return self.last(self.attention(x, x, x)[0])


def test_the_table_says_what_was_not_scaled():
    table = ic.initialize(Attends(), "lsuv", data=torch.randn(64, 5, 8))
    assert {row.name: row.scheme for row in table if row.role == "kernel"} == {
        "attention.in_proj_weight": "orthogonal",
        "attention.out_proj.weight": "lsuv",
        "never.weight": "lsuv",  # by its other name, last
        "first.weight": "lsuv",
    }
    for row in table:
        assert ("not scaled" in row.why) == (row.scheme == "orthogonal"), row
    with pytest.raises(ValueError, match="recurrent"):
        ic.initialize(nn.LSTM(3, 4), "lsuv", data=torch.randn(5, 2, 3))


@pytest.mark.parametrize("per, center", [("layer", False), ("unit", True)])
def test_what_attention_gives_is_scaled_by_its_last_kernel(per, center):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(64, 5, 8) * 3
    done = lsuv(model, x, per=per, center=center, tolerance=0.01)
    parts = [f"layers.{i}.{name}" for i in (0, 1) for name in ("self_attn.out_proj", "linear1", "linear2")]
    assert [row.name for row in done] == parts and done.converged
    given = []
    for part in model.layers:
        part.self_attn.register_forward_hook(
            lambda module, x, y: given.append(y[0].detach().double().flatten(0, -2))
        )
    model.eval()(x)
    for z in given:
        around = z - (z.mean(dim=0) if center else z.mean())
        assert (around**2).mean(dim=0 if per == "unit" else None).allclose(torch.ones(()).double(), rtol=0.02)
    alone = nn.MultiheadAttention(8, 2)
    table = ic.initialize(alone, "lsuv", data=(x, x, x))
    assert "now 1" in table["out_proj.weight"].why and "not scaled" in table["in_proj_weight"].why


def test_a_layer_alone_is_told_of():
    layer, x = nn.Linear(20, 20), torch.randn(100, 20) * 3
    wrapped = nn.DataParallel(layer)
    for model, name in ((layer, "weight"), (wrapped, "weight"), (nn.Sequential(wrapped), "0.weight")):
        table = ic.initialize(model, "lsuv", data=x)
        assert table[name].scheme == "lsuv" and "now 1" in table[name].why


def test_who_knows_whom():
    """`apply` walks a module by way of `torch.calibration`, which so must not know `apply`."""
    for module in ("calibration", "computed"):
        tree = ast.parse((Path(ic.__file__).parent / "torch" / f"{module}.py").read_text())
        known = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert "initcore.torch.computed" in known or module == "computed"
        assert not any("apply" in other for other in known)


def test_data_that_the_model_does_not_take_are_named():
    model = network()
    for data, kind in ((X.numpy(), TypeError), (torch.ones(2, 5), RuntimeError)):
        with pytest.raises(kind, match=r"cannot be run on data=, a \w+ of shape") as raised:
            ic.initialize(model, "lsuv", data=data)
        assert isinstance(raised.value.__cause__, kind)


def test_the_table_has_the_spread_of_what_was_scaled():
    model = network()
    table = ic.initialize(model, "lsuv", data=X)
    scaled = [row for row in table if row.scheme == "lsuv"]
    assert scaled and all("pre-activations" in row.why for row in scaled)
    for row in scaled:
        layer, _, name = row.name.rpartition(".")
        now = getattr(model.get_submodule(layer), name)
        assert row.std == pytest.approx(now.std(correction=0).item(), rel=1e-5)
