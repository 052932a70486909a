"""How the tensors of a residual network start, by its depth. To add a scheme: a function in SCHEMES.

A scheme is a plain description: by what factor the tensors of each role start smaller than they otherwise
would. `initcore.initialize` applies one to a model; anything else can: it multiplies each tensor by
``factor(role)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from initcore._validate import check_count, check_number, choose
from initcore.laws import Initializer, RandomNormal, VarianceScaling

# Each role a tensor of a residual network can have, and the more general one whose factor it has where a
# scheme says nothing of it.
ROLES: Mapping[str, str | None] = {
    "inner": None,  # a kernel within a branch, not its last
    "last": None,  # the kernel that a branch ends with
    "query": "inner",
    "key": "inner",
    "value": "inner",
    "attention_output": "last",
    "mlp_inner": "inner",
    "mlp_last": "last",
    "last_scale": None,  # the scale (gamma) of a normalization that a branch ends with
    "multiplier": None,  # a number of its own, by which the whole branch is multiplied
    "branch_bias": None,
    "embedding": None,
    "output": None,  # the kernel of the layer that ends the network
}

Part = Literal["encoder", "decoder"]


@dataclass(frozen=True)
class ResidualScheme:
    """By what factor the tensors of a residual network start smaller than they otherwise would.

    A block is ``x -> skip * x + multiplier * branch(x)``; all numbers are 1 where a scheme leaves them alone.

    Attributes:
        name: Of the function that made it.
        factors: Role (one of `ROLES`) -> factor; 0 means that those tensors start as zeros.
        skip: What the skipped path is multiplied by, always: a number in the model's forward pass.
        needs: What the model itself must have for the scheme to make sense; no initializer can put it there.
        base: The initializer that the paper has before the factors.
        embedding: That of embeddings; "auto" for what they have anyway.
        source: The paper.

    >>> gpt2(layers=8).factor("attention_output")  # which is a "last"
    0.25
    >>> gpt2(layers=8).factor("query")
    1.0
    """

    name: str
    factors: Mapping[str, float]
    skip: float = 1.0
    needs: tuple[str, ...] = ()
    base: str | Initializer = "auto"
    embedding: str | Initializer = "auto"
    source: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for role, factor in self.factors.items():
            choose("role", role, ROLES)
            check_number(f"factor of {role}", factor, low=0)

    def factor(self, role: str) -> float:
        """Return what tensors of this role are multiplied by as they start.

        Raises:
            ValueError: there is no such role.

        >>> fixup(branches=16).factor("mlp_last"), fixup(branches=16).factor("embedding")
        (0.0, 1.0)
        """
        named = self.named(role)
        return float(self.factors[named]) if named else 1.0

    def named(self, role: str) -> str | None:
        """Return the role whose factor such tensors have, this one or the more general; None without one.

        Raises:
            ValueError: there is no such role.

        >>> fixup(branches=16).named("mlp_last"), fixup(branches=16).named("embedding")
        ('last', None)
        """
        more_general = choose("role", role, ROLES)
        return role if role in self.factors else self.named(more_general) if more_general else None


def fixup(branches: int, layers_per_branch: int = 2) -> ResidualScheme:
    """Return Fixup, which trains residual networks without normalization.

    Zhang, Dauphin & Ma 2019, arXiv:1901.09321, section 3: the last layer of each branch and that of the
    network start at 0, the others within a branch are multiplied by ``L**(-1 / (2 * m - 2))``, with L
    branches of m layers: a step of gradient descent then changes the output by as much whatever the depth.

    Args:
        branches: L, how many residual branches the network has.
        layers_per_branch: m, how many kernels each of them has; with 1, that one starts at 0.

    Raises:
        TypeError, ValueError: one of them is not a whole number from 1.

    >>> scheme = fixup(branches=16, layers_per_branch=3)
    >>> scheme.factor("inner"), scheme.factor("last"), scheme.factor("output")
    (0.5, 0.0, 0.0)
    """
    count = check_count("branches", branches)
    m = check_count("layers_per_branch", layers_per_branch)
    inner = count ** (-1 / (2 * m - 2)) if m > 1 else 1.0
    return ResidualScheme(
        "fixup",
        {"inner": inner, "last": 0.0, "output": 0.0, "branch_bias": 0.0, "multiplier": 1.0},
        needs=(
            "no normalization",
            "a learned multiplier of each branch, which starts at 1",
            "a learned number, which starts at 0, added before each kernel and activation",
        ),
        base="he_normal",
        source="Zhang, Dauphin & Ma 2019, arXiv:1901.09321, section 3",
    )


def t_fixup(layers: int, part: Part = "encoder") -> ResidualScheme:
    """Return T-Fixup, which trains transformers without normalization and warm-up.

    Huang, Perez, Ba & Volkovs 2020, ICML (PMLR 119:4475), section 3.2: after Glorot's initializer
    (embeddings: normal, standard deviation ``d**-0.5``), values, attention's output and the MLP's kernels are
    multiplied by ``0.67 * N**-0.25`` in the encoder and ``(9 * N)**-0.25`` in the decoder; embeddings by ``(9
    * N)**-0.25`` in both.

    Args:
        layers: N, how many layers that part has.
        part: ``"encoder"`` or ``"decoder"``.

    Raises:
        TypeError, ValueError: an argument is none of this.

    >>> t_fixup(16).factor("value"), t_fixup(16).factor("query")
    (0.335, 1.0)
    """
    n = check_count("layers", layers)
    decoder = (9 * n) ** -0.25
    factor = choose("part", part, {"encoder": 0.67 * n**-0.25, "decoder": decoder})
    scaled = dict.fromkeys(("value", "attention_output", "mlp_inner", "mlp_last"), factor)
    return ResidualScheme(
        "t_fixup",
        {**scaled, "embedding": decoder},
        needs=("no normalization",),
        base="glorot_normal",
        embedding=VarianceScaling(1.0, "fan_out", "normal"),
        source="Huang, Perez, Ba & Volkovs 2020, ICML, section 3.2",
    )


def deepnorm(encoder: int = 0, decoder: int = 0, part: Part | None = None) -> ResidualScheme:
    """Return DeepNorm, for transformers of hundreds of layers: ``LayerNorm(alpha * x + branch(x))``.

    Wang et al. 2022, arXiv:2203.00555, figure 2: ``skip`` is alpha; values, attention's output and the MLP's
    kernels start as Glorot's times beta, queries and keys as Glorot's. With N encoder and M decoder layers:

    =================  =============================  ==============================
    network            encoder: alpha, beta           decoder: alpha, beta
    =================  =============================  ==============================
    encoder alone      (2N)**(1/4), (8N)**(-1/4)
    decoder alone                                     (2M)**(1/4), (8M)**(-1/4)
    both               0.81 (N**4 M)**(1/16),         (3M)**(1/4), (12M)**(-1/4)
                       0.87 (N**4 M)**(-1/16)
    =================  =============================  ==============================

    Args:
        encoder: N, how many layers the encoder has; 0 for none.
        decoder: M, how many the decoder has; 0 for none.
        part: ``"encoder"`` or ``"decoder"``: of which part of a network with both; else it follows.

    Raises:
        TypeError, ValueError: an argument is none of this, or the network has no such part.

    >>> scheme = deepnorm(decoder=200)
    >>> round(scheme.skip, 3), round(scheme.factor("mlp_inner"), 3), scheme.factor("key")
    (4.472, 0.158, 1.0)
    """
    n, m = check_count("encoder", encoder, low=0), check_count("decoder", decoder, low=0)
    present = {name: count for name, count in (("encoder", n), ("decoder", m)) if count}
    if not present:
        raise ValueError("encoder or decoder must have at least 1 layer, got 0 and 0")
    if part is None and len(present) == 2:
        raise ValueError("part must be 'encoder' or 'decoder' where the network has both")
    which: str = part or next(iter(present))
    count = choose("part", which, present)
    if len(present) == 1:
        alpha, beta = (2 * count) ** 0.25, (8 * count) ** -0.25
    elif which == "encoder":
        alpha, beta = 0.81 * (n**4 * m) ** (1 / 16), 0.87 * (n**4 * m) ** (-1 / 16)
    else:
        alpha, beta = (3 * m) ** 0.25, (12 * m) ** -0.25
    return ResidualScheme(
        "deepnorm",
        dict.fromkeys(("value", "attention_output", "mlp_inner", "mlp_last"), beta),
        skip=alpha,
        needs=("layer normalization after each addition", f"the skipped path multiplied by {alpha:.6g}"),
        base="glorot_normal",
        source="Wang et al. 2022, arXiv:2203.00555, figure 2",
    )


def rezero() -> ResidualScheme:
    """Return ReZero: each branch is multiplied by a learned number that starts at 0.

    Bachlechner et al. 2020, arXiv:2003.04887, equation 1. At the start the network is the identity, and so is
    its Jacobian, at any depth.

    >>> rezero().factor("multiplier"), rezero().factor("last")
    (0.0, 1.0)
    """
    return ResidualScheme(
        "rezero",
        {"multiplier": 0.0},
        needs=("a learned multiplier of each branch",),
        source="Bachlechner et al. 2020, arXiv:2003.04887, equation 1",
    )


def skip_init(multiplier: float = 0.0) -> ResidualScheme:
    """Return SkipInit: each branch is multiplied by a learned number, in place of batch normalization.

    De & Smith 2020, arXiv:2002.10444.

    Args:
        multiplier: What it starts as: 0, or ``branches**-0.5``, which the paper found to do as well.

    Raises:
        TypeError, ValueError: it is no number from 0.

    >>> skip_init().factor("multiplier"), skip_init(16**-0.5).factor("multiplier")
    (0.0, 0.25)
    """
    return ResidualScheme(
        "skip_init",
        {"multiplier": check_number("multiplier", multiplier, low=0)},
        needs=("no normalization", "a learned multiplier of each branch"),
        source="De & Smith 2020, arXiv:2002.10444",
    )


def zero_gamma() -> ResidualScheme:
    """Return zero-gamma: the scale of the normalization that ends a branch starts at 0.

    Goyal et al. 2017, arXiv:1706.02677, section 5.1.

    >>> zero_gamma().factor("last_scale")
    0.0
    """
    return ResidualScheme(
        "zero_gamma",
        {"last_scale": 0.0},
        needs=("a normalization at the end of each branch",),
        source="Goyal et al. 2017, arXiv:1706.02677, section 5.1",
    )


def gpt2(layers: int, branches_per_layer: int = 2) -> ResidualScheme:
    """Return GPT-2's: the last kernel of each branch is multiplied by 1 / sqrt(number of branches).

    Radford et al. 2019, section 2.3: the variances of the branches, which add up along the skipped path, then
    sum to about 1.

    Args:
        layers: How many blocks the transformer has.
        branches_per_layer: 2: attention and the MLP.

    Raises:
        TypeError, ValueError: one of them is not a whole number from 1.

    >>> gpt2(layers=8).factor("last")
    0.25
    """
    branches = check_count("layers", layers) * check_count("branches_per_layer", branches_per_layer)
    return ResidualScheme(
        "gpt2",
        {"last": branches**-0.5},
        base=RandomNormal(stddev=0.02),
        embedding=RandomNormal(stddev=0.02),
        source="Radford et al. 2019, Language models are unsupervised multitask learners, section 2.3",
    )


SCHEMES: Mapping[str, Callable[..., ResidualScheme]] = {
    function.__name__: function
    for function in (fixup, t_fixup, deepnorm, rezero, skip_init, zero_gamma, gpt2)
}
