"""tools/baselines/horizons.py: which rate is chosen after how many steps, by which seeds, and what it loses on the others."""

import numpy as np
import pandas as pd
import pytest

from taskset.samplers.optimizers import adam_rates
from tools.baselines import horizons

STEPS = horizons.STEPS[horizons.SHORT]
ADAM_RATES = adam_rates()


def frame(task, seeds=(0, 1), optimizers=ADAM_RATES, bad=()):
    """Curves whose best rate is number 16 after 200 steps, then 12, 8 and 4; the start is 1; it diverges at once where bad."""
    rows = []
    for seed in seeds:
        for place, name in enumerate(optimizers):
            rows.append((task, name, seed, 0, 1.0))
            rows.append((task, name, seed, 40, 5.0))  # an evaluation that nothing is asked of
            for step, best in zip(STEPS, (16, 12, 8, 4)):
                rows.append((task, name, seed, step, np.nan if (seed, place) in bad else 0.5 + 0.02 * abs(place - best)))
    return pd.DataFrame(rows, columns=horizons.COLUMNS)


def only(**given):
    ((start, grid),) = horizons.losses(frame("a", **given), horizons.SHORT).values()
    return start, grid


def test_losses_are_by_seed_rate_and_step_and_infinite_where_a_run_diverged():
    start, grid = only(bad=[(1, 3)])
    assert start == 1.0 and grid.shape == (2, len(ADAM_RATES), len(STEPS))
    assert np.isinf(grid[1, 3]).all() and np.isfinite(grid[0, 3]).all()
    np.testing.assert_allclose(grid[0, 10], 0.5 + 0.02 * np.array([6, 2, 2, 6]))


@pytest.mark.parametrize("lacking", [{"optimizers": ADAM_RATES[:-1]}, {"seeds": [0]}])
def test_tasks_without_all_rates_or_a_seed_that_judges_are_left_out(lacking):
    assert horizons.losses(frame("a", **lacking), horizons.SHORT) == {}


def test_tasks_whose_start_is_not_finite_are_left_out():
    curves = frame("a")
    curves.loc[curves["step"] == 0, "train"] = np.nan
    assert horizons.losses(curves, horizons.SHORT) == {}


def test_the_best_rate_is_that_of_the_mean_over_seeds():
    np.testing.assert_allclose(horizons.best_rates(only()[1]), [1, -1, -3, -5])
    np.testing.assert_allclose(horizons.best_rates(only(bad=[(1, 16)])[1])[0], 0.5)


def test_what_is_chosen_on_one_seed_is_judged_on_the_other():
    start, grid = only()
    lost = horizons.regrets(start, grid, horizons.SHORT)
    np.testing.assert_allclose(np.diag(lost), 0, atol=1e-12)
    np.testing.assert_allclose(lost[0], [0, 0.08 / 0.5, 0.16 / 0.5, 0.24 / 0.5])
    np.testing.assert_allclose(lost, lost.T)
    judged_by_it = horizons.regrets(*only(bad=[(1, 16)]), horizons.SHORT)
    assert judged_by_it[0, 0] == 1.0  # the rate that the first seed chooses diverges on the second
    chosen_by_it = horizons.regrets(*only(bad=[(0, 16)]), horizons.SHORT)
    assert chosen_by_it[0, 0] == pytest.approx(0.02 / 0.5)


def test_tasks_on_which_no_rate_gets_below_the_start_say_nothing():
    assert horizons.fall(*only(), horizons.SHORT)
    start, grid = only(bad=[(1, place) for place in range(len(ADAM_RATES))])
    assert not horizons.fall(start, grid, horizons.SHORT)
    assert not horizons.fall(0.5, only()[1], horizons.SHORT)


def test_means_over_seeds_have_to_fall_as_well():
    """Each of three judges has a rate below the start, another one each, and no rate is below it on average."""
    grid = np.full([5, len(ADAM_RATES), len(horizons.STEPS[horizons.LONG])], 0.5)
    grid[2:] = 3.0
    for judge in range(3):
        grid[2 + judge, judge] = 0.5
    assert all((losses.min(axis=0) < 1).all() for losses in grid)
    assert not horizons.fall(1.0, grid, horizons.LONG)


def test_tables_have_a_row_for_each_family_the_networks_and_all():
    found = horizons.losses(pd.concat([frame("a"), frame("b"), frame("c")]), horizons.SHORT)
    found["d"] = 0.1, found["c"][1]
    families = {"a": "mlp_family", "b": "losg_tasks_family", "c": "mlp_family", "d": "mlp_family"}
    made = horizons.section(found, families, horizons.SHORT)
    rows = [line.split(" | ")[:3] for line in made.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows[2:6]] == [
        ["| losg_tasks_family", "1"],
        ["| mlp_family", "2"],
        ["| networks", "2"],
        ["| all", "3"],
    ]
    assert rows[2][2] == "1.00 [1.00, 1.00]"
    assert made.count("What the chosen rate loses") == 2 and "| 2,000 steps | 0.480 [0.480, 0.480] |" in made
