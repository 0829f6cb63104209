"""The picture of learned optimizers beside Adam."""

import pytest

from taskset.errors import ConfigError, StoreError
from taskset.scoring import picture
from tests.normalization import made_up_sweeps as made

TASK = "quadratic_family_seed2"  # the package has curves of it with horizons 2000 and 10000


@pytest.fixture
def evaluation(tmp_path):
    return made.write(tmp_path / "made", tasks=[TASK], optimizers=["mine"], steps=2000, evaluations=10)


def test_adam_of_the_shortest_horizon_that_is_long_enough(evaluation, tmp_path, saved_figures):
    best = picture.draw(TASK, [evaluation], None, tmp_path / "a.png")
    (figure,) = saved_figures
    assert best.startswith("adam_lr_") and all(axes.get_legend() is None for axes in figure.axes)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "Adam, the other 16 learning rates" and labels[2] == "learned: mine"
    assert figure.get_suptitle() == f"{TASK}, mean over seeds"  # a task without data
    adam = figure.axes[0].lines[0].get_xdata()
    assert len(adam) == 51 and (adam[0], adam[-1]) == (0, 2000)  # not those steps of the longer runs


def test_the_title_says_which_data(tmp_path, saved_figures):
    task = "mlp_family_seed12"
    root = made.write(tmp_path / "made", tasks=[task], optimizers=["mine"], steps=2000, evaluations=10, source="synthetic")
    picture.draw(task, [root], None, tmp_path / "a.png")
    assert saved_figures[0].get_suptitle() == f"{task}, synthetic data, mean over seeds"


def test_baselines_that_are_too_short(tmp_path):
    root = made.write(tmp_path / "made", tasks=[TASK], optimizers=["mine"], steps=20_000, evaluations=10)
    with pytest.raises(ConfigError, match="that reach 20000 steps: evaluate fewer"):
        picture.draw(TASK, [root], None, tmp_path / "a.png")


def test_a_horizon_that_is_no_evaluation_of_the_baselines(tmp_path):
    root = made.write(tmp_path / "made", tasks=[TASK], optimizers=["mine"], steps=310, evaluations=10)
    with pytest.raises(ConfigError, match="no evaluation after 310 steps; the last before is after 280: evaluate so many"):
        picture.draw(TASK, [root], None, tmp_path / "a.png")


def test_a_path_that_cant_be_written_is_one_line(evaluation, tmp_path):
    path = tmp_path / "a.png"
    path.mkdir()
    with pytest.raises(StoreError, match=r"can't write .*a\.png: is a directory"):
        picture.draw(TASK, [evaluation], None, path)
    assert [found.name for found in tmp_path.iterdir() if found.suffix in (".png", ".tmp")] == ["a.png"]
