"""Fits the coefficients of cpp/kernels/random_{normal,polar}.h and prints them. Run it as it is.

Rational functions that err least, relatively, on an interval: linearized least squares at Chebyshev nodes in
60 digits, its weights moved to where the error is large (Lawson 1961) until it is level. Needs mpmath.
"""

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60
MIDDLE = mp.mpf("0.228")  # kMiddle, and kTailOrigin
ORIGIN = mp.mpf("1.94")


def quantile(p: mp.mpf) -> mp.mpf:
    """z with P(Z > z) = p < 1/2, by Newton's method from an asymptotic guess."""
    if p > mp.mpf("1e-3"):
        z = mp.sqrt(2) * mp.erfinv(1 - 2 * p)
    else:
        z = mp.sqrt(-2 * mp.log(p) - mp.log(-4 * mp.pi * mp.log(p)))
    for _ in range(7):
        step = (mp.erfc(z / mp.sqrt(2)) / 2 - p) / mp.npdf(z)
        z += step / (1 + z * step / 2)
    return z


def middle(r: mp.mpf) -> mp.mpf:
    """What the quantile over q is more than at 0, over q^2, where r = MIDDLE - q^2."""
    q = mp.sqrt(MIDDLE - r)
    return (mp.sqrt(2) * mp.erfinv(2 * q) / q - mp.sqrt(2 * mp.pi)) / (MIDDLE - r)


def tail(t: mp.mpf) -> mp.mpf:
    """Quantile, where t = sqrt(-log p) - ORIGIN."""
    return quantile(mp.exp(-((t + ORIGIN) ** 2)))


def fit(f: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, top: int, bottom: int, rounds: int = 20):
    """Largest relative error, and coefficients of a rational function of these degrees, from x^0 up."""
    n = 8 * (top + bottom + 2)
    centre, half = (low + high) / 2, (high - low) / 2
    nodes = [-mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    values = [f(centre + half * t) for t in nodes]
    weights, below, best = [mp.mpf(1)] * n, [mp.mpf(1)] * n, None
    for step in range(rounds):
        a, b = mp.matrix(n, top + bottom + 1), mp.matrix(n, 1)
        for i, (t, value) in enumerate(zip(nodes, values, strict=True)):
            w = mp.sqrt(weights[i]) / (value * below[i])
            for j in range(top + 1):
                a[i, j] = w * t**j
            for j in range(1, bottom + 1):
                a[i, top + j] = -w * value * t**j
            b[i] = w * value
        x = list(mp.lu_solve(a.T * a, a.T * b))
        p, q = x[: top + 1], [mp.mpf(1), *x[top + 1 :]]
        below = [mp.polyval(q[::-1], t) for t in nodes]
        errors = [
            abs(mp.polyval(p[::-1], t) / d / v - 1) for t, d, v in zip(nodes, below, values, strict=True)
        ]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = worst, p, q
        if step >= 2:
            weights = [w * max(e / worst, mp.mpf("1e-3")) for w, e in zip(weights, errors, strict=True)]
            mean = sum(weights) / n
            weights = [w / mean for w in weights]
    worst, p, q = best
    p, q = in_powers(p, centre, half), in_powers(q, centre, half)
    return worst, [c / q[0] for c in p], [c / q[0] for c in q]


def in_powers(coefficients: list[mp.mpf], centre: mp.mpf, half: mp.mpf) -> list[mp.mpf]:
    """Coefficients in x of a polynomial in (x - centre) / half."""
    result = [mp.mpf(0)] * len(coefficients)
    power = [mp.mpf(1)]
    for c in coefficients:
        for i, value in enumerate(power):
            result[i] += c * value
        shifted = [mp.mpf(0), *power]
        power = [(up - centre * here) / half for up, here in zip(shifted, [*power, mp.mpf(0)], strict=True)]
    return result


def show(name: str, fitted, digits: int) -> None:
    error, *parts = fitted
    print(f"{name}: relative error {mp.nstr(error, 2)}")
    for part in parts:
        print("  {" + ", ".join(mp.nstr(c, digits) for c in part) + "}")


if __name__ == "__main__":
    first = mp.sqrt(-mp.log(mp.mpf("0.0226"))) - ORIGIN  # the tail begins at p = 0.0225
    last = mp.mpf("9.4") - ORIGIN
    for kind, middle_degrees, tail_degrees, digits in [
        ("float", (4, 4), (4, 3), 10),
        ("double", (9, 10), (8, 7), 19),
    ]:
        show(
            f"{kind} middle", fit(middle, mp.mpf("-1e-6"), MIDDLE - mp.mpf("1e-15"), *middle_degrees), digits
        )
        show(f"{kind} tail", fit(tail, first, last, *tail_degrees), digits)
    low, high = mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(2) - 1
    show("float log(1 + f) / f", fit(lambda f: mp.log1p(f) / f, low, high, 7, 0, 15), 10)
    show(
        "double 2 atanh(sqrt u) / sqrt u",
        fit(lambda u: 2 * mp.atanh(mp.sqrt(u)) / mp.sqrt(u), mp.mpf("1e-20"), mp.mpf("0.0295"), 6, 0, 15),
        19,
    )
    for kind, degrees, digits in [("float", (3, 3), 10), ("double", (6, 7), 19)]:
        quarter = [
            lambda u: mp.sin(mp.pi / 2 * mp.sqrt(u)) / mp.sqrt(u),
            lambda u: mp.cos(mp.pi / 2 * mp.sqrt(u)),
        ]
        for name, f, degree in zip(["sin(pi t / 2) / t", "cos(pi t / 2)"], quarter, degrees, strict=True):
            show(f"{kind} {name}, in t^2", fit(f, mp.mpf("1e-30"), mp.mpf("0.25"), degree, 0), digits)
