"""Kept weights and the one that is chosen on the suite's validation tasks."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from learned.cli.main import app
from learned.evaluation import choice
from learned.outer_training import checkpoint
from taskset.errors import ConfigError, StoreError
from taskset.scoring.suites.suite import Entry, Suite
from tests.learned.trainings import options, suite

NAMES = ("quadratic_family_seed3", "quadratic_family_seed4")
RATES = {1: -20.0, 2: -6.0, 3: 8.0}  # log learning rates: of SGD that stands still, that learns, that diverges


def valid_suite():
    """Two tasks with scales around what they start from."""
    from taskset.catalogue import get_task

    entries = []
    for name in NAMES:
        task = get_task(name, "synthetic")
        start = float(task.loss(task.init(0), next(task.batches("train", 0)), 0))
        scale = (start, 0.0)
        entries.append(Entry(name, "quadratic_family", "valid", {"train": scale, "valid_outer": scale}))
    return Suite("valid", 1, "synthetic", 20, tuple(entries))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    directory, made = tmp_path_factory.mktemp("training"), valid_suite()
    chosen = options(optimizer="learnable_sgd")
    for step, rate in RATES.items():
        meta = {"optimizer": "learnable_sgd", "options": chosen.as_json(), "suite": made.as_json(), "step": step, "versions": {}}
        meta["versions"] = {"taskset": made.taskset_version}
        checkpoint.save(directory / f"weights-{step:07d}.npz", meta, {"theta/log_learning_rate": np.float32(rate)})
    return directory


@pytest.mark.long
def test_the_best_on_the_valid_tasks_is_chosen(kept):
    done = CliRunner().invoke(app, ["choose", str(kept), "--seeds", "2", "--batches", "1", "--evaluations", "5"])
    assert done.exit_code == 0, done.output
    scores = json.loads((kept / "choice.json").read_text())
    assert scores[0]["step"] == 2 and scores[0]["runs"] == 4
    by_step = {one["step"]: one for one in scores}
    assert by_step[1]["score"] == pytest.approx(1, abs=0.5) and by_step[3]["score"] > by_step[1]["score"] + 0.1
    assert (kept / "chosen.npz").read_bytes() == (kept / "weights-0000002.npz").read_bytes()
    assert "chosen.npz: outer step 2" in done.output
    with pytest.raises(StoreError, match=r"choice was begun with another choice .seeds was \[0, 1\].: .* delete that directory"):
        choice.choose(kept, seeds=np.int64(1), batches=1, evaluations=5)
    # The score by hand, from the curves.
    from taskset import load_curves

    curves, total = load_curves(root=kept / "choice" / "weights-0000002"), []
    for entry in valid_suite().tasks:
        (initial, best), rows = entry.scales["train"], curves[curves["task"] == entry.task]
        total.append(np.mean(np.clip((rows["train"].to_numpy(np.float64) - best) / (initial - best), -2, 2)))
    assert by_step[2]["score"] == pytest.approx(np.mean(total))


@pytest.mark.long
def test_weights_of_a_training_for_validation_losses_are_chosen_by_these(tmp_path, kept, monkeypatch):
    """The train loss of the curves is turned round: what has the lowest validation loss has the highest train loss."""
    for path in kept.glob("weights-*.npz"):
        loaded = checkpoint.load(path)
        meta = {**loaded.meta, "options": {**loaded.meta["options"], "objective": "valid"}}
        checkpoint.save(tmp_path / path.name, meta, {"theta/log_learning_rate": np.float32(RATES[loaded.step])})
    turned = lambda root: choice_curves(root=root).assign(train=lambda curves: -curves["train"])  # noqa: E731
    choice_curves = choice.load_curves
    monkeypatch.setattr(choice, "load_curves", turned)
    assert choice.choose(tmp_path, seeds=1, batches=1, evaluations=5)[0].step == 2
    assert choice.choose(kept, seeds=2, batches=1, evaluations=5)[0].step != 2  # by the train loss, turned round


def test_weights_of_two_trainings_are_not_chosen_from(tmp_path, kept):
    for path in kept.glob("weights-*.npz"):
        loaded = checkpoint.load(path)
        meta = {**loaded.meta, "options": {**loaded.meta["options"], "seed": loaded.step // 3}}
        checkpoint.save(tmp_path / path.name, meta, loaded.arrays)
    with pytest.raises(StoreError, match=r"other options \(seed\): move .* weights-0000001.npz is of another"):
        choice.choose(tmp_path)


def test_what_is_not_there_is_one_line(tmp_path, kept):
    with pytest.raises(StoreError, match="--keep-every"):
        choice.choose(tmp_path)
    with pytest.raises(ConfigError, match="no measured task in its split valid"):
        choice.choose(kept, suite(NAMES))
    for horizon in (0, 21, "20"):
        with pytest.raises(ConfigError, match=r"horizon .*: allowed is an integer from 1 to 20"):
            choice.choose(kept, horizon=horizon)
    for seeds in (0, "3", True):
        with pytest.raises(ConfigError, match=r"seeds .*: allowed is an integer of at least 1"):
            choice.choose(kept, seeds=seeds)
