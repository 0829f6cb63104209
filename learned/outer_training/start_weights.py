"""Phases of outer training: which weights it starts from, and which of them it trains.

A phase is a training of its own, in a directory of its own: `--from` the weights of the phase before, `--train` those that match
a glob. The others are constants: they are neither perturbed nor moved nor decayed, and take no memory of the estimator.

All draws follow from the seed alone: with that of the phase before, the same tasks, starts and batches come again.
"""

from __future__ import annotations

import fnmatch

import numpy as np

from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import checkpoint
from learned.outer_training.checkpoint import Checkpoint
from learned.types import Arrays, PathLike
from taskset.errors import ConfigError, cut, shown
from taskset.random import seeds


def read(path: PathLike, optimizer: LearnedOptimizer) -> Arrays:
    """`of_checkpoint` of the one in a file."""
    return of_checkpoint(checkpoint.load(path), optimizer)


def of_checkpoint(found: Checkpoint, optimizer: LearnedOptimizer) -> Arrays:
    """The weights of a checkpoint, as a start for `optimizer`. Raises `ConfigError` where they are another one's."""
    shapes = {name: array.shape for name, array in found.theta.items()}
    if found.optimizer != optimizer.name or shapes != optimizer.shapes:
        raise ConfigError(
            f"{found.path} has weights of {found.optimizer} ({sum(w.size for w in found.theta.values())}): allowed are those of "
            f"{optimizer.name} ({optimizer.num_weights}); give another --from"
        )
    return {name: np.asarray(found.theta[name], np.float32) for name in optimizer.shapes}


def of_arrays(weights: Arrays, optimizer: LearnedOptimizer) -> Arrays:
    """Weights {path: array} as a start for `optimizer`. Raises `ConfigError` where paths or shapes are not its own."""
    shapes = {path: np.shape(weight) for path, weight in weights.items()}
    if wrong := sorted(path for path in {*shapes, *optimizer.shapes} if shapes.get(path) != optimizer.shapes.get(path)):
        raise ConfigError(
            f"start: weight {shown(wrong[0])} has shape {shapes.get(wrong[0], 'none')}; allowed for {optimizer.name} is "
            f"{optimizer.shapes.get(wrong[0], 'no such weight')}"
        )
    return {path: np.asarray(weights[path], np.float32) for path in optimizer.shapes}


def repeats(found: Checkpoint, seed: int) -> bool:
    """Whether the weights of a checkpoint were trained with this seed, so that its draws would come again."""
    options = found.meta.get("options")
    return isinstance(options, dict) and options.get("seed") == seed


def initial(optimizer: LearnedOptimizer, seed: int) -> Arrays:
    """The weights that a training of this seed starts from unless it is given others."""
    return {name: np.asarray(w) for name, w in optimizer.init_theta(seeds.stream(seed, "theta")).items()}


def frozen(weights: Arrays, globs: list[str]) -> Arrays:
    """Those of `weights` whose paths match none of the globs. Raises `ConfigError` for a glob without a match."""
    for glob in globs:
        if not fnmatch.filter(weights, glob):
            paths = cut(", ".join(weights), 300)
            raise ConfigError(f"trained weights {shown(glob)} match none: allowed are globs of paths, which are {paths}")
    return {name: w for name, w in weights.items() if not any(fnmatch.fnmatchcase(name, glob) for glob in globs)}
