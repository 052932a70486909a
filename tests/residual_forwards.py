"""Forwards of a model of one's own, in any framework, with and without residual connections.

A model has dense layers a, b, c and d, a normalization, a parameter p, and f: x -> b(relu(a(x))).
"""

NOT_RESIDUAL = {
    "a parameter": lambda m, x: m.f(x) + m.p,
    "two alike": lambda m, x: m.a(x) + m.b(x),
    "two paths": lambda m, x: m.a(m.b(x)) + m.c(m.d(x)),
}

RESIDUAL = {
    "plain": lambda m, x: x + m.f(x),
    "the other way round": lambda m, x: m.f(x) + x,
    "of a stem": lambda m, x: (h := m.c(x)) + m.f(h),
    "of a slice": lambda m, x: x[:, :4] + m.f(x[:, :4]),
    "with a shift behind": lambda m, x: x + m.f(x) + m.p,
    "with a projection": lambda m, x: m.c(x) + m.f(x),
    "with the skipped path scaled": lambda m, x: m.norm(3.0 * x + m.f(x)),
}

# And which kernels the network ends with.
OUTPUTS = {
    "a head": (lambda m, x: m.c(x + m.f(x)), {"c"}),
    "a stem declared behind": (lambda m, x: (h := m.d(x)) + m.f(h), set()),
    "a projection": (lambda m, x: m.d(x) + m.f(x), set()),
    "two heads": (lambda m, x: (m.c(h := x + m.f(x)), m.d(h)), {"c", "d"}),
}
