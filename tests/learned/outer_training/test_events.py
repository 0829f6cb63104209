"""TensorBoard's scalars of outer training, read back from the event files."""

import json

import numpy as np
import pytest

from learned import optimizers
from learned.outer_training import events
from learned.outer_training import trainer as outer
from taskset.errors import StoreError
from tests.learned.trainings import MadeUpPlaces, options, suite


def trainer(directory):
    return outer.Trainer(directory, suite(), options(), MadeUpPlaces(), optimizers.get("learnable_adam"))


def scalars(directory):
    """[(step, {tag: value})] of all events."""
    files = list((directory / outer.TENSORBOARD).iterdir())
    assert len(files) == 1 and files[0].name.startswith("events.out.tfevents.")
    first, *rest = events.read(files[0])
    assert first.file_version == "brain.Event:2"
    return [(event.step, {value.tag: value.simple_value for value in event.summary.value}) for event in rest]


def test_scalars_are_those_of_the_log(tmp_path):
    trainer(tmp_path).train(6)
    found = scalars(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / outer.LOG).read_text().splitlines()]
    assert [step for step, _ in found] == [1, 2, 3, 4, 5, 6]
    families = set()
    for (_, values), line in zip(found, lines):
        for name in ("gradient_norm", "non_finite_share", "clipped_share", "learning_rate", "inner_steps"):
            assert values[name] == pytest.approx(line[name], rel=1e-6)
        assert values["estimator/es_weight"] == pytest.approx(np.mean([task["es_weight"] for task in line["tasks"]]))
        for family in {task["family"] for task in line["tasks"]}:
            losses = [t["loss"] for t in line["tasks"] if t["family"] == family and t["loss"] is not None]
            tag = f"family/{family}/loss"
            assert (tag in values) == bool(losses)
            if losses:
                families.add(family)
                assert values[tag] == pytest.approx(np.mean(losses), rel=1e-6)
    assert families == {"quadratic_family"}  # the other one's loss is never finite: no scalar, rather than a false one


def test_resumed_has_every_step_once(tmp_path):
    trainer(tmp_path / "whole").train(9)
    killed = trainer(tmp_path / "killed")
    with pytest.raises(KeyboardInterrupt):
        killed.train(9, save_every=4, report=lambda line: interrupt(line["step"] == 7))
    assert [step for step, _ in scalars(tmp_path / "killed")] == [1, 2, 3, 4, 5, 6, 7]
    resumed = trainer(tmp_path / "killed")
    assert resumed.step == 4
    resumed.train(9)
    assert scalars(tmp_path / "killed") == scalars(tmp_path / "whole")


def interrupt(now):
    if now:
        raise KeyboardInterrupt


def test_a_file_cut_short_is_read_up_to_there(tmp_path):
    trainer(tmp_path).train(5, save_every=5)
    path = next((tmp_path / outer.TENSORBOARD).iterdir())
    path.write_bytes(path.read_bytes()[:-10])
    assert [step for step, _ in scalars(tmp_path)] == [1, 2, 3, 4]
    trainer(tmp_path).train(7)
    assert [step for step, _ in scalars(tmp_path)] == [1, 2, 3, 4, 6, 7]


def test_a_directory_that_can_not_be_made_is_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(StoreError, match="^can't write to .*/tensorboard: file exists"):
        events.Events(tmp_path / "tensorboard", 0)
