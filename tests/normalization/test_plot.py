"""Pictures of curves: the loss axis, and legends that can be read."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")
from matplotlib.figure import Figure

import taskset
from taskset import optimizers, tabular
from taskset.errors import StoreError
from taskset.normalization import plot
from taskset.normalization.plot import limit_losses, plot_tasks
from taskset.samplers.optimizers import adam_rates, opt_list_names
from tests.normalization import made_up_sweeps as made

ADAM = adam_rates()


def axis(losses, start):
    axes = Figure().subplots()
    limit_losses(axes, losses, start)
    return axes.get_yscale(), axes.get_ylim()


@pytest.mark.parametrize(
    "losses, start, scale, low, high",
    [
        ([2.0, 0.5, 1e9, np.nan], 2.0, "linear", 0.425, 2.45),
        ([1.0, 0.02], 1.0, "linear", -0.029, 1.294),
        ([1.0, 0.009], 1.0, "log", 0.0072, 2.0),
        ([[1.0, 1e-5], [0.0, np.inf]], 1.0, "log", 0.8e-5, 2.0),  # zero has no place on a logarithmic axis
        ([1.0, 0.0], 1.0, "linear", -0.05, 1.3),  # nothing between the start and zero
        ([50.0, -0.1], 50.0, "symlog", -0.12, 100.0),
        ([50.0, -30.0], 50.0, "linear", -34.0, 74.0),
        ([-1.0, -3.0], -1.0, "linear", -3.1, -0.4),
    ],
)
def test_a_loss_axis_is_logarithmic_beyond_two_decades(losses, start, scale, low, high):
    found, limits = axis(losses, start)
    assert found == scale and limits == pytest.approx((low, high))


@pytest.mark.parametrize("losses, start", [([3.0, 2.0], 1.0), ([np.nan], 1.0), ([1.0, 0.5], np.nan), ([], 1.0)])
def test_losses_that_never_fall_are_shown_as_they_are(losses, start):
    assert axis(losses, start) == ("linear", (0.0, 1.0))


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def best(axes, family):
    """The label of the best rate of a family."""
    return next(label for label in texts(axes) if label.startswith(f"{family}, best rate: "))


def test_learning_rates_are_a_colour_bar_and_other_families_one_line_of_the_legend_each(tmp_path, saved_figures):
    names = [*ADAM, "adagrad_lr_-2.00", "adagrad_lr_-1.00", *opt_list_names(10), "my_own"]
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=names, seeds=[0], source="synthetic")
    plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
    curves, lowest, bar = saved_figures[0].axes
    assert bar.get_ylabel() == "learning rate" and bar.get_yscale() == "log"
    rates = [float(best(lowest, family).rpartition(" ")[2]) for family in ("adagrad_lr", "adam_lr")]
    assert bar.get_ylim() == pytest.approx((max(1e-7, min(rates) / 100), min(10, max(rates) * 100)), rel=0.05)
    assert texts(lowest) == [
        *("adagrad_lr, train", "adagrad_lr, test", best(lowest, "adagrad_lr")),
        *("adam_lr, train", "adam_lr, test", best(lowest, "adam_lr")),
        *("my_own", "nadamw_grid, best of 10", "before training"),
    ]
    assert texts(lowest) == [line.get_label() for line in lowest.get_lines()]  # what is drawn, and nothing else
    assert curves.get_legend() is None and len(curves.get_lines()) == len(names)
    assert curves.get_ylim() == lowest.get_ylim()
    colours = {line.get_color() for line in lowest.get_lines()[6:8]}
    assert colours == {line.get_color() for line in curves.get_lines()[:11]}  # those without a learning rate


def test_a_callers_own_figures_are_left_alone(tmp_path):
    from matplotlib import pyplot

    mine, open_before = pyplot.figure(), pyplot.get_fignums()
    plot_tasks(made.write(tmp_path, tasks=made.TASKS[:1]), made.TASKS[:1], tmp_path / "a.png")
    assert pyplot.get_fignums() == open_before and (tmp_path / "a.png").stat().st_size > 10_000
    pyplot.close(mine)


def test_a_registered_optimizer_is_a_family_by_itself(tmp_path, saved_figures, registered_here):
    taskset.register_optimizer("my_own", learning_rate=0.1)(optimizers.sgd)
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=["my_own", ADAM[0]], seeds=[0])
    plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
    assert texts(saved_figures[0].axes[1]) == ["adam_lr", "adam_lr, best rate: 1e-07", "my_own", "before training"]
    problem = tabular.load(made.TASKS[0], root=root)
    assert sorted(problem.families()) == ["adam_lr", "my_own"]
    assert problem.space("my_own").optimizers == ("my_own",)


def test_curves_without_learning_rates_have_no_colour_bar(tmp_path, saved_figures):
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=opt_list_names(3), seeds=[0])
    plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
    assert len(saved_figures[0].axes) == 2 and texts(saved_figures[0].axes[1]) == ["nadamw_grid, best of 3", "before training"]


def test_the_best_rate_is_black_in_both_panels_and_both_have_numbers(tmp_path, saved_figures):
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=ADAM, seeds=[0])
    plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
    curves, lowest, _ = saved_figures[0].axes
    (thick,) = [line for line in curves.get_lines() if line.get_color() == "black"]
    (star,) = [line for line in lowest.get_lines() if line.get_color() == "black"]
    assert star.get_label() == best(lowest, "adam_lr") and star.get_ydata()[0] == min(thick.get_ydata())
    assert thick is curves.get_lines()[-1]  # above the others
    assert min(min(line.get_ydata()) for line in curves.get_lines()) == star.get_ydata()[0]
    saved_figures[0].canvas.draw()
    for axes in (curves, lowest):
        assert any(label.get_text() for label in axes.get_yticklabels() if label.get_visible())


def test_titles_have_task_steps_and_the_kind_of_data(tmp_path, saved_figures):
    for source, said in (("none", ""), ("synthetic", " (synthetic data)")):
        root = made.write(tmp_path / source, tasks=made.TASKS[:1], optimizers=ADAM, source=source, steps=2000)
        plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
        assert saved_figures[-1].axes[0].get_title() == f"{made.TASKS[0]}, 2,000 steps{said}"
        assert ("adam_lr, test" in texts(saved_figures[-1].axes[1])) == (source != "none")  # no data, no split to differ by


def test_losses_of_zero_are_marked_at_the_end_of_a_logarithmic_axis():
    rows = [("adam_lr_-2.00", 0, 1.0), ("adam_lr_-2.00", 9, 1e-6), ("adam_lr_-1.00", 0, 1.0), ("adam_lr_-1.00", 9, 0.0)]
    curves = pd.DataFrame([(*row, row[-1]) for row in rows], columns=["optimizer", "step", "train", "test"])
    axes = Figure().subplots()
    limit_losses(axes, curves["train"], 1.0)
    plot._draw_lowest(axes, curves, ["train"])
    (line, star, _, zero) = axes.get_lines()
    end = axes.get_ylim()[0]
    assert end == pytest.approx(0.8e-6) and star.get_label() == "adam_lr, best rate: 0.1" and star.get_ydata()[0] == end
    assert zero.get_label() == "loss of 0" and (zero.get_xdata()[0], zero.get_ydata()[0]) == pytest.approx((0.1, end))
    assert min(line.get_ydata()) == end


def test_a_task_without_a_finite_loss_is_refused(tmp_path, monkeypatch):
    curve = made.curve
    monkeypatch.setattr(made, "curve", lambda *given: np.full_like(curve(*given), np.nan))
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=ADAM, seeds=[0])
    said = f"^no run of {made.TASKS[0]} over 20 steps has a finite train loss: there is nothing to draw$"
    with pytest.raises(StoreError, match=said):
        plot_tasks(root, made.TASKS[:1], tmp_path / "a.png")
