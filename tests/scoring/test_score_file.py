"""Two files of scores: what may be compared, and over which tasks."""

import json

import pytest

from taskset.errors import ConfigError, StoreError
from taskset.scoring import candidates, score_file
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing

LOSSES = {"a": 0.5, "b": 0.25, "c": 0.75}
SCALES = {(task, split): (2.0, 1.0) for task in LOSSES for split in ("train", "test")}


def file(path, tasks, scales, batches=5):
    """A scores.json of made-up losses, as it is read."""
    losses = {task: LOSSES[task] for task in tasks}
    row = Row("mine", 1, {"train": losses, "test": losses}, 0, 2 * len(tasks), own=True)
    standing = Standing("small:1", 2000, "end", list(tasks), [row], None, scales=scales)
    score_file.write(standing, candidates.candidate("lion"), 2, batches, path)
    return score_file.read(path)


def test_losses_by_other_scales_are_refused(tmp_path):
    whole, part = file(tmp_path / "whole.json", "abc", SCALES), file(tmp_path / "part.json", "ab", SCALES)
    lines = score_file.differences(whole, part)
    assert "train loss, 2 tasks: mean +0.000" in lines[0] and "left out: 1 task that one of the files alone has" in lines
    assert not [line for line in score_file.differences(whole, whole) if "left out" in line]
    grown = file(tmp_path / "grown.json", "abc", {**SCALES, ("b", "test"): (2.0, 0.5)})
    for one, other in ((whole, grown), (grown, part)):
        with pytest.raises(ConfigError, match=r"scales of 'b' are not the same in both files \(1 such task\)") as error:
            score_file.differences(one, other)
        assert "\n" not in str(error.value)
    elsewhere = file(tmp_path / "c.json", "c", {**SCALES, ("b", "test"): (2.0, 0.5)})
    assert "left out: 2 tasks that one of the files alone has" in score_file.differences(elsewhere, whole)
    with pytest.raises(ConfigError, match="no trials or tasks in common"):
        score_file.differences(elsewhere, part)


def test_unequal_batches_are_said(tmp_path):
    one, other = (file(tmp_path / f"{count}.json", "abc", SCALES, count) for count in (1, 50))
    lines = score_file.differences(one, other)
    assert any("batches in an evaluation: the first file 1, the second 50;" in line for line in lines)
    assert not any("batches" in line for line in score_file.differences(one, one))
    old = {key: value for key, value in other.items() if key != "batches"}
    assert any("as many batches isn't known" in line for line in score_file.differences(old, other))


def test_the_command_takes_directories_and_prints_lines_of_80(tmp_path, run_here):
    for name, tasks in (("a", "abc"), ("b", "ab")):
        (tmp_path / name).mkdir()
        file(tmp_path / name / "scores.json", tasks, SCALES)
    status, out, _ = run_here("taskset", "score", "--compare", tmp_path / "a", tmp_path / "b" / "scores.json")
    assert (
        status == 0 and all(len(line) <= 80 for line in out.splitlines()) and out.startswith("mine - mine, 1 trial, train loss")
    )
    status, _, err = run_here("taskset", "score", "--compare", tmp_path / "a", tmp_path)
    assert status == 2 and f"{tmp_path} has no scores.json: give what `python -m taskset score` wrote" in err


def test_files_of_before_say_nothing_of_scales(tmp_path):
    whole = file(tmp_path / "whole.json", "abc", SCALES)
    values = json.loads((tmp_path / "whole.json").read_text())
    assert values["scales"].keys() == LOSSES.keys() and len(set(values["scales"].values())) == 1
    (tmp_path / "old.json").write_text(json.dumps({key: value for key, value in values.items() if key != "scales"}))
    assert any("isn't known" in line for line in score_file.differences(whole, score_file.read(tmp_path / "old.json")))
    assert not any("isn't known" in line for line in score_file.differences(whole, whole))
    (tmp_path / "odd.json").write_text(json.dumps({**values, "scales": 3}))
    with pytest.raises(StoreError, match="scales are no object"):
        score_file.read(tmp_path / "odd.json")
