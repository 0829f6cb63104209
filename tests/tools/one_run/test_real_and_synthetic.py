"""tools/one_run/real_and_synthetic.py: the tasks with both kinds of data, and the table beside one another."""

from taskset.catalogue import get_task
from taskset.scoring import rivals
from taskset.scoring.suites.suite import split_of
from tools.one_run import real_and_synthetic
from tools.one_run.run_table import Line


def test_tasks_with_baselines_on_both_kinds_of_data():
    found = real_and_synthetic.both()
    names = [[one.task for one in suite.tasks] for suite in found.values()]
    assert list(found) == ["tfds", "synthetic"] and names[0] == names[1] and len(names[0]) >= 13
    for source, suite in found.items():
        assert suite.source == source and {one.split for one in suite.tasks} == {"test"}
    assert all(split_of(name) != "train" and get_task(name, "synthetic").data is not None for name in names[0])
    assert [one.scales for one in found["tfds"].tasks] != [one.scales for one in found["synthetic"].tasks]


def test_rows_are_of_both_sources_and_of_optimizers_that_both_have():
    def lines(**firsts):
        numbers = {
            key: dict(zip(("mean", "median", "IQM", "worst quarter"), range(first, first + 4))) for key, first in firsts.items()
        }
        return {200: {key: Line(rival(key), 3, "0 of 3", each) for key, each in numbers.items()}}

    def rival(key):
        choose, title = (rivals.best_for_all, "Adam, one rate") if key == "one" else (rivals.only, key)
        return rivals.Rival(rivals.Rule(key, title, 17, (key,), choose), {"task": f"chosen by {key}"})

    real, synthetic = lines(one=1, own=10, list=5), lines(one=2, own=20)
    assert list(real_and_synthetic.rows({"tfds": real, "synthetic": synthetic})) == [
        ["200", "Adam, one rate", 17, 3, "1.000", "3.000", "4.000", "2.000", "4.000", "5.000"],
        ["200", "own", 17, 3, "10.000", "12.000", "13.000", "20.000", "22.000", "23.000"],
    ]
