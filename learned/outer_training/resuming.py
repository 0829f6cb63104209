"""What an outer training keeps of itself in files, and how it is taken up again: as if nothing had happened, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from learned import registry
from learned.outer_training import checkpoint
from learned.outer_training.checkpoint import Checkpoint
from learned.outer_training.identity import KEPT, made_with, require_same_training
from learned.types import Arrays, PathLike, Places
from taskset import changes
from taskset.errors import StoreError, cut, shown
from taskset.scoring.suites.suite import Suite
from taskset.version import __version__

if TYPE_CHECKING:
    from learned.outer_training.trainer import Trainer

LATEST = "checkpoint.npz"  # of a directory of outer training: its state


def of_weights(trainer: Trainer) -> tuple[dict[str, Any], Arrays]:
    """(metadata, arrays) of a file with the weights alone: enough to use them."""
    meta = _meta(trainer)
    if trainer.plan.seconds:  # of hours: one of steps has no clock
        meta["seconds"] = trainer.plan.seconds
    return meta, _theta(trainer)


def of_training(trainer: Trainer) -> tuple[dict[str, Any], Arrays]:
    """(metadata, arrays) of a checkpoint: all that `restore` takes."""
    meta, dumped = _meta(trainer), trainer.pool.dump()
    arrays = {**_theta(trainer), "adam/x": trainer.x, "adam/m": trainer.m, "adam/v": trainer.v}
    # Checkpoints call a place a slot; "life": how many tasks it has drawn, the present one included.
    meta["slots"] = {str(number): {"task": task, "life": draws} for number, (task, draws, _) in sorted(dumped.items())}
    for number, (_, _, leaves) in dumped.items():
        arrays.update({f"slot/{number}/{name}": array for name, array in leaves.items()})
    if trainer.options.differences == "rms":
        meta["differences"] = trainer.scales.dump()
    if trainer.plan.seconds:
        meta["time_plan"] = trainer.plan.dump()
    return meta, arrays


def _theta(trainer):
    return {f"theta/{path}": array for path, array in trainer.weights.items()}


def _makes_with(trainer):
    """What says which training it is (`require_same_training`)."""
    options = trainer.options
    own = registry.own_code(optimizer=options.optimizer, estimator=options.estimator, objective=options.objective)
    made = {"options": options.as_json(), "suite": trainer.suite.as_json()}
    further = {"own_code": own, "data_origins": trainer.data_origins}
    return {**made, **{name: value for name, value in further.items() if value}}


def _meta(trainer):
    return {
        **_makes_with(trainer),
        "optimizer": trainer.optimizer.name,
        "shapes": {path: list(shape) for path, shape in trainer.optimizer.shapes.items()},
        **({"trained_before": list(trainer.trained_before)} if trainer.trained_before else {}),
        "step": trainer.step,
        "device": trainer.device,
        "versions": {"taskset": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def restore(trainer: Trainer, path: Path) -> None:
    """Bring a trainer into the state of a checkpoint.

    Raises `StoreError` where the checkpoint was made with other options, another suite, other code of the user's, other data or
    tasks that changed since, or is damaged.
    """
    found = checkpoint.load(path)
    require_same_training(found, _makes_with(trainer), "use the same, or another --out")
    versions = found.value("versions", dict) if "versions" in found.meta else {}
    require_current(path, trainer.suite, versions.get("taskset", changes.FIRST))
    try:
        _take_up(trainer, found)
    except (KeyError, ValueError, OverflowError) as error:
        problem = cut(str(error), 200)
        raise StoreError(f"{path} is damaged, or of another version of the package ({problem}): use another --out") from error


def require_own_weights(trainer: Trainer) -> None:
    """Raise `StoreError` where the directory of a new training has weights of another, which would be chosen from as well."""
    for path in sorted(trainer.directory.glob(KEPT)):
        require_same_training(checkpoint.load(path), _makes_with(trainer), "move it elsewhere, or use another --out")


def remove_later_weights(trainer: Trainer) -> None:
    """Delete the weights that were kept at steps behind the checkpoint: those steps are taken again.

    Without a checkpoint there is nothing that says which those are, and nothing is deleted.
    """
    if not (trainer.directory / LATEST).exists():
        return
    for path in trainer.directory.glob(KEPT):
        number = re.fullmatch(r"weights-(\d{7,})\.npz", path.name)
        if number and int(number[1]) > trainer.step:
            path.unlink()


def require_current(path: PathLike, suite: Suite, version: str) -> None:
    """Raise `StoreError` where a task of the suite has changed since the version of the package that wrote a checkpoint."""
    old = [entry.task for entry in suite.tasks if changes.outdated(entry.task, suite.source, version)]
    if old:
        raise StoreError(
            f"{path} is of version {version}, and task {old[0]!r} ({len(old)} in all) changed in "
            f"{changes.changed_in(old[0], suite.source)}: start again with another --out"
        )


def _take_up(trainer, found):
    """The state itself; KeyError, ValueError or OverflowError where it is none."""
    trainer.step = found.step
    trainer.trained_before = tuple(sorted({*trainer.trained_before, *found.trained_before}))
    trainer.x, trainer.m, trainer.v = (_vector(found, name, trainer.layout.size) for name in "xmv")
    expected, theta = trainer.weights, found.theta
    if theta.keys() != expected.keys() or any(not np.array_equal(theta[name], w) for name, w in expected.items()):
        raise ValueError("theta is not what adam/x says")
    tasks = {entry.task for entry in trainer.suite.of_split("train")}
    if trainer.options.differences == "rms":
        trainer.scales.restore(found.value("differences", dict), tasks)
    if trainer.options.by_time or "time_plan" in found.meta:
        trainer.plan.restore(found.value("time_plan", dict))
    trainer.data_origins = made_with(found)["data_origins"]
    trainer.note_origins(trainer.pool.restore(_allowed_places(found, trainer.options.slots * trainer.options.groups, tasks)))


def _vector(found: Checkpoint, name: str, size: int) -> np.ndarray:
    """adam/NAME: finite float64 [size]; v is of squares."""
    vector = found.arrays[f"adam/{name}"]
    if vector.shape != (size,) or vector.dtype != np.float64:
        raise ValueError(f"adam/{name} is {vector.dtype} {vector.shape}; expected is float64 ({size},)")
    if not np.isfinite(vector).all() or (name == "v" and (vector < 0).any()):
        raise ValueError(f"adam/{name} has entries that are not finite, or squares below 0")
    return vector


def _allowed_places(found: Checkpoint, count: int, tasks: set[str]) -> Places:
    """The places of a checkpoint, as the options and the suite allow them."""
    places = _places(found)
    for number, (task, draws, _) in places.items():
        if number not in range(count) or task not in tasks or not 1 <= draws < 2**31:
            raise ValueError(f"place {number} of {count} has task {shown(task)}, its task number {draws}")
    return places


def kept_places(directory: PathLike) -> Places:
    """The places of the checkpoint in a directory of outer training; {} where there is none yet."""
    path = Path(directory) / LATEST
    return _places(checkpoint.load(path)) if path.exists() else {}


def _places(found: Checkpoint) -> Places:
    places: Places = {}
    for number in found.value("slots", dict):
        task, draws = found.value("slots", str, number, "task"), found.value("slots", int, number, "life")
        if not re.fullmatch(r"-?\d{1,9}", number, re.ASCII):
            raise StoreError(f"{found.path} is damaged: place {shown(number)}; allowed are whole numbers: use another --out")
        places[int(number)] = (task, draws, found.under(f"slot/{int(number)}"))
    return places
