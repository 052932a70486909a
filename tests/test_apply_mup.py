"""muP applied to models: spreads and learning rates from a base model."""

import numpy as np
import pytest

import initcore as ic


def network(width, depth=3):
    layers = [ic.Dense(width, activation="tanh") for _ in range(depth)]
    return ic.Sequential([*layers, ic.Dense(10)], input_shape=(20,))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("scheme", ["auto", "orthogonal", ic.initializers.RandomNormal(0, 0.1)])
def test_spreads_are_the_bases_times_what_the_width_asks_for(optimizer, scheme):
    base, wide = network(32), network(256)
    before = ic.initialize(base, scheme)
    table = ic.initialize(wide, scheme, mup=base, optimizer=optimizer)
    layouts = {name: array.shape for name, array in base.parameters.items()}
    expected = ic.mup.scalings(wide.parameters, layouts, optimizer)
    for row in table:
        factor = expected[row.name]
        assert row.learning_rate == factor.learning_rate == table.learning_rates[row.name]
        if row.role == "kernel":
            assert row.std == pytest.approx(before[row.name].std * factor.stddev)
            assert wide.parameters[row.name].std() == pytest.approx(row.std, rel=0.1)
            assert f"muP: {factor.role}" in row.why
    assert table == ic.initialize(wide, scheme, mup=layouts, optimizer=optimizer)


def test_of_the_same_width_nothing_changes():
    model, plain = network(32), network(32)
    ic.initialize(model, mup=network(32), seed=5), ic.initialize(plain, seed=5)
    assert all(np.array_equal(a, plain.parameters[name]) for name, a in model.parameters.items())


@pytest.mark.parametrize(
    "words, call",
    [
        ("dense_3/bias", lambda: ic.initialize(network(8), mup=network(4, depth=2))),
        ("optimizer", lambda: ic.initialize(network(8), mup=network(4), optimizer="adamant")),
        ("undo", lambda: ic.initialize(network(8), "lsuv", data=np.ones((3, 20)), mup=network(4))),
    ],
)
def test_what_cannot_be_is_refused(words, call):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.peers
def test_tied_embeddings_of_torch_are_told_what_they_need():
    torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")

    class Tied(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.embed, self.mix = torch.nn.Embedding(50, width), torch.nn.Linear(width, width)
            self.head = torch.nn.Linear(width, 50, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, i):
            return self.head(self.mix(self.embed(i)))

    table = ic.initialize(Tied(64), mup=Tied(16))
    assert table.notes == ("mup needs what head.weight gives to be divided by 4 in the forward pass",)
    normed = torch.nn.utils.parametrizations.weight_norm
    from initcore.torch import parameter_groups

    model = torch.nn.Sequential(torch.nn.Linear(4, 32), normed(torch.nn.Linear(32, 32)))
    base = torch.nn.Sequential(torch.nn.Linear(4, 8), normed(torch.nn.Linear(8, 8)))
    groups = parameter_groups(model, ic.initialize(model, mup=base), lr=1.0, weight_decay=0.1)
    assert [(len(group["params"]), group["lr"], group["weight_decay"]) for group in groups] == [
        (3, 1.0, 0.1),
        (2, 0.25, 0.4),
    ]
    torch.optim.AdamW(groups)
    assert table["mix.weight"].learning_rate == 0.25 and table["embed.weight"].learning_rate == 1


@pytest.mark.peers
def test_groups_of_torch_may_grow_with_the_width():
    nn = pytest.importorskip("torch", reason="initializes modules of a live PyTorch").nn

    def network(width):
        return nn.Sequential(nn.Conv2d(3, width, 1), nn.ReLU(), nn.Conv2d(width, width, 3, groups=width))

    base, table = ic.initialize(network(16)), ic.initialize(network(64), mup=network(16), optimizer="sgd")
    assert table["2.weight"].std == base["2.weight"].std and table["2.weight"].learning_rate == 4


@pytest.mark.peers
@pytest.mark.parametrize("heads, told", [((4, 4), True), ((4, 16), False)])
def test_wider_heads_of_torch_need_another_scale(heads, told):
    nn = pytest.importorskip("torch", reason="initializes modules of a live PyTorch").nn
    base, wide = nn.MultiheadAttention(16, heads[0]), nn.MultiheadAttention(64, heads[1])
    notes = ic.initialize(wide, mup=base).notes
    assert [("attention_scale" in note) for note in notes] == [True] * told
