"""What `compare` says, or leaves out, where evaluations are not alike: seeds, batches, tasks that were not finished."""

import json

import numpy as np
import pandas as pd
import pytest

from learned.evaluation import runs
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.release import ship
from taskset.scoring import alike, comparison, requested
from taskset.scoring.suites.suite import Entry, Suite
from tests.learned.evaluation.made_up_results import write_learned
from tests.normalization import made_up_sweeps as made_up

FLAT = np.ones([5, 4])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return made_up.write(tmp_path_factory.mktemp("base"))  # seeds 0 and 1, 2 batches


def test_runs_of_common_seeds_are_compared(base, tmp_path):
    """The third seed of the evaluation, which no baseline has, is another loss: it doesn't count."""
    two = write_learned(tmp_path / "two", "two", lambda task, seed: FLAT)
    three = write_learned(tmp_path / "three", "three", lambda task, seed: FLAT * (1 + 9 * (seed == 2)), seeds=[0, 1, 2])
    found, alone = comparison.compare([two, three], base), comparison.compare([three], base)
    assert "compared: the runs of seeds 0, 1, which all have (not those of seed 2)" in found.notes
    assert "compared: the runs of seeds 0, 1, which both have (not those of seed 2)" in alone.notes
    assert (found.per_task["three"] == found.per_task["two"]).all() and set(found.table["runs"]) == {6}
    assert not [note for note in comparison.compare([two], base).notes if "seed" in note]
    one = write_learned(tmp_path / "one", "one", lambda task, seed: FLAT, seeds=[7])
    assert "runs of different seeds are compared: 3 of 3 tasks have none in common" in comparison.compare([one], base).notes


def test_a_task_without_common_seeds_leaves_the_others_theirs():
    def frame(seeds):
        return pd.DataFrame([(task, seed) for task, each in seeds.items() for seed in each], columns=["task", "seed"])

    (mine, theirs), notes = alike.of_common_seeds(
        [frame({"one": [0, 1], "two": [5], "three": [0]}), frame({"one": range(5), "two": [0, 1], "three": range(5)})]
    )
    assert mine.groupby("task")["seed"].apply(list).to_dict() == {"one": [0, 1], "two": [5], "three": [0]}
    assert theirs.groupby("task")["seed"].apply(list).to_dict() == {"one": [0, 1], "two": [0, 1], "three": [0]}
    assert notes == [
        "runs of different seeds are compared: 1 of 3 tasks have none in common",
        "compared: the runs of seeds 0, 1, which both have, on 1 of 3 tasks fewer of them (not those of seeds 2, 3, 4)",
    ]


def test_baselines_with_fewer_seeds_than_others_are_named(tmp_path):
    tasks, listed = made_up.TASKS, "nadamw_grid_seed251"
    sweeps = [made_up.write(tmp_path / "adam"), made_up.write(tmp_path / "list", tasks[:2], optimizers=[listed], seeds=[0])]
    ship.ship(sweeps, tmp_path / "all")
    two = write_learned(tmp_path / "two", "two", lambda task, seed: FLAT)
    notes = comparison.compare([two], tmp_path / "all").notes
    assert [note for note in notes if note.startswith(f"on 2 of 3 tasks {listed} (1 in all) have fewer seeds")]


def test_numbers_of_batches_are_compared(base, tmp_path):
    same = write_learned(tmp_path / "same", "same", lambda task, seed: FLAT)
    more = write_learned(tmp_path / "more", "more", lambda task, seed: FLAT, batches=50)
    notes = comparison.compare([same, more], base).notes
    assert [note for note in notes if note.startswith("batches in an evaluation: same 2, more 50, baselines 2; over fewer")]
    assert not [note for note in comparison.compare([same], base).notes if "batches" in note]
    assert alike.batches_of_baselines(None, ["quadratic_family_seed10"], ["synthetic", "none"], 2000) == [5]
    assert alike.batches_of_baselines(None, ["quadratic_family_seed10"], ["synthetic", "none"], 10000) == [50]


def test_tasks_that_were_not_finished_are_named(base, tmp_path):
    part = write_learned(tmp_path / "part", "part", lambda task, seed: FLAT, made_up.TASKS[:2])
    assert not [note for note in comparison.compare([part], base).notes if "finished" in note]  # nothing was written down
    requested.record(part, list(made_up.TASKS), "test", made_up.TASKS)
    whole = write_learned(tmp_path / "whole", "whole", lambda task, seed: FLAT)
    requested.record(whole, list(made_up.TASKS), "test", made_up.TASKS)
    for roots in ([part], [whole, part]):
        notes = comparison.compare(roots, base).notes
        assert f"left out: 1 task that part has not finished ({made_up.TASKS[2]})" in notes
        assert not [note for note in notes if "not all evaluations" in note or "whole has not" in note]
    (part / requested.FILE).write_text('{"requests": [3]}')
    with pytest.raises(StoreError, match=r"requested\.json can't be read .*delete it") as error:
        comparison.compare([part], base)
    assert "\n" not in str(error.value)


def test_an_evaluation_writes_down_what_it_was_asked_for(tmp_path, monkeypatch):
    scales = {"train": (2.0, 1.0), "valid_outer": (2.0, 1.0)}
    splits = {"TwoD_Bowl10": "test", "TwoD_Bowl1": "train"}
    entries = [Entry(task, "losg_tasks_family", split, scales) for task, split in splits.items()]
    suite = Suite("s", 3, "synthetic", 20, tuple(entries))
    monkeypatch.setattr(runs, "run", lambda *given, **options: None)
    for split in ("train", "test", "test"):
        runs.evaluate("mlp_pes", suite, tmp_path, split=split, evaluations=4)
        if split == "train":  # no curves came of it: the directory is free for another evaluation
            assert requested.unfinished(tmp_path) == ["TwoD_Bowl1"]
    runs.evaluate("mlp_pes", ["quadratic_family_seed3"], tmp_path, horizon=20, evaluations=4)
    assert requested.unfinished(tmp_path) == ["quadratic_family_seed3"]
    path = store.curve_path(tmp_path, "none", "losg_tasks_family", "TwoD_Bowl10")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    for names in (["TwoD_Bowl10"], ["TwoD_Bowl1"], ["TwoD_Bowl1"]):
        requested.record(tmp_path, suite, "all", names)
    assert requested.unfinished(tmp_path) == ["TwoD_Bowl1", "quadratic_family_seed3"]
    kept = json.loads((tmp_path / requested.FILE).read_text())["requests"]
    assert len(kept) == 3 and kept[1] == {"suite": "s:3", "split": "all", "tasks": ["TwoD_Bowl10"]}
