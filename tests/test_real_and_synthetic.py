"""tools/real_and_synthetic.py: the tasks with both kinds of data, and the table beside one another."""

from taskset.catalogue import get_task
from taskset.scoring.suites.suite import split_of
from tools import real_and_synthetic


def test_tasks_with_baselines_on_both_kinds_of_data():
    found = real_and_synthetic.both()
    names = [[one.task for one in suite.tasks] for suite in found.values()]
    assert list(found) == ["tfds", "synthetic"] and names[0] == names[1] and len(names[0]) >= 13
    for source, suite in found.items():
        assert suite.source == source and {one.split for one in suite.tasks} == {"test"}
    assert all(split_of(name) != "train" and get_task(name, "synthetic").data is not None for name in names[0])
    assert [one.scales for one in found["tfds"].tasks] != [one.scales for one in found["synthetic"].tasks]


def test_rows_are_of_both_sources_and_of_optimizers_that_both_have():
    def row(title, first):
        return [title, 17, 3, "0 of 3", *(first + i for i in range(4))]

    real = {200: [row("Adam, one rate: adam_lr_-2.00", 1.0), row("own", 10.0), row("list", 5.0)]}
    synthetic = {200: [row("Adam, one rate: adam_lr_-1.50", 2.0), row("own", 20.0)]}
    assert list(real_and_synthetic.rows({"tfds": real, "synthetic": synthetic})) == [
        ["200", "Adam, one rate", 17, 3, "1.000", "3.000", "4.000", "2.000", "4.000", "5.000"],
        ["200", "own", 17, 3, "10.000", "12.000", "13.000", "20.000", "22.000", "23.000"],
    ]
