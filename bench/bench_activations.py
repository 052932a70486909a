"""Every activation, forward and backward, on arrays that stay in the cache. Float32.

NumPy evaluates the documented formula; PyTorch its own function, where it has one of that name.
"""

import numpy as np
import pytest
from interleaved import optional, time_per

from initcore import _core, activations

N = 1 << 14  # 64 KB of float32: in the second-level cache, as a batch is
UNIT = time_per("ns per element", N)

ELEMENTWISE = [name for name in activations.names() if activations.get(name).elementwise]
every_activation = pytest.mark.parametrize("name", ELEMENTWISE)

FUNCTIONS = {
    name: getattr(np, name)
    for name in ("where", "maximum", "minimum", "exp", "log1p", "expm1", "tanh", "abs", "clip")
}

SLOPES = {  # those that one writes in NumPy without thinking, from y
    "relu": lambda dy, y, dx: np.multiply(dy, y > 0, out=dx),
    "sigmoid": lambda dy, y, dx: np.multiply(dy, y * (1 - y), out=dx),
    "tanh": lambda dy, y, dx: np.multiply(dy, 1 - y * y, out=dx),
}


def erf(x):
    """Abramowitz & Stegun 7.1.26, to 1.5e-7: NumPy has none."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1 - p * np.exp(-x * x), x)


def in_torch(name, x):
    """PyTorch's side of a comparison: a call, or None where PyTorch is not installed."""
    torch = optional("torch")
    if torch is None:
        return {"PyTorch": None}
    tensor = torch.from_numpy(x)
    if name == "gelu_tanh":
        return {"PyTorch": lambda: torch.nn.functional.gelu(tensor, approximate="tanh")}
    name = {"exponential": "exp"}.get(name, name.replace("hard_", "hard"))
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name, None)
    return {"PyTorch": lambda: function(tensor)} if function else {}


@every_activation
def bench_forward(compare, name):
    f = activations.get(name)
    x = np.random.default_rng(0).normal(0, 2, N).astype(np.float32)
    y = np.empty_like(x)
    formula = {"x": "+x"}.get(f.formula, f.formula).replace("x**3", "x * x * x")  # a copy; no power
    code = compile(formula, name, "eval")
    names = FUNCTIONS | {"erf": erf, "x": x} | f.parameters
    peers = {"NumPy": lambda: eval(code, names)} | in_torch(name, x)
    ours = lambda: _core.activation_forward(f.number, x, y, f.kernel_parameters)  # noqa: E731
    compare("activation", ours, peers, UNIT)


@every_activation
def bench_backward(compare, name):
    """Beside a plain product of two arrays, too: what it would cost if slopes were free."""
    f = activations.get(name)
    x, dy = np.random.default_rng(0).normal(0, 2, (2, N)).astype(np.float32)
    y, dx = f(x), np.empty_like(x)
    peers = {"plain product": lambda: np.multiply(dy, x, out=dx)}
    if name in SLOPES:
        peers["NumPy"] = lambda: SLOPES[name](dy, y, dx)
    ours = lambda: _core.activation_backward(f.number, dy, x, y, dx, f.kernel_parameters)  # noqa: E731
    compare("slope of an activation", ours, peers, UNIT)
