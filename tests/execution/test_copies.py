"""Runs computed together are the runs one by one."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.execution.copies import CopiesLoop, NotBatched
from taskset.execution.loop import Loop
from taskset.execution.modes import copies_pay
from taskset.execution.shared_programs import program
from taskset.normalization.sweep import run_groups
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import Account, by_rule, run_all
from taskset.optimizers import Elementwise, get_optimizer
from taskset.optimizers.base import as_given
from taskset.optimizers.descent import sgd
from taskset.optimizers.one_run import schedule_free_adamw
from taskset.tasks.base import Model, Task

RATES = ("adam_lr_-3.00", "adam_lr_-2.00", "adam_lr_-1.00")
NOISY = ("quadratic_family_seed0", "quadratic_family_seed13", "quadratic_family_seed3")  # reflections, uniform, normal noise
TASKS = (*NOISY, "quadratic_family_seed2", *(f"losg_tasks_family_seed{s}" for s in (0, 1, 2, 3, 4, 5, 7, 11)), "TwoD_Bowl10")


def options(optimizers=RATES, **changes):
    given = {"source": "synthetic", "steps": 12, "seeds": (0, 1), "batches": 3, "evaluations": 4, **changes}
    return SweepOptions(optimizers, **given)


@pytest.mark.long
@pytest.mark.parametrize("name", TASKS)
def test_together_is_one_by_one(name, monkeypatch):
    task, optimizers = get_task(name), [get_optimizer(o) for o in RATES]
    together = run_all(task, optimizers, options())
    monkeypatch.setattr(run_groups, "copies_pay", lambda data: False)
    alone = run_all(task, optimizers, options())
    assert (together.schema.metadata[b"copies"], alone.schema.metadata[b"copies"]) == (b"3", b"1")
    together, alone = together.to_pandas(), alone.to_pandas()
    for split in SPLITS:
        np.testing.assert_allclose(together[split], alone[split], rtol=2e-4, err_msg=split)
    assert together["diverged"].equals(alone["diverged"])
    assert (together["seconds"].diff().loc[together["step"] > 0] > 0).all()


@pytest.mark.parametrize("mode", ["eager_loop", "graph_loop", "xla_loop"])
def test_copies_in_every_mode(mode):
    task, group = get_task("quadratic_family_seed3"), [get_optimizer(o) for o in ("nadamw_grid_seed0", "nadamw_grid_seed1")]
    loop = CopiesLoop(task, group[0], 2, mode=mode)
    each = [o.hparams(9) for o in group]
    run = loop.start(4)
    losses = loop.train(run, {name: [h[name] for h in each] for name in each[0]}, 9)
    assert losses.shape == (9, 2) and run.step == 9
    for i, hparams in enumerate(each):
        alone = Loop(task, group[0], mode="eager_loop")
        np.testing.assert_allclose(losses[:, i], alone.train(alone.start(4), hparams, 9), rtol=1e-4)


@pytest.mark.parametrize("name", ["quadratic_family_seed3", "TwoD_Bowl1"])
def test_an_elementwise_rule_of_a_users_own_sees_one_copy_at_a_time(name):
    """TwoD_Bowl1 has as many numbers as there are copies: rates of all copies would broadcast along the wrong axis."""

    class Counting:
        name, rule, elementwise = "counting", "counting", True

        def init(self, params):
            return {"count": 0}

        def update(self, grads, state, params, step, hparams):
            rate = hparams["rate"] / tf.cast(state["count"] + 1, tf.float32)
            return {path: w - rate * grads[path] for path, w in params.items()}, {"count": state["count"] + 1}

        def hparams(self, horizon):
            return {"rate": 0.1}

    task = get_task(name)
    together, alone = CopiesLoop(task, Counting(), 2), Loop(task, Counting())
    found = together.train(together.start(4), {"rate": [0.1, 0.2]}, 5)
    for i, rate in enumerate((0.1, 0.2)):
        np.testing.assert_allclose(found[:, i], alone.train(alone.start(4), {"rate": rate}, 5), rtol=1e-4)


def test_who_shares_a_program():
    """Rules of the package by their formula; a user's subclass may read its own settings, so that each object has its own."""
    assert program(sgd(0.1)) == program(sgd(0.2))
    assert program(schedule_free_adamw(0.1)) == program(schedule_free_adamw(0.2))
    one, other = (Clipped("clipped", "clipped", sgd(0.1).formula, (), {"learning_rate": rate}, as_given) for rate in (0.1, 0.2))
    assert program(one) != program(other)


def _decayed(t, w, g, *slots, learning_rate, decay=0.0):
    return (w - learning_rate * (g + decay * w), *slots)


def test_optimizers_of_one_formula_with_other_names_or_slots_do_not_share():
    """A loop packs the numbers that the first of a group has: `decay` would be left out, or missing."""
    plain = {"learning_rate": 0.1}
    kinds = [
        Elementwise("x", "decayed", _decayed, slots, settings, as_given)
        for slots, settings in (((), plain), ((), {**plain, "decay": 5.0}), (("m",), plain), (("v",), plain))
    ]
    assert len({program(one) for one in kinds}) == 4
    assert program(kinds[0]) == program(dataclasses.replace(kinds[0], settings={"learning_rate": 0.2}))


class Momentum:
    """A user's own, whose numbers reach `update` by `hparams`; subclasses look at the object instead."""

    name, rule = "own_momentum", "own_momentum"

    def __init__(self, rate=0.1, decay=0.9, nesterov=False):
        self.rate, self.decay, self.nesterov = rate, decay, nesterov

    def hparams(self, horizon):
        return {"rate": self.rate, "decay": self.decay, "nesterov": float(self.nesterov)}

    def init(self, params):
        return {path: tf.zeros_like(w) for path, w in params.items()}

    def update(self, grads, state, params, step, hparams):
        m = {path: hparams["decay"] * state[path] + g for path, g in grads.items()}
        return {path: w - hparams["rate"] * self.direction(grads[path], m[path]) for path, w in params.items()}, m

    def direction(self, g, m):
        return m


class ByAFlag(Momentum):
    def direction(self, g, m):
        return g + self.decay * m if self.nesterov else m


class ByANumber(Momentum):
    def direction(self, g, m):
        return m if self.decay else g


class ByItsOwnRate(Momentum):
    def update(self, grads, state, params, step, hparams):
        return super().update(grads, state, params, step, {**hparams, "rate": self.rate})


class InItsStart(Momentum):
    def init(self, params):
        return {path: self.decay * w for path, w in params.items()}


def rate_of(rule):
    return rule.rate


class ByAHelper(Momentum):
    def direction(self, g, m):
        return rate_of(self) * m


class ByAnyName(Momentum):
    def direction(self, g, m):
        return getattr(self, "de" + "cay") * m


class AtTheEnd(Momentum):
    def evaluated(self, params, state, hparams):
        return {path: w - self.rate * state[path] for path, w in params.items()}


def decided_by_decay(update):
    def other(self, *given):
        return update(self, *given) if self.decay > 0.6 else (given[2], given[1])

    return other


class Decorated(Momentum):
    update = decided_by_decay(Momentum.update)


def within_a_function():
    def decay_of(rule):
        return rule.decay

    helper = functools.partial(decay_of)

    class Inner(Momentum):
        def direction(self, g, m):
            return helper(self) * m

    return Inner


WithAClosure = within_a_function()


class ByItsName(Momentum):
    def __init__(self, rate=0.1, decay=0.9, name="plain"):
        super().__init__(rate, decay)
        self.name = name

    def direction(self, g, m):
        return tf.sign(m) if self.name.startswith("sign") else m


class Named(Momentum):
    def __init__(self, name):
        super().__init__()
        self.name = name


def logged(function):
    @functools.wraps(function)
    def around(*given):
        return function(*given)

    return around


class ForManyNumbers(Momentum):
    """It looks at itself for tensors that are larger than those by which it is looked at."""

    @logged
    def direction(self, g, m):
        return self.decay * m if m.shape.num_elements() > 100 else m


class ByItsOwnHparams(Momentum):
    def direction(self, g, m):
        return self.hparams(1)["decay"] * m


class ByPaths(Momentum):
    def init(self, params):
        return {path: self.decay * w if path == "of no other task" else tf.zeros_like(w) for path, w in params.items()}


class Lazy(Momentum):
    """It keeps what it learns of the task, which looking at it must not fill in."""

    depth = None

    def init(self, params):
        if self.depth is None:
            self.depth = len(params)
        return super().init(params)


class LazyInADict(Momentum):
    def __init__(self, rate=0.1):
        super().__init__(rate)
        self.scales = {}

    def init(self, params):
        self.scales.update({path: 0.5 for path in params})
        return super().init(params)


class WithAnything:
    def __getattr__(self, name):
        return WithAnything()


class Held(Momentum):
    """A module, which can't be copied, and an object that has whatever attribute it is asked for."""

    settings = WithAnything()

    def __init__(self, rate=0.1):
        super().__init__(rate)
        self.library = np


def test_what_can_not_be_copied_or_ends_nowhere_shares_a_program():
    assert program(Held(0.1)) == program(Held(0.2))


def test_looking_at_an_optimizer_changes_nothing_in_it():
    one, other = Lazy(), LazyInADict()
    assert program(one) == program(Lazy(0.2)) and "depth" not in vars(one)
    assert program(other) and not other.scales


def test_objects_of_a_users_own_class_share_a_program_where_it_is_the_same():
    assert program(Momentum(0.1)) == program(Momentum(0.2)) == program(Momentum(0.2, decay=0.0))
    assert program(ByANumber(0.1)) == program(ByANumber(0.2)) != program(ByANumber(0.2, decay=0.5))
    assert len(by_rule([Momentum(0.1), Momentum(0.2)])) == 1
    assert program(Named(name="one")) == program(Named(name="other"))


@pytest.mark.parametrize(
    "one, other",
    [
        (ByAFlag(), ByAFlag(nesterov=True)),
        (ByANumber(), ByANumber(decay=0.0)),
        (ByItsOwnRate(0.1), ByItsOwnRate(0.2)),
        (InItsStart(), InItsStart(decay=0.5)),
        (ByAHelper(0.1), ByAHelper(0.2)),
        (ByAnyName(), ByAnyName(decay=0.5)),
        (AtTheEnd(0.1), AtTheEnd(0.2)),
        (Decorated(), Decorated(decay=0.5)),
        (WithAClosure(), WithAClosure(decay=0.5)),
        (ByItsName(), ByItsName(name="sign")),
        (ForManyNumbers(), ForManyNumbers(decay=0.5)),
        (ByItsOwnHparams(), ByItsOwnHparams(decay=0.5)),
        (ByPaths(), ByPaths(decay=0.5)),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_objects_whose_python_code_decides_by_a_number_have_programs_of_their_own(one, other):
    assert program(one) != program(other) and len(by_rule([one, other])) == 2


def scaled(tensors):
    norm = tf.sqrt(sum(tf.reduce_sum(tf.square(x)) for x in tensors.values()))
    return {path: x / norm for path, x in tensors.items()}


class Clipped(Elementwise):
    """An `Elementwise` with a step of its own, which looks at all gradients at once."""

    def update(self, grads, state, params, step, hparams):
        return super().update(scaled(grads), state, params, step, hparams)

    def evaluated(self, params, state, hparams):
        return scaled(params)


def test_an_elementwise_rule_with_a_step_of_its_own_sees_one_copy_and_whole_tensors():
    task, rates = get_task("quadratic_family_seed3"), (0.1, 0.2)
    rules = [Clipped(f"clipped{rate}", "clipped", sgd(0.1).formula, (), {"learning_rate": rate}, as_given) for rate in rates]
    assert not rules[0].elementwise
    assert sgd(0.1).elementwise
    together, alone = CopiesLoop(task, rules[0], 2), Loop(task, rules[0])
    run = together.start(4)
    found = together.train(run, {"learning_rate": rates}, 5)
    ends = together.evaluated(run, {"learning_rate": rates})
    for i, rate in enumerate(rates):
        one = alone.start(4)
        np.testing.assert_allclose(found[:, i], alone.train(one, {"learning_rate": rate}, 5), rtol=1e-4)
        for path, w in alone.evaluated(one, {"learning_rate": rate}).items():
            np.testing.assert_allclose(ends[path][i], w, rtol=1e-4)


def test_a_diverged_copy_leaves_the_others_alone():
    def loss(batch, key):
        x = tf.Variable(tf.ones([]), name="x")
        return tf.exp(x * x)  # Adam with rate 10 jumps to exp(81), beyond float32 in two steps

    chosen = ("adam_lr_1.00", "adam_lr_-1.00")
    task = Task("steep", "steep", {}, Model(loss), "tfds")
    frame = run_all(task, [get_optimizer(o) for o in chosen], options(chosen)).to_pandas()
    bad = frame["optimizer"] == "adam_lr_1.00"
    assert frame.loc[bad, "diverged"].tolist() == [False, True, True, True, True] * 2
    assert not frame.loc[~bad, "diverged"].any() and frame.loc[~bad & (frame["step"] == 12), "train"].lt(np.e).all()


def test_what_can_not_be_batched_goes_one_by_one():
    def loss(batch, key):
        x = tf.Variable(tf.ones([2, 2]), name="x")
        return tf.reduce_sum(tf.math.cumulative_logsumexp(x) ** 2)  # has no batched form in tf.vectorized_map

    task, group = Task("cumulative", "cumulative", {}, Model(loss), "tfds"), [get_optimizer(o) for o in RATES]
    assert copies_pay(task.data)
    chosen = run_groups.of_group(task, group, 3, options(), Account())
    assert isinstance(chosen, run_groups.OneByOne)
    assert run_all(task, group, options()).schema.metadata[b"copies"] == b"1"


@pytest.mark.parametrize("name", ["Copy_VRNN128_BS128_Length20_Tokens10"])
def test_loops_over_time_go_one_by_one(name):
    with pytest.raises(NotBatched, match="TensorList"):
        run_groups.Together(get_task(name), [get_optimizer(o) for o in RATES], 3, options()).start(0, Account())


def test_an_error_while_it_runs_is_no_reason_to_go_one_by_one(monkeypatch):
    """The numbers of runs one by one differ by rounding: what goes wrong on one machine alone must not choose between them."""

    def refused(self, run, hparams):
        raise tf.errors.InvalidArgumentError(None, None, "a program on disk is damaged")

    monkeypatch.setattr(CopiesLoop, "compile", refused)
    task, group = get_task("TwoD_Bowl10"), [get_optimizer(o) for o in RATES]
    with pytest.raises(tf.errors.InvalidArgumentError, match="damaged"):
        run_groups.of_group(task, group, 3, options(), Account())


def test_an_error_of_the_task_itself_is_not_hidden():
    def loss(batch, key):
        raise ValueError("a slip in the task")

    model = Model(lambda batch, key: tf.reduce_sum(tf.Variable(tf.ones([2]), name="x") ** 2))
    task, group = Task("slip", "slip", {}, model, "tfds"), [get_optimizer(o) for o in RATES]
    task.value_and_gradients = lambda *args: loss(None, None)
    with pytest.raises(ValueError, match="a slip"):
        run_all(task, group, options())


def test_image_tasks_are_trained_one_by_one():
    assert not copies_pay(get_task("mlp_family_seed30", source="synthetic").data)


class Judged:
    """Gradient descent that is judged at its parameters times `share`, scaled to the length of at most 1."""

    rule = "judged"

    def __init__(self, name, share):
        self.name, self.share = name, share

    def hparams(self, horizon):
        return {"share": self.share}

    def init(self, params):
        return {"seen": {path: tf.zeros_like(w) for path, w in params.items()}}

    def update(self, grads, state, params, step, hparams):
        return {path: w - 1e-3 * grads[path] for path, w in params.items()}, state

    def evaluated(self, params, state, hparams):
        length = tf.sqrt(tf.add_n([tf.reduce_sum(w**2) for w in params.values()]))
        return {path: hparams["share"] * w / tf.maximum(length, 1.0) for path, w in params.items()}


class Validated(Judged):
    """The same, but it asks for validation losses, and moves by them."""

    rule, uses_validation_loss = "validated", True

    def update(self, grads, state, params, step, hparams, validation_loss):
        moved = 1e-4 * tf.tanh(validation_loss())
        return {path: w - moved * grads[path] for path, w in params.items()}, state


@pytest.mark.parametrize("kind, copies", [(Judged, b"3"), (Validated, b"1")])
def test_runs_are_judged_each_by_itself(kind, copies, monkeypatch):
    task, group = get_task("quadratic_family_seed12"), [kind(f"judged{i}", share) for i, share in enumerate((0.5, 1.0, 2.0))]
    chosen = options(tuple(one.name for one in group), steps=8, seeds=(0,))
    together = run_all(task, group, chosen)
    assert together.schema.metadata[b"copies"] == copies
    monkeypatch.setattr(run_groups, "copies_pay", lambda data: False)
    alone = run_all(task, group, chosen).to_pandas()
    np.testing.assert_allclose(together.to_pandas()["train"], alone["train"], rtol=1e-5)
    ends = alone[alone["step"] == 8].set_index("optimizer")["train"]
    assert ends.nunique() == 3
