"""The tasks gained and lost most against tuned Adam, on the terminal and in scores.md."""

from dataclasses import replace

from taskset.scoring import standing_table, task_losses
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing

MINE = {"a": 0.5, "b": 0.25, "c": 0.00012, "d": 1.0, "e": 0.3, "f": 0.7, "g": 0.4, "h": 0.1, "i" * 60: 0.9}
ADAM = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.5, "f": 0.5, "g": 0.5, "h": 0.5, "i" * 60: 0.5}


def standing(mine, adam, name="mine"):
    own = Row(name, 1, {"train": dict.fromkeys(mine, 2.0)}, 0, 1, own=True), Row(name, 4, {"train": mine}, 0, 4, own=True)
    tuned = Row("Adam, tuned per task", 17, {"train": adam}, 0, 17)
    return Standing("few:1", 200, "end", list(mine), [*own, tuned], tuned)


def test_the_three_gained_and_lost_most_of_all_trials():
    gained, lost = task_losses.extremes(standing(MINE, ADAM))
    assert [one.task for one in gained] == ["c", "h", "b"] and [one.task for one in lost] == ["d", "i" * 60, "f"]
    assert (gained[0].mine, gained[0].adam) == (0.00012, 0.5)


def test_lines_and_tables():
    found = standing(MINE, ADAM, "a_rather_long_name_of_mine")
    lines = standing_table.terminal(found)
    assert all(len(line) <= 80 for line in lines)
    start = lines.index(next(line for line in lines if line.startswith("train loss, gained most")))
    assert lines[start].split()[-2:] == ["tuned", "Adam"] and lines[start + 1].split() == ["c", "1e-04", "0.500"]
    assert lines[start + 5].startswith("train loss, lost most") and lines[start + 6].split() == ["d", "1.000", "0.500"]
    table = standing_table.markdown(found)
    assert "| train loss, gained most | a_rather_long_name_of_mine | tuned Adam |" in table
    assert f"| {'i' * 60} | 0.900 | 0.500 |" in table


def test_nothing_lost_has_no_table():
    better = {task: loss - 0.1 for task, loss in ADAM.items()}
    assert not [line for line in task_losses.terminal(standing(better, ADAM)) if "lost" in line]
    assert len(task_losses.markdown(standing(better, ADAM))) == 1
    assert task_losses.terminal(standing(ADAM, ADAM)) == []
    assert task_losses.markdown(replace(standing(MINE, ADAM), tuned=None)) == []


def test_baselines_alone_have_no_tasks_gained_or_lost():
    found = standing(MINE, ADAM)
    alone = replace(found, rows=[found.tuned])
    assert task_losses.extremes(alone) == ([], [])
    assert not any("gained most" in line for line in standing_table.terminal(alone))
    assert "gained most" not in standing_table.markdown(alone)


def test_a_row_without_test_losses_leaves_the_others_theirs():
    found = standing(MINE, ADAM)
    rows = [replace(row, values={**row.values, "test": row.values["train"]}) for row in found.rows]
    listed = replace(rows[-1], title="learned list (1 task)", values={"train": {"a": 0.5}}, own=False)
    lines = standing_table.terminal(replace(found, rows=[*rows, listed], tuned=rows[-1]))
    start = next(i for i, line in enumerate(lines) if line.startswith("test loss "))
    assert lines[start + len(rows)] and not lines[start + len(rows) + 1]
    assert sum(line.startswith("learned list (1 task)") for line in lines) == 2  # of train losses, and of costs
    assert not any(line.startswith("test loss ") for line in standing_table.terminal(found))


def test_rows_without_train_losses_have_no_tasks_gained_or_lost():
    found = standing(MINE, ADAM)
    rows = [replace(row, values={"test": row.values["train"]}) for row in found.rows]
    assert "gained most" not in standing_table.markdown(replace(found, rows=rows, tuned=rows[-1]))
    assert task_losses.extremes(replace(found, tuned=rows[-1])) == task_losses.extremes(replace(found, rows=rows)) == ([], [])


def test_the_version_of_a_suite_is_called_so():
    assert standing_table.heading(standing(MINE, ADAM)).startswith("suite few, version 1: 9 tasks, 200 steps. Normalized loss")
