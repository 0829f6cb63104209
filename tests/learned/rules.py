"""Learned optimizers with weights away from their start, and what they are fed to be compared with their twins."""

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers

WEIGHTS = {
    "learnable_sgd": 1, "learnable_sgdm": 2, "learnable_adam": 4, "mlp": 1762, "mlp2019": 1090, "adafac_mlp": 197, "lstm": 5141,
    "hierarchical": 35799, "anchored": 652, "anchored_muon": 485,
}  # fmt: skip
STEPS = 10
HORIZON = 400.0
# All ranks; equal axes; the largest axis first, last and in between; a bias, which starts at 0.
SHAPES = {"z": (), "b": (5,), "one": (1,), "w": (7, 5), "square": (4, 4), "cube": (3, 5, 2), "kernel": (3, 2, 4, 6)}
# Matrices that are made orthogonal by blocks: of inputs, of outputs, and a square one, of inputs.
WIDE = {"b": (5,), "lying": (130, 140), "square": (129, 129), "w": (270, 140)}
FEW = {"z": (), "b": (3,), "w": (2, 3), "kernel": (2, 2, 3, 2)}
EVERY = pytest.mark.parametrize("name", WEIGHTS)


def arrays(rng, shapes):
    return {path: rng.normal(size=shape) for path, shape in shapes.items()}


def tensors(tree, dtype):
    return tf.nest.map_structure(lambda x: tf.constant(x, dtype), tree)


def numbers(tree):
    return tf.nest.map_structure(lambda x: np.asarray(x, np.float64), tree)


def weights(optimizer, seed=3):
    """Weights away from their start, where biases and initial states are 0 and nothing would show which is which."""
    rng, theta = np.random.default_rng(seed), numbers(optimizer.init_theta(seed, tf.float64))
    return {path: np.asarray(w + 0.1 * rng.normal(size=w.shape)) for path, w in theta.items()}


def at_zero(inputs):
    """The inputs of a model whose parameters all start at 0."""
    inputs.params = {path: np.zeros_like(p) for path, p in inputs.params.items()}
    return inputs


class Inputs:
    """Parameters and what an optimizer is given in each of STEPS steps; gradients of many sizes, among them zeros."""

    def __init__(self, shapes, seed=0):
        rng = np.random.default_rng(seed)
        self.params = arrays(rng, shapes)
        self.params["b"] *= 0
        self.grads, self.losses, self.validation = [], [], []
        for step in range(STEPS):
            g = arrays(rng, shapes)
            size = 10 ** rng.uniform(-3, 1) * (100 if step == 7 else 1)  # one that is clipped
            g["w"][-1] *= 1e-6  # units that hardly take part: second moments at their floors
            g["w"][:, -1] *= 1e-6
            self.grads.append({path: size * x * (rng.uniform(size=x.shape) > 0.1) for path, x in g.items()})
            self.losses.append(3 - 0.1 * step + 0.2 * rng.normal())
            self.validation.append(3.2 + 0.1 * rng.normal())
        self.times = [*range(STEPS - 2), 300, 20000]  # the networks must see long times too

    def run(self, optimizer, theta, dtype, update=None):
        """Parameters after STEPS steps, NumPy arrays in float64."""
        theta, params = tensors(theta, dtype), tensors(self.params, dtype)
        state, update = optimizer.init(theta, params), update or optimizer.update
        for step, g, loss, validation in zip(self.times, self.grads, self.losses, self.validation):
            readings = tf.constant(step), tf.constant(loss, dtype), tf.constant(validation, dtype)
            params, state = update(theta, tensors(g, dtype), state, params, *readings, **optimizer.planned(HORIZON, dtype))
        return numbers(params)

    def twin(self, twin, theta, **planned):
        params, state = self.params, twin.init(theta, self.params)
        for step, g, loss, validation in zip(self.times, self.grads, self.losses, self.validation):
            params, state = twin.update(theta, g, state, params, step, loss, validation, **planned)
        return params

    def moved(self, params):
        return np.concatenate([np.ravel(params[path] - start) for path, start in sorted(self.params.items())])


ANOTHER_WAY = pytest.mark.parametrize(
    "name, make",
    [
        ("anchored_muon", lambda: Inputs(WIDE)),
        ("anchored_muon", lambda: at_zero(Inputs(SHAPES))),
        ("anchored", lambda: at_zero(Inputs(SHAPES))),
    ],
    ids=["wide matrices, by blocks", "from 0", "anchored from 0"],
)


def without_last_layer():
    """Weights of `anchored` with a network whose last layer is 0."""
    theta = weights(optimizers.get("anchored"))
    return {**theta, "mlp/linear_2/w": np.zeros_like(theta["mlp/linear_2/w"])}


def flat(inputs, *paths):
    """The inputs of a model in which these parameters have one axis."""
    for tree in (inputs.params, *inputs.grads):
        tree.update({path: tree[path].ravel() for path in paths})
    return inputs
