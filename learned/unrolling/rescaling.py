"""Rescaling augmentation: every episode trains a task whose parameters have another scale.

    w_0 = w0 / s,    loss L(s w),    gradient s g(s w)          g: the task's gradient, with its noise

The losses along the way are those of the task itself wherever the optimizer's rule doesn't depend on the scale of parameters.
s is drawn for each episode, the same for both signs of a pair, and is part of the inner state. "global", "tensor" and "parameter"
are augmentations of VeLO (Metz et al. 2022, arXiv 2211.09760), "mixed" is its mixture; the range is that of Celo (Moudgil et al.
2025, arXiv 2501.12670).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from learned.types import Arrays, Params, Shapes, Tree
from learned.unrolling.problem import Problem
from taskset.random import seeds

LOW, HIGH = 1e-3, 1e3  # of s
MIXTURE = {"none": 2, "global": 2, "tensor": 2, "parameter": 1}  # weights of "mixed"


def scale_shapes(kind: str, shapes: Shapes) -> Shapes:
    """{path: shape of s} for parameters of `shapes`: a scalar for each tensor where all its entries share one."""
    entries = kind in ("parameter", "mixed")
    return {path: tuple(shape) if entries else () for path, shape in shapes.items()}


def draw_scales(kind: str, seed: int, shapes: Shapes) -> Arrays:
    """{path: s}, float64 with the shapes of `scale_shapes`; log s is uniform between log LOW and log HIGH.

    global: one s for all parameters; tensor: one for each tensor; parameter: one for each entry; none: 1;
    mixed: one of these four, by the weights of MIXTURE.
    """
    rng, expected = seeds.generator(seed, "scale"), scale_shapes(kind, shapes)
    if kind == "mixed":
        weights = np.array(list(MIXTURE.values()))
        kind = list(MIXTURE)[rng.choice(len(weights), p=weights / weights.sum())]

    def draw(shape=()):
        return np.exp(rng.uniform(math.log(LOW), math.log(HIGH), shape))

    scales, shared = {}, draw() if kind == "global" else 1.0
    for path in sorted(shapes):
        one = draw() if kind == "tensor" else draw(expected[path]) if kind == "parameter" else shared
        scales[path] = np.broadcast_to(one, expected[path])
    return scales


class RescaledProblem(Problem):
    """A `Problem` with a rescaling augmentation; kind: one of `learned.choices.AUGMENTATIONS`.

    An inner state has "scale", too: {path: s}. Its "params" are w; losses and the objective are taken at s w.
    """

    def __init__(self, kind: str, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.kind = kind

    @property
    def fresh_shapes(self) -> dict[str, Shapes]:
        """{"params": {path: shape}, "scale": {path: shape}}."""
        shapes = self.task.parameter_shapes
        return {"params": shapes, "scale": scale_shapes(self.kind, shapes)}

    def initializer(self) -> Callable[[Iterable[int]], Tree]:
        """As `Problem.initializer`; the scales of a seed follow from it alone."""
        initial, shapes = super().initializer(), self.task.parameter_shapes

        def initialize(seeds_):
            drawn = [draw_scales(self.kind, seed, shapes) for seed in seeds_]
            scale = {path: tf.constant(np.stack([one[path] for one in drawn]), self.dtype) for path in shapes}
            return {"params": initial(seeds_), "scale": scale}

        return initialize

    def start(self, theta: tf.Tensor, fresh: Tree) -> Tree:
        """The inner state at step 0: w = w0 / s."""
        params, scale = fresh["params"], fresh["scale"]
        return {**super().start(theta, {path: w / scale[path] for path, w in params.items()}), "scale": scale}

    def kept(self, inner: Tree) -> Tree:
        """s, beside what the problem keeps without it."""
        return {**super().kept(inner), "scale": inner["scale"]}

    def point(self, inner: Tree) -> Params:
        """s w."""
        return {path: inner["scale"][path] * w for path, w in inner["params"].items()}

    def pull_back(self, inner: Tree, gradients: Params) -> Params:
        """s g."""
        return {path: inner["scale"][path] * g for path, g in gradients.items()}
