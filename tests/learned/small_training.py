"""A small training that every way of using a learned optimizer can do: a 8-16-4 network on points that it has to sort."""

import numpy as np
import tensorflow as tf

from learned import optimizers
from learned.deploy import pretrained
from learned.deploy.weights import load_weights
from tests.learned.rules import tensors

STEPS = 60
_SHIPPED = {"anchored_muon": "muon_mined", "mlp": "mlp_pes"}
BELOW = {"anchored": 0.35, "anchored_muon": 0.01, "mlp": 1.0}  # the last loss of these rules; the first is about 1.5


def weights(name):
    """{path: array} of float32: weights that ship; for `anchored` its start, NAdam, with small corrections."""
    if name in _SHIPPED:
        return load_weights(pretrained.find(_SHIPPED[name])).theta
    rng = np.random.default_rng(2)
    theta = {path: np.asarray(w, np.float64) for path, w in optimizers.get(name).init_theta(0).items()}
    return {path: np.asarray(w + 0.02 * rng.normal(size=w.shape), np.float32) for path, w in theta.items()}


def data():
    """(x [256, 8], labels [256])."""
    x = np.random.default_rng(0).normal(size=(256, 8))
    return x, x[:, :4].argmax(1)


def start(dtype=np.float64):
    """{name: array} of the network."""
    rng = np.random.default_rng(1)
    arrays = {"w0": rng.normal(size=(8, 16)) / 3, "b0": np.zeros(16), "w1": rng.normal(size=(16, 4)) / 4, "b1": np.zeros(4)}
    return {name: array.astype(dtype) for name, array in arrays.items()}


def value_and_gradients(params):
    """(loss, {name: gradient}) by TensorFlow, for arrays or tensors."""
    x, labels = data()
    params = {name: tf.convert_to_tensor(p) for name, p in params.items()}
    with tf.GradientTape() as tape:
        tape.watch(params)
        hidden = tf.nn.relu(tf.cast(x, params["w0"].dtype) @ params["w0"] + params["b0"])
        logits = hidden @ params["w1"] + params["b1"]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return loss, tape.gradient(loss, params)


def losses(name, dtype=tf.float64):
    """The losses of STEPS steps by the rule itself, in TensorFlow."""
    learned, params, found = optimizers.get(name), tensors(start(), dtype), []
    theta = tensors(weights(name), dtype)
    state, planned = learned.init(theta, params), learned.planned(STEPS, dtype)
    update = tf.function(lambda *a: learned.update(theta, *a[:3], a[3], a[4], None, **planned), autograph=False)
    for step in range(STEPS):
        loss, gradients = value_and_gradients(params)
        params, state = update(gradients, state, params, tf.constant(step), loss)
        found.append(float(loss))
    return found
