"""`initcore.jax`: initializers with JAX's calling convention, inside and outside of its transformations."""

import numpy as np
import pytest

import initcore as ic
from initcore import layouts
from initcore.apply import named

jax = pytest.importorskip("jax", reason="works with a live JAX")
jnp = jax.numpy
pytestmark = pytest.mark.peers
from initcore import jax as ours  # noqa: E402

every = pytest.mark.parametrize("name", list(named.ROWS))


def seed_of(key):
    words = np.asarray(jax.random.key_data(key), "<u4")
    return int.from_bytes(words.tobytes(), "little")


@every
def test_every_scheme_draws_by_its_key(name):
    init, key = getattr(ours, name)(), jax.random.key(7)
    w = init(key, (4, 6))
    expected = named.ROWS[name].law((4, 6), ic.Key(seed_of(key)))
    assert isinstance(w, jax.Array) and np.array_equal(w, expected)
    assert np.array_equal(init(jax.random.PRNGKey(7), (4, 6), jnp.float32), w)  # keys of the old style
    assert getattr(ours, name).__doc__


@every
def test_transformations_change_nothing(name):
    init, keys = getattr(ours, name)(), jax.random.split(jax.random.key(1), 3)
    plain = [np.asarray(init(key, (4, 6))) for key in keys]
    jitted = jax.jit(lambda key: init(key, (4, 6)))
    assert all(np.array_equal(jitted(key), w) for key, w in zip(keys, plain, strict=True))
    assert np.array_equal(jax.vmap(lambda key: init(key, (4, 6)))(keys), np.stack(plain))
    shape = jax.eval_shape(lambda key: init(key, (4, 6), jnp.float16), keys[0])
    assert shape.shape == (4, 6) and shape.dtype == jnp.float16


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float8_e4m3fn, "bfloat16"])
@pytest.mark.parametrize("shape", [(8, 6), (3, 3, 8, 6), (0, 4)])
def test_types_and_shapes(dtype, shape):
    key = jax.random.key(0)
    w = ours.he_normal()(key, shape, dtype)
    assert w.shape == shape and w.dtype == jnp.dtype(dtype)
    whole = np.asarray(ours.he_normal()(key, shape))
    assert np.allclose(np.asarray(w, np.float32), whole, rtol=0.1, atol=0.01)
    assert ours.he_normal(dtype=dtype)(key, shape).dtype == w.dtype


def test_complex_numbers():
    key = jax.random.key(2)
    w = ours.lecun_normal()(key, (200, 100), jnp.complex64)
    for part in (w.real, w.imag):
        assert float(part.std()) == pytest.approx(np.sqrt(1 / 400), rel=6 / np.sqrt(2 * w.size))
    again = jax.jit(lambda key: ours.lecun_normal()(key, (200, 100), jnp.complex64))(key)
    assert np.array_equal(w, again)


def test_double_precision_where_it_is_switched_on():
    with jax.enable_x64(True):
        w = ours.orthogonal()(jax.random.key(0), (5, 5), jnp.float64)
        assert w.dtype == jnp.float64 and np.allclose(w @ w.T, np.eye(5), atol=1e-14)


def test_agrees_with_jax_in_the_law():
    shape = (300, 200)
    for name in ("lecun_normal", "he_normal", "glorot_normal"):
        scheme = getattr(ours, name.replace("normal", "truncated_normal"))
        ours_w = np.asarray(scheme()(jax.random.key(0), shape))
        theirs = np.asarray(getattr(jax.nn.initializers, name)()(jax.random.key(0), shape))
        assert ours_w.std() == pytest.approx(theirs.std(), rel=6 * np.sqrt(2 * 0.35 / ours_w.size))
        assert abs(ours_w).max() == pytest.approx(abs(theirs).max(), rel=0.01)


def test_as_a_module_of_flax_calls_it():
    class Dense:
        """What flax.linen's param does: the function, the key, then what was given with it."""

        def __init__(self, features, kernel_init, param_dtype=jnp.float32):
            self.features, self.kernel_init, self.param_dtype = features, kernel_init, param_dtype

        def init(self, key, x):
            return {"kernel": self.kernel_init(key, (x.shape[-1], self.features), self.param_dtype)}

    layer = Dense(4, ours.delta_orthogonal(gain=2.0))
    parameters = jax.jit(layer.init)(jax.random.key(0), jnp.ones((2, 3)))
    assert np.allclose(parameters["kernel"] @ parameters["kernel"].T, 4 * np.eye(3), atol=1e-5)


def test_numbers_and_layouts():
    w = ours.random_normal(stddev=2.0, mean=1.0)(jax.random.key(0), (400, 100))
    assert w.std() == pytest.approx(2, rel=0.03) and w.mean() == pytest.approx(1, abs=0.06)
    w = ours.he_normal(layout=layouts.Depthwise())(jax.random.key(0), (3, 3, 500, 1))
    assert w.std() == pytest.approx(np.sqrt(2 / 9), rel=0.06)


@pytest.mark.parametrize(
    "error, call",
    [
        (ValueError, lambda key: ours.he_normal(stdev=1)),
        (ValueError, lambda key: ours.he_normal(layout="hw")),
        (ValueError, lambda key: ours.he_normal()(key, (3,))),
        (ValueError, lambda key: jax.jit(lambda key: ours.he_normal()(key, (3,)))(key)),
        (TypeError, lambda key: ours.zeros()(key, (3,), jnp.int32)),
        (ValueError, lambda key: ours.initializer("he_cauchy")),
        (AttributeError, lambda key: ours.he_cauchy),
    ],
)
def test_what_cannot_be_is_refused(error, call):
    with pytest.raises(error):
        call(jax.random.key(0))
