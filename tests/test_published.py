"""Published results on the start of networks, reproduced by the package's own initializers.

Each test names the paper and its equation; tolerances are six standard errors of what is averaged, unless the
result is exact.
"""

import math

import numpy as np
import pytest

import initcore as ic
from initcore import activations
from initcore.quadrature import expectation

KEY = ic.Key(0)


def kernels(law, width, depth, draws=1):
    """Independent square kernels: (draws, depth, width, width)."""
    shape = (width, width)
    drawn = [law(shape, KEY / str(d) / str(i), dtype="float64") for d in range(draws) for i in range(depth)]
    return np.reshape(drawn, (draws, depth, *shape))


def named(name):
    return ic.initializers.get(name)


@pytest.mark.parametrize(
    ("law", "factor"),
    [
        (named("he_normal"), 1.0),
        (named("he_uniform"), 1.0),
        (named("glorot_normal"), 1 / 2),
        (named("glorot_uniform"), 1 / 2),
        (ic.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"), 1 / 6),  # U(+-1 / sqrt(n)), PyTorch's
    ],
)
def test_the_signal_of_thirty_layers_of_relu(law, factor):
    """He et al. 2015, arXiv:1502.01852, equation 9: E[y^2] is multiplied by n Var[w] / 2 at each layer.

    By Hanin & Rolnick 2018, arXiv:1803.01719, the logarithm's variance is about 5 / n for each layer.
    """
    width, depth = 512, 30
    y = np.random.default_rng(1).normal(size=(1, width))
    before = np.mean(y**2)
    for w in kernels(law, width, depth)[0]:
        y = np.maximum(y, 0) @ w
    spread = 6 * math.sqrt(5 * depth / width)
    assert math.log(np.mean(y**2) / before / factor**depth) == pytest.approx(0, abs=spread + spread**2 / 72)


@pytest.mark.parametrize(("mode", "forward", "backward"), [(None, 1 / 3, 1 / 3), ("fan_avg", 1, 1)])
def test_the_heuristic_of_1_over_sqrt_n_shrinks_signal_and_gradient(mode, forward, backward):
    """Glorot & Bengio 2010, equations 13 and 16: n Var[W] = 1/3 with U(+-1 / sqrt(n)), 1 with theirs."""
    n = 400
    law = ic.initializers.VarianceScaling(1.0 if mode else 1 / 3, mode or "fan_in", "uniform")
    w = kernels(law, n, 1)[0, 0]
    x, g = np.random.default_rng(1).normal(size=(2, n, n))
    error = 6 * math.sqrt(8 / n**2)  # of four means of n^2 squares
    assert np.mean((x @ w) ** 2) / np.mean(x**2) == pytest.approx(forward, rel=error)
    assert np.mean((g @ w.T) ** 2) / np.mean(g**2) == pytest.approx(backward, rel=error)


@pytest.mark.parametrize("depth", [1, 3, 10, 100])
def test_orthogonal_kernels_pass_everything_on_at_any_depth(depth):
    """Saxe et al. 2013, arXiv:1312.6120, section 3: every singular value of the product is 1."""
    product = np.linalg.multi_dot([np.eye(40), *kernels(ic.initializers.Orthogonal(), 40, depth)[0]])
    np.testing.assert_allclose(np.linalg.svd(product, compute_uv=False), 1, atol=1e-13 * depth)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_gaussian_kernels_stretch_some_directions(depth):
    """The largest squared singular value tends to (L + 1)^(L + 1) / L^L, up to about n^(-2/3) of it."""
    n, draws = 150, 4
    found = [
        np.linalg.norm(np.linalg.multi_dot([np.eye(n), *drawn]), 2) ** 2
        for drawn in kernels(named("lecun_normal"), n, depth, draws)
    ]
    limit = (depth + 1) ** (depth + 1) / depth**depth
    assert np.mean(found) == pytest.approx(
        limit, rel=6 * n ** (-2 / 3) / math.sqrt(draws) + 2 * n ** (-2 / 3)
    )


def test_a_deep_linear_network_learns_as_its_equation_says():
    """Saxe et al. 2013, equation 8: u(t) = s e^(2 s t) / (e^(2 s t) - 1 + s / u0), tau = 1, for one mode."""
    s, u0, rate = 3.0, 0.01, 1e-4
    model = ic.Sequential(
        [ic.Dense(1, use_bias=False, kernel_initializer=math.sqrt(u0)) for _ in range(2)],
        input_shape=(1,),
        dtype="float64",
    )
    for step in range(1, 20_001):
        gradient = s - model.parameters["dense/kernel"] * model.parameters["dense_1/kernel"]
        for w, other in zip(model.parameters.values(), reversed([*model.parameters.values()]), strict=True):
            w += rate * gradient * other
        if step % 5000 == 0:
            growth = math.exp(2 * s * step * rate)
            u = float(model.predict([[1.0]])[0, 0])
            assert u == pytest.approx(s * growth / (growth - 1 + s / u0), rel=1e-3)


def test_selu_maps_mean_0_and_variance_1_to_themselves():
    """Klambauer et al. 2017, arXiv:1706.02515, theorem 1: a fixed point, and the map contracts there."""
    selu = activations.get("selu")

    def moments(variance):
        """Of what comes out, for kernels whose sum is 0, so that the mean of what goes in does not count."""
        mean, square = (expectation(lambda z, k=k: selu(math.sqrt(variance) * z) ** k) for k in (1, 2))
        return np.array([mean, square - mean**2])

    np.testing.assert_allclose(moments(1), [0, 1], atol=1e-12)
    slopes = (moments(1 + 1e-5) - moments(1 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slopes, [0.0888348, 0.7826479], atol=1e-7)
    assert np.linalg.norm(slopes) == pytest.approx(0.78767, abs=1e-5)


@pytest.mark.parametrize(
    ("law", "relu", "of_depth"),
    [
        (named("lecun_normal"), False, 1),
        (ic.initializers.Orthogonal(), False, 0),
        (named("he_normal"), True, 2),
        (ic.initializers.Orthogonal(math.sqrt(2)), True, 1),
    ],
)
@pytest.mark.parametrize("depth", [2, 5])
def test_spread_of_the_jacobians_singular_values(law, relu, of_depth, depth):
    """Pennington et al. 2017, arXiv:1711.04735: their squares have mean 1 and, where chi = 1, variance c L.

    Only orthogonal kernels without relu keep every direction. At width n it is off by about L^2 / n.
    """
    n, draws = 150, 12
    squares = []
    for drawn in kernels(law, n, depth, draws):
        x, jacobian = np.random.default_rng(1).normal(size=(1, n)), np.eye(n)
        for w in drawn:
            if relu:
                jacobian = jacobian * (x > 0)
                x = np.maximum(x, 0)
            jacobian, x = jacobian @ w, x @ w
        squares.append(np.linalg.svd(jacobian, compute_uv=False) ** 2)
    mean, variance = np.mean(squares), np.mean((np.array(squares) - 1) ** 2)
    if not of_depth:
        assert mean == pytest.approx(1) and variance < 1e-20
        return
    assert mean == pytest.approx(1, abs=6 * math.sqrt(5 * depth / n / draws))
    assert variance == pytest.approx(of_depth * depth, rel=0.1 * depth)


def test_second_moment_of_relu_networks_of_finite_width():
    """Hanin & Rolnick 2018, arXiv:1803.01719: M = mean(x^2), Gaussian kernels: E[M^2] = M0^2 prod(1 + 5 / n).

    A unit's square has mean M and mean square 6 M^2, so variance 5 M^2, of which n are averaged.
    """
    n, depth, draws = 20, 5, 20_000
    law = named("he_normal")
    x = np.ones((draws, 1, n))
    for i in range(depth):
        w = law((draws * n, n), KEY / str(i), dtype="float64").reshape(draws, n, n) * math.sqrt(draws)
        x = np.maximum(x @ w, 0)
    m = np.mean(x**2, axis=(1, 2))
    expected = (1 + 5 / n) ** depth
    assert abs(m.mean() - 1) < 6 * m.std() / math.sqrt(draws)
    assert abs(np.mean(m**2) - expected) < 6 * np.std(m**2) / math.sqrt(draws)


@pytest.mark.parametrize(("n", "depth"), [(2, 10), (3, 10), (4, 5)])
def test_narrow_relu_networks_are_born_dead(n, depth):
    """Lu et al. 2019, arXiv:1903.06733: for one input, P(dead) = 1 - (1 - 2^-N)^(L - 1)."""
    draws = 20_000
    x, law = np.ones((draws, 1, n)), named("he_normal")
    for i in range(depth - 1):
        w = law((draws * n, n), KEY / str(i), dtype="float64").reshape(draws, n, n)
        x = np.maximum(x @ w, 0)
        x /= np.maximum(np.abs(x).max(axis=2, keepdims=True), 1e-300)
    dead = np.mean(~x.any(axis=(1, 2)))
    p = 1 - (1 - 2.0**-n) ** (depth - 1)
    assert abs(dead - p) < 6 * math.sqrt(p * (1 - p) / draws)
