"""Writes the tables of initialization.md, from the registry and from FEATURES below: python docs/tables.py.

A row of FEATURES is what one may want, what has it here, and what has it elsewhere. A test looks up names in
backticks: ours below `initcore`, the peers' in torch.nn.init, keras.initializers and jax.nn.initializers.
To say something new of a peer, change the row, and the version in the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from initcore.initializers import NAMED

PAGE = Path(__file__).with_name("initialization.md")


class Feature(NamedTuple):
    """One row: names or words; "" is a dash."""

    what: str
    ours: str
    torch: str = ""
    keras: str = ""
    jax: str = ""
    timm: str = ""


FEATURES: dict[str, list[Feature]] = {
    "Laws": [
        Feature(
            "zeros, ones, constant",
            "`initializers.Zeros` `initializers.Ones` `initializers.Constant`",
            "`zeros_` `ones_` `constant_`",
            "`Zeros` `Ones` `Constant`",
            "`zeros` `ones` `constant`",
        ),
        Feature(
            "uniform, normal",
            "`initializers.RandomUniform` `initializers.RandomNormal`",
            "`uniform_` `normal_`",
            "`RandomUniform` `RandomNormal`",
            "`uniform` (from 0), `normal`",
        ),
        Feature(
            "truncated normal, bounds in standard deviations",
            "`initializers.TruncatedNormal`, any, infinite too",
            "",
            "`TruncatedNormal`, +-2",
            "`truncated_normal`, any",
            "`trunc_normal_tf_`",
        ),
        Feature(
            "truncated normal, bounds as values",
            '`initializers.TruncatedNormal` with `bounds="absolute"`',
            "`trunc_normal_`",
            timm="`trunc_normal_`",
        ),
        Feature(
            "its standard deviation is that of the result",
            "yes, and its mean; the parent's on request",
            "no",
            "in `VarianceScaling` only",
            "in `variance_scaling` only",
            "in `variance_scaling_` only",
        ),
        Feature(
            "variance scaling by fan in, out, average",
            "`initializers.VarianceScaling`",
            "",
            "`VarianceScaling`",
            "`variance_scaling`",
            "`variance_scaling_`",
        ),
        Feature("by their geometric mean", '`mode="fan_geo_avg"`', jax="`variance_scaling`"),
        Feature(
            "LeCun: normal, uniform, truncated",
            "`initializers.LecunNormal` `initializers.LecunUniform` `initializers.LecunTruncatedNormal`",
            "",
            "`LecunNormal` (truncated) `LecunUniform`",
            "`lecun_normal` (truncated) `lecun_uniform`",
            "`lecun_normal_` (truncated)",
        ),
        Feature(
            "Glorot: normal, uniform, truncated",
            "`initializers.GlorotNormal` `initializers.GlorotUniform` `initializers.GlorotTruncatedNormal`",
            "`xavier_normal_` `xavier_uniform_`",
            "`GlorotNormal` (truncated) `GlorotUniform`",
            "`glorot_normal` (truncated) `glorot_uniform`",
        ),
        Feature(
            "He: normal, uniform, truncated",
            "`initializers.HeNormal` `initializers.HeUniform` `initializers.HeTruncatedNormal`",
            "`kaiming_normal_` `kaiming_uniform_`",
            "`HeNormal` (truncated) `HeUniform`",
            "`he_normal` (truncated) `he_uniform`",
        ),
        Feature(
            "a gain of one's own in each of them",
            "`gain=`: a number, or any activation",
            "of Glorot only; He's by name",
            "by scale of `VarianceScaling`",
            "by scale of `variance_scaling`",
        ),
        Feature(
            "the scheme for the activation that follows",
            "`initializers.auto`",
        ),
        Feature(
            "orthogonal",
            "`initializers.Orthogonal`, each group, gate or head by itself",
            "`orthogonal_`",
            "`Orthogonal`",
            "`orthogonal`, not sharded",
        ),
        Feature("delta-orthogonal", "`initializers.DeltaOrthogonal`", jax="`delta_orthogonal`, not sharded"),
        Feature(
            "identity, also partial, also of packed maps",
            "`initializers.Identity`",
            "`eye_` (two axes)",
            "`Identity` (two axes)",
        ),
        Feature(
            "Dirac: a convolution that passes its input on, with groups",
            "`initializers.Identity`",
            "`dirac_`",
        ),
        Feature(
            "sparse: so many inputs to a unit, or a fraction", "`initializers.Sparse`", "`sparse_` (fraction)"
        ),
        Feature("bilinear enlargement, 1 to 3 axes and more", "`initializers.Bilinear`"),
        Feature("ZerO: identity and Hadamard", "`initializers.ZerO`"),
        Feature("short-time Fourier transform", "`initializers.STFT`", keras="`STFT`"),
        Feature(
            "the defaults of other libraries' layers, by name",
            "`initializers.TorchLinearDefault` `initializers.TorchConvDefault` `initializers.KerasDefault` "
            "`initializers.SklearnDefault` `initializers.SklearnLogisticDefault` `initializers.FlaxDefault`",
        ),
    ],
    "Biases": [
        Feature(
            "a class prior, for sigmoids", "`initializers.PriorBias`", timm="`head_bias=` of its own models"
        ),
        Feature("log-priors of classes, for softmax", "`initializers.LogPriorBias`"),
        Feature("the mean of the targets, for regression", "`initializers.TargetMeanBias`"),
        Feature("given values", "`initializers.Values`", "assignment"),
        Feature("forget gates open", "`initializers.ForgetGateBias`", keras="an option of its LSTM"),
        Feature("chrono: remember up to T steps", "`initializers.ChronoBias`"),
        Feature(
            "the biases of PyTorch's and scikit-learn's layers",
            "`initializers.TorchLinearBias` `initializers.SklearnBias`",
            "in its layers",
        ),
    ],
    "Fans and maps: what a tensor is made of": [
        Feature("dense, convolutions", "`layouts.Conv`", "yes", "yes", "yes", "yes"),
        Feature(
            "groups",
            "`layouts.Conv` with `groups=`",
            "fan_out too large",
            "fan_out too large",
            "fan_out too large",
        ),
        Feature(
            "depthwise", "`layouts.Depthwise`", "fan_out too large", "fan_in too large", "fan_out too large"
        ),
        Feature(
            "transposed, with the stride",
            "`layouts.ConvTransposed`",
            "swapped",
            "swapped",
            "by axes, no stride",
        ),
        Feature(
            "packed: query, key and value; gates",
            "`layouts.Packed`, sizes may differ",
            "as one map",
            "as one map",
            "as one map",
        ),
        Feature(
            "einsum, heads, experts",
            "`layouts.Einsum`",
            "",
            "`input_axes=` `output_axes=`",
            "`in_axis=` `out_axis=` `batch_axis=`",
        ),
        Feature("embedding", "`layouts.Embedding`", "as dense", "as dense", "by axes"),
    ],
    "Whole networks": [
        Feature(
            "gain of any activation, forwards and backwards",
            "`theory.gain` `theory.gated_gain` `gain_table`",
            "`calculate_gain`: 12 names",
        ),
        Feature(
            "every tensor of a model by its role, in one call",
            "`initialize`: PyTorch's and Keras's too",
            timm="its own models",
        ),
        Feature("residual schemes by depth", "`residual`", timm="some models"),
        Feature("widths: muP", "`mup`"),
        Feature("from data: LSUV and its kin", "`data_dependent`"),
    ],
    "Numbers": [
        Feature(
            "the same bits for any number of threads",
            "yes",
            "yes: the generator is serial",
            "of its backend",
            "yes",
        ),
        Feature("for any slice drawn alone", "`index=`, every law"),
        Feature(
            "whatever other tensors are made before",
            "yes: a key per tensor",
            "no",
            "with a seed per tensor",
            "yes",
        ),
        Feature(
            "one object, several layers: different weights",
            "yes",
            "yes",
            "no, unless given a SeedGenerator",
            "yes",
        ),
        Feature(
            "the block of a rank of a mesh, alone", "`shard`, every law", "", "", "sharded arrays, some laws"
        ),
        Feature("in place, any strides", "`out=`", "yes", "", "", "yes"),
        Feature(
            "float16 and bfloat16",
            "yes, rounded once, the mean kept",
            "not orthogonal",
            "of its backend",
            "yes",
            "yes",
        ),
        Feature("complex64 and complex128", "yes", "not truncated, not orthogonal", "", "yes"),
    ],
}
COLUMNS = ("", "initcore", "PyTorch", "Keras", "JAX", "timm")


def features() -> str:
    """The table of all features, a block for each part."""
    lines = []
    for part, rows in FEATURES.items():
        lines += [f"| **{part}** | {' | '.join(COLUMNS[1:])} |", "|---" * len(COLUMNS) + "|"]
        for row in rows:
            cells = (cell.replace("`initializers.", "`") or "–" for cell in row)
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def names() -> str:
    """The table of named initializers."""
    lines = ["| name | also | law | source |", "|---|---|---|---|"]
    for row in NAMED:
        also = ", ".join(f"`{alias}`" for alias in row.aliases) or "–"
        lines.append(f"| `{row.name}` | {also} | `{row.law!r}` | {row.source} |")
    return "\n".join(lines)


def filled(text: str) -> str:
    """The page with its tables as they should be."""
    for name, table in {"features": features(), "names": names()}.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        text, found = re.subn(
            f"{begin}\n.*?{end}", lambda _, b=begin, t=table, e=end: f"{b}\n{t}\n{e}", text, flags=re.S
        )
        assert found == 1, f"{PAGE.name} must have {begin} and {end} once"
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
