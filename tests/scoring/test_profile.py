"""The performance profile: panels, and an axis on which losses can be told apart."""

import numpy as np
import pytest
from matplotlib.image import imread

from taskset.scoring import profile
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing


def width(tasks, directory):
    """Of the picture for losses on `tasks`, in inches."""
    losses = {task: 0.1 * i for i, task in enumerate(tasks)}
    rows = [Row(title, 1, {"train": losses, "test": losses}, 0, 1, own=title == "mine") for title in ("mine", "other")]
    profile.draw(Standing("few:1", 200, "end", list(tasks), rows, None), directory)
    return imread(directory / "profile.png").shape[1] / 150


def test_tasks_without_data_have_one_panel(tmp_path):
    alone = width(["quadratic_family_seed1", "TwoD_Bowl10"], tmp_path)
    both = width(["quadratic_family_seed1", "mlp_family_seed12"], tmp_path)
    assert alone < 0.8 * both


def test_small_losses_are_on_the_logarithmic_part_of_the_axis():
    for losses, linear in (
        ([0.0, 3e-4, 2e-3, 0.5, 1.0], 1e-4),
        ([0.2, -0.3, 0.4, 0.5], 1e-2),
        ([0.0, 1e-12, 1e-12, 1.0], 1e-6),
        ([0.0, 0.0], 1e-2),
    ):
        assert np.isclose(profile._linear(np.array(losses)), linear)


@pytest.fixture
def figure(tmp_path, saved_figures):
    """Draws some rows, and returns the figure."""

    def draw(rows, tasks, **changes):
        profile.draw(Standing("few:1", 2000, "end", tasks, rows, None, **changes), tmp_path)
        return saved_figures[-1]

    return draw


def row(title, losses, test=None, own=False):
    return Row(title, 1, {"train": losses, "test": test or losses}, 0, 1, own=own)


def test_the_title_says_suite_tasks_steps_data_and_which_loss(figure):
    tasks = ["mlp_family_seed12", "mlp_family_seed13"]
    losses = dict.fromkeys(tasks, 0.5)
    found = figure([row("mine", losses, own=True)], tasks, source="synthetic")
    assert found.get_suptitle() == "few:1: 2 tasks, 2,000 steps, synthetic data; losses at the last step"
    assert figure([row("mine", losses, own=True)], tasks, source="tfds").get_suptitle().count(", tfds data;") == 1
    without = ["quadratic_family_seed1"]
    found = figure([row("mine", dict.fromkeys(without, 0.5), own=True)], without, source="synthetic")
    assert found.get_suptitle() == "few:1: 1 task, 2,000 steps; losses at the last step"
    (axes,) = found.axes
    assert axes.get_xlabel() == "x: normalized loss (0: the lowest of Adam)"


def test_both_panels_have_one_axis_and_every_line_is_in_the_legend(figure):
    tasks = ["mlp_family_seed12", "mlp_family_seed13"]
    train, test = ({task: loss * (i + 1) for i, task in enumerate(tasks)} for loss in (0.1, -0.9))
    rows = [row("mine", train, own=True), *(row(f"other {i}", train, test) for i in range(6))]
    found = figure(rows, tasks)
    left, right = found.axes
    assert left.get_xlim() == right.get_xlim() == pytest.approx((-1.8 * profile.MARGIN, 1.0))
    labels = [text.get_text() for text in found.legends[0].get_texts()]
    shown = [line for line in left.get_lines() if not line.get_label().startswith("_")]
    assert labels == [*(line.get_label() for line in shown), "in grey: other 4, 1 trial; other 5, 1 trial"]
    # The candidate's, and upon it narrower ones, which it does not hide where they are the same.
    assert shown[0].get_color() == "black" and shown[0].get_linewidth() > 2 * max(line.get_linewidth() for line in shown[1:])
    assert left.get_lines().index(shown[0]) == 2
