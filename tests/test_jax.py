"""`initcore.jax`: initializers with JAX's calling convention, inside and outside of its transformations."""

import inspect
import pickle

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


def law_of(name):
    return getattr(ours, name)().law


@every
def test_every_scheme_draws_by_its_key(name):
    init, key = getattr(ours, name)(), jax.random.key(7)
    w = init(key, (4, 6))
    expected = law_of(name)((4, 6), ic.Key(seed_of(key)))
    assert law_of(name) == named.ROWS[name].law or hasattr(jax.nn.initializers, name)
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


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("name", ["he_uniform", "random_uniform", "random_normal", "sparse"])
def test_half_precisions_are_drawn_as_such(name, dtype):
    """Bounds that are rounded are kept: the numbers are not those of float32, rounded."""
    init, key = ours.initializer(name, dtype=dtype), jax.random.key(1)
    seed = int.from_bytes(np.asarray(jax.random.key_data(key)).tobytes(), "little")
    expected = init.law((64, 64), seed, np.dtype(dtype))
    assert np.array_equal(init(key, (64, 64)), expected)
    assert np.array_equal(jax.jit(lambda key: init(key, (64, 64)))(key), expected)


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


PEERS = [name for name in named.ROWS if hasattr(jax.nn.initializers, name)]


@pytest.mark.parametrize("name", PEERS)
def test_what_jax_has_too_takes_its_arguments_in_its_order(name):
    peer = getattr(jax.nn.initializers, name)
    theirs = list(inspect.signature(peer).parameters)
    assert list(inspect.signature(getattr(ours, name)).parameters)[: len(theirs)] == theirs or "key" in theirs
    values = {"value": 0.3, "scale": 2.0, "stddev": 0.02, "mode": "fan_out", "distribution": "normal"}
    given = [values[argument] for argument in theirs if argument in values]
    key, shape = jax.random.key(3), (3, 200, 300)
    w, expected = (
        (find(key, shape) if "key" in theirs else find(*given)(key, shape))
        for find in (getattr(ours, name), peer)
    )
    assert w.shape == expected.shape and w.dtype == expected.dtype
    assert float(w.std()) == pytest.approx(float(expected.std()), rel=0.03, abs=1e-6)
    assert float(w.mean()) == pytest.approx(float(expected.mean()), abs=6 * float(w.std()) / 244 + 1e-6)


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal", "constant"])
def test_defaults_are_those_of_jax(name):
    given = (0.5,) * (name == "constant")
    key, shape = jax.random.key(3), (500, 200)
    w, expected = (getattr(m, name)(*given)(key, shape, jnp.float32) for m in (ours, jax.nn.initializers))
    assert float(w.std()) == pytest.approx(float(expected.std()), rel=0.02, abs=1e-9)
    assert float(w.max()) == pytest.approx(float(expected.max()), rel=0.2)


def test_axes_of_jax_are_a_layout():
    key, shape = jax.random.key(0), (64, 8, 30)
    w = ours.lecun_normal(0, (1, 2))(key, shape)
    assert float(w.std()) == pytest.approx(1 / 8, rel=0.05)
    experts = ours.lecun_normal(in_axis=1, out_axis=2, batch_axis=0)
    assert experts.layout == layouts.Einsum(in_axes=1, out_axes=2, batch_axes=0)
    with pytest.raises(ValueError, match="layout= or axes"):
        ours.lecun_normal(0, layout="oi")
    with pytest.raises(ValueError, match="column_axis"):
        ours.orthogonal(1.0, 0)


@every
def test_an_initializer_can_be_pickled_and_compared(name):
    factory = getattr(ours, name)
    assert pickle.loads(pickle.dumps(factory)) is factory
    init, copy = factory(), pickle.loads(pickle.dumps(factory()))
    assert copy == init and hash(copy) == hash(init)
    assert np.array_equal(init(jax.random.key(1), (4, 6)), copy(jax.random.key(1), (4, 6)))


def test_a_tensor_goes_where_it_is_to_be():
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    there = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    for name in ("he_normal", "zeros"):
        init, key = getattr(ours, name)(), jax.random.key(0)
        assert init(key, (4, 6), jnp.float32, out_sharding=there).sharding == there
        jitted = jax.jit(lambda key, init=init: init(key, (4, 6), out_sharding=there))(key)
        assert np.array_equal(jitted, init(key, (4, 6)))


@pytest.mark.parametrize(
    "error, call",
    [
        (TypeError, lambda key: ours.he_normal()(3, (3, 4))),
        (TypeError, lambda key: ours.sparse(3)),
        (TypeError, lambda key: ours.normal(0.1, None, 3)),
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
