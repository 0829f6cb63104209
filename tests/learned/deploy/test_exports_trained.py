"""Each way of using a trained optimizer does the same training as the rule in TensorFlow, and its loss falls.

PyTorch and JAX are skipped where they are not installed; `make test-elsewhere` installs them;
docs/tutorials/use_learned.md has its last result.
"""

import functools

import keras
import numpy as np
import pytest

from learned.deploy import numpy_update
from learned.deploy.export import export
from learned.deploy.keras import LearnedOptimizer
from learned.outer_training import checkpoint
from tests.learned import small_training as small

pytestmark = pytest.mark.elsewhere

RULES = pytest.mark.parametrize("name", small.BELOW)
expected = functools.cache(small.losses)


@pytest.fixture
def exported(tmp_path):
    """A function (rule, format) -> path of an export of its weights."""

    def make(name, format):
        theta = small.weights(name)
        meta = {"optimizer": name, "shapes": {path: list(w.shape) for path, w in theta.items()}}
        checkpoint.save(tmp_path / "checkpoint.npz", meta, {f"theta/{path}": w for path, w in theta.items()})
        return export(tmp_path / "checkpoint.npz", tmp_path / f"{name}.npz", format)[0]

    return make


def check(name, losses, tolerance=1e-8):
    np.testing.assert_allclose(losses, expected(name), rtol=tolerance)
    assert losses[0] > 1.2 and losses[-1] < small.BELOW[name]


@RULES
def test_numpy(name, exported):
    optimizer, params, losses = numpy_update.load(exported(name, "numpy"), steps=small.STEPS), small.start(), []
    state = optimizer.init(params)
    for step in range(small.STEPS):
        loss, gradients = small.value_and_gradients(params)
        params, state = optimizer.update(gradients, state, params, step, float(loss))
        losses.append(float(loss))
    check(name, losses)


@pytest.mark.long
@RULES
def test_keras(name):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])
    model.set_weights(list(small.start().values()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=LearnedOptimizer(name, small.weights(name), steps=small.STEPS), loss=loss, jit_compile=False)
    x, labels = small.data()
    history = model.fit(x, labels, batch_size=len(x), epochs=small.STEPS, shuffle=False, verbose=0)
    check(name, history.history["loss"], tolerance=2e-3)  # float32


@RULES
def test_torch(name, exported):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from learned.deploy import torch_update

    x, labels = map(torch.tensor, small.data())
    params = {path: torch.nn.Parameter(torch.tensor(p.T)) for path, p in small.start().items()}  # as layers of PyTorch have them
    optimizer = torch_update.load(exported(name, "torch"), params.values(), steps=small.STEPS)

    def closure():
        optimizer.zero_grad()
        hidden = torch.relu(torch.nn.functional.linear(x, params["w0"], params["b0"]))
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(hidden, params["w1"], params["b1"]), labels)
        loss.backward()
        return loss

    check(name, [optimizer.step(closure).item() for _ in range(small.STEPS)])


@RULES
def test_jax(name, exported, x64):
    jax = x64
    from learned.deploy import jax_update

    x, labels = small.data()
    optimizer, params = jax_update.load(exported(name, "jax"), steps=small.STEPS), small.start()
    state, losses = optimizer.init(params), []

    def loss(params):
        hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
        logits = jax.nn.log_softmax(hidden @ params["w1"] + params["b1"])
        return -logits[np.arange(len(labels)), labels].mean()

    @jax.jit
    def step(params, state):
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state, params, value=value)
        return jax.tree.map(lambda p, u: p + u, params, updates), state, value

    for _ in range(small.STEPS):
        params, state, value = step(params, state)
        losses.append(float(value))
    check(name, losses)
