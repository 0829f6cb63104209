"""The runs of a seed, evaluation by evaluation."""

import numpy as np
import pytest

from taskset.execution.divergence import has_diverged
from taskset.normalization.sweep import run_groups
from taskset.normalization.sweep.runner import Account


class Counting:
    """A group whose losses are the step, infinite in one split from `ends[name]` on."""

    def __init__(self, ends):
        self.ends, self.step, self.advanced = ends, 0, []

    def start(self, seed, account):
        self.step = 0

    def advance(self, live, steps, account):
        self.step += steps
        self.advanced.append(list(live))

    def losses(self, live, account):
        return {name: {"train": float(self.step), "test": np.inf if self.step >= self.ends[name] else 0.0} for name in live}


def test_a_run_is_there_up_to_its_horizon_or_its_first_loss_that_is_not_finite():
    group = Counting({"short": 100, "long": 100, "diverges": 10})
    horizons = {"short": 20, "long": 40, "diverges": 40}
    found = list(run_groups.evaluations(group, horizons, 10, 0, Account()))
    assert [(step, list(losses)) for step, losses in found] == [
        (0, ["short", "long", "diverges"]),
        (10, ["short", "long", "diverges"]),
        (20, ["short", "long"]),
        (30, ["long"]),
        (40, ["long"]),
    ]
    assert group.advanced == [list(losses) for _, losses in found[1:]]


def test_where_all_have_diverged_nothing_advances():
    group = Counting({"a": 0})
    assert [len(losses) for _, losses in run_groups.evaluations(group, {"a": 30}, 10, 0, Account())] == [1, 0, 0, 0]
    assert group.advanced == []


@pytest.mark.parametrize(
    "losses, over", [([1e30, 0.0], False), ([np.nan, 0.0], True), ([[1.0, np.inf], [1.0, 1.0]], [True, False])]
)
def test_one_loss_that_is_not_finite_is_enough(losses, over):
    np.testing.assert_array_equal(has_diverged(losses), over)
