"""Outer training where files can't grow any further, as on a full disk: one line that names the file."""

import resource

import pytest

from learned import optimizers
from learned.outer_training import trainer as outer
from taskset.errors import StoreError
from tests.learned.trainings import MadeUpPlaces, options, suite


def limited(directory, size, **how):
    """A training whose files may have so many bytes."""
    trainer = outer.Trainer(directory, suite(), options(), MadeUpPlaces(), optimizers.get("learnable_adam"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        trainer.train(40, **how)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [20, 200, 3000])
def test_a_full_disk(tmp_path, monkeypatch, size):
    said = "file too large; free the disk or choose another --out$"
    with pytest.raises(StoreError, match=f"^can't write {tmp_path}/(tensorboard/events.*|{outer.LOG}): {said}"):
        limited(tmp_path, size, save_every=40)
    monkeypatch.setattr(outer.Events, "write", lambda events, line: None)
    with pytest.raises(
        StoreError, match=f"^can't write {tmp_path}/{'tensorboard/events.*' if size == 20 else outer.LOG}: {said}"
    ):
        limited(tmp_path, size, save_every=40)


def test_a_full_disk_at_a_checkpoint(tmp_path):
    with pytest.raises(StoreError, match="^can't write .*checkpoint.npz: file too large"):
        limited(tmp_path, 1200, save_every=1)
