"""Tensors of PyTorch's modules that several layers have, or that one computes from others."""

import warnings

import numpy as np
import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn = torch.nn
pytestmark = pytest.mark.peers


def test_tied_tensors_are_set_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, i):
            return self.head(self.embed(i))

    model = Tied()
    table = ic.initialize(model)
    assert len(table) == 1 and "head.weight" in table["embed.weight"].why
    assert (
        table["embed.weight"].std == 0.25 and model.embed.weight._version == 1 + Tied().embed.weight._version
    )
    assert ic.initialize(model, {"head": "he_normal"})["embed.weight"].scheme == "he_normal"


class Language(nn.Module):
    """An embedding that is the last layer's kernel too, declared in either order."""

    def __init__(self, head_first, width=16):
        super().__init__()
        layers = {"embed": nn.Embedding(50, width, padding_idx=3), "head": nn.Linear(width, 50, bias=False)}
        for name in sorted(layers, reverse=head_first):
            self.add_module(name, layers[name])
        self.head.weight = self.embed.weight

    def forward(self, i):
        return self.head(self.embed(i))


@pytest.mark.parametrize("head_first", [False, True])
def test_a_tied_embedding_is_one_in_any_order(head_first):
    model = Language(head_first)
    [row] = ic.initialize(model)
    assert row.role == "embedding" and row.name == ("head.weight" if head_first else "embed.weight")
    assert row.std == 0.25 and "output's kernel" in row.why
    assert (model.embed.weight[3] == 0).all()
    assert "head.weight" in str(ic.initialize(model, mup=Language(head_first, 8)).notes)


def test_two_tied_embeddings_are_no_output():
    class Two(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.source, self.target = nn.Embedding(50, width), nn.Embedding(50, width)
            self.target.weight = self.source.weight

        def forward(self, i, j):
            return self.source(i).sum() + self.target(j).sum()

    [row] = ic.initialize(Two())
    assert row.std == 1 and "output" not in row.why
    assert not ic.initialize(Two(), mup=Two(8)).notes


def test_parametrizations_are_respected():
    linear = nn.utils.parametrizations.weight_norm(nn.Linear(5, 6))
    expected = ic.initializers.HeNormal()((6, 5), ic.Key(0) / "0.weight", layout="oi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.utils.weight_norm(nn.Linear(6, 6), dim=0)
    pruned = nn.Linear(6, 6)
    prune = pytest.importorskip("torch.nn.utils.prune", reason="prunes a layer")
    prune.random_unstructured(pruned, "weight", 0.5)
    model = nn.Sequential(linear, nn.ReLU(), old, nn.ReLU(), nn.utils.spectral_norm(nn.Linear(6, 6)), pruned)
    names = [row.name for row in ic.initialize(model)]
    assert names == [f"{i}.{name}" for i in (0, 2, 4, 5) for name in sorted(("weight", "bias"), reverse=True)]
    assert np.allclose(linear.weight.detach().numpy(), expected, atol=1e-6)
    assert torch.allclose(old.weight, old.weight_v) and torch.allclose(
        old.weight_g, old.weight_v.norm(dim=1, keepdim=True)
    )
    assert len(torch.unique(model[4].weight_orig)) == 36 and len(torch.unique(pruned.weight_orig)) == 36

    class Squared(nn.Module):
        def forward(self, x):
            return x**2

    nn.utils.parametrize.register_parametrization(linear, "bias", Squared())
    assert "Squared" in ic.initialize(model)["0.bias"].why


def test_the_table_says_what_a_module_makes_of_its_numbers():
    layers = [nn.Linear(16, 16) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(layers[2])
    nn.utils.parametrizations.orthogonal(layers[0])
    nn.utils.parametrizations.weight_norm(layers[1])
    nn.utils.spectral_norm(layers[3])
    model = nn.Sequential(*layers).eval()
    table = ic.initialize(model, "he_normal")
    for i, same in enumerate([False, True, True, False]):
        row = table[f"{i}.weight"]
        assert ("computes another" in row.why) != same, row
        std = float(layers[i].weight.detach().std(correction=0))
        assert row.std == pytest.approx(8**-0.5 if same else std)
    assert table["0.weight"].std == pytest.approx(0.25, rel=0.01)  # an orthogonal matrix of 16 columns
