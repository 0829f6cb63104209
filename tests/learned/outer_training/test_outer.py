"""Outer training: the task pool, workers, checkpoints, and resuming as if nothing had happened."""

import dataclasses
import os
import signal
import threading
import types

import numpy as np
import pytest

import learned  # noqa: F401
from learned.estimators import base
from learned.outer_training import checkpoint, objectives, resuming, session
from learned.outer_training import trainer as outer
from learned.outer_training.options import DEFAULTS, Options
from learned.outer_training.task_pool import Result, TaskPool
from learned.outer_training.workers import Workers
from taskset.errors import ConfigError, StoreError, TasksetError
from taskset.scoring.suites.suite import from_json
from tests.learned.trainings import NAMES, arrays_of, check_equal, check_workers, fresh, opened, options, suite, trainer

# Mathematics of the outer step.


def test_adam_and_warm_up_and_clipping(tmp_path):
    """Three steps against Adam written out, for gradients that are known."""

    class Known:
        def estimates(self, numbers, outer_step, theta):
            rows = np.array([[0.05, -3.0, 0.0, 0.5], [0.03, 1.0, 0.0, -0.2]])
            return [Result("t", "f", base.Estimate(rows[i] * (outer_step + 1), 1.0, 1, 10)) for i in range(2)]

        def dump(self):
            return {}

        def saved(self):
            pass

    chosen = options(warm_up=2, learning_rate=0.3)
    made = trainer(tmp_path, suite(), chosen, Known())
    x, m, v = made.x.copy(), 0, 0
    lines = []
    made.train(3, save_every=100, report=lines.append)
    for t in range(1, 4):
        g = np.clip(np.array([0.04, -1.0, 0.0, 0.15]) * t, -0.1, 0.1)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - 0.3 * min(1, t / 3) * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(made.x, x, rtol=1e-12)
    assert lines[0]["gradient_norm"] == pytest.approx(np.linalg.norm([0.04, -1.0, 0.0, 0.15]))
    assert lines[0]["clipped_share"] == 0.5 and lines[0]["non_finite_share"] == 0.5 and lines[0]["inner_steps"] == 20


def test_training_finds_a_better_learning_rate(tmp_path):
    """SGD on digits, its learning rate .01 at first, far too low for 20 steps: rate and outer loss move as they should."""
    one = suite(("Digits_mlp32_bs128",))
    chosen = Options(
        "learnable_sgd",
        estimator="es_full",
        lengths="20",
        pairs=4,
        sigma=0.1,
        slots=1,
        tasks_per_step=1,
        learning_rate=0.2,
        warm_up=0,
    )
    made, lines = trainer(tmp_path, one, chosen, TaskPool(one, chosen)), []
    made.train(25, report=lines.append)
    assert np.exp(made.weights["log_learning_rate"]) > 0.1
    assert np.mean([line["loss"] for line in lines[-3:]]) < 0.85 * lines[0]["loss"]


def test_what_an_estimator_returns_has_the_shape_of_the_weights(pes_pool, monkeypatch):
    gradient = base.Estimate(np.float64(0.5), 1.0, 0, 20)
    made = types.SimpleNamespace(init=lambda seed: {"number": 0}, estimate=lambda theta, state, lengths: (gradient, state))
    pool = TaskPool(suite(NAMES[1:]), options())
    monkeypatch.setattr(pool, "estimator", lambda name: made)
    with pytest.raises(ConfigError, match=r"gave a gradient of shape \[\]: allowed is that of the weights, \[3\]"):
        pool.estimate(0, 0, np.zeros(3))


def test_scales_that_an_objective_asks_for_are_those_of_suites(monkeypatch):
    monkeypatch.setattr(objectives.get("train").__class__, "scale_split", "test")
    with pytest.raises(ConfigError, match="scale_split 'test': allowed are train, valid_outer"):
        TaskPool(suite(NAMES[1:]), options())


@pytest.mark.parametrize("every", [{"save_every": 0}, {"save_every": -1}, {"keep_every": 0}, {"save_every": 2.5}])
def test_intervals_of_checkpoints_are_checked(tmp_path, pes_pool, every):
    with pytest.raises(ConfigError, match="_every .*: allowed is an integer of at least 1"):
        trainer(tmp_path, suite(NAMES[1:]), options(), pes_pool).train(1, **every)


# Killed and resumed; any number of workers.


@pytest.fixture(scope="module")
def pes_pool():
    return TaskPool(suite(NAMES[1:]), options())


@pytest.mark.long
@pytest.mark.parametrize("estimator", ["pes", "es_single", "es_truncated", "es_full"])
def test_going_on_is_bit_for_bit_the_uninterrupted_training(tmp_path, pes_pool, estimator):
    chosen, whole = options(estimator=estimator), suite(NAMES[1:] if estimator == "pes" else NAMES[1:2])
    pool = pes_pool if estimator == "pes" else TaskPool(whole, chosen)
    trainer(tmp_path / "a", whole, chosen, fresh(pool)).train(9, save_every=4)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(5, save_every=3)
    with open(tmp_path / "b" / outer.LOG, "a") as log:
        log.write('{"step": 6, "loss": "a line that a killed training left behind"}\n')
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(9)
    check_equal(tmp_path / "a", tmp_path / "b")
    other = options(estimator=estimator, seed=4)
    trainer(tmp_path / "c", whole, other, pool_of_seed(pool, other)).train(9)
    assert not np.array_equal(arrays_of(tmp_path / "a")[1]["adam/x"], arrays_of(tmp_path / "c")[1]["adam/x"])


def test_a_training_with_augmentation_resumes_bit_for_bit(tmp_path):
    chosen, whole = options(augment="mixed", slots=2), suite(NAMES[1:])
    pool = TaskPool(whole, chosen)
    trainer(tmp_path / "a", whole, chosen, fresh(pool)).train(6)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(4, save_every=3)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(6)
    check_equal(tmp_path / "a", tmp_path / "b")
    assert any("|scale|" in name for name in arrays_of(tmp_path / "a")[1])


def test_a_checkpoint_of_a_version_with_fewer_options_is_resumed(tmp_path, pes_pool):
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(1)
    found = checkpoint.load(tmp_path / outer.LATEST)
    for name in DEFAULTS:
        del found.meta["options"][name]
    checkpoint.save(tmp_path / outer.LATEST, found.meta, found.arrays)
    assert trainer(tmp_path, whole, chosen, fresh(pes_pool)).step == 1
    assert {name: getattr(Options("mlp"), name) for name in DEFAULTS} == DEFAULTS


def pool_of_seed(pool, options):
    other = fresh(pool)
    other.options = options
    return other


@pytest.mark.long
def test_workers_give_what_one_process_gives(tmp_path, pes_pool):
    check_workers(tmp_path, pes_pool, begun=3, steps=6)


@pytest.mark.long
def test_workers_give_what_one_process_gives_with_every_option_that_draws(tmp_path):
    """Rescaled parameters, resumed episodes, differences over their RMS, and tasks that share one compiled program."""
    names = ("Tiny_mlp_mnist_bs32_start1.0", "Tiny_mlp_fashion_mnist_bs32_start1.0", *NAMES[1:])
    drawing = {"augment": "mixed", "late_restarts": 0.8, "differences": "rms", "lengths": "log_uniform:5:40"}
    check_workers(tmp_path, TaskPool(suite(names), options(estimator="es_single", **drawing)), begun=6, steps=10)
    assert any("|scale|" in name for name in arrays_of(tmp_path / "a")[1])


@pytest.mark.long
def test_a_worker_that_grew_is_replaced_and_nobody_notices(tmp_path, pes_pool):
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path / "a", whole, chosen, fresh(pes_pool)).train(6)
    with Workers(1, whole, chosen, memory=1) as workers:
        trainer(tmp_path / "b", whole, chosen, workers).train(6)
        assert workers.replaced == 1  # once: the new process is allowed what it needs
    check_equal(tmp_path / "a", tmp_path / "b")


@pytest.mark.long
@pytest.mark.parametrize("kept", [pytest.param("in memory", marks=pytest.mark.slow), "on disk"])
def test_a_worker_that_is_killed_costs_its_time_alone(tmp_path, pes_pool, kept):
    """Killed at work behind a checkpoint, and idle before the first one: the numbers are those of one process."""
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path / "a", whole, chosen, fresh(pes_pool)).train(6, save_every=3)
    recall = (lambda: resuming.kept_places(tmp_path / "b")) if kept == "on disk" else None
    with Workers(2, whole, chosen, recall=recall) as workers:
        made = trainer(tmp_path / "b", whole, chosen, workers)

        def kill(line):
            if line["step"] in (1, 5):
                workers._processes[line["step"] % 2].kill()

        made.train(6, save_every=3, report=kill)
        assert workers.revived in (1, 2)  # the first one only if it is asked again
    check_equal(tmp_path / "a", tmp_path / "b")


@pytest.mark.long
def test_a_save_that_fails_leaves_what_was_saved_before(tmp_path, pes_pool, monkeypatch):
    """A full disk; then a worker is killed, which begins again from the older checkpoint and catches up."""
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path / "a", whole, chosen, fresh(pes_pool)).train(4, save_every=1)
    with Workers(1, whole, chosen, recall=lambda: resuming.kept_places(tmp_path / "b")) as workers:
        made = trainer(tmp_path / "b", whole, chosen, workers)
        made.train(1)

        def full(*_):
            raise StoreError("can't write it: no space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "save", full)
            with pytest.raises(StoreError, match="no space left"):
                made.train(2)
        workers._processes[0].kill()
        made.train(4, save_every=1)
        assert workers.revived == 1
    check_equal(tmp_path / "a", tmp_path / "b")


def test_a_trainer_whose_save_was_interrupted_goes_no_further(tmp_path, monkeypatch):
    made = opened(tmp_path)
    made.train(2)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.train(3)
    for again in (made.save, lambda: made.train(4)):
        with pytest.raises(TasksetError, match="the save after outer step 3 was interrupted: open the trainer again"):
            again()
    assert opened(tmp_path).step == 2


def test_a_worker_that_is_killed_before_it_has_read_its_job(pes_pool):
    """Its pipe is reset then, rather than closed."""
    theta = outer.Layout(pes_pool.optimizer.shapes).vector(pes_pool.optimizer.init_theta(0))
    expected = fresh(pes_pool).estimates([0], 0, theta)[0]
    with Workers(1, pes_pool.suite, pes_pool.options) as workers:
        os.kill(workers._processes[0].pid, signal.SIGSTOP)
        threading.Timer(0.5, workers._processes[0].kill).start()
        (found,) = workers.estimates([0], 0, theta)
        assert workers.revived == 1
    np.testing.assert_array_equal(found.estimate.gradient, expected.estimate.gradient)


@pytest.mark.long
def test_a_worker_that_dies_as_a_training_is_resumed_is_started_again(tmp_path, pes_pool):
    whole, chosen = pes_pool.suite, pes_pool.options
    trainer(tmp_path / "a", whole, chosen, fresh(pes_pool)).train(4, save_every=2)
    trainer(tmp_path / "b", whole, chosen, fresh(pes_pool)).train(2)
    with Workers(2, whole, chosen, recall=lambda: resuming.kept_places(tmp_path / "b")) as workers:
        workers._processes[1].kill()
        trainer(tmp_path / "b", whole, chosen, workers).train(4, save_every=2)
        assert workers.revived == 1
    check_equal(tmp_path / "a", tmp_path / "b")


def test_a_worker_that_dies_again_and_again_ends_the_training(pes_pool):
    with Workers(1, pes_pool.suite, pes_pool.options) as workers:
        start = workers._start

        def start_and_kill(worker):
            start(worker)
            workers._processes[worker].kill()

        workers._start = start_and_kill
        workers._processes[0].kill()
        with pytest.raises(TasksetError, match="ended twice over the same work, with status -9"):
            workers.estimates([0], 0, np.zeros(4))


def test_a_checkpoint_that_is_gone_is_not_replaced_by_nothing(tmp_path, pes_pool):
    with Workers(1, pes_pool.suite, pes_pool.options, recall=lambda: resuming.kept_places(tmp_path)) as workers:
        made = trainer(tmp_path, pes_pool.suite, pes_pool.options, workers)
        made.train(1)
        (tmp_path / outer.LATEST).unlink()
        workers._processes[0].kill()
        with pytest.raises(TasksetError, match="the last checkpoint is no longer what it was"):
            made.train(2)


def test_slots_draw_tasks_anew_and_by_weight():
    chosen = options(family_weights={"losg_tasks_family": 3.0})
    pool = TaskPool(suite(), chosen)
    drawn = [pool.draw(0, draws) for draws in range(400)]
    counts = {name: drawn.count(name) / 400 for name in NAMES}
    assert counts[NAMES[0]] == pytest.approx(0.75, abs=0.08) and counts[NAMES[1]] == pytest.approx(0.125, abs=0.06)


def test_a_slot_keeps_its_task_until_all_episodes_are_finished():
    pool, seen = TaskPool(suite(), options(lengths="8", first_lengths="together")), []
    theta = outer.Layout(pool.optimizer.shapes).vector(pool.optimizer.init_theta(0))
    for step in range(12):
        pool.estimate(0, step, theta)
        seen.append((pool.places[0].draws, pool.places[0].task))
    assert [draws for draws, _ in seen] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]  # episodes of 8 steps, truncations of 4
    assert [task for _, task in seen] == [pool.draw(0, draws) for draws, _ in seen] and len(set(seen)) == 6


def test_a_task_stays_for_its_episodes():
    """Two of 8 steps in truncations of 4, where one of them would be two truncations."""
    pool, seen = TaskPool(suite(), options(lengths="8", first_lengths="together", episodes=2)), []
    theta = outer.Layout(pool.optimizer.shapes).vector(pool.optimizer.init_theta(0))
    for step in range(9):
        pool.estimate(0, step, theta)
        seen.append(pool.places[0].draws)
    assert seen == [1, 1, 1, 1, 2, 2, 2, 2, 3]


def test_weights_are_kept_on_the_way_and_tell_everything(tmp_path, pes_pool):
    chosen, whole = pes_pool.options, pes_pool.suite
    made = trainer(tmp_path, whole, chosen, fresh(pes_pool))
    made.train(4, keep_every=2)
    with pytest.raises(ConfigError, match="outer steps 3: .* has 4 already"):
        made.train(3)
    for steps in (5.5, "5", -1):
        with pytest.raises(ConfigError, match="outer steps .*: allowed is an integer of at least 0"):
            made.train(steps)
    for hours in (float("inf"), float("nan"), 1e306, 0, "1"):
        with pytest.raises(ConfigError, match="hours is .*: allowed is a number above 0"):
            made.train_for(hours)
    assert sorted(path.name for path in tmp_path.glob("weights-*")) == ["weights-0000002.npz", "weights-0000004.npz"]
    kept = checkpoint.load(tmp_path / "weights-0000004.npz")
    assert kept.optimizer == "learnable_adam" and kept.meta["step"] == 4
    assert Options(**kept.meta["options"]) == chosen and from_json(kept.meta["suite"], "there") == whole
    assert set(kept.meta["versions"]) == {"taskset", "tensorflow", "numpy"}
    for path, value in kept.theta.items():
        np.testing.assert_array_equal(value, made.weights[path])
    assert not list(tmp_path.glob(".*"))  # nothing half-written is left


def test_a_trainer_whose_step_was_interrupted_goes_no_further(tmp_path, pes_pool, monkeypatch):
    """Some places have been estimated, and are ahead of the weights: saved so, no resumption would repeat the training."""
    chosen, whole = pes_pool.options, pes_pool.suite
    made = trainer(tmp_path, whole, chosen, fresh(pes_pool))
    made.train(2)
    saved = (tmp_path / outer.LATEST).read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outer, "of_groups", interrupted)  # after the estimates
        with pytest.raises(KeyboardInterrupt):
            made.train(4)
    for again in (made.save, lambda: made.train(4)):
        with pytest.raises(TasksetError, match=r"outer step 3 was interrupted: open the trainer again, which resumes from"):
            again()
    assert (tmp_path / outer.LATEST).read_bytes() == saved
    resumed = trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(4)
    for path, value in trainer(tmp_path / "whole", whole, chosen, fresh(pes_pool)).train(4).items():
        np.testing.assert_array_equal(resumed[path], value)


def test_kept_weights_are_of_one_training(tmp_path, pes_pool):
    """Of a training that was killed, weights may be there that are later than its checkpoint, or without one."""
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(2, keep_every=1)
    later = tmp_path / "weights-0000003.npz"
    found = checkpoint.load(tmp_path / "weights-0000002.npz")
    checkpoint.save(later, {**found.meta, "step": 3}, found.arrays)
    trainer(tmp_path, whole, chosen, fresh(pes_pool))
    assert later.exists()  # whoever only looks deletes nothing
    trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(2)
    assert sorted(path.name for path in tmp_path.glob("weights-*")) == ["weights-0000001.npz", "weights-0000002.npz"]
    (tmp_path / outer.LATEST).unlink()
    other = dataclasses.replace(chosen, seed=chosen.seed + 1)
    with pytest.raises(StoreError, match=r"weights-0000001.npz was made with other options \(seed\): move it elsewhere"):
        trainer(tmp_path, whole, other, TaskPool(whole, other))
    trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(1, keep_every=1)  # of the same training, before its first checkpoint
    assert len(list(tmp_path.glob("weights-*"))) == 2


def test_broken_checkpoints_are_one_line(tmp_path, pes_pool):
    chosen, whole = pes_pool.options, pes_pool.suite
    trainer(tmp_path, whole, chosen, fresh(pes_pool)).train(1)
    path = tmp_path / outer.LATEST
    for changed in (options(sigma=0.5), options(optimizer="learnable_sgd")):
        with pytest.raises(StoreError, match="other options"):
            trainer(tmp_path, whole, changed, TaskPool(whole, changed))
    with pytest.raises(StoreError, match="another suite"):
        trainer(tmp_path, suite(NAMES), chosen, TaskPool(suite(NAMES), chosen))
    content = path.read_bytes()
    for cut in (0, 100, len(content) - 30):
        path.write_bytes(content[:cut])
        with pytest.raises(StoreError, match="cut short"):
            trainer(tmp_path, whole, chosen, TaskPool(whole, chosen))
    with pytest.raises(StoreError, match="no such file"):
        checkpoint.load(tmp_path / "nothing.npz")


def test_two_trainings_in_one_directory_are_refused(tmp_path):
    whole, chosen = suite(), options()
    refused = pytest.raises(StoreError, match="a training under way in another process")
    with session.open_trainer(whole, chosen, tmp_path), refused, session.open_trainer(whole, chosen, tmp_path):
        pass
    with session.open_trainer(whole, chosen, tmp_path):  # the first has ended
        pass
    assert not list(tmp_path.glob(".*"))
