"""Trained weights by file or name, checked to be those of an optimizer of this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learned import optimizers
from learned.deploy import pretrained
from learned.outer_training import checkpoint
from learned.outer_training.checkpoint import Checkpoint
from learned.types import PathLike
from taskset.errors import StoreError

if TYPE_CHECKING:
    from learned.optimizers.as_optimizer import WithWeights


def load_weights(path: PathLike) -> Checkpoint:
    """The `Checkpoint` in a file (a checkpoint or an export), or of a name of `learned.pretrained`.

    Raises `StoreError` or `UnknownName` where its weights are not those of an optimizer of this version.
    """
    found = checkpoint.load(pretrained.find(path))
    name, stated = found.optimizer, {w: tuple(found.value("shapes", list, w)) for w in found.value("shapes", dict)}
    expected = optimizers.get(name).shapes
    shapes = {w: array.shape for w, array in found.theta.items()}
    different = sorted(w for w in {*shapes, *expected, *stated} if not shapes.get(w) == expected.get(w) == stated.get(w))
    if different:
        raise StoreError(
            f"{path}: weight {different[0]!r} has shape {shapes.get(different[0], 'none')}; allowed for {name!r} is "
            f"{expected.get(different[0], 'no such weight')}: it is of another optimizer or version"
        )
    return found


def load(path: PathLike, name: str | None = None) -> WithWeights:
    """The optimizer with the weights in a file, or of a name of `learned.pretrained`, for the loops of `taskset`.

        optimizer = learned.load("muon_mined")
        params, losses = taskset.execution.loop.train(task, optimizer, steps=200)

    name: what its results are stored under; default: the learned optimizer's. Raises as `load_weights`.
    """
    from learned.optimizers.as_optimizer import with_weights

    found = load_weights(path)
    return with_weights(optimizers.get(found.optimizer), found.theta, name, found.trained_on)
