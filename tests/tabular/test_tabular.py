"""The tabular benchmark on made-up curves whose answers are known by hand."""

import copy
import json
import subprocess
import sys
import timeit

import numpy as np
import pandas as pd
import pytest

from taskset import catalogue, tabular
from taskset.errors import ConfigError, OutdatedBaselines, StoreError, UnknownName
from taskset.normalization import store
from taskset.normalization.release.ship import ship
from taskset.samplers.optimizers import get_optimizer_config, opt_list_names
from taskset.version import __version__
from tests.normalization import made_up_sweeps as made
from tests.normalization.known_curves import CURVES, frame


@pytest.fixture
def problem():
    return tabular.from_curves(frame())


@pytest.mark.smoke
def test_a_query_is_the_curve_so_far(problem):
    assert problem.optimizers == ("adam_lr_-3.00", "adam_lr_-2.00", "adam_lr_0.00", "nadamw_grid_seed251")
    curve = problem.query("adam_lr_-3.00", step=20, seed=1)
    assert curve.steps.tolist() == [0, 10, 20] and curve.losses["valid_outer"].tolist() == [10.0, 8.0, 4.0]
    assert curve.losses["test"].tolist() == [110.0, 108.0, 104.0] and curve.losses["train"].tolist() == [-190.0, -192.0, -196.0]
    assert curve.seconds.tolist() == [0.0, 0.5, 1.0]
    assert problem.query("adam_lr_-3.00").losses["valid_outer"].tolist() == [9.0, 7.0, 4.0, 2.0]
    assert problem.query("adam_lr_-3.00", step=19).steps.tolist() == [0, 10]  # between evaluations: the last one before
    assert np.isnan(problem.query("adam_lr_0.00").losses["train"]).tolist() == [False, False, True, True]
    assert problem.hyperparameters("adam_lr_-2.00") == {"learning_rate": 0.01}


def test_costs_are_paid_once_and_best_is_the_lowest_seen(problem):
    search = problem.search("valid_outer", seed=0)
    assert search.best is None and search.paid("adam_lr_-2.00") is None and search.loss("test") == np.inf
    assert search.advance("adam_lr_-2.00", 20) == 5.0
    assert (search.steps, search.seconds) == (20, 1.0) and search.best == tabular.Best("adam_lr_-2.00", 10, 2.0)
    assert search.advance("adam_lr_-2.00", 10) == 2.0  # seen before: free
    assert (search.steps, search.paid("adam_lr_-2.00")) == (20, 20)
    search.advance("adam_lr_-2.00", 30)
    assert search.steps == 30
    assert search.advance("adam_lr_-3.00", 30) == 3.0 and search.steps == 60 and search.best.step == 10
    assert search.loss("test") == 102.0 and search.loss("train") == -198.0  # at the place that valid_outer chose
    assert search.reached(5) == 8.0 and search.reached(10) == 2.0 and search.reached(60) == 2.0
    assert [h[0] for h in search.history] == [0, 10, 20, 30, 30, 40, 50, 60]


def test_a_diverged_run_is_stopped_when_it_tells(problem):
    search = problem.search(seed=0)
    assert search.advance("adam_lr_0.00", 30) == np.inf
    assert search.steps == 20 and search.best == tabular.Best("adam_lr_0.00", 10, 1.0)
    mean = problem.search()
    assert mean.advance("adam_lr_0.00", 10) == 1.5 and mean.advance("adam_lr_0.00", 20) == np.inf  # one of the two has diverged


def test_in_turn_goes_on_where_it_stopped(problem):
    names = ["adam_lr_-3.00", "adam_lr_-2.00"]
    twice, once = problem.search(seed=0), problem.search(seed=0)
    for steps in (15, 40):
        tabular.in_turn(twice, names, steps)
    tabular.in_turn(once, names, 40)
    assert [twice.paid(name) for name in names] == [once.paid(name) for name in names] == [30, 10]
    assert twice.history == once.history


def test_in_turn_stops_where_the_budget_ends(problem):
    search = tabular.in_turn(problem.search(seed=0), ["nadamw_grid_seed251", "adam_lr_-3.00", "adam_lr_-2.00"], steps=50)
    assert search.steps == 50 and search.paid("adam_lr_-3.00") == 20 and search.paid("adam_lr_-2.00") is None
    assert search.best == tabular.Best("adam_lr_-3.00", 20, 4.0)
    short = tabular.in_turn(problem.search(seed=0), ["nadamw_grid_seed251", "adam_lr_-2.00"], steps=5)
    assert short.steps == 0 and short.paid("adam_lr_-2.00") is None
    assert problem.learned_list() == ["nadamw_grid_seed251"]
    # the first one is given up at 20 steps, and leaves 15 of the 35: enough for one evaluation of the next
    diverged = tabular.in_turn(problem.search(seed=0), ["adam_lr_0.00", "adam_lr_-2.00", "adam_lr_-3.00"], steps=35)
    assert diverged.steps == 30 and diverged.paid("adam_lr_-2.00") == 10 and diverged.paid("adam_lr_-3.00") is None


def test_random_search_takes_each_configuration_once(problem):
    search = tabular.random_search(problem.search(seed=1), steps=10**6, seed=3)
    assert search.steps == 4 * 30 and search.best == tabular.Best("adam_lr_0.00", 30, 0.5)
    again = tabular.random_search(problem.search(seed=1), steps=10**6, seed=3)
    assert again.history == search.history
    assert any(tabular.random_search(problem.search(seed=1), 10**6, s).history != search.history for s in range(4, 10))


def test_successive_halving_by_hand(problem):
    # after 10 steps: 6, 2, 1, 7: adam_lr_0.00 and adam_lr_-2.00 go on; after 20: diverged, 5: adam_lr_-2.00 goes to the end
    search = tabular.successive_halving(problem.search(seed=0), first=10, eta=2)
    assert [search.paid(o) for o in problem.optimizers] == [10, 30, 20, 10]
    assert search.steps == 10 + 30 + 20 + 10
    assert search.best == tabular.Best("adam_lr_0.00", 10, 1.0)
    some = tabular.successive_halving(problem.search(seed=0), first=30, candidates=["adam_lr_-3.00", "adam_lr_-2.00"])
    assert some.steps == 60


def test_successive_halving_needs_an_evaluation_in_its_first_round(problem):
    """Before the first one all losses are those of the start: two thirds of the candidates would go by their names."""
    search = problem.search(seed=0)
    assert problem.first_step == 10
    for first in (1, 9):
        with pytest.raises(
            StoreError, match=f"first {first}: allowed is an integer of at least 10, the first step at which t was"
        ):
            tabular.successive_halving(search, first)
    assert search.trials == 0 and tabular.successive_halving(search, 10).trials == 4
    assert tabular.successive_halving(problem.search(), 31, candidates=problem.optimizers[:1]).steps == 30  # to the end


def test_regrets_by_hand(problem):
    """Mean over seeds: the start is 9, the best that any configuration ever reached 1.5."""
    assert problem.scale() == (9.0, 1.5) and problem.scale(seed=1) == (10.0, 0.5)
    assert problem.regret([9.0, 1.5, 3.0]).tolist() == [1.0, 0.0, 0.2]
    search = problem.search()
    assert search.trials == 0 and search.regrets().size == 0
    for optimizer in ("nadamw_grid_seed251", "adam_lr_-2.00", "adam_lr_-3.00"):
        search.advance(optimizer, 10)
    search.advance("nadamw_grid_seed251", 30)  # no new trial
    with pytest.raises(StoreError, match="31"):
        search.advance("adam_lr_0.00", 31)
    assert search.trials == 3
    assert search.regrets().tolist() == pytest.approx([6.5 / 7.5, 0.5 / 7.5, 0.5 / 7.5])
    assert search.regret(steps=0) == 1.0 and search.regret(steps=10) == pytest.approx(6.5 / 7.5)
    assert search.regret(seconds=0.5) == pytest.approx(6.5 / 7.5) and search.regret(seconds=1.0) == pytest.approx(0.5 / 7.5)
    flat = frame({name: tuple(8.0 + i for i in range(4)) for name in CURVES})
    with pytest.raises(StoreError, match="lowers the loss of valid_outer"):
        tabular.from_curves(flat).scale()


def test_without_times_budgets_are_steps():
    """Curves of the release have none."""
    timed, search = (tabular.from_curves(f).search() for f in (frame(), frame().assign(seconds=np.nan)))
    for one in (timed, search):
        one.advance("nadamw_grid_seed251", 30)
        one.advance("adam_lr_-2.00", 30)
    for steps in (0, 10, 60, np.inf):
        assert search.reached(steps) == timed.reached(steps) and search.regret(steps) == timed.regret(steps)
    assert search.regret() == search.regrets()[-1] == 0.5 / 7.5
    with pytest.raises(StoreError, match="the curves of t have no times: give a budget in steps"):
        search.regret(seconds=1.0)


def test_numbers_are_proposed_and_what_was_trained_comes_back(problem):
    assert problem.families() == ["adam_lr", "nadamw_grid"]
    space = problem.space("adam_lr")
    (axis,) = space.axes.values()
    assert (axis.low, axis.high, axis.log) == (1e-3, 1.0, True) and list(space.axes) == ["learning_rate"]
    np.testing.assert_allclose(space.points[:, 0], [0, 1 / 3, 1])
    assert space.nearest({"learning_rate": 0.03}) == "adam_lr_-2.00"
    assert space.nearest({"learning_rate": 0.2}) == "adam_lr_0.00" and space.nearest({"learning_rate": 50}) == "adam_lr_0.00"
    assert space.nearest({"learning_rate": 0.2}, among=["adam_lr_-3.00"]) == "adam_lr_-3.00"
    assert problem.space("nadamw_grid").axes == {}  # a single configuration: nothing differs
    for wrong in ({"rate": 0.1}, {}, [1e-3], 0.1, {"learning_rate": True}, {1: 2}):
        with pytest.raises(ConfigError, match="learning_rate"):
            space.nearest(wrong)
    with pytest.raises(ConfigError, match="among 'adam_lr_-3.00, adam_lr_-2.00': allowed is a list of names"):
        space.nearest({"learning_rate": 0.2}, among="adam_lr_-3.00, adam_lr_-2.00")
    for method, given in (("in_turn", ("adam_lr_-3.00", 10)), ("successive_halving", (1, 3, "adam_lr_-3.00"))):
        with pytest.raises(StoreError, match="'adam_lr_-3.00': allowed is a list of names"):
            getattr(tabular, method)(problem.search(), *given)
    with pytest.raises(UnknownName, match="adam_lr, nadamw_grid"):
        problem.space("adam_lrr")


def test_axes_of_many_hyperparameters():
    listed = {name: get_optimizer_config(name)[0] for name in opt_list_names(30)}
    space = tabular.space.space_of(listed)
    assert space.axes["learning_rate"].log and space.axes["beta2"].decay and not space.axes["use_nesterov"].log
    assert space.points.min() == 0 and space.points.max() == 1
    for name, config in listed.items():
        assert space.nearest({axis: float(config[axis]) for axis in space.axes}) == name
        assert space.nearest({axis: config[axis] for axis in space.axes}) == name  # use_nesterov is a bool here
    middle = 1 - np.sqrt((1 - space.axes["beta2"].low) * (1 - space.axes["beta2"].high))
    assert space.axes["beta2"].unit(middle) == pytest.approx(0.5)


def test_a_look_takes_about_a_millisecond(problem):
    """The bound is ten times that, for busy machines; docs/search.md has what it takes."""
    best = min(timeit.repeat(lambda: problem.query("adam_lr_-3.00"), number=20, repeat=5)) / 20
    paid = min(timeit.repeat(lambda: problem.search().advance("adam_lr_-3.00", 30), number=20, repeat=5)) / 20
    assert best < 0.01 and paid < 0.01


def test_what_cannot_be_is_told(problem):
    for use, text in (
        (lambda: problem.query("adam_lr_1.00"), "no curves of 'adam_lr_1.00'"),
        (lambda: problem.query("adam_lr_0.0"), "did you mean 'adam_lr_0.00'"),
        (lambda: problem.query("adam_lr_0.00", step=10.5), "step 10.5: allowed is an integer from 0 to 30"),
        (lambda: tabular.random_search(problem.search(), steps=-5), "steps -5: allowed is an integer of at least 1"),
        (lambda: tabular.in_turn(problem.search(), problem.optimizers, 0.5), "steps 0.5: allowed is an integer of at least 1"),
        (lambda: tabular.successive_halving(problem.search(), 1.5), "first 1.5: allowed is an integer of at least 1"),
        (lambda: tabular.random_search(problem, steps=5), "allowed is an account of one"),
        (lambda: problem.query("adam_lr_0.00", seed=7), "no runs of seed 7: there are 0, 1"),
        (lambda: problem.query("adam_lr_0.00", step=31), "step 31: allowed is an integer from 0 to 30"),
        (lambda: problem.search("validation"), "unknown split 'validation'.* Allowed are train"),
        (lambda: tabular.successive_halving(problem.search(), first=0), "first 0: allowed is an integer of at least 1"),
        (lambda: problem.search().loss("tst"), "unknown split 'tst'; did you mean 'test'.* Allowed are train"),
    ):
        with pytest.raises((StoreError, UnknownName), match=text):
            use()
    for seed in (-1, 1.5):
        with pytest.raises(ConfigError, match=f"seed {seed}: allowed is an integer"):
            tabular.random_search(problem.search(), 10, seed)
    for rate in (np.nan, "0.1"):
        with pytest.raises(ConfigError, match="hyperparameter learning_rate=.*: allowed is a finite number"):
            problem.space("adam_lr").nearest({"learning_rate": rate})
    uneven = frame({key: losses for key, losses in CURVES.items() if key != ("adam_lr_0.00", 1)})
    with pytest.raises(StoreError, match="different seeds"):
        tabular.from_curves(uneven)


def test_curves_that_are_no_one_problem_are_refused():
    one = frame()
    for wrong, text in (
        (pd.concat([one, one.assign(task="u")]), "several tasks .t, u."),
        (pd.concat([one, one.assign(source="tfds")]), "several sources"),
        (pd.concat([one, one.assign(horizon=60)]), "several horizons .30, 60."),
        (pd.concat([one, one.head(1)]), "twice: pass each run once"),
        (one[:0], "no rows"),
        (one.drop(columns="seconds"), "no column 'seconds'"),
    ):
        with pytest.raises(StoreError, match=text):
            tabular.from_curves(wrong)


def test_what_is_recorded_cannot_be_written_into(problem):
    curve = problem.query("adam_lr_-3.00")
    for array in (problem.steps, problem.seconds, problem.losses["test"], curve.steps, curve.seconds, curve.losses["train"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_what_has_arrays_can_be_compared_and_looked_up(problem):
    """Dataclasses compare their fields, which arrays refuse."""
    for one in (problem, problem.query("adam_lr_-3.00"), problem.space("adam_lr")):
        assert one in [copy.deepcopy(one), one] and {one: 1}[one] == 1 and copy.deepcopy(one) != one


def test_no_tensorflow_is_loaded():
    code = "import sys, taskset.tabular; print(any(m in sys.modules for m in ('tensorflow', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def without_curves(root):
    """`root`, with curve files that nobody can read any more."""
    for path in store.curve_files(root):
        path.write_bytes(b"")
    return root


@pytest.fixture
def few_tasks(monkeypatch):
    """Merged tables that list a few of the 12,000 tasks."""
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: list(made.TASKS))


def test_problems_are_listed_from_the_tables_and_each_can_be_loaded(tmp_path, few_tasks):
    lists, one, two = ["nadamw_grid_seed251", "nadamw_grid_seed25"], made.TASKS[0], made.TASKS[1]
    sweeps = [
        made.write(tmp_path / "rates", tasks=[one, two]),
        made.write(tmp_path / "more seeds", tasks=[two], seeds=[2]),
        made.write(tmp_path / "list", tasks=[one, two], optimizers=lists),
        made.write(tmp_path / "longer", tasks=[one], optimizers=lists, steps=40),
    ]
    ship(sweeps, tmp_path / "all")
    found = tabular.problems(tmp_path / "all")
    listed = tuple(made.RATES), ("nadamw_grid_seed25", "nadamw_grid_seed251")  # as a problem lists them
    assert sorted(found.itertuples(index=False, name=None)) == [
        (one, "none", 20, listed[0] + listed[1], (0, 1), 5),
        (one, "none", 40, listed[1], (0, 1), 2),
        (two, "none", 20, listed[0], (0, 1, 2), 3),  # the seeds of two sweeps
        (two, "none", 20, listed[1], (0, 1), 2),
    ]
    for row in found.itertuples():
        problem = tabular.load(row.task, row.optimizers, row.source, row.horizon, root=tmp_path / "all")
        assert (problem.optimizers, problem.seeds) == (row.optimizers, row.seeds)
    pd.testing.assert_frame_equal(tabular.problems(without_curves(tmp_path / "all")), found)


def test_problems_of_one_sweep(tmp_path):
    found = tabular.problems(made.write(tmp_path, tasks=made.TASKS[:2], seeds=[3, 1]))
    assert next(found.itertuples(index=False, name=None)) == (made.TASKS[0], "none", 20, made.RATES, (1, 3), 3)
    assert found["task"].tolist() == list(made.TASKS[:2])
    with pytest.raises(StoreError, match="no complete Parquet file"):
        tabular.problems(without_curves(tmp_path))


def test_problems_of_a_sweep_that_is_being_extended(tmp_path):
    root = made.write(tmp_path, tasks=made.TASKS[:2])
    more = made.options(optimizers=[*made.RATES, "adam_lr_0.00"], seeds=[0, 1, 2])
    store.write_options(root, more)  # what the command that extends does first
    family, config = catalogue.resolve(made.TASKS[0])
    told = {"task": made.TASKS[0], "family": family, "source": "none", "config": json.dumps(config)}
    told |= {"options": json.dumps(more), "taskset_version": __version__}
    store.write_curves(made.rows(made.TASKS[0], more), store.curve_path(root, "none", family, made.TASKS[0]), told)
    found = tabular.problems(root)
    assert {row.task: (row.configurations, row.seeds) for row in found.itertuples()} == {
        made.TASKS[0]: (4, (0, 1, 2)),
        made.TASKS[1]: (3, (0, 1)),
    }
    for row in found.itertuples():
        problem = tabular.load(row.task, row.optimizers, row.source, row.horizon, root=root)
        assert (problem.optimizers, problem.seeds) == (row.optimizers, row.seeds)


def test_an_optimizer_without_curves_of_the_task_is_not_dropped_silently(tmp_path, few_tasks):
    one, two, listed = made.TASKS[0], made.TASKS[1], "nadamw_grid_seed251"
    ship([made.write(tmp_path / "a", [one, two]), made.write(tmp_path / "b", [two], optimizers=[listed])], tmp_path / "all")
    asked = [made.RATES[0], listed]
    assert tabular.load(two, iter(asked), root=tmp_path / "all").optimizers == tuple(asked)
    with pytest.raises(StoreError, match=f"task '{one}' has no curves of optimizer '{listed}' .source none, horizon 20.: "):
        tabular.load(one, asked, root=tmp_path / "all")
    globs = iter(["adam_lr_*", "nadamw_*"])
    assert tabular.load(two, globs, root=tmp_path / "all").optimizers == (*made.RATES, listed)


def test_problems_of_tasks_that_changed_are_left_out_unless_asked_for(tmp_path, few_tasks):
    old, new = "losg_tasks_family_seed63", made.TASKS[0]
    ship([made.write(tmp_path / "old", [old, new], version="0.1.0")], tmp_path / "all")
    with pytest.warns(OutdatedBaselines, match=f'problems of {old} .0.1.0. left out.* version="0.1"') as warned:
        found = tabular.problems(tmp_path / "all")
    assert found["task"].tolist() == [new] and warned[0].filename == __file__
    assert sorted(tabular.problems(tmp_path / "all", version="0.1")["task"]) == sorted([old, new])
