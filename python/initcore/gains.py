"""The gain of an activation: of a name, of any callable, of a gated pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from initcore import activations, quadrature
from initcore._validate import choose
from initcore.activations import Activation
from initcore.callables import vectorized
from initcore.quadrature import Gain

Plain: TypeAlias = "str | Activation | Callable[..., Any] | None"

# Name -> the activation of the half that is the gate. Shazeer 2020, arXiv:2002.05202, equations 4 and 5.
GATED: Mapping[str, str] = {
    "glu": "sigmoid",
    "bilinear": "identity",
    "reglu": "relu",
    "geglu": "gelu",
    "swiglu": "silu",
}


@dataclass(frozen=True)
class Gated:
    """A gated pair: ``f(u) * v`` for two pre-activations ``u`` and ``v``, each of kernels of their own.

    Dauphin et al. 2016, arXiv:1612.08083, equation 1; Shazeer 2020, arXiv:2002.05202, equations 4 and 5.

    Args:
        activation: f: a name, an activation, any callable, or None for the identity.

    >>> Gated("silu").gains == gain("swiglu")
    True
    """

    activation: Plain

    @property
    def gains(self) -> Gain:
        """The gain for independent u and v ~ N(0, 1), of the weights that follow the product.

        Forward, ``E[(f(u) v)**2] = E[f(u)**2] E[v**2] = E[f(u)**2]``: as of f alone.

        Backward, a gradient g of ``f(u) * v`` becomes ``g f'(u) v`` for u and ``g f(u)`` for v, of second
        moments ``E[g**2] E[f'(u)**2]`` and ``E[g**2] E[f(u)**2]``; an input gets both, each through a kernel
        of its own: ``fan_out * Var[w] * (E[f'(u)**2] + E[f(u)**2]) * E[g**2]``, where fan_out counts the
        units of one kernel. So the kernels that keep the gradient have variance ``1 / (fan_out * (E[f'**2] +
        E[f**2]))``. Of a packed kernel, which holds both, the fan-out is twice that.
        """
        of_gate = gain(self.activation)
        backward = of_gate.forward**-2 + of_gate.backward**-2
        return Gain(of_gate.forward, 1 / math.sqrt(backward) if backward else math.inf)


def gain(f: Plain | Gated) -> Gain:
    """Return what weights must be scaled by after the activation ``f``.

    ``.forward`` = 1 / sqrt(E[f(z)^2]) keeps the second moment of the signal from layer to layer,
    ``.backward`` = 1 / sqrt(E[f'(z)^2]) that of the gradient, for z ~ N(0, 1): He et al. 2015,
    arXiv:1502.01852, equations 7 and 14, for any activation; by quadrature, to 1e-9 or better. PyTorch's
    ``calculate_gain`` follows another convention (its tanh is 5/3, its sigmoid 1): `torch_gain`. What the two
    kernels of a gated pair themselves start with is not this, but `initcore.theory.gated_gain`.

    Args:
        f: A name out of `initcore.activations.names`, an activation, any function of an array (of NumPy or
            JAX), of a number, or of a PyTorch tensor (its slope is found numerically, to 1e-9 if it computes
            in float64); or a gated pair: ``"glu"``, ``"bilinear"``, ``"reglu"``, ``"geglu"``, ``"swiglu"`` or
            a `Gated`.

    Raises:
        ValueError: there is no such activation, it looks at whole rows, or it has no second
            moment (it gives NaN, or grows like exp(z^2 / 4)).
        TypeError: it does not map numbers to numbers.

    >>> f"{gain('relu').forward:.6f} {gain('gelu').backward:.6f}"
    '1.414214 1.481114'
    >>> f"{gain(lambda z: z**3).forward:.6f} {gain(math.erf).forward:.6f}"
    '0.258199 1.467167'
    >>> f"{gain('swiglu').forward:.6f} {gain('swiglu').backward:.6f}"
    '1.676532 1.166219'
    """
    if isinstance(f, Gated):
        return f.gains
    if isinstance(f, str) and f in GATED:
        return Gated(GATED[f]).gains
    if callable(f) and not isinstance(f, Activation):
        found = quadrature.gain(vectorized(f))
        if not found.forward > 0 or math.isnan(found.backward):
            name = getattr(f, "__name__", repr(f))
            raise ValueError(
                f"an activation must have a second moment for normal numbers, but {name} has none"
            )
        return found
    return named(f).gains


def is_gated(f: object) -> bool:
    """Return whether this says a gated pair: the name of one, or a `Gated`.

    >>> is_gated("swiglu"), is_gated(Gated("tanh")), is_gated("silu")
    (True, True, False)
    """
    return isinstance(f, Gated) or (isinstance(f, str) and f in GATED)


def named(f: str | Activation | None) -> Activation:
    """Return the activation; the error for an unknown name lists the gated ones too."""
    try:
        return activations.get(f)
    except ValueError:
        if isinstance(f, str):
            choose("activation", f, dict.fromkeys([*activations.names(), *GATED]))
        raise


def formula(name: str) -> str:
    """Return what the activation, or the gated pair, of that name computes.

    Raises:
        ValueError: there is no such activation.

    >>> formula("relu"), formula("swiglu")
    ('maximum(x, 0)', 'silu(u) * v')
    """
    if name in GATED:
        gate = GATED[name]
        return "u * v" if gate == "identity" else f"{gate}(u) * v"
    return named(name).formula
