"""Initializers by name. To add one: a row in NAMED; its law, if it needs one of its own, in laws/.

Which law is behind a name differs between libraries. "Truncated" means a normal law cut at two standard
deviations; Keras, JAX and this package rescale it in the fan-based ones, so that its variance is as promised.

============== ====================== ============= ============= ===============
name           paper                  here          Keras, JAX    PyTorch
============== ====================== ============= ============= ===============
lecun_normal   a distribution with    normal        truncated     (none)
               that variance
glorot_normal  uniform only           normal        truncated     normal
he_normal      normal                 normal        truncated     normal
*_uniform      (glorot) uniform       uniform       uniform       uniform
============== ====================== ============= ============= ===============

What Keras and JAX call ``he_normal`` is ``he_truncated_normal`` here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from initcore import gains
from initcore._fans import Fans, fans
from initcore._validate import check_number, choose
from initcore.gated_gains import gated_gain
from initcore.laws import (
    STFT,
    Bilinear,
    ChronoBias,
    Constant,
    DeltaOrthogonal,
    ForgetGateBias,
    Identity,
    Initializer,
    LogPriorBias,
    Ones,
    Orthogonal,
    PriorBias,
    RandomNormal,
    RandomUniform,
    SklearnBias,
    Sparse,
    TargetMeanBias,
    TorchLinearBias,
    TruncatedNormal,
    Values,
    VarianceScaling,
    ZerO,
    Zeros,
    truncated_stddev,
)
from initcore.laws.scaling import Mode

_LECUN = "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.6"
_GLOROT = "Glorot & Bengio 2010, AISTATS, equation 16"
_HE = "He, Zhang, Ren & Sun 2015, arXiv:1502.01852, equation 10"


@dataclass(frozen=True)
class Named:
    """One row of the table: a law with its numbers, and where they come from."""

    name: str
    law: Initializer
    source: str
    aliases: tuple[str, ...] = ()


NAMED = (
    Named("zeros", Zeros(), "for biases", ("zero",)),
    Named("ones", Ones(), "for scales", ("one",)),
    Named("constant", Constant(), "Keras; 0 unless given a value"),
    Named("random_uniform", RandomUniform(), "Keras", ("uniform",)),
    Named("random_normal", RandomNormal(), "Keras", ("normal",)),
    Named("truncated_normal", TruncatedNormal(), "Keras, but stddev is that of the result"),
    Named("variance_scaling", VarianceScaling(), "Keras"),
    Named("lecun_normal", VarianceScaling(1.0, "fan_in", "normal"), _LECUN),
    Named("lecun_uniform", VarianceScaling(1.0, "fan_in", "uniform"), _LECUN),
    Named(
        "lecun_truncated_normal",
        VarianceScaling(1.0, "fan_in", "truncated_normal"),
        _LECUN,
        ("flax_default",),
    ),
    Named("glorot_normal", VarianceScaling(1.0, "fan_avg", "normal"), _GLOROT, ("xavier_normal", "xavier")),
    Named(
        "glorot_uniform",
        VarianceScaling(1.0, "fan_avg", "uniform"),
        _GLOROT,
        ("xavier_uniform", "glorot", "keras_default", "sklearn_default"),
    ),
    Named(
        "glorot_truncated_normal",
        VarianceScaling(1.0, "fan_avg", "truncated_normal"),
        _GLOROT,
        ("xavier_truncated_normal",),
    ),
    Named("he_normal", VarianceScaling(2.0, "fan_in", "normal"), _HE, ("kaiming_normal", "he", "kaiming")),
    Named("he_uniform", VarianceScaling(2.0, "fan_in", "uniform"), _HE, ("kaiming_uniform",)),
    Named(
        "he_truncated_normal",
        VarianceScaling(2.0, "fan_in", "truncated_normal"),
        _HE,
        ("kaiming_truncated_normal",),
    ),
    Named(
        "torch_linear_default",
        VarianceScaling(1 / 3, "fan_in", "uniform"),
        "torch.nn.Linear and Conv: uniform on +-1 / sqrt(fan_in); their bias is `TorchLinearBias`",
        ("torch_conv_default",),
    ),
    Named(
        "sklearn_logistic_default",
        VarianceScaling(1 / 3, "fan_avg", "uniform"),
        "scikit-learn's MLPs of logistic units: uniform on +-sqrt(2 / (fan_in + fan_out)), as `SklearnBias`",
    ),
    Named("orthogonal", Orthogonal(), "Saxe, McClelland & Ganguli 2013, arXiv:1312.6120, section 3"),
    Named("delta_orthogonal", DeltaOrthogonal(), "Xiao et al. 2018, arXiv:1806.05393, section 3.3"),
    Named(
        "identity",
        Identity(),
        "Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 3",
        ("eye", "dirac", "partial_identity", "irnn"),
    ),
    Named("sparse", Sparse(), "Martens 2010, Deep learning via Hessian-free optimization, section 5"),
    Named("bilinear", Bilinear(), "Long, Shelhamer & Darrell 2014, arXiv:1411.4038, section 3.3"),
    Named("zero_hadamard", ZerO(), "Zhao, Schäfer & Anandkumar 2021, arXiv:2110.12661"),
)

_BY_NAME = {row.name: row for row in NAMED}
_BY_ALIAS = {alias: row for row in NAMED for alias in (row.name, *row.aliases)}


def names() -> list[str]:
    """Return every name that `get` knows; ``"auto"`` and the aliases come on top.

    >>> "he_normal" in names()
    True
    """
    return list(_BY_NAME)


def get(spec: str | float | Initializer, activation: Any = None) -> Initializer:
    """Return an initializer.

    Args:
        spec: A name or alias; a number, for `Constant`; an initializer, returned as it is; or ``"auto"``,
            for `auto` of the activation.
        activation: What the layer feeds: a name, an activation, or None for none. Only ``"auto"`` asks.

    Raises:
        ValueError: no initializer has that name.
        TypeError: ``spec`` is none of the above.

    >>> get("kaiming_normal")
    VarianceScaling(scale=2.0, mode='fan_in', distribution='normal', gain=1.0)
    >>> get(0.1)
    Constant(value=0.1)
    """
    if isinstance(spec, Initializer):
        return spec
    if isinstance(spec, str):
        if spec == "auto":
            return auto(activation)
        row = _BY_ALIAS.get(spec) or choose("initializer", spec, {**_BY_NAME, "auto": NAMED[0]}, _BY_ALIAS)
        return row.law
    if hasattr(spec, "__float__") and not isinstance(spec, bool):
        return Constant(float(spec))
    raise TypeError(
        f"initializer must be a name, a number or an Initializer such as HeNormal(), got {spec!r}"
    )


def name_of(initializer: Initializer) -> str:
    """Return the name of an initializer that is a row of the table, else its repr.

    >>> name_of(VarianceScaling(2.0, "fan_in", "normal")), name_of(Constant(0.5))
    ('he_normal', 'Constant(value=0.5)')
    """
    row = _row_of(initializer)
    return row.name if row else repr(initializer)


def _row_of(initializer: Initializer) -> Named | None:
    """The row with this law, but for rounding: sqrt(2)**2 is not 2."""
    return next((row for row in NAMED if _alike(row.law, initializer)), None)


def _alike(a: Initializer, b: Initializer) -> bool:
    if not (isinstance(a, VarianceScaling) and isinstance(b, VarianceScaling)):
        return a == b
    same = (a.mode, a.distribution) == (b.mode, b.distribution)
    return same and math.isclose(a.scale * a.gain**2, b.scale * b.gain**2, rel_tol=1e-9)


def auto(activation: Any = None) -> Initializer:
    """Return the scheme that keeps the signal of a layer that feeds ``activation``.

    * Most activations: normal with variance ``gain**2 / fan_in``, where ``gain = 1 / sqrt(E[f(z)**2])`` for
      standard normal z. With it a second moment of 1 before an activation is one after the next layer too
      (He et al. 2015, section 2.2, for any f); for relu this is `HeNormal`. Whether a deep stack stays there
      is for its slope to say (`theory.stability`). tanh, elu, sigmoid, softplus and all others of a slope
      below 1 draw every signal to 1; relu and its like keep what comes in. From gelu, silu, mish and
      hard_swish, of slope 1.08 to 1.22, the signal drifts away: without normalization or residual branches
      it grows, up to 1.18 times a layer for gelu and 1.41 for silu. Deep stacks of these want a
      normalization; or, by hand, the weights and biases of `theory.critical`.
    * A gated pair ``f(u) * v``, as swiglu: normal with variance ``gain**2 / fan_in``, where
      ``gain**2 E[f(gain z)**2] = 1`` (`theory.gated_gain`), for both kernels, or the one that packs them.
      Then inputs of second moment 1 give a product of second moment 1. From others the signal drifts away,
      faster than through gelu.
    * selu: LeCun normal, which its fixed point at mean 0 and variance 1 requires (Klambauer et al. 2017,
      arXiv:1706.02515, section 2).
    * None, identity, softmax, log_softmax: Glorot uniform. Nothing follows that would shrink the signal, so
      forwards wants ``1 / fan_in`` and backwards ``1 / fan_out``; Glorot's is the compromise, and keeps the
      first logits of a classifier small beside their spread after training.

    Args:
        activation: A name, an activation object, any function of an array, a gated pair as ``"swiglu"`` or
            `theory.Gated`, or None.

    Raises:
        ValueError: there is no such activation, or its second moment is 0 or infinite.

    >>> name_of(auto("relu")), name_of(auto("selu")), name_of(auto("softmax"))
    ('he_normal', 'lecun_normal', 'glorot_uniform')
    """
    name = activation if isinstance(activation, str) else getattr(activation, "name", None)
    if activation is None or name in ("identity", "linear", "softmax", "log_softmax"):
        return GlorotUniform()
    if name == "selu":
        return LecunNormal()
    gain = gated_gain(activation) if gains.is_gated(activation) else gains.gain(activation).forward
    law = HeNormal(gain=gain)
    row = _row_of(law)
    return row.law if row else law


class Constructor(Protocol):
    """A function that makes a fan-based initializer."""

    def __call__(self, gain: Any = None, mode: Mode | None = None) -> VarianceScaling: ...


def _constructor(name: str) -> Constructor:
    row = _BY_NAME[name]
    assert isinstance(row.law, VarianceScaling)
    law = row.law

    def construct(gain: Any = None, mode: Mode | None = None) -> VarianceScaling:
        scale = law.scale if gain is None else _gain_of(gain) ** 2
        return VarianceScaling(scale, mode or law.mode, law.distribution)

    construct.__name__ = construct.__qualname__ = name.title().replace("_", "")
    construct.__doc__ = f"""Return ``{law!r}``: {row.source}.

    Args:
        gain: The standard deviation is this over the root of the fan, instead of {law.scale**0.5:.6g}: a
            number, or an activation whose `theory.gain` to take, such as ``"gelu"`` (for the kernels of a
            gated pair: ``theory.gated_gain("swiglu")``).
        mode: Another fan: ``"fan_in"``, ``"fan_out"``, ``"fan_avg"`` or ``"fan_geo_avg"``.

    >>> {construct.__name__}() == get("{name}")
    True
    >>> {construct.__name__}(gain=2.0, mode="fan_out").scale
    4.0
    """
    return construct


def _gain_of(gain: Any) -> float:
    """A number as it is, of an activation what keeps the signal through it."""
    if isinstance(gain, str) or callable(gain):
        return gains.gain(gain).forward
    return check_number("gain", gain, low=0, open_low=True)


LecunNormal = _constructor("lecun_normal")
LecunUniform = _constructor("lecun_uniform")
LecunTruncatedNormal = FlaxDefault = _constructor("lecun_truncated_normal")
GlorotNormal = XavierNormal = _constructor("glorot_normal")
GlorotUniform = XavierUniform = KerasDefault = SklearnDefault = _constructor("glorot_uniform")
GlorotTruncatedNormal = XavierTruncatedNormal = _constructor("glorot_truncated_normal")
HeNormal = KaimingNormal = _constructor("he_normal")
HeUniform = KaimingUniform = _constructor("he_uniform")
HeTruncatedNormal = KaimingTruncatedNormal = _constructor("he_truncated_normal")
TorchLinearDefault = TorchConvDefault = _constructor("torch_linear_default")
SklearnLogisticDefault = _constructor("sklearn_logistic_default")

__all__ = [
    "NAMED",
    "STFT",
    "Bilinear",
    "ChronoBias",
    "Constant",
    "DeltaOrthogonal",
    "Fans",
    "FlaxDefault",
    "ForgetGateBias",
    "GlorotNormal",
    "GlorotTruncatedNormal",
    "GlorotUniform",
    "HeNormal",
    "HeTruncatedNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "KaimingNormal",
    "KaimingTruncatedNormal",
    "KaimingUniform",
    "KerasDefault",
    "LecunNormal",
    "LecunTruncatedNormal",
    "LecunUniform",
    "LogPriorBias",
    "Named",
    "Ones",
    "Orthogonal",
    "PriorBias",
    "RandomNormal",
    "RandomUniform",
    "SklearnBias",
    "SklearnDefault",
    "SklearnLogisticDefault",
    "Sparse",
    "TargetMeanBias",
    "TorchConvDefault",
    "TorchLinearBias",
    "TorchLinearDefault",
    "TruncatedNormal",
    "Values",
    "VarianceScaling",
    "XavierNormal",
    "XavierTruncatedNormal",
    "XavierUniform",
    "ZerO",
    "Zeros",
    "auto",
    "fans",
    "get",
    "name_of",
    "names",
    "truncated_stddev",
]
