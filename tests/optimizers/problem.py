"""A small problem on which optimizers are compared with other implementations."""

import numpy as np
import pytest
import tensorflow as tf

STEPS = 20
SHAPES = {"linear/w": (3, 4), "linear/b": (4,), "scale": ()}
RTOL = {tf.float32: 4e-6, tf.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)


class Problem:
    """A noisy quadratic: gradient = size * (curvature * (w - target) + noise of the step)."""

    def __init__(self, size=1.0, shapes=None):
        rng = np.random.default_rng(7)
        self.size, shapes = size, shapes or SHAPES
        # Numbers of few bits are the same in both precisions, so that both start from the same problem.
        draw = lambda shape: np.round(rng.normal(size=shape), 1).astype(np.float32).astype(np.float64)  # noqa: E731
        self.start, self.target, self.curvature = ({p: draw(s) for p, s in shapes.items()} for _ in range(3))
        self.noise = [{p: draw(s) for p, s in shapes.items()} for _ in range(STEPS)]

    def gradients(self, params, step):
        return {p: self.size * (abs(self.curvature[p]) * (w - self.target[p]) + self.noise[step][p]) for p, w in params.items()}


_GRAPHS = {}


def graph(optimizer):
    """The update as a graph, made once for all optimizers of a rule."""
    return _GRAPHS.setdefault(optimizer.rule, tf.function(optimizer.update, autograph=False))


def run(optimizer, problem, dtype=tf.float64, steps=STEPS, horizon=STEPS, wrap=graph):
    """The parameters after `steps` steps of the update that `wrap(optimizer)` gives, as NumPy arrays."""
    hparams = {k: tf.constant(v, dtype) for k, v in optimizer.hparams(horizon).items()}
    params = {p: tf.constant(w, dtype) for p, w in problem.start.items()}
    state, update = optimizer.init(params), wrap(optimizer)
    for step in range(steps):
        params, state = update(problem.gradients(params, step), state, params, tf.constant(step), hparams)
    return {p: w.numpy() for p, w in params.items()}


def distance(a, b):
    """The largest difference, relative to the largest number of each parameter."""
    return max(np.max(np.abs(a[p] - b[p])) / np.max(np.abs(b[p])) for p in b)
