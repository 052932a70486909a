"""`initialize` on a transformer as people write it: sizes asserted, positions counted, masks sliced.

PYTEST_DONT_REWRITE: its assertion is to be Python's own.
"""

import math

import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn, F = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers


class Attention(nn.Module):
    def __init__(self, width, heads, block):
        super().__init__()
        self.heads, self.c_attn, self.c_proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("mask", torch.tril(torch.ones(block, block))[None, None])

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.c_attn(x).split(c, dim=2)
        q, k, v = (y.view(b, t, self.heads, c // self.heads).transpose(1, 2) for y in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, -math.inf)
        return self.c_proj((F.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, width, heads, block):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads, block)
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, width=16, heads=2, block=8, depth=2):
        super().__init__()
        self.block, self.wte, self.wpe = block, nn.Embedding(50, width), nn.Embedding(block, width)
        self.h = nn.ModuleList(Block(width, heads, block) for _ in range(depth))
        self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, 50, bias=False)

    def forward(self, i):
        b, t = i.shape
        assert t <= self.block and b > 0, f"at most {self.block} tokens, got {t}"
        assert t > 0
        x = self.wte(i) + self.wpe(torch.arange(0, t, device=i.device))
        for block in self.h:
            x = block(x)
        return self.head(self.ln_f(x))


def test_no_question_is_open():
    table = ic.initialize(GPT())
    whys = {row.name: row.why for row in table if row.role == "kernel"}
    assert not any("not known" in why for why in whys.values()), table
    assert ["gelu" in why for why in whys.values()] == ["c_fc" in name for name in whys]


def test_branches_on_sizes_are_still_not_guessed():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x):
            if x.sum() > 0:
                raise AssertionError("the sum is positive")
            return torch.relu(self.fc(x))

    assert "cannot be traced" in ic.initialize(Branches())["fc.weight"].why
