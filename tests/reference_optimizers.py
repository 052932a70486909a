"""What the optimizers must compute: plain NumPy in float64, written from the papers, one function per class.

Each takes the optimizer's settings, the weights, one gradient after the other, and returns the final weights.
"""

import numpy as np


def sgd(o, w, gradients, rate):
    b = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        b = o.momentum * b + g
        w = w - rate(t) * (g + o.momentum * b if o.nesterov else b)
    return w


def adam(o, w, gradients, rate):
    m = v = largest = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        m = o.beta_1 * m + (1 - o.beta_1) * g
        v = o.beta_2 * v + (1 - o.beta_2) * g**2
        largest = np.maximum(largest, v) if o.amsgrad else v
        m_hat, v_hat = m / (1 - o.beta_1**t), largest / (1 - o.beta_2**t)
        w = w - rate(t) * m_hat / (np.sqrt(v_hat) + o.epsilon)
    return w


def adamax(o, w, gradients, rate):
    m = u = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        m = o.beta_1 * m + (1 - o.beta_1) * g
        u = np.maximum(o.beta_2 * u, np.abs(g) + o.epsilon)
        w = w - rate(t) / (1 - o.beta_1**t) * m / u
    return w


def nadam(o, w, gradients, rate):
    m = v = 0.0
    product = 1.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        now, after = (o.beta_1 * (1 - 0.5 * 0.96 ** (k * o.momentum_decay)) for k in (t, t + 1))
        product *= now
        m = o.beta_1 * m + (1 - o.beta_1) * g
        v = o.beta_2 * v + (1 - o.beta_2) * g**2
        m_hat = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
        w = w - rate(t) * m_hat / (np.sqrt(v / (1 - o.beta_2**t)) + o.epsilon)
    return w


def rmsprop(o, w, gradients, rate):
    v = mean = b = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        v = o.rho * v + (1 - o.rho) * g**2
        mean = o.rho * mean + (1 - o.rho) * g
        variance = np.maximum(v - mean**2, 0) if o.centered else v
        b = o.momentum * b + g / (np.sqrt(variance) + o.epsilon)
        w = w - rate(t) * b
    return w


def adagrad(o, w, gradients, rate):
    a = o.initial_accumulator_value
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        a = a + g**2
        w = w - rate(t) * g / (np.sqrt(a) + o.epsilon)
    return w


def adadelta(o, w, gradients, rate):
    v = steps = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        v = o.rho * v + (1 - o.rho) * g**2
        step = np.sqrt(steps + o.epsilon) / np.sqrt(v + o.epsilon) * g
        steps = o.rho * steps + (1 - o.rho) * step**2
        w = w - rate(t) * step
    return w


def lion(o, w, gradients, rate):
    m = 0.0
    for t, g in enumerate(gradients, 1):
        w = decayed(o, w, rate(t))
        w = w - rate(t) * np.sign(o.beta_1 * m + (1 - o.beta_1) * g)
        m = o.beta_2 * m + (1 - o.beta_2) * g
    return w


def decayed(o, w, rate):
    return w - rate * (o.weight_decay or 0) * w


def clipped(o, g, sizes):
    """The gradient ``g``, of tensors of these sizes, as the optimizer clips it."""
    if o.clipvalue is not None:
        return np.clip(g, -o.clipvalue, o.clipvalue)
    if o.global_clipnorm is not None:
        return g * o.global_clipnorm / max(np.linalg.norm(g), o.global_clipnorm)
    if o.clipnorm is not None:
        parts = np.split(g, np.cumsum(sizes)[:-1])
        return np.concatenate([p * o.clipnorm / max(np.linalg.norm(p), o.clipnorm) for p in parts])
    return g


def run(o, w, gradients, sizes=None):
    """The weights after one step for each of ``gradients``."""
    for kind in type(o).__mro__:  # AdamW is an Adam
        if rule := globals().get(kind.__name__.lower()):
            break
    steps = [clipped(o, g, sizes) for g in gradients]
    return rule(o, w, steps, lambda t: o.learning_rates(t, 1)[0])
