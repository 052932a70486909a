"""Kernels whose outputs a forward splits: query, key and value in one `nn.Linear`, both sides of a gate."""

import pytest

import initcore as ic
from initcore import residual
from initcore.layouts import Conv, Packed

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers
from initcore.torch.module import parameters  # noqa: E402

WIDTH, HEADS = 16, 4


class Splits(nn.Module):
    """One kernel, and the parts that a function makes of what it gives."""

    def __init__(self, parts, outputs):
        super().__init__()
        self.parts, self.kernel, self.dropout = parts, nn.Linear(WIDTH, outputs), nn.Dropout(0.0)

    def forward(self, x):
        return self.parts(self, x)


def timm(m, x):
    b, n, c = x.shape
    return m.kernel(x).reshape(b, n, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4).unbind(0)


def indexed(m, x):
    b, n, _ = x.size()
    qkv = m.kernel(x).view(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
    return qkv[0], qkv[1], qkv[2]


def unpacked(m, x):
    b, n, c = x.shape
    q, k, v = torch.reshape(m.kernel(x), (b, n, 3, c)).permute(-2, 0, 1, 3)
    return q, k, v


def by_the_input(m, x):
    q, k, v = m.kernel(x).split(x.size(-1), dim=2)
    return q, k, v


def through_others(m, x):
    return [part.contiguous() for part in m.dropout(m.kernel(x)).contiguous().chunk(2, -1)]


def of_each_head(m, x):
    b, n, _ = x.shape
    return m.kernel(x).view(b, n, HEADS, 3 * WIDTH // HEADS).chunk(3, -1)


def of_each_head_too(m, x):
    b, n, _ = x.shape
    return m.kernel(x).view(b, n, HEADS, 3, -1).unbind(3)


def heads(m, x):
    b, n, _ = x.shape
    return m.kernel(x).view(b, n, HEADS, -1).transpose(1, 2).unbind(1)


SPLIT = [
    (timm, 48),
    (indexed, 48),
    (unpacked, 48),
    (by_the_input, 48),
    (through_others, 32),
    (lambda m, x: m.kernel(x).chunk(3, dim=-1), 48),
    (lambda m, x: torch.chunk(m.kernel(x), 3, dim=2), 48),
    (lambda m, x: [*m.kernel(x).chunk(3, dim=-1)], 48),
    (lambda m, x: (lambda q, k, v: (q, k, v))(*m.kernel(x).split([16, 16, 16], -1)), 48),
    (lambda m, x: m.kernel(x).split(16, dim=2), 48),
    (lambda m, x: torch.split(m.kernel(x), [16, 8, 8], dim=-1), 32),
    (lambda m, x: m.kernel(x).split(20, -1), 48),
    (lambda m, x: m.kernel(x).unflatten(-1, (3, -1)).unbind(-2), 48),
    (lambda m, x: m.kernel(x).unflatten(2, (8, 4)).split([4, 2, 2], dim=-2), 32),
    (lambda m, x: m.kernel(x).view(2, 5, 3, WIDTH).transpose(1, -2).tensor_split(3, 1), 48),
    (lambda m, x: ((y := m.kernel(x))[..., :24], y[..., 24:]), 40),
    (lambda m, x: ((y := m.kernel(x).view(2, 5, 48))[:, :, :16], y[:, :, 16:]), 48),
    (lambda m, x: ((y := m.kernel(x).view(2, 5, 2, 8))[:, :, 0], y[:, :, 1]), 16),
    (heads, 16),
    # head by head, as in GPT-NeoX
    (of_each_head, 48),
    (of_each_head_too, 48),
    (lambda m, x: m.kernel(x).unflatten(-1, (HEADS, 3, -1)).transpose(-3, -2).unbind(-3), 48),
    (lambda m, x: ((y := m.kernel(x).view(2, 5, HEADS, 2, 4))[:, :, :, 0], y[..., 1, :]), 32),
    (lambda m, x: m.kernel(x).view(2, 5, HEADS, 3, 4).permute(3, 0, 2, 1, 4).unbind(0), 48),
]
NOT_SPLIT = [
    # rotary embeddings turn halves of each head, or pairs
    (lambda m, x: m.kernel(x).view(2, 5, HEADS, 4).chunk(2, -1), 16),
    (lambda m, x: m.kernel(x).view(2, 5, HEADS, 2, 2).unbind(-1), 16),
    (lambda m, x: m.kernel(x).view(2, 5, HEADS, 8).split([4, 2, 2], -1), 32),
    (lambda m, x: m.kernel(x).view(2, 5, 3, 4, 4).unbind(0), 48),
    (lambda m, x: m.kernel(x).chunk(2, dim=0), 48),
    (lambda m, x: (m.kernel(x)[..., :8], torch.relu(m.kernel(x))), 16),
    (lambda m, x: ((y := m.kernel(x))[..., :16], y[..., 16:32]), 48),
    (lambda m, x: ((y := m.kernel(x))[:, 0], y[:, 1:]), 16),
    (lambda m, x: ((y := m.kernel(x).view(2, 5, 3, WIDTH))[:, :, 0], y[:, :, 1]), 48),
    (lambda m, x: m.kernel(x).chunk(5, dim=-1), 16),
]


@pytest.mark.parametrize("parts, outputs", SPLIT + NOT_SPLIT)
def test_the_parts_are_those_that_the_forward_makes(parts, outputs):
    model = Splits(parts, outputs)
    kernel = parameters(model)[0]
    found = kernel.layout
    if (parts, outputs) in NOT_SPLIT:
        assert found == "oi"
        return
    with torch.no_grad():  # every output is its own number
        model.kernel.weight.zero_()
        model.kernel.bias.copy_(torch.arange(outputs))
        made = [part.unique().int().tolist() for part in model(torch.ones(2, 5, WIDTH))]
    assert sorted(number for part in made for number in part) == list(range(outputs))
    assert isinstance(found, Packed) and found.count == len(made)
    assert made == [
        [i for i, j in enumerate(found.of_outputs((outputs, WIDTH))) if j == k] for k in range(len(made))
    ]


class Convolution(Splits):
    """The same of a convolution."""

    def __init__(self, parts, outputs):
        super().__init__(parts, outputs)
        self.kernel = nn.Conv2d(WIDTH, outputs, 1)


def positions_flattened(m, x):
    b, c, h, w = x.shape
    return m.kernel(x).reshape(b, 3 * c, h * w).chunk(3, 1)


def channels_of_heads(m, x):
    b, _, h, w = x.shape
    return m.kernel(x).view(b, HEADS, 3 * WIDTH // HEADS, h * w).split(WIDTH // HEADS, dim=2)


def channels_split(m, x):
    b, c, h, w = x.size()
    return m.kernel(x).reshape(b, 3, HEADS, c // HEADS, h * w).unbind(1)


def channels_last(m, x):
    b, _, h, w = x.shape
    return m.kernel(x).flatten(2).transpose(1, 2).reshape(b, h * w, 3, HEADS, -1).unbind(2)


@pytest.mark.parametrize(
    "parts, wanted",
    [
        (lambda m, x: m.kernel(x).chunk(3, dim=1), Packed("oi", 3)),
        (lambda m, x: m.kernel(x).flatten(2).chunk(3, 1), Packed("oi", 3)),
        (lambda m, x: ((y := m.kernel(x))[:, :16], y[:, 16:]), Packed("oi", (16, 32))),
        (lambda m, x: m.kernel(x).unflatten(1, (3, -1)).unbind(1), Packed("oi", 3)),
        (lambda m, x: m.kernel(x).permute(0, 2, 3, 1).chunk(3, -1), Packed("oi", 3)),
        (positions_flattened, Packed("oi", 3)),
        (channels_split, Packed("oi", 3)),
        (channels_last, Packed("oi", 3)),
        (channels_of_heads, Packed("oi", 3, HEADS)),
        (lambda m, x: m.kernel(x).chunk(3, dim=2), None),
        (lambda m, x: m.kernel(x).reshape(x.shape[0] * HEADS, -1, 9).chunk(3, dim=1), None),
    ],
)
def test_channels_of_a_convolution(parts, wanted):
    model = Convolution(parts, 48)
    found = parameters(model)[0].layout
    assert found == (wanted or Conv("oi", stride=(1, 1)))
    with torch.no_grad():
        model.kernel.weight.zero_()
        model.kernel.bias.copy_(torch.arange(48))
        made = [part.unique().int().tolist() for part in model(torch.ones(2, WIDTH, 3, 3))]
    if wanted:
        numbers = found.of_outputs((48, WIDTH, 1, 1))
        assert made == [[i for i, j in enumerate(numbers) if j == k] for k in range(len(made))]
        ic.initialize(model, "orthogonal")
        for part in made:
            w = model.kernel.weight.detach().double()[part, :, 0, 0]
            few = w @ w.T if len(w) <= WIDTH else w.T @ w
            assert torch.allclose(few, torch.eye(WIDTH, dtype=torch.float64), atol=1e-6)


def test_kernels_of_groups_and_strides_stay_as_they_are():
    model = Convolution(lambda m, x: m.kernel(x).chunk(2, 1), 32)
    for how in ({"groups": 2}, {"stride": 2}):
        model.kernel = nn.Conv2d(WIDTH, 32, 3, **how)
        assert isinstance(parameters(model)[0].layout, Conv)


def test_each_part_is_a_map_of_its_own():
    model = Splits(timm, 48)
    table = ic.initialize(model, "orthogonal")
    for part in model.kernel.weight.detach().double().chunk(3):
        assert torch.allclose(part @ part.T, torch.eye(WIDTH, dtype=torch.float64), atol=1e-6)
    assert table["kernel.weight"].why == "as asked; the forward splits it into 3 maps"
    assert ic.initialize(model)["kernel.weight"].std == pytest.approx((2 / (WIDTH + WIDTH)) ** 0.5)
    table = ic.initialize(model, {"kernel": ("auto", "oi")})  # a rule knows better
    assert table["kernel.weight"].std == pytest.approx((2 / (WIDTH + 48)) ** 0.5)
    assert "splits" not in table["kernel.weight"].why


def test_parts_of_several_sizes():
    model = Splits(lambda m, x: [part.relu() for part in m.kernel(x).split([16, 8, 8], dim=-1)], 32)
    table = ic.initialize(model, "glorot_normal", seed=2)
    assert "maps of 16, 8, 8" in table["kernel.weight"].why
    law = ic.initializers.GlorotNormal()
    expected = law((32, WIDTH), ic.Key(2) / "kernel.weight", layout=Packed("oi", (16, 8, 8)))
    assert torch.equal(model.kernel.weight.detach(), torch.from_numpy(expected))
    # What needs one number for all parts has it of the whole.
    assert ic.initialize(model, "torch_linear_default")["kernel.bias"].std == pytest.approx((1 / 48) ** 0.5)
    base = {"kernel.weight": (16, 8), "kernel.bias": (16,)}
    assert ic.initialize(model, mup=base).learning_rates["kernel.weight"] == 0.5


@pytest.mark.parametrize(
    "glu", [nn.GLU(), lambda y: F.glu(y), lambda y: (p := y.chunk(2, -1))[0] * p[1].sigmoid()]
)
def test_halves_of_a_gate(glu):
    model = nn.Sequential(nn.Linear(WIDTH, 64), glu) if isinstance(glu, nn.Module) else None
    model = model or Splits(lambda m, x: glu(m.kernel(x)), 64)
    row = next(iter(ic.initialize(model)))
    assert "through glu" in row.why and "2 maps" in row.why
    assert row.std == pytest.approx(ic.theory.gated_gain("glu") / WIDTH**0.5)


def test_layers_of_ones_own_and_layers_called_twice():
    from initcore.torch import register, roles

    class Conv1D(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.zeros(8, 24)), nn.Parameter(torch.zeros(24))

        def forward(self, x):
            return x @ self.weight + self.bias

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn, self.twice = Conv1D(), nn.Linear(8, 16)

        def forward(self, x):
            a, b = self.twice(x).chunk(2, -1)
            q, k, v = self.c_attn(a + b).split(8, -1)
            return F.scaled_dot_product_attention(q, k, v) @ self.twice(a).mT

    register(Conv1D, weight=("kernel", "io"), bias="bias")
    try:
        found = {tensor.name: tensor.layout for tensor in parameters(Model())}
    finally:
        roles.KINDS.registered.clear()
    assert found["c_attn.weight"] == Packed("io", 3) and found["twice.weight"] == "oi"


class Attention(nn.Module):
    """Grouped queries, whose projection has a name that tells nothing."""

    def __init__(self):
        super().__init__()
        self.fused, self.out = nn.Linear(16, 16 + 8 + 8), nn.Linear(16, 16)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = (y.view(b, n, -1, 4).transpose(1, 2) for y in self.fused(x).split((16, 8, 8), dim=2))
        y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return x + self.out(y.transpose(1, 2).reshape(b, n, 16))


def test_values_are_scaled_where_they_are():
    model, plain = nn.Sequential(Attention(), Attention()), nn.Sequential(Attention(), Attention())
    scheme = residual.deepnorm(decoder=3)
    table = ic.initialize(model, residual=scheme)
    ic.initialize(plain, "glorot_normal")
    assert "query/key/value" in table["0.fused.weight"].why
    factors = torch.tensor([1.0] * 24 + [scheme.factor("value")] * 8)[:, None]
    assert torch.allclose(model[0].fused.weight, plain[0].fused.weight * factors)


class OfHeads(nn.Module):
    """As in GPT-NeoX: query, key and value of each head side by side."""

    def __init__(self, known=True):
        super().__init__()
        self.qkv, self.out, self.known = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), known

    def forward(self, x):
        b, n, _ = x.shape
        y, sizes = self.qkv(x), (HEADS, 3 * WIDTH // HEADS)
        y = y.view(b, n, *sizes) if self.known else y.view(y.size()[:-1] + sizes)
        q, k, v = (part.transpose(1, 2) for part in y.chunk(3, -1))
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, WIDTH))


@pytest.mark.parametrize("scheme", [residual.t_fixup(3), residual.deepnorm(3)])
def test_values_of_each_head_are_scaled(scheme):
    model, plain = OfHeads(), OfHeads()
    table = ic.initialize(model, residual=scheme, seed=3)
    ic.initialize(plain, "glorot_normal", seed=3)
    assert "query/key/value" in table["qkv.weight"].why and "4 heads" in table["qkv.weight"].why
    now, before = (one.qkv.weight.detach().view(HEADS, 3, -1, WIDTH) for one in (model, plain))
    factors = torch.tensor([1.0, 1.0, scheme.factor("value")])[:, None, None]
    assert torch.allclose(now, before * factors)


def test_where_the_split_is_not_seen_the_table_says_so_and_a_rule_says_how():
    scheme = residual.t_fixup(3)
    model, plain = OfHeads(known=False), OfHeads()
    assert parameters(model)[0].layout == "oi"
    table = ic.initialize(model, residual=scheme)
    ic.initialize(plain, {"qkv.weight": ("glorot_normal", "oi")})
    assert "not scaled" in table["qkv.weight"].why and 'Packed("oi", 3, heads=...)' in table["qkv.weight"].why
    assert torch.equal(model.qkv.weight, plain.qkv.weight)
    table = ic.initialize(model, {"qkv.weight": ("auto", Packed("oi", 3, HEADS))}, residual=scheme)
    ic.initialize(plain, "glorot_normal")
    assert "x 1, 0.5091" in table["qkv.weight"].why
    now, before = (one.qkv.weight.detach().view(HEADS, 3, -1, WIDTH) for one in (model, plain))
    assert torch.allclose(now[:, 2], before[:, 2] * scheme.factor("value"))
    assert torch.equal(now[:, :2], before[:, :2])
    # What a rule says of the law stays.
    ic.initialize(model, {"qkv.weight": ("glorot_normal", Packed("oi", 3, HEADS))}, residual=scheme)
    assert torch.equal(model.qkv.weight, plain.qkv.weight)


def test_schemes_with_one_factor_need_no_split():
    model = OfHeads(known=False)
    assert "not scaled" not in ic.initialize(model, residual="fixup")["qkv.weight"].why


def test_heads_of_a_base_model_are_its_own():
    model = OfHeads()
    shapes = {"qkv.weight": (24, 8), "qkv.bias": (24,), "out.weight": (8, 8), "out.bias": (8,)}
    assert ic.initialize(model, mup=shapes).learning_rates["qkv.weight"] == 0.5
