"""`initialize` on PyTorch's modules: roles and layouts, what a layer feeds, tensors of every kind."""

import warnings

import numpy as np
import pytest

import initcore as ic
from initcore import layouts
from initcore.initializers import NAMED

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers


class Mine(nn.Module):
    """A model as people write them: its own forward, functions and modules for activations."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.act = nn.LeakyReLU(0.2)
        self.fc1, self.fc2, self.head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = (x + self.act(self.conv2(x))).mean((2, 3))
        x = torch.tanh(self.fc1(x))
        return self.head(F.gelu(self.fc2(x)).flatten(1))


class Undecided(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.body = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.SiLU())

    def forward(self, x):
        return torch.relu(self.fc(x)) if x.sum() > 0 else self.body(x)


def kernels(table):
    return {row.name: row for row in table if row.role == "kernel"}


def test_one_line_sets_a_model_of_ones_own():
    model = Mine()
    table = ic.initialize(model)
    assert [row.name for row in table] == [name for name, _ in model.named_parameters()]
    whys = {name: row.why for name, row in kernels(table).items()}
    for name, f in {"conv1": "relu", "conv2": "0.2", "fc1": "tanh", "fc2": "gelu"}.items():
        assert "keeps the signal" in whys[f"{name}.weight"] and f in whys[f"{name}.weight"]
    assert table["head.weight"].scheme == "glorot_uniform"
    fan_in = 8 // 4 * 9
    assert table["conv2.weight"].std == pytest.approx((2 / 1.04 / fan_in) ** 0.5, rel=1e-6)
    assert (model.bn1.weight == 1).all() and (model.bn1.bias == 0).all() and (model.fc1.bias == 0).all()
    y = model(torch.randn(4, 3, 8, 8))
    y.sum().backward()  # it still trains


def test_numbers_hang_on_seed_and_name_only():
    one, other = Mine(), Mine()
    other.added = nn.Linear(3, 3)
    other = nn.ModuleDict(dict(reversed(list(other.named_children()))))
    ic.initialize(one, seed=3), ic.initialize(other, seed=3, activation="relu")
    law, key = ic.initializers.GlorotUniform(), ic.Key(3) / "head.weight"
    expected = law((10, 16), key, layout="oi")
    assert np.array_equal(one.head.weight.detach().numpy(), expected)
    assert not torch.equal(one.fc1.weight, Mine().fc1.weight)
    ic.initialize(one, "he_normal", seed=3), ic.initialize(other, "he_normal", seed=3)
    assert all(torch.equal(p, other.get_parameter(name)) for name, p in one.named_parameters())


ANY_SHAPE = [row for row in NAMED if row.name != "delta_orthogonal"]  # which refuses layers that narrow


@pytest.mark.parametrize("row", ANY_SHAPE, ids=lambda row: row.name)
def test_every_named_scheme(row):
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), nn.Linear(6, 5), nn.Linear(5, 4))
    table = ic.initialize(model, row.name, seed=2)
    for name, line in kernels(table).items():
        tensor = model.get_parameter(name)
        layout = layouts.Conv("oi", 2) if name == "0.weight" else "oi"
        expected = row.law(tuple(tensor.shape), ic.Key(2) / name, layout=layout)
        assert np.array_equal(tensor.detach().numpy(), expected) and line.changed
    assert (model[0].bias == 0).all() or f"comes with {row.name}" in table["0.bias"].why


def test_what_cannot_be_decided_is_said_and_asked_for():
    model = Undecided()
    table = ic.initialize(model)
    assert "activation=" in table["fc.weight"].why and "Undecided" in table["fc.weight"].why
    assert "silu" in table["body.0.weight"].why  # stands in a Sequential
    table = ic.initialize(model, activation="relu")
    assert "relu" in table["fc.weight"].why and table["fc.weight"].scheme == "he_normal"
    assert "silu" in table["body.0.weight"].why


def test_what_is_asked_of_a_forward_by_default_is_found_out():
    class Asks(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, i=None, embedded=None, *, times=2, reverse=False):
            if i is not None and embedded is not None:
                raise ValueError("one of them")
            for _ in range(times):
                i = torch.tanh(self.fc(i)) if reverse else torch.relu(self.fc(i))
            return F.silu(self.other(i))

    table = ic.initialize(Asks())
    assert "relu" in table["fc.weight"].why and "silu" in table["other.weight"].why


def test_a_list_of_modules_has_no_order():
    model = nn.ModuleList([nn.Linear(3, 3), nn.ReLU()])
    assert "ModuleList" in ic.initialize(model)["0.weight"].why
    assert ic.initialize(model, activation="relu")["0.weight"].scheme == "he_normal"


def test_an_activation_of_ones_own_has_its_gain():
    class Cube(nn.Module):
        def forward(self, x):
            return x**3

    table = ic.initialize(nn.Sequential(nn.Linear(400, 300), Cube(), nn.Linear(300, 5)))
    assert table["0.weight"].std == pytest.approx((1 / 15 / 400) ** 0.5, rel=1e-9)  # E z^6 = 15


@pytest.mark.parametrize("kind, gates", [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_gate_by_gate(kind, gates):
    model = kind(6, 8, num_layers=2, bidirectional=True)
    table = ic.initialize(model)
    for name, tensor in model.named_parameters():
        if name.startswith("weight_hh"):
            for gate in tensor.detach().double().chunk(gates):
                assert torch.allclose(gate @ gate.T, torch.eye(8, dtype=torch.float64), atol=1e-6)
            assert table[name].std == pytest.approx(8**-0.5)
        elif name.startswith("weight_ih"):
            assert table[name].std == pytest.approx((2 / (tensor.shape[1] + 8)) ** 0.5)
            assert ("gates" in table[name].why) == (gates > 1) == ("into tanh" not in table[name].why)
        elif name.startswith("bias_ih") and gates == 4:
            assert tensor.tolist() == [0] * 8 + [1] * 8 + [0] * 16
        else:
            assert (tensor == 0).all()
    cell = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}[kind](6, 8)
    assert [row.role for row in ic.initialize(cell)] == [row.role for row in table][:4]


def test_packed_projections_are_three_maps():
    model = nn.MultiheadAttention(64, 4)
    table = ic.initialize(model, "orthogonal")
    for part in model.in_proj_weight.detach().double().chunk(3):
        assert torch.allclose(part @ part.T, torch.eye(64, dtype=torch.float64), atol=1e-6)
    assert ic.initialize(model)["in_proj_weight"].std == pytest.approx((2 / 128) ** 0.5)
    assert table["out_proj.weight"].scheme == "orthogonal"
    apart = nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True)
    assert all(row.changed for row in ic.initialize(apart))


def test_a_transformer_has_no_open_questions():
    table = ic.initialize(nn.Transformer(16, 2, 2, 2, 32, activation="gelu", batch_first=True))
    assert all(row.changed for row in table)
    for name, row in kernels(table).items():
        assert ("gelu" in row.why) == name.endswith("linear1.weight"), row


def test_embeddings_keep_their_padding():
    model = nn.Embedding(100, 64, padding_idx=3)
    ic.initialize(model)
    assert (model.weight[3] == 0).all() and abs(model.weight.std() - 0.995) < 0.05


def test_the_table_says_the_deviation_of_complex_weights():
    model = nn.Linear(300, 300, bias=False, dtype=torch.complex64)
    for law in (ic.initializers.RandomUniform(-1, 1), ic.initializers.Sparse()):
        promised = ic.initialize(model, {"weight": law})["weight"].std
        assert model.weight.detach().numpy().std() == pytest.approx(promised, rel=0.03)


def test_lazy_and_meta_tensors_are_reported():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2, device="meta"), nn.Linear(2, 2))
    table = ic.initialize(model, "he_normal")
    assert [row.changed for row in table] == [False] * 4 + [True] * 2
    assert table["0.weight"].shape is None and "0.weight  unknown  kernel" in str(table)
    assert table.to_dict()["0.weight"]["shape"] is None
    assert "batch" in table["0.weight"].why and "to_empty" in table["2.bias"].why
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lazy modules are said to be new
        model[0](torch.ones(1, 3))
    assert ic.initialize(model)["0.weight"].scheme == "he_normal"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_all_types_get_the_same_numbers_rounded(dtype):
    whole = nn.Linear(300, 200)
    part = nn.Linear(300, 200, dtype=getattr(torch, dtype))
    ic.initialize(whole, "he_normal", seed=4), ic.initialize(part, "he_normal", seed=4)
    assert part.weight.dtype is getattr(torch, dtype)
    if dtype != "float64":
        assert torch.equal(part.weight, whole.weight.to(part.weight.dtype))
    assert part.weight._version > nn.Linear(300, 200)._parameters["weight"]._version


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_layers(dtype):
    model = nn.Linear(30, 20, dtype=getattr(torch, dtype))
    ic.initialize(model, "orthogonal", seed=1)
    expected = ic.initializers.Orthogonal()((20, 30), ic.Key(1) / "weight", dtype, "oi")
    assert np.array_equal(model.weight.detach().numpy(), expected) and (model.bias == 0).all()


def test_autograd_notices():
    model, x = nn.Linear(3, 3), torch.ones(2, 3, requires_grad=True)
    model.bias.requires_grad_(False)
    y = model(x) ** 2
    ic.initialize(model)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    assert model.weight.requires_grad and not model.bias.requires_grad and model.weight.grad is None


def test_rules_for_types_and_names():
    model = Mine()
    rules = {
        r"^conv1\.": "keep",
        nn.Conv2d: "orthogonal",
        "head.bias": -2.0,
        nn.Linear: "lecun_normal",
    }
    before = model.conv1.weight.clone()
    table = ic.initialize(model, rules)
    assert torch.equal(before, model.conv1.weight) and (model.head.bias == -2).all()
    assert table["conv2.weight"].scheme == "orthogonal" and table["head.weight"].scheme == "lecun_normal"
    assert table["fc1.bias"].scheme == "zeros"
    with pytest.raises(ValueError, match=r"LSTM.*'Conv2d'"):
        ic.initialize(model, {nn.LSTM: "zeros"})


def test_what_is_not_known_is_left_until_a_rule_says():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.temperature, self.mix = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return x @ self.mix / self.temperature

    model = Scaled()
    table = ic.initialize(model)
    assert not any(row.changed for row in table) and "rule" in table["mix"].why
    table = ic.initialize(model, {"mix": "orthogonal", "temp": 2.0})
    assert model.temperature == 2 and torch.allclose(model.mix @ model.mix.T, torch.eye(4), atol=1e-6)


def test_layers_of_ones_own_are_made_known():
    from initcore.torch import register, roles

    class Transposed(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.weight, self.bias = (
                nn.Parameter(torch.zeros(inputs, outputs)),
                nn.Parameter(torch.ones(outputs)),
            )

        def forward(self, x):
            return x @ self.weight + self.bias

    model = nn.Sequential(Transposed(300, 100), nn.ReLU(), Transposed(100, 3))
    assert not ic.initialize(model)["0.weight"].changed
    register(Transposed, weight=("kernel", "io"), bias="bias")
    try:
        table = ic.initialize(model)
        assert table["0.weight"].std == pytest.approx((2 / 300) ** 0.5) and (model[0].bias == 0).all()
        assert "relu" in table["0.weight"].why
        with pytest.raises(ValueError, match="role"):
            register(Transposed, weight="weights")
        with pytest.raises(TypeError, match="subclass of Module"):
            register(dict, weight="kernel")
    finally:
        roles.KINDS.registered.clear()


def test_looking_at_a_model_leaves_no_trace():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.calls = nn.Linear(3, 3), 0
            self.register_buffer("steps", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            self.steps += 1
            self.last = x = torch.relu(self.fc(x))
            return x + torch.rand(3)

    model = nn.Sequential(Counts(), nn.Linear(3, 2))
    for module in model.modules():
        module.register_forward_pre_hook(lambda *_: pytest.fail("a hook ran"))
    state = torch.random.get_rng_state()
    assert "relu" in ic.initialize(model)["0.fc.weight"].why
    model[1].weight.untyped_storage().resize_(0)  # still possible, as FSDP does
    assert model[0].calls == 0 and model[0].steps == 0 and not hasattr(model[0], "last")
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_layer_called_twice_feeds_both():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.other = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return torch.tanh(self.fc(torch.relu(self.fc(x)))) + torch.relu(
                self.other(torch.relu(self.other(x)))
            )

    table = ic.initialize(Twice())
    assert "relu and tanh" in table["fc.weight"].why or "tanh and relu" in table["fc.weight"].why
    assert table["other.weight"].scheme == "he_normal"


ACTIVATIONS = [
    name
    for name in torch.nn.modules.activation.__all__
    if name not in ("MultiheadAttention", "Threshold", "GLU") and "max" not in name and "min" not in name
]


def second_moments(name, depth, width=512):
    """Of the pre-activations of a deep stack, whose input is what the activation makes of normal numbers."""
    torch.manual_seed(0)
    layers = [part for _ in range(depth) for part in (nn.Linear(width, width), getattr(nn, name)())]
    model = nn.Sequential(*layers).eval()
    table = ic.initialize(model, seed=1)
    assert all("keeps the signal" in row.why for row in table if row.role == "kernel")
    found = []
    with torch.no_grad():
        x = model[1](torch.randn(64, width))
        for layer in model:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                found.append(float((x**2).mean()))
    return found


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_layer_keeps_the_signal(name):
    # The mean of 512 squares of about unit variance each, with heavier tails where the slope grows.
    assert second_moments(name, 1)[0] == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize(
    "name", ["ReLU", "LeakyReLU", "PReLU", "RReLU", "Tanh", "ELU", "CELU", "Softsign", "Hardtanh"]
)
def test_a_deep_stack_keeps_the_signal(name):
    """Of functions that return to a second moment of 1, or at least stay, from one that is somewhat off."""
    assert all(0.3 < moment < 3 for moment in second_moments(name, 30))
