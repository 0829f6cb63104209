"""tools/one_run/yardstick.py: smoothing, envelope and speed-ups by their formulas; tasks that the package doesn't have."""

import os

import numpy as np
import pytest

from tools.one_run import yardstick

REAL = pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="needs TFDS_DATA_DIR with fashion_mnist and mnist")


def test_an_average_begins_at_the_first_loss_and_forgets_by_a_twentieth_in_ten_steps():
    curve = np.array([3.0] + [1.0] * 10)
    assert yardstick.averaged(curve)[0] == 3
    assert yardstick.averaged(curve)[10] == pytest.approx(1 + 2 * 0.95)


def test_the_envelope_is_the_lowest_loss_of_any_rate_so_far():
    adam = np.full([2, 300, 2], np.inf)
    adam[:, :, 0] = 2.0
    adam[0, :150, 1], adam[1, :150, 1] = 1.0, 1.5  # diverges after 150 steps
    lowest, best = yardstick.envelope(adam)
    assert lowest == pytest.approx(np.full(300, 1.25))
    assert best.tolist() == [1] * 150 + [0] * 150


def made_up(ends):
    """What is found of a task: Adam's losses fall as 1 / t, runs of one run have one constant loss for each horizon."""
    one = yardstick.YARDSTICKS["mnist_mlp"]
    steps = np.arange(1, max(one.horizons) + 1)
    rates = 1 + np.arange(len(yardstick.EXPONENTS))
    adam = (1 / steps[:, None] * rates)[None]
    runs = {h: {rule: np.full([1, h], ends[h]) for rule in yardstick.RULES} for h in one.horizons}
    return one, runs, adam, {h: adam[:, :h] / 2 for h in one.horizons}


def test_a_speed_up_is_the_steps_of_the_envelope_over_those_of_the_run():
    lowest = yardstick.averaged(1 / np.arange(1, 10_001))
    ends = {1000: lowest[1999], 2000: lowest[499], 10_000: lowest[-1] / 2}
    against, ours = yardstick.rows_of(*made_up(ends))
    assert [row[4].split("(")[1] for row in ours] == ["2.00)", "0.25)", "> 1)"]
    assert [row[5] for row in against] == ["10^-4.5"] * 3
    assert against[0][4] == f"{lowest[999] / 0.107 - 1:+.0%}" and against[0][6] == f"{lowest[999] / 2:.3g}"


def test_a_rule_without_runs_at_a_horizon_has_an_empty_cell(tmp_path):
    one, runs, adam, falling = made_up({1000: 1.0, 2000: 1.0, 10_000: 1.0})
    del runs[10_000][yardstick.RULES[0]]
    assert [bool(row[4]) for row in yardstick.rows_of(one, runs, adam, falling)[1]] == [True, True, False]
    yardstick.draw([(one, runs, adam, falling)], tmp_path / yardstick.PICTURE)


def test_falling_rates_end_at_their_shares():
    rules = yardstick.falling_rules()
    hparams = [rule.hparams(10_000) for rule in rules]
    ends = {round(float(np.exp(-10_000 * one["exponential_decay"])), 6) for one in hparams}
    assert ends == set(yardstick.FALLING) and len(rules) == 2 * len(yardstick.EXPONENTS)


def test_the_section_has_each_task_in_both_tables_and_a_picture(tmp_path):
    found = [made_up({1000: 1.0, 2000: 1.0, 10_000: 1.0})]
    assert yardstick.section(found).count("MNIST, MLP 128-128-128 |") == 6
    yardstick.draw(found, tmp_path / yardstick.PICTURE)
    assert (tmp_path / yardstick.PICTURE).stat().st_size > 10_000


def test_runs_are_kept(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return np.arange(3.0)

    for _ in range(2):
        assert yardstick.kept(tmp_path / "task" / "adam_10_0.npy", measure).tolist() == [0, 1, 2]
    assert len(calls) == 1


@REAL
@pytest.mark.parametrize(
    "name, layers, inside",
    [
        ("fashion_mnist_8x8", {"mlp/linear_0/w": (64, 32), "mlp/linear_1/w": (32, 10)}, np.log(10)),
        (
            "fashion_mnist_mlp",
            {"mlp/linear_0/w": (784, 128), "mlp/linear_1/w": (128, 128), "mlp/linear_2/w": (128, 10)},
            np.log(10),
        ),
        ("fashion_mnist_autoencoder", {"mlp/linear_1/w": (128, 32), "mlp/linear_3/w": (128, 784)}, 0.17),
    ],
)
def test_tasks_of_its_own_are_those_that_were_published(name, layers, inside):
    task = yardstick.YARDSTICKS[name].task()
    params = task.init(0)
    assert layers == {path: tuple(w.shape) for path, w in params.items() if path in layers}
    assert sum(path.endswith("/w") for path in params) == {"fashion_mnist_8x8": 2, "fashion_mnist_mlp": 3}.get(name, 4)
    batch = next(task.batches("train", 0))
    assert batch["image"].shape[0] == 128 and batch["image"].numpy().min() >= 0 and batch["image"].numpy().max() <= 1
    assert float(task.loss(params, batch, np.zeros(2, np.int32))) == pytest.approx(inside, rel=0.3)
