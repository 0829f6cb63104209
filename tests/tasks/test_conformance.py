"""What holds for every task, checked for all that is registered: a new family is tested by being registered.

Everyday: two tasks of each family that can be sampled (`chosen`), the cheapest fixed task of the others, and the family of a
user (examples/own_family.py). Slow: all fixed tasks, 25 random seeds per family. All 14 kinds of losg_tasks_family are compared
with finite differences and between the three modes in test_losg.py; test_augmentation.py checks that no augmentation changes
nothing.
"""

import functools
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from examples import own_family  # noqa: F401 (registers a family)
from taskset import catalogue, registry
from taskset.catalogue import get_task, make_task
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError
from taskset.execution import known_starts
from taskset.random import seeds
from taskset.samplers import OWN_FAMILIES, PUBLISHED_FAMILIES
from taskset.tasks import (
    builders,  # noqa: F401 (registers all builders)
    starts,
)
from taskset.tasks.base import Model, Task
from taskset.tasks.deferred import Deferred
from tools import conformance

# Generated in a second or two; the two image sets differ in size and in channels. Others take up to ten.
QUICK_DATA = ("", "mnist", "coil100_32x32", "imdb_reviews/subwords8k", "lm1b/bytes", "lm1b/subwords8k")
SOURCE = "synthetic"


@functools.cache
def families():
    """Names of all families that have a builder."""
    return sorted(name for name, family in registry.known_families().items() if family.build)


def cost(described):
    """Parameters x batch size; 0 where they are known only once the task is built."""
    shapes = (described.parameter_shapes or {}).values()
    batch = described.data.batch_size if described.data is not None else 1
    return sum(int(np.prod(shape)) for shape in shapes) * batch


@functools.cache
def chosen(family):
    """Up to two names: the cheapest task that can run and starts finite, and the cheapest with other data if there is one.

    Of seeds 0 .. 99 for a family that can be sampled, else of its fixed tasks; of tasks with quick data where there are any.
    """
    if family in catalogue.families():
        names = [f"{family}_seed{seed}" for seed in range(100)]
    else:
        names = [name for name in catalogue.fixed_tasks() if catalogue.resolve(name)[0] == family]
    facts = {name: catalogue.facts(*catalogue.resolve(name)) for name in names}
    facts = {name: described for name, described in facts.items() if not described.infeasible}
    quick = [name for name in facts if facts[name].reads in QUICK_DATA]
    by_cost = sorted(quick or facts, key=lambda name: cost(facts[name]))
    first = next(name for name in by_cost if known_starts.start(name) in (None, "finite"))
    if family not in catalogue.families():
        return (first,)
    others = [name for name in by_cost if name != first]
    read = facts[first].reads
    return first, next((name for name in others if facts[name].reads != read), others[0])


ONE_EACH = [chosen(family)[0] for family in families()]
ALL = [name for family in families() for name in chosen(family)]


class Case:
    """A task with what the checks share."""

    def __init__(self, name):
        self.name = name
        self.family, self.config = catalogue.resolve(name)
        self.facts = catalogue.facts(self.family, self.config)
        self.task = get_task(name, SOURCE)
        self.params = self.task.init(0)
        self.batch = next(self.task.batches("train", 0))


@pytest.fixture(scope="module", params=ALL)
def case(request):
    return Case(request.param)


@pytest.fixture(scope="module", params=ONE_EACH)
def one(request):
    return Case(request.param)


def equal(first, second):
    """Whether two dicts of tensors are equal bit for bit (not a number is equal to itself)."""
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)


def drawn(task, split, seed, count=4):
    """The first batches, as a list of dicts."""
    batches = task.batches(split, seed)
    return [next(batches) for _ in range(count)]


# --- one task after the other ---------------------------------------------------------------------------------------------------


def test_config_survives_json_and_makes_the_same_task(case):
    config, family = json.loads(json.dumps(catalogue.get_config(case.name)))
    assert [config, family] == catalogue.get_config(case.name) == [case.config, case.family]
    again = make_task(family, config, SOURCE)
    assert again.parameter_shapes == case.task.parameter_shapes
    assert equal(again.init(0), case.params)
    assert equal(next(again.batches("train", 0)), case.batch)
    np.testing.assert_array_equal(again.loss(case.params, case.batch, 0), case.task.loss(case.params, case.batch, 0))


def test_parameters_are_a_function_of_the_seed(case):
    assert equal(case.task.init(0), case.params)
    assert not equal(case.task.init(1), case.params)


def test_batches_are_a_function_of_split_and_seed(case):
    task = case.task
    if task.data is None:
        assert next(task.batches("train", 0)) == {}
        return
    sequences = {(split, seed): drawn(task, split, seed) for split in SPLITS for seed in (0, 1)}
    for key, sequence in sequences.items():
        assert all(map(equal, sequence, drawn(task, *key)))
        for batch in sequence:
            assert conformance.batch_faults(task, batch) == []
    for key, other in itertools.combinations(sequences, 2):
        assert not all(map(equal, sequences[key], sequences[other])), (key, other)


def test_does_what_its_facts_say_and_starts_as_recorded(case):
    examined = conformance.examine_task(case.task, case.facts)
    assert examined.faults == ()
    assert examined.start == (known_starts.start(case.name) or "finite")


def test_loss_is_a_function_of_its_arguments(case):
    loss, metrics = case.task.loss_and_metrics(case.params, case.batch, 3)
    again, gradients = case.task.value_and_gradients(case.params, case.batch, 3)
    np.testing.assert_array_equal(loss, again)
    assert equal(gradients, case.task.value_and_gradients(case.params, case.batch, 3)[1])
    assert all(value.dtype == "float32" and value.shape == () for value in metrics.values())
    other = case.task.loss(case.params, case.batch, 4)
    if np.isfinite(loss):
        assert np.array_equal(loss, other) != case.task.random


# --- one task of each family ----------------------------------------------------------------------------------------------------


def modes(task):
    """{mode: the compiled function (params, batch, seed) -> (loss, gradients)}."""
    return {
        "graph": tf.function(task.value_and_gradients, autograph=False),
        "xla": tf.function(task.value_and_gradients, autograph=False, jit_compile=True),
    }


def norm(tensors):
    return np.sqrt(sum(np.sum(np.square(np.asarray(t, np.float64))) for t in tensors.values()))


@pytest.mark.long
def test_eager_graph_and_compiled_agree(one):
    seed = tf.constant(5)
    loss, gradients = one.task.value_and_gradients(one.params, one.batch, seed)
    for mode, run in modes(one.task).items():
        compiled, compiled_gradients = run(one.params, one.batch, seed)
        np.testing.assert_allclose(compiled, loss, rtol=1e-5, err_msg=mode)
        apart = norm({path: compiled_gradients[path] - gradients[path] for path in gradients})
        assert apart <= 1e-3 * norm(gradients), mode


def difference_error(task, batch, seed=5, steps=(1e-6, 1e-7, 1e-8)):
    """Relative error of the gradient along a random direction against central differences in float64, of the best step.

    The parameters are near a start with nothing at 0 (biases, masked weights), where rectifiers have a kink.
    """
    rng = seeds.generator(seed, "direction")
    start = task.init(seed, tf.float64)
    params = {path: value + tf.constant(0.01 * rng.standard_normal(value.shape)) for path, value in start.items()}
    direction = {path: tf.constant(rng.standard_normal(value.shape)) for path, value in params.items()}
    with tf.GradientTape() as tape:
        tape.watch(params)
        loss = task.loss(params, batch, seed)
    assert loss.dtype == "float64"
    gradients = tape.gradient(loss, params, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    slope = sum(float(tf.reduce_sum(tf.convert_to_tensor(gradients[path]) * direction[path])) for path in params)

    def at(step):
        return float(task.loss({path: value + step * direction[path] for path, value in params.items()}, batch, seed))

    numerical = [(at(step) - at(-step)) / (2 * step) for step in steps]
    return min(abs(slope - value) for value in numerical) / abs(slope)


def test_gradients_are_finite_differences(one):
    few = {name: rows[:8] for name, rows in one.batch.items()}
    assert difference_error(one.task, few) < 1e-5


# --- that the checks can fail ---------------------------------------------------------------------------------------------------


def made(loss):
    return Task("made", "made", {}, Model(loss), SOURCE)


def variable(shape=(3,)):
    return tf.Variable(tf.ones(shape), name="x")


@tf.custom_gradient
def wrong_square(x):
    return x**2, lambda dy: 2.001 * dy * x


def test_a_wrong_gradient_is_found():
    assert difference_error(made(lambda batch, key: tf.reduce_sum(variable() ** 2)), {}) < 1e-8
    assert difference_error(made(lambda batch, key: tf.reduce_sum(wrong_square(variable()))), {}) > 1e-4


def test_wrong_facts_dtypes_and_starts_are_found():
    def examined(loss, shapes):
        return conformance.examine_task(made(loss), registry.Facts(parameter_shapes=shapes))

    good = examined(lambda batch, key: tf.reduce_sum(variable()), {"x": (3,)})
    assert good.faults == () and good.start == "finite"
    assert "facts say" in examined(lambda batch, key: tf.reduce_sum(variable()), {"x": (4,)}).faults[0]
    assert "facts say" in examined(lambda batch, key: tf.reduce_sum(variable()), {"y": (3,)}).faults[0]
    assert "float64" in examined(lambda batch, key: tf.cast(tf.reduce_sum(variable()), tf.float64), {"x": (3,)}).faults[0]
    with pytest.raises(ConfigError, match=r"shape \(3,\): allowed is one float"):
        examined(lambda batch, key: variable() * 1.0, {"x": (3,)})
    assert examined(lambda batch, key: tf.math.log(-tf.reduce_sum(variable())), {"x": (3,)}).start == "non-finite loss"
    assert examined(lambda batch, key: tf.reduce_sum(tf.sqrt(variable() - 1.0)), {"x": (3,)}).start == "non-finite gradient"


def test_a_start_that_is_not_as_described_is_found():
    """The laws are right in themselves (test_starts.py); here, that a description of another scale or shape is caught."""

    def faults(described, drawn):
        start = starts.Start(drawn.draw, described.distribution)
        task = made(lambda batch, key: tf.reduce_sum(starts.parameter("x", (2000,), start)))
        return conformance.start_faults(task, task.init(0))

    assert faults(starts.normal(1.0, 2.0), starts.normal(1.0, 2.0)) == []
    assert "stddev" in faults(starts.normal(1.0, 2.5), starts.normal(1.0, 2.0))[0]
    assert "mean" in faults(starts.normal(0.0, 2.0), starts.normal(1.0, 2.0))[0]
    assert "bounds" in faults(starts.uniform(-(3**0.5), 3**0.5), starts.normal(0.0, 1.0))[0]


def test_an_initializer_without_a_description_is_none():
    with pytest.raises(TypeError, match="shape|positional"):
        Deferred(lambda key, shape, dtype: tf.zeros(shape, dtype), (3,), tf.float32)


def test_every_family_is_here():
    covered = {catalogue.resolve(name)[0] for name in ALL}
    fixed = {catalogue.resolve(name)[0] for name in catalogue.fixed_tasks()[:109]}  # the published ones
    # Families that other test modules register are covered or not by the order of imports; those of the package always are.
    assert covered >= fixed | {*PUBLISHED_FAMILIES, *OWN_FAMILIES, "own_regression"} and len(covered) >= 25


# --- the whole registry ---------------------------------------------------------------------------------------------------------


def random_seeds(family, count=25):
    """Names of seeds drawn from the published ones."""
    return [f"{family}_seed{seed}" for seed in seeds.generator(0, "conformance", family).permutation(registry.SEEDS)[:count]]


def check(name):
    examined = conformance.examine(name)
    assert examined.faults == (), name
    assert known_starts.start(name) in (None, examined.start), name


@pytest.mark.slow
@pytest.mark.parametrize("name", conformance.by_data(catalogue.fixed_tasks()))
def test_fixed_task(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("family", catalogue.families())
def test_random_seeds(family):
    names = conformance.by_data(random_seeds(family))
    assert names
    for name in names:
        check(name)
