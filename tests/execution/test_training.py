"""The training loop: the same numbers however it is executed, cut into calls, or resumed."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, UnknownName
from taskset.execution.loop import Loop, calls, chunk_size, train
from taskset.optimizers import get_optimizer
from taskset.random import seeds, stateless
from taskset.tasks import mlp_family
from taskset.tasks.base import Model, Task
from tests.small import RandomImages

CONFIG = {"layer_sizes": [7], "activation": "tanh", "w_init": ["glorot_normal", None], "center_data": True}
ADAM = get_optimizer("adam_lr_-2.00")


def small_task(data=None):
    data = data or RandomImages()
    return Task("small", "mlp_family", CONFIG, mlp_family.build(CONFIG, data), "synthetic")


def noisy_quadratic():
    """Loss and gradients with noise of their own, no data."""
    from taskset.random import stateless

    def loss(batch, key):
        x = tf.Variable(tf.ones([3]), name="x")
        return tf.reduce_sum((x + stateless.normal(key, [3], x.dtype, stddev=0.1)) ** 2)

    def noise(gradients, batch, key):
        return {k: g + stateless.normal(key, g.shape, g.dtype) for k, g in gradients.items()}

    return Task("noisy", "noisy", {}, Model(loss, None, noise), "tfds")


@pytest.mark.parametrize("make", [small_task, noisy_quadratic])
def test_all_modes_agree(make):
    results = {mode: train(make(), ADAM, 30, seed=1, mode=mode) for mode in ("eager_loop", "graph_loop", "xla_loop")}
    params, losses = results["eager_loop"]
    for mode in ("graph_loop", "xla_loop"):
        np.testing.assert_allclose(results[mode][1], losses, rtol=2e-5, err_msg=mode)
        for path in params:
            np.testing.assert_allclose(results[mode][0][path], params[path], rtol=1e-3, atol=1e-5, err_msg=f"{mode} {path}")


def test_against_a_plain_loop_over_batches():
    task, seed = small_task(), 3
    params, losses = task.init(seed), []
    state, batches = ADAM.init(params), task.batches("train", seed)
    from taskset.random import seeds

    for step in range(12):
        key = tf.constant([seeds.stream(seed, "loss", "train"), step])
        loss, gradients = task.value_and_gradients(params, next(batches), key)
        params, state = ADAM.update(gradients, state, params, step, ADAM.hparams(12))
        losses.append(float(loss))
    trained, compiled = train(task, ADAM, 12, seed=seed)
    np.testing.assert_allclose(compiled, losses, rtol=1e-5)
    for path in params:
        np.testing.assert_allclose(trained[path], params[path], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"task": "small"}, r"task 'small': allowed is what taskset\.get_task"),
        ({"optimizer": "adam_lr_-3.00"}, r"optimizer 'adam_lr_-3.00': allowed is what taskset\.get_optimizer"),
        ({"optimizer": (len, len)}, r"from_functions returns; taskset\.score runs those of Keras"),
        ({"optimizer": SimpleNamespace(init=dict, update=max, hparams=dict)}, "has no name, a text: see taskset.optimizers.base"),
        ({"optimizer": SimpleNamespace(init=dict, update=max, hparams=dict, name="a")}, "has no rule, a text"),
        ({"steps": "20"}, "steps '20': allowed is an integer of at least 1"),
        ({"steps": 2.5}, "steps 2.5: allowed is an integer of at least 1"),
        ({"interval": 0}, "interval 0: allowed is an integer of at least 1"),
        ({"interval": -1}, "interval -1: allowed is an integer of at least 1"),
        ({"interval": 2.5}, "interval 2.5: allowed is an integer of at least 1"),
        ({"steps": 0}, "steps 0: allowed"),
    ],
)
def test_what_can_not_be_trained_is_refused_in_one_line(wrong, says):
    given = {"task": small_task(), "optimizer": ADAM, "steps": 5}
    with pytest.raises(ConfigError, match=says):
        train(**{**given, **wrong})


def test_it_is_refused_while_a_function_is_traced():
    task, optimizer = taskset.get_task("quadratic_family_seed12"), taskset.get_optimizer("adam_lr_-3.00")
    with pytest.raises(ConfigError, match="call it outside of tf.function"):
        tf.function(lambda: train(task, optimizer, 2)[1], autograph=False)()


def test_cutting_into_calls_changes_nothing():
    whole = train(small_task(), ADAM, 24, interval=24)[1]
    assert np.array_equal(train(small_task(), ADAM, 24, interval=5)[1], whole)
    assert np.array_equal(train(small_task(), ADAM, 24, interval=1)[1], whole)


def test_seeds_and_learning_rates_are_arguments_of_one_program():
    loop = Loop(small_task(), ADAM, 8)
    traced = []
    loop._train.function = lambda *args, original=loop._train.function: traced.append(1) or original(*args)
    results = {}
    for seed in (0, 1):
        for rate in (1e-3, 1e-1):
            results[seed, rate] = loop.train(
                loop.start(seed), {"learning_rate": rate, **{k: v for k, v in ADAM.hparams(8).items() if k != "learning_rate"}}, 8
            )
    assert len(traced) == 1
    assert results[0, 1e-3][0] == results[0, 1e-1][0]  # same start, same batches
    assert results[0, 1e-3][-1] != results[0, 1e-1][-1]
    assert results[0, 1e-3][0] != results[1, 1e-3][0]


def test_compiling_takes_no_step():
    loop = Loop(small_task(), ADAM, 8)
    run = loop.start(0)
    before = {k: v.numpy() for k, v in run.params.items()}
    loop.compile(run, ADAM.hparams(8))
    assert run.step == 0 and run.seconds == 0.0
    for path, value in run.params.items():
        assert np.array_equal(value, before[path])


def test_evaluation_is_the_mean_over_fixed_batches_of_each_split():
    task = small_task()
    loop, params = Loop(task, ADAM, 8), task.init(0)
    evaluate = loop.evaluation(5, batches=3)
    got = evaluate(params)
    for split in SPLITS:
        batches = task.batches(split, 5)
        expected = np.mean([float(task.loss(params, next(batches), 0)) for _ in range(3)])
        assert got[split] == pytest.approx(expected, rel=1e-5)
    assert evaluate(params) == got
    assert len(set(got.values())) == 4


def test_evaluation_in_several_calls():
    task = small_task()
    loop = Loop(task, ADAM, 1)  # one step per call, so 4 batches per evaluation call
    params = task.init(0)
    many = Loop(task, ADAM, 100).evaluation(5, batches=7)(params)
    assert loop.evaluation(5, batches=7)(params) == pytest.approx(many, rel=1e-6)


def test_random_losses_without_data_are_averaged_over_draws():
    task = noisy_quadratic()
    assert task.random
    losses = Loop(task, ADAM, 1).evaluation(0, batches=4)(task.init(0))
    assert len(set(losses.values())) == 4


def test_chunks_divide_the_interval_evenly():
    class Large(RandomImages):
        def __init__(self):
            super().__init__(64, (128, 128, 3))

    assert chunk_size(small_task(), 150) == 150
    assert chunk_size(small_task(), 5000) == 2500
    task = Task("large", "mlp_family", CONFIG, mlp_family.build(CONFIG, Large()), "synthetic")
    assert chunk_size(task, 20) == 10  # 3 MiB per step, 32 MiB per call


def test_batches_are_a_pure_function_of_split_seed_and_step():
    task = small_task()
    first = [next(task.batches("train", 2, start=step)) for step in range(10)]
    running = task.batches("train", 2)
    for batch in first:
        again = next(running)
        for name in batch:
            assert np.array_equal(batch[name], again[name])
    assert not np.array_equal(next(task.batches("test", 2))["image"], first[0]["image"])
    assert seeds.batch_seed(2, "train") != seeds.batch_seed(2, "test")


def test_an_unknown_split_is_an_error():
    with pytest.raises(UnknownName, match="valid_outer"):
        next(small_task().batches("validation", 0))


class Shaped:
    """An optimizer with another's mathematics that doesn't say that it is elementwise."""

    def __init__(self, optimizer):
        self.name, self.rule, self.hparams, self.init = "shaped", "shaped", optimizer.hparams, optimizer.init
        self._optimizer = optimizer

    def update(self, grads, state, params, step, hparams):
        assert all(w.shape == SHAPES[path] == grads[path].shape for path, w in params.items())
        return self._optimizer.update(grads, state, params, step, hparams)


SHAPES = {"mlp/linear_0/w": (64, 7), "mlp/linear_0/b": (7,), "mlp/linear_1/w": (7, 5), "mlp/linear_1/b": (5,)}


@pytest.mark.parametrize("mode", ["graph_loop", "xla_loop"])
def test_elementwise_rules_train_vectors_and_others_what_the_parameters_are(mode):
    """Both to the same numbers, and in the same shapes."""
    task = small_task()
    loops = [Loop(task, optimizer, interval=15, mode=mode) for optimizer in (ADAM, Shaped(ADAM))]
    results = []
    for loop in loops:
        run = loop.start(2)
        losses = [loop.train(run, ADAM.hparams(30), 15) for _ in range(2)]
        results.append((run, np.concatenate(losses)))
    (flat, losses), (shaped, expected) = results
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for path, w in shaped.params.items():
        np.testing.assert_allclose(flat.params[path], w, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(flat.state["m"][path], shaped.state["m"][path], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("mode", ["eager_loop", "graph_loop", "xla_loop"])
def test_augmented_batches_prepared_beforehand_are_the_same(mode):
    """The loop knows by `augmentation` that batches cost something; the batches themselves are those of the random images."""

    class Augmented(RandomImages):
        augmentation = (("flip_left_right", True),)

    plain, beforehand = (Loop(small_task(data), ADAM, interval=6, mode=mode) for data in (RandomImages(), Augmented()))
    found = []
    for loop in (plain, beforehand):
        run = loop.start(2)
        losses = [loop.train(run, ADAM.hparams(30), steps) for steps in (6, 4, 0, 2)]
        found.append((np.concatenate(losses), run, loop.evaluation(1, 3)(run.params)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    assert found[0][2] == pytest.approx(found[1][2], rel=1e-6)
    for path, w in found[0][1].params.items():
        np.testing.assert_allclose(found[1][1].params[path], w, rtol=1e-5, atol=1e-7)


def test_the_next_batches_are_drawn_while_the_device_computes():
    loop = Loop(small_task(), ADAM, 4)
    plain, begun = loop.draw, {first: threading.Event() for first in (0, 4, 8)}

    def draw(seed, first):
        begun[first].set()
        return plain(seed, first)

    loop.draw, step, cut = draw, 0, []
    for count, raw in calls(loop, 0, 10, 4):
        cut.append(count)
        np.testing.assert_array_equal(raw["image"], plain(0, step)["image"])
        step += count
        assert step == 10 or begun[step].wait(60)  # .. of the next call, while this one is in hand
        assert not any(event.is_set() for first, event in begun.items() if first > step)
    assert cut == [4, 4, 2]


def test_a_call_reads_augmented_batches_as_the_task_prepares_them():
    class Augmented(RandomImages):
        augmentation = (("flip_left_right", True),)

        def prepare(self, raw, key):
            batch = super().prepare(raw, key)
            return {**batch, "image": batch["image"] + stateless.uniform(key, [])}

    task = small_task(Augmented())
    drawn = Loop(task, ADAM, interval=3).draw(5, 7)
    batches = task.batches("train", 5, start=7)
    for i in range(3):
        np.testing.assert_allclose(drawn["image"][i], next(batches)["image"], rtol=1e-6)


def test_data_may_be_read_first_while_a_function_is_traced():
    class Stored(RandomImages):
        def open(self, source, data_dir=None):
            stored = list(tf.data.Dataset.from_tensor_slices(tf.range(40)).batch(10).as_numpy_iterator())
            assert np.concatenate(stored).tolist() == list(range(40))
            return super().open(source, data_dir)

    task, plain = small_task(Stored()), small_task()

    @tf.function(autograph=False)
    def first_label():
        return tf.constant(task.raw_batches("train", 3, 0, 1)["label"][0, 0])

    assert first_label().numpy() == plain.raw_batches("train", 3, 0, 1)["label"][0, 0]
