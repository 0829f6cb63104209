"""Tasks drawn by their costs: the density, and that draws follow it."""

import numpy as np
import pytest

from learned.outer_training import task_drawing
from learned.outer_training.task_drawing import Drawing
from taskset.errors import ConfigError
from taskset.execution import costs
from tests.learned.trainings import NAMES, options, suite


@pytest.fixture
def known(monkeypatch):
    """Costs of 1, 2 and 8 ms."""
    monkeypatch.setattr(task_drawing, "cost", lambda task: dict(zip(NAMES, (1.0, 2.0, 8.0)))[task])


def test_the_density(known):
    """w_f / n_f c^-power by hand."""
    made = Drawing(suite().tasks, {"losg_tasks_family": 3.0}, 1.0)
    expected = np.array([3.0 / 1, 0.5 / 2, 0.5 / 8])
    assert list(made.density.values()) == pytest.approx(expected / expected.sum())
    drawn = [made(3, 0, draws) for draws in range(4000)]
    shares = [drawn.count(name) / len(drawn) for name in NAMES]
    assert shares == pytest.approx(expected / expected.sum(), abs=0.02)
    alike = Drawing(suite().tasks, {}, 0.0)
    assert list(alike.density.values()) == pytest.approx([0.5, 0.25, 0.25])


def test_with_power_1_every_task_takes_the_same_time(known):
    made = Drawing(suite().tasks[1:], {}, 1.0)
    times = [p * task_drawing.cost(task) for task, p in made.density.items()]
    assert times[0] == pytest.approx(times[1])


def test_costs_are_those_of_task_and_optimizer():
    name = "mlp_family_seed3"
    shapes = task_drawing.catalogue.facts(*task_drawing.catalogue.resolve(name)).parameter_shapes
    parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    assert task_drawing.cost(name) == pytest.approx(costs.milliseconds(name)[0] + 3e-5 * parameters)
    assert costs.milliseconds("Digits_mlp32_bs128") is None
    assert task_drawing.cost("Digits_mlp32_bs128") == pytest.approx(max(0.02, 3e-5 * 2410))


def test_bad_powers_are_one_line():
    for power in (-1.0, float("nan"), 11, "1"):
        with pytest.raises(ConfigError, match="llowed"):
            options(cost_power=power)
