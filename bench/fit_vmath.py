"""Print the coefficients of cpp/kernels/vmath.h and normal_law.h. To change a degree: edit `FITS`, run, copy.

Each is the quotient P/Q of two polynomials that equals the function at the Chebyshev nodes of the interval,
solved in 60 digits: the largest error is within a small factor of the least possible one. Where it is not,
`levelled` moves the nodes until the errors between them are nearly the same. Needs mpmath.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from mpmath import atanh, cos, erf, erfc, exp, expm1, log1p, lu_solve, matrix, mp, mpf, pi, sqrt, tanh

mp.dps = 60


@dataclass
class Fit:
    name: str
    function: Callable[[mpf], mpf]
    low: mpf
    high: mpf
    degrees: dict[str, tuple[int, int]]  # dtype -> degrees of P and Q
    levelled: bool = False
    weight: Callable[[mpf], mpf] = lambda _: mpf(1)  # of the relative error

    def nodes(self, n: int) -> list[mpf]:
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        return [middle + half * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]

    def solve(self, p_degree: int, q_degree: int) -> tuple[list[mpf], list[mpf]]:
        """P and Q, lowest power first, with Q(0) = 1."""
        nodes = self.nodes(p_degree + q_degree + 1)
        for _ in range(60 if self.levelled else 0):
            p, q = self.equal_at(nodes, p_degree)
            ends = [self.low, *sorted(nodes), self.high]
            gaps = [(b - a) / self.error(p, q, a, b) ** mpf(".25") for a, b in itertools.pairwise(ends)]
            scale = (self.high - self.low) / sum(gaps)
            nodes = [self.low + scale * sum(gaps[: i + 1]) for i in range(len(nodes))]
        return self.equal_at(nodes, p_degree)

    def equal_at(self, nodes: list[mpf], p_degree: int) -> tuple[list[mpf], list[mpf]]:
        """The P and Q that equal the function there."""
        q_degree = len(nodes) - 1 - p_degree
        values = [self.function(x) for x in nodes]
        rows = [
            [x**i for i in range(p_degree + 1)] + [-y * x**i for i in range(1, q_degree + 1)]
            for x, y in zip(nodes, values, strict=True)
        ]
        solution = list(lu_solve(matrix(rows), matrix(values)))
        return solution[: p_degree + 1], [mpf(1), *solution[p_degree + 1 :]]

    def error(self, p: list[mpf], q: list[mpf], low: mpf | None = None, high: mpf | None = None) -> mpf:
        """The largest weighted relative error, of the whole interval or between two neighbouring nodes."""

        def horner(c: list[mpf], x: mpf) -> mpf:
            return sum(a * x**i for i, a in enumerate(c))

        points = self.nodes(499) if low is None else [low + (high - low) * i / 8 for i in range(9)]
        return max(abs(self.weight(x) * (horner(p, x) / horner(q, x) / self.function(x) - 1)) for x in points)


def _exp_rest(r: mpf) -> mpf:
    return ((expm1(r) - r) / r**2 - mpf(".5")) / r


def _log_tail(z: mpf) -> mpf:
    return (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z


def _mills(q: mpf) -> mpf:
    a = 4 * (1 + q) / (1 - q)
    return (1 + mpf("0.8") * a) * exp(a**2 / 2) * erfc(a / sqrt(mpf(2))) / 2


def _inverse_mills(a: mpf) -> mpf:
    return 2 / (exp(a**2 / 2) * erfc(a / sqrt(mpf(2))))


def divided(p: list[mpf], q: list[mpf]) -> tuple[list[mpf], list[mpf]]:
    """Quotient and rest of P by Q."""
    quotient, rest = [], list(p)
    while len(rest) >= len(q):
        quotient.insert(0, rest[-1] / q[-1])
        shift = len(rest) - len(q)
        rest = [c - quotient[0] * q[i - shift] if i >= shift else c for i, c in enumerate(rest)][:-1]
    return quotient, rest


FITS = [
    Fit(
        "exp_tail without its first coefficient, 1 / 2",
        _exp_rest,
        mpf("-.3468"),
        mpf(".3467"),
        {"float": (3, 0)},
        levelled=True,
        weight=lambda r: r**3 * _exp_rest(r) / expm1(r),
    ),
    Fit("exp_tail", lambda r: (expm1(r) - r) / r**2, mpf("-.35"), mpf(".3501"), {"double": (9, 0)}),
    Fit(
        "tanh",
        lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z,
        mpf(0),
        mpf(".625") ** 2,
        {"double": (2, 3)},
    ),
    Fit("softplus", lambda e: (log1p(e) / e - 1) / e, mpf(0), mpf(1), {"float": (8, 0)}),
    Fit("log", _log_tail, mpf(0), mpf(".02948"), {"float": (3, 0), "double": (6, 0)}),
    Fit("erf", lambda z: erf(sqrt(z)) / sqrt(z), mpf(0), mpf(1), {"float": (6, 0), "double": (12, 0)}),
    Fit("normal_tail", _mills, mpf(-1), mpf(".82"), {"float": (10, 0), "double": (23, 0)}),
    Fit("inverse_mills", _inverse_mills, mpf(0), mpf("14.6"), {"float": (5, 4)}, levelled=True),
]


if __name__ == "__main__":
    for fit in FITS:
        for dtype, degrees in fit.degrees.items():
            p, q = fit.solve(*degrees)
            print(f"{fit.name}, {dtype}: relative error {mp.nstr(fit.error(p, q), 3)}")
            digits, suffix = (9, "f") if dtype == "float" else (17, "")
            whole, rest = divided(p, q) if len(q) > 1 and len(p) > len(q) else ([], p)
            for letter, c in ("whole part", whole), ("P", rest), ("Q", q[1:] and q):
                if c:
                    print(f"  {letter}: " + ", ".join(mp.nstr(a, digits) + suffix for a in c))
