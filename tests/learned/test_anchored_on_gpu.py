"""examples/anchored_on_gpu.py: its rule in JAX is that of the package, and the weights that it made load."""

import numpy as np
import pytest

import learned
from learned.deploy import numpy_update

pytestmark = pytest.mark.elsewhere


@pytest.mark.parametrize("start", [1.0, 1e-3, 0.0])
def test_the_rule_is_the_package_s(start):
    pytest.importorskip("jax", reason="JAX is not installed")
    import jax.numpy as jnp

    from examples import anchored_on_gpu as there

    rng = np.random.default_rng(0)
    x = there.start_weights(rng) + 0.1 * rng.standard_normal(there.PLACES[-1]).astype(np.float32)
    weights = there.unflatten(x)
    params = {
        name: np.float32(start) * rng.standard_normal(shape).astype(np.float32)
        for name, shape in (("a", (5, 4)), ("b", (3,)), ("c", (2, 2, 3)))
    }
    optimizer = numpy_update.LearnedOptimizer("anchored", weights, 10)
    state, flat = optimizer.init(params), lambda tensors: np.concatenate([tensors[name].ravel() for name in params])
    p, s = jnp.asarray(flat(params)), there.rule_init(len(flat(params)), len(params))
    shapes = [value.shape for value in params.values()]
    for step in range(8):
        grads = {name: rng.standard_normal(value.shape).astype(np.float32) for name, value in params.items()}
        loss = np.float32(3 - 0.2 * step)
        params, state = optimizer.update(grads, state, params, step, loss)
        p, s = there.rule_update(weights, jnp.asarray(flat(grads)), p, s, jnp.float32(step), loss, jnp.float32(10), shapes)
        np.testing.assert_allclose(p, flat(params), atol=1e-5)


@pytest.mark.parametrize("name", ["anchored_tiny", "anchored_es_single"])
def test_the_weights_load(name):
    optimizer = learned.load(f"examples/{name}.npz")
    assert optimizer.learned.name == "anchored"
