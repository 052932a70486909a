"""Residual schemes on PyTorch's modules: where branches are found, and what starts smaller."""

import pytest

import initcore as ic
from initcore import residual

torch = pytest.importorskip("torch", reason="looks for branches in modules of a live PyTorch")
pytestmark = pytest.mark.peers
from initcore.torch.branches import branches  # noqa: E402

nn, F = torch.nn, torch.nn.functional


class Attention(nn.Module):
    def __init__(self, width, packed):
        super().__init__()
        self.packed = packed
        names = {"qkv": 3 * width} if packed else {"q_proj": width, "k_proj": width, "v_proj": width}
        for name, size in names.items():
            self.add_module(name, nn.Linear(width, size))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (
            self.qkv(x).chunk(3, dim=-1) if self.packed else (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        )
        return self.out(F.scaled_dot_product_attention(q, k, v))


class Block(nn.Module):
    def __init__(self, width, packed, multiplied=False):
        super().__init__()
        self.ln1, self.attention = nn.LayerNorm(width), Attention(width, packed)
        self.ln2, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
        )
        self.alpha = nn.Parameter(torch.ones(())) if multiplied else 1.0

    def forward(self, x):
        x = x + self.alpha * self.attention(self.ln1(x))
        return x + self.alpha * self.down(F.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self, depth=4, width=16, **how):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(50, width), nn.Embedding(8, width)
        how = {"packed": True} | how
        self.blocks = nn.ModuleList(Block(width, **how) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 50, bias=False)

    def forward(self, i):
        x = self.tokens(i) + self.positions(torch.arange(8))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.down = nn.Conv2d(inputs, width, 1, stride) if stride > 1 else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.down(x) if self.down is not None else x))


def resnet():
    blocks = [Bottleneck(8, 8), Bottleneck(8, 12, 2), Bottleneck(12, 12)]
    return nn.Sequential(nn.Conv2d(3, 8, 3), *blocks, nn.Flatten(), nn.Linear(12 * 9, 5))


def roles_of(model):
    return {name: "/".join(place.roles) for name, place in branches(model).items()}


@pytest.mark.parametrize("packed", [True, False])
def test_a_transformer_of_ones_own(packed):
    roles = roles_of(Gpt(2, packed=packed))
    for i in range(2):
        attention, block = f"blocks.{i}.attention", f"blocks.{i}"
        if packed:
            assert roles[f"{attention}.qkv.weight"] == "query/key/value"
        else:
            assert [roles[f"{attention}.{x}_proj.weight"] for x in "qkv"] == ["query", "key", "value"]
        assert roles[f"{attention}.out.weight"] == "attention_output"
        assert roles[f"{block}.up.weight"] == "mlp_inner" and roles[f"{block}.down.weight"] == "mlp_last"
        assert roles[f"{block}.down.bias"] == "branch_bias"
    assert roles["head.weight"] == "output" and "tokens.weight" not in roles
    found = branches(Gpt(2, packed=packed)).values()
    assert len({place.branch for place in found if place.branch}) == 4


@pytest.mark.parametrize("spelled", ["{}_proj", "w{}", "to_{}", "{}", "attn_{}_lin"])
def test_queries_keys_and_values_by_name(spelled):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.names, self.out = [spelled.format(x) for x in "qkv"], nn.Linear(4, 4)
            for name in self.names:
                self.add_module(name, nn.Linear(4, 4))

        def forward(self, x):
            return x + self.out(
                F.scaled_dot_product_attention(*(getattr(self, name)(x) for name in self.names))
            )

    model = Named()
    assert [roles_of(model)[f"{name}.weight"] for name in model.names] == ["query", "key", "value"]


def test_gpt2_by_its_depth():
    model = Gpt(8)
    table = ic.initialize(model, residual="gpt2")
    assert table["blocks.3.attention.out.weight"].std == pytest.approx(0.02 / 4)
    assert table["blocks.3.up.weight"].std == pytest.approx(0.02)
    assert model.blocks[3].down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.15)


def test_deepnorm_scales_only_values_of_a_packed_projection():
    model, plain = Gpt(3), Gpt(3)
    table = ic.initialize(model, residual=residual.deepnorm(decoder=3))
    ic.initialize(plain, "glorot_normal")
    factor = residual.deepnorm(decoder=3).factor("value")
    for part, before, expected in zip(
        model.blocks[1].attention.qkv.weight.chunk(3),
        plain.blocks[1].attention.qkv.weight.chunk(3),
        (1, 1, factor),
        strict=True,
    ):
        assert torch.allclose(part, before * expected)
    assert any("skipped path" in note for note in table.notes)


def test_multipliers_are_found():
    table = ic.initialize(Gpt(2, multiplied=True), residual="rezero")
    assert table["blocks.0.alpha"].scheme == "zeros" and table["blocks.1.alpha"].changed
    model = Gpt(2, multiplied=True)
    ic.initialize(model, residual=residual.skip_init(0.25))
    assert model.blocks[0].alpha == 0.25


def test_a_residual_network_with_projections():
    model = resnet()
    roles = roles_of(model)
    for i in (1, 2, 3):
        assert roles[f"{i}.conv1.weight"] == "mlp_inner" and roles[f"{i}.conv2.weight"] == "mlp_last"
        assert roles[f"{i}.bn2.weight"] == "last_scale" and f"{i}.bn1.weight" not in roles
    assert "2.down.weight" not in roles and "0.weight" not in roles
    table = ic.initialize(model, residual="zero_gamma")
    assert (model[2].bn2.weight == 0).all() and (model[2].bn1.weight == 1).all()
    table = ic.initialize(model, residual="fixup")
    assert table["1.conv1.weight"].std == pytest.approx((2 / 72) ** 0.5 * 3**-0.5)
    assert table["5.weight"].scheme == "zeros"  # the network's output


def test_pytorchs_own_transformer():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    roles = roles_of(encoder)
    assert roles["layers.2.self_attn.in_proj_weight"] == "query/key/value"
    assert roles["layers.2.linear2.weight"] == "mlp_last"
    ic.initialize(encoder, residual="t_fixup")
    values = encoder.layers[1].self_attn.in_proj_weight.chunk(3)
    ratio = (values[2].std() / values[0].std()).item()
    assert ratio == pytest.approx(residual.t_fixup(4).factor("value"), rel=0.15)


def test_layers_that_cannot_be_traced_leave_the_others():
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(Bottleneck(4, 4), Bottleneck(4, 4))

        def forward(self, x):
            return self.body(x) if x.sum() > 0 else x

    assert roles_of(Untraceable())["body.1.conv2.weight"] == "mlp_last"
    with pytest.raises(ValueError, match="branch"):
        ic.initialize(nn.Linear(3, 3), residual="fixup")


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.positions = nn.Parameter(torch.zeros(1, 4, 8))
        self.blocks = nn.Sequential(*(Block(8, packed=True) for _ in range(2)))
        self.head = nn.Linear(8, 5)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.blocks(x)[:, 0])


def test_a_forward_that_slices():
    table = ic.initialize(Vit(), residual="fixup")
    assert table["head.weight"].scheme == table["blocks.1.down.weight"].scheme == "zeros"


class Seq2Seq(nn.Module):
    """PyTorch's encoder and decoder with embeddings in front."""

    def __init__(self, width=32, n=2, m=3):
        super().__init__()
        self.source, self.target = nn.Embedding(40, width), nn.Embedding(40, width)
        self.body = nn.Transformer(width, 4, n, m, 64, batch_first=True)
        self.head = nn.Linear(width, 40)

    def forward(self, source, target):
        return self.head(self.body(self.source(source), self.target(target)))


KERNELS = ["self_attn.out_proj.weight", "linear1.weight", "linear2.weight"]


@pytest.mark.parametrize(
    "name, encoder, decoder",
    [
        ("t_fixup", residual.t_fixup(2), residual.t_fixup(3, "decoder")),
        ("deepnorm", residual.deepnorm(2, 3, "encoder"), residual.deepnorm(2, 3, "decoder")),
    ],
)
def test_encoder_and_decoder_by_formulas_of_their_own(name, encoder, decoder):
    model, plain = Seq2Seq(), Seq2Seq()
    table = ic.initialize(model, residual=name)
    ic.initialize(plain, "glorot_normal")
    layers = {"encoder.layers.1": encoder, "decoder.layers.2": decoder}
    for layer, scheme in layers.items():
        kernels = [*KERNELS, *["multihead_attn.out_proj.weight"] * (scheme is decoder)]
        for kernel in (f"body.{layer}.{kernel}" for kernel in kernels):
            expected = plain.get_parameter(kernel) * scheme.factor("value")
            assert torch.allclose(model.get_parameter(kernel), expected), kernel
        query, _, value = model.get_parameter(f"body.{layer}.self_attn.in_proj_weight").chunk(3)
        assert (value.std() / query.std()).item() == pytest.approx(scheme.factor("value"), rel=0.15)
    if name == "deepnorm":
        assert sum("skipped path" in note for note in table.notes) == 2
    else:
        for embedding, scheme in (model.source, encoder), (model.target, decoder):  # 1280 numbers each
            expected = 32**-0.5 * scheme.factor("embedding")
            assert embedding.weight.std().item() == pytest.approx(expected, rel=6 / 2560**0.5)


def test_encoder_and_decoder_by_name():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = (nn.Sequential(*(Block(16, True) for _ in range(n))) for n in (2, 4))
            self.a, self.b, self.both, self.head = *(nn.Embedding(9, 16) for _ in range(3)), nn.Linear(16, 9)

        def forward(self, i, j):
            x = self.encoder(F.dropout(self.a(i)) + self.both(i))
            return self.head(self.decoder(x + self.b(j) + self.both(j)))

    table = ic.initialize(Both(), residual="t_fixup")
    glorot = (2 / (16 + 64)) ** 0.5
    parts = {"encoder": residual.t_fixup(2), "decoder": residual.t_fixup(4, "decoder")}
    for name, scheme in parts.items():
        assert table[f"{name}.1.up.weight"].std == pytest.approx(glorot * scheme.factor("mlp_inner"))
    for name, part in {"a": "encoder", "b": "decoder", "both": "decoder"}.items():
        assert table[f"{name}.weight"].std == pytest.approx(16**-0.5 * parts[part].factor("embedding"))
    alone = ic.initialize(nn.ModuleDict({"decoder": Both().decoder}), residual="t_fixup")
    assert alone["decoder.1.up.weight"].std == pytest.approx(glorot * residual.t_fixup(4).factor("mlp_inner"))


def test_embeddings_have_the_base_of_the_scheme():
    table = ic.initialize(Gpt(2), residual="gpt2")
    assert table["tokens.weight"].std == table["positions.weight"].std == 0.02
    table = ic.initialize(Gpt(2), residual="t_fixup")
    assert table["tokens.weight"].std == pytest.approx(16**-0.5 * 18**-0.25)
    table = ic.initialize(Gpt(2), {"positions": "zeros"}, residual="gpt2")
    assert table["positions.weight"].scheme == "zeros"


@pytest.mark.parametrize("name", ["rezero", "skip_init"])
def test_multipliers_that_are_none(name):
    with pytest.raises(
        ValueError, match=r"model has none: .*must have .*a learned multiplier of each branch"
    ):
        ic.initialize(Gpt(2), residual=name)
    model = Gpt(4, multiplied=True)
    ic.initialize(model, residual=name)
    assert all(block.alpha == 0 for block in model.blocks)
    model.blocks[2] = Block(16, packed=True)
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"branch 'blocks.2' and the branch 'blocks.2.attention' has none"):
        ic.initialize(model, residual=name)
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())


class Mixed(nn.Module):
    """Branches of one, two, three and again two kernels one after another: the last has two side by side."""

    def __init__(self):
        super().__init__()
        for name in ("a", "b1", "b2", "c1", "c2", "c3", "gate", "up", "down"):
            self.add_module(name, nn.Linear(8, 8))

    def forward(self, x):
        x = x + self.a(F.relu(x))
        x = x + self.b2(F.relu(self.b1(x)))
        x = x + self.c3(F.relu(self.c2(F.relu(self.c1(x)))))
        return x + self.down(F.silu(self.gate(x)) * self.up(x))


def test_every_branch_by_its_own_depth():
    table = ic.initialize(nn.Sequential(Mixed(), Mixed()), residual="fixup")
    assert all(
        table[f"{i}.{name}.weight"].scheme == "zeros" for i in (0, 1) for name in ("a", "b2", "c3", "down")
    )
    for i in (0, 1):
        for m, names in {2: ["b1", "gate", "up"], 3: ["c1", "c2"]}.items():
            expected = (2 / 8) ** 0.5 * residual.fixup(8, m).factor("inner")
            assert [table[f"{i}.{name}.weight"].std for name in names] == pytest.approx(
                [expected] * len(names)
            )
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    for model in (nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), Gpt(4), Gpt(4, packed=False)):
        rows = ic.initialize(model, residual="fixup")
        assert all("x 0.3536" in row.why for row in rows if "inner" in row.why or "query" in row.why)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.a(x) if x.sum() > 0 else x


class Unpacking(Branching):
    def forward(self, x):
        return x + self.a(x).view(*x.shape[:2])


@pytest.mark.parametrize("kind", [Branching, Unpacking])
def test_errors_say_which_forward_cannot_be_traced(kind):
    with pytest.raises(ValueError, match=f"the forward of {kind.__name__} cannot be traced: TraceError: "):
        ic.initialize(kind(), residual="gpt2")
    with pytest.raises(ValueError, match=r"what went into them$"):
        ic.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), residual="gpt2")
