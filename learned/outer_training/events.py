"""TensorBoard's event files of an outer training: one event per outer step.

    loss, gradient_norm, clipped_share, non_finite_share, learning_rate, inner_steps
    family/FAMILY/loss      mean over the step's tasks of a family
    estimator/NAME          further numbers of an estimator, such as es_weight of `combined`; mean over the step's tasks

An event file is a TFRecord file of Event protocol buffers. They are made directly here: `tf.summary.scalar` needs the package
TensorBoard, which only reading them should take (`tensorboard --logdir DIRECTORY`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from learned.types import Line, PathLike
from taskset.files import make_directory, unwritable

SCALARS = ("loss", "gradient_norm", "clipped_share", "non_finite_share", "learning_rate", "inner_steps")
PREFIX = "events.out.tfevents."
_OF_TASK = ("task", "family", "loss")  # of a task in a line of the log; the rest are the estimator's details


class Events:
    """Writes an event file in `directory`; a context manager. Events behind outer step `step` that are there are dropped.

    So a training that was killed behind its last checkpoint and is resumed from there has every step once. All methods raise
    `StoreError` where the disk is full.
    """

    def __init__(self, directory: PathLike, step: int) -> None:
        directory = Path(directory)
        make_directory(directory)
        old = sorted(directory.glob(f"{PREFIX}*"))
        kept = {event.step: event for path in old for event in read(path) if event.step <= step and event.HasField("summary")}
        # TensorBoard reads files in the order of their names, which begin with a time.
        number = max([int(time.time()), *(int(path.name.split(".")[3]) + 1 for path in old)])
        self._path = directory / f"{PREFIX}{number:010d}.outer"
        with self._reported():
            self._writer = tf.io.TFRecordWriter(str(self._path))
        first = tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2")
        self._add([first, *(event for _, event in sorted(kept.items()))])
        for path in old:
            path.unlink()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        with self._reported():
            self._writer.close()

    @contextlib.contextmanager
    def _reported(self):
        try:
            yield
        except tf.errors.OpError as error:  # its message is "PATH; File too large"
            raise unwritable(self._path, OSError(error.message.rpartition("; ")[2].lower())) from error

    def _add(self, events):
        with self._reported():
            for event in events:
                self._writer.write(event.SerializeToString())
            self._writer.flush()

    def write(self, line: Line) -> None:
        """The event of a line of the log (`learned.outer_training.trainer`); on disk when this returns."""
        values = [tf.compat.v1.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(line).items()]
        self._add([tf.compat.v1.Event(wall_time=time.time(), step=line["step"], summary=tf.compat.v1.Summary(value=values))])


def scalars(line: Line) -> dict[str, float]:
    """{tag: number} of a line of the log; what is missing or not finite is left out."""
    found = {name: [line[name]] for name in SCALARS}
    for task in line["tasks"]:
        found.setdefault(f"family/{task['family']}/loss", []).append(task["loss"])
        for name in sorted(task.keys() - set(_OF_TASK)):
            found.setdefault(f"estimator/{name}", []).append(task[name])
    finite = {tag: [x for x in values if x is not None and math.isfinite(x)] for tag, values in found.items()}
    return {tag: sum(values) / len(values) for tag, values in finite.items() if values}


def read(path: PathLike) -> Iterator[tf.compat.v1.Event]:
    """The events of a file, up to where it is cut short."""
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield tf.compat.v1.Event.FromString(record.numpy())
    except tf.errors.DataLossError:
        return
