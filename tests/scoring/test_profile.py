"""The performance profile: panels, and an axis on which losses can be told apart."""

import numpy as np
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
