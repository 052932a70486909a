"""Optimizers: how the parameters follow the gradients.

Each is a frozen dataclass: the values of the hyperparameters of a row of the compiled table. To add one: a
struct in cpp/kernels/optimizer_list.h, a dataclass here, a line in ``_NAMED``.

Names and defaults are those of Keras 3, except that epsilon is 1e-8 and stands where the paper and PyTorch
have it. Every docstring says where a definition differs from Keras or PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from initcore._optimizer import RANGES, RULES, Optimizer
from initcore._optimizer import State as State
from initcore._optimizer import Tensors as Tensors
from initcore._validate import check_number, choose


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    ``w -= rate * g``; with momentum ``b = momentum * b + g; w -= rate * b``; with Nesterov's
    ``w -= rate * (momentum * b + g)``. As in PyTorch (without dampening). Keras keeps the rate inside the
    buffer (``v = momentum * v - rate * g; w += v``): the same as long as the rate does not change.

    Args:
        learning_rate: A number or a schedule.
        momentum: How much of the last step to keep, in [0, 1).
        nesterov: Look ahead: take the gradient where the momentum leads. Needs momentum.

    >>> import numpy as np
    >>> sgd = SGD(0.1, momentum=0.9)
    >>> w, g = np.zeros(2), np.ones(2)
    >>> state = sgd.init(w.size, w.dtype)
    >>> for _ in range(2):
    ...     sgd.step(w, g, state)
    >>> w
    array([-0.29, -0.29])
    """

    learning_rate: float | Callable[[Any], Any] = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("momentum", self.momentum, **RANGES["momentum"])
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, got momentum=0")

    @property
    def rule(self) -> dict[str, Any]:
        return RULES["nesterov" if self.nesterov else "momentum" if self.momentum else "sgd"]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps by the mean gradient over its root mean square, both corrected for their start at zero.

    ``w -= rate * m_hat / (sqrt(v_hat) + epsilon)``: algorithm 1 of the paper, as in PyTorch. Keras adds
    epsilon (1e-7) to ``sqrt(v)`` before the correction, the paper's "epsilon hat".

    Args:
        learning_rate: A number or a schedule.
        beta_1: Decay of the mean of the gradient.
        beta_2: Decay of the mean of its square.
        epsilon: Keeps the quotient finite.
        amsgrad: Divide by the largest root mean square so far (Reddi et al. 2018, arXiv:1904.09237; the
            maximum is of the uncorrected ``v``, as in PyTorch and Keras).

    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.

    >>> import numpy as np
    >>> optimizer, w, g = Adam(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.1,  0.1])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False

    @property
    def rule(self) -> dict[str, Any]:
        return RULES["amsgrad" if self.amsgrad else "adam"]


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    The decay is multiplied by the learning rate of the step, as in PyTorch and Keras; the paper multiplies it
    by the schedule alone. The default, 0.004, is Keras's; PyTorch's is 0.01.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.

    >>> import numpy as np
    >>> optimizer, w, g = AdamW(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.1,  0.1])
    """

    weight_decay: float | None = field(default=0.004, kw_only=True)


@dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the largest decayed gradient in place of the root mean square.

    ``u = max(beta_2 * u, |g| + epsilon); w -= rate * m_hat / u``, as in PyTorch (whose default rate is
    0.002). The paper has no epsilon; Keras adds it to ``u`` in the quotient.

    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 2.

    >>> import numpy as np
    >>> optimizer, w, g = Adamax(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.1,  0.1])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    rule_name: ClassVar[str] = "adamax"


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov's momentum, which warms up: ``beta_1 * (1 - 0.96**(t * momentum_decay) / 2)``.

    As in the paper and PyTorch (whose default rate is 0.002). Keras has ``0.96**t``, that is
    ``momentum_decay=1``, and epsilon as in its Adam.

    Source: Dozat 2016, ICLR workshop, algorithm 2.

    >>> import numpy as np
    >>> optimizer, w, g = Nadam(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.1056,  0.1056])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3
    rule_name: ClassVar[str] = "nadam"


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps by the gradient over its root mean square.

    ``v = rho * v + (1 - rho) * g**2; w -= rate * g / (sqrt(v) + epsilon)``, as in PyTorch (whose defaults
    are a rate of 0.01 and rho, there alpha, of 0.99). Keras has ``sqrt(v + epsilon)``; with momentum it keeps
    the rate inside the buffer.

    Args:
        learning_rate: A number or a schedule.
        rho: Decay of the mean of the squared gradient.
        momentum: How much of the last step to keep, in [0, 1).
        epsilon: Keeps the quotient finite.
        centered: Divide by the standard deviation instead: subtract the squared mean of the gradient
            (Graves 2013, arXiv:1308.0850). A variance that rounding makes negative counts as 0.

    Source: Tieleman & Hinton 2012, lecture 6e.

    >>> import numpy as np
    >>> optimizer, w, g = RMSprop(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.3162,  0.3162])
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8
    centered: bool = False

    @property
    def rule(self) -> dict[str, Any]:
        return RULES["rmsprop" + "_centered" * self.centered + "_momentum" * bool(self.momentum)]


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps by the gradient over the root of the sum of its squares so far.

    ``a += g**2; w -= rate * g / (sqrt(a) + epsilon)``, as in PyTorch, where ``a`` starts at 0 and the default
    rate is 0.01. Keras starts at 0.1, the default here too, and has ``sqrt(a + epsilon)``. The slot holds the
    sum without its initial value.

    Source: Duchi et al. 2011, JMLR 12, figure 1.

    >>> import numpy as np
    >>> optimizer, w, g = Adagrad(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.0953,  0.0032])
    """

    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-8
    rule_name: ClassVar[str] = "adagrad"


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps of the size of earlier steps: the gradient times the ratio of root mean squares.

    ``step = sqrt(mean(step**2) + epsilon) / sqrt(mean(g**2) + epsilon) * g``, as everywhere. The paper has
    no learning rate, so it is 1 here and in PyTorch; Keras has 0.001. Epsilon is the paper's 1e-6: it decides
    how fast the first steps are.

    Source: Zeiler 2012, arXiv:1212.5701, algorithm 1.

    >>> import numpy as np
    >>> optimizer, w, g = Adadelta(), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.0045,  0.0041])
    """

    learning_rate: float | Callable[[Any], Any] = 1.0
    rho: float = 0.95
    epsilon: float = 1e-6
    rule_name: ClassVar[str] = "adadelta"


@dataclass(frozen=True)
class Lion(Optimizer):
    """Steps by the sign of a mean of the gradient: every parameter moves by the learning rate.

    As in Keras; PyTorch has none. The paper advises a rate 3 to 10 times smaller than Adam's.

    Source: Chen et al. 2023, arXiv:2302.06675, algorithm 2.

    >>> import numpy as np
    >>> optimizer, w, g = Lion(0.1), np.zeros(2), np.array([1.0, -0.01])
    >>> optimizer.step(w, g, optimizer.init(w.size, w.dtype))
    >>> w.round(4)
    array([-0.1,  0.1])
    """

    beta_1: float = 0.9
    beta_2: float = 0.99
    rule_name: ClassVar[str] = "lion"


_NAMED: dict[str, Optimizer] = {
    "sgd": SGD(),
    "momentum": SGD(momentum=0.9),
    "nesterov": SGD(momentum=0.9, nesterov=True),
    "adam": Adam(),
    "adamw": AdamW(),
    "amsgrad": Adam(amsgrad=True),
    "adamax": Adamax(),
    "nadam": Nadam(),
    "rmsprop": RMSprop(),
    "adagrad": Adagrad(),
    "adadelta": Adadelta(),
    "lion": Lion(),
}


def names() -> list[str]:
    """Return the names that ``get`` knows."""
    return list(_NAMED)


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer of that name with its defaults, or the given one.

    Raises:
        ValueError: There is none of that name.

    >>> get("sgd").learning_rate
    0.01
    """
    return optimizer if isinstance(optimizer, Optimizer) else choose("optimizer", optimizer, _NAMED)
