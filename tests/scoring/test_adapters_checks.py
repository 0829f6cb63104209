"""What optimizers may do in a run: what comes back of a step, which variables and random numbers they use."""

import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.execution.loop import Loop
from taskset.optimizers import get_optimizer, sgd
from taskset.scoring.adapters import adapt
from taskset.scoring.candidates import candidate
from tests.scoring.small_sweeps import RATE, STEPS, curves, plain_init, same

pytestmark = pytest.mark.elsewhere


@pytest.mark.parametrize(
    "change,says",
    [
        (lambda w: tf.reshape(tf.reduce_mean(w), [1]), r"float32 of shape \(1,\): allowed is float32 of shape \(2,\)"),
        (lambda w: tf.cast(w, tf.float64), "float64 of shape"),
        (lambda w: w + tf.random.normal(w.shape), "RandomStandardNormal.*stateless_normal"),
        (lambda w: w if tf.reduce_sum(w) < 10 else 2 * w, r"tf\.where\(step < 10, a, b\)"),
        (lambda w: w.numpy() if tf.executing_eagerly() else np.asarray(w), 'framework = "numpy"'),
    ],
)
def test_what_a_compiled_update_may_not_do(task, change, says):
    def update(grads, state, params, step, hparams):
        return {path: change(w) for path, w in params.items()}, state

    with pytest.raises(ConfigError, match=says) as error:
        curves(task, adapt((plain_init, update), "wrong"))
    assert "\n" not in str(error.value)


def test_a_state_may_have_numbers(task):
    def counting(start):
        def init(params):
            return {"count": start, "more": [0.5, {}]}

        def update(grads, state, params, step, hparams):
            rate = 0.1 / (1 + tf.cast(state["count"], tf.float32)) * state["more"][0]
            return {path: w - rate * grads[path] for path, w in params.items()}, {**state, "count": state["count"] + 1}

        return curves(task, adapt((init, update), "counting"))

    for number, tensor in ((0, tf.constant(0)), (0.0, tf.constant(0.0)), (np.float64(0), tf.constant(0, tf.float64))):
        same(counting(number), counting(tensor))
    for wrong in (None, object()):
        with pytest.raises(ConfigError, match="init of 'counting' returned a state with .*: allowed are tensors and numbers"):
            counting(wrong)


def test_numpy_returns_the_parameters_that_it_was_given(task):
    def stepping(change):
        pair = types.SimpleNamespace(init=lambda params: None, framework="numpy")
        pair.update = lambda grads, state, params, step, hparams: (change(params), state)
        return curves(task, adapt(pair, "stepping"))

    with pytest.raises(ConfigError, match=r"other parameters than it was given \(lacking: x\): allowed are the same"):
        stepping(lambda params: {})
    with pytest.raises(ConfigError, match=r"\(lacking: x; new: xx\)"):
        stepping(lambda params: {f"{path}x": w for path, w in params.items()})


def test_a_misspelt_framework_is_refused():
    pair = types.SimpleNamespace(init=plain_init, update=lambda *given: None, framework="nunpy")
    with pytest.raises(ConfigError, match="framework 'nunpy' of 'pair': allowed are \"numpy\" and \"tensorflow\""):
        adapt(pair, "pair")
    pair.framework = "tensorflow"
    assert adapt(pair, "pair").library == "taskset"


def test_counting_in_python_is_refused(task):
    class Counting:
        count = 0

        def init(self, params):
            return {}

        def update(self, grads, state, params, step, hparams):
            self.count += 1
            return {path: w - 0.1 / self.count * grads[path] for path, w in params.items()}, state

    counting = Counting()
    counting.count = 0
    with pytest.raises(ConfigError, match=r"changes self\.count"):
        curves(task, adapt(counting, "counting"))
    with pytest.raises(ConfigError, match="other entries than init's"):
        curves(task, adapt((plain_init, lambda g, s, p, t, h: (p, {})), "forgetful"))


SHARED, CONSTANT = tf.Variable(1.0), tf.Variable(0.5)


class Reading(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * CONSTANT)


class Sharing(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        SHARED.assign(0.9 * SHARED)
        super().update_step(gradient, variable, learning_rate * SHARED)


class WithoutConfig(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.01, shrink=1.0, **more):
        super().__init__(learning_rate, **more)
        self.shrink = shrink

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * self.shrink)


def test_variables_that_runs_would_share_are_refused(task):
    def update(grads, state, params, step, hparams):
        SHARED.assign(0.9 * SHARED)
        return {path: w - 0.1 * SHARED * grads[path] for path, w in params.items()}, state

    for wrong in (adapt(Sharing(0.1), "sharing"), adapt((plain_init, update), "sharing")):
        with pytest.raises(ConfigError, match="a variable that is not its own"):
            curves(task, wrong)

    def reading(grads, state, params, step, hparams):
        return {path: w - RATE * CONSTANT * grads[path] for path, w in params.items()}, state

    for right in (adapt((plain_init, reading), "reading"), adapt(Reading(RATE), "reading")):
        same(curves(task, right), curves(task, sgd(RATE / 2)))


def test_what_a_keras_config_loses(task):
    excluding = keras.optimizers.AdamW(0.1)
    excluding.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(ConfigError, match="loses _exclude_from_weight_decay"):
        adapt(excluding, "lossy")
    used = keras.optimizers.Adam(0.1)
    used.build([tf.Variable([1.0, 2.0])])
    adapt(used, "as new")
    for given in (WithoutConfig(shrink=0.5), WithoutConfig(0.1, 2.0)):
        with pytest.raises(ConfigError, match="loses shrink: implement get_config"):
            adapt(given, "lossy")
    adapt(WithoutConfig(0.1), "nothing is lost")
    with pytest.raises(ConfigError, match="hyperparameter 'shrink'"):
        adapt(WithoutConfig(0.1), "lossy", {"shrink": 3})
    frames = [curves(task, adapt(WithoutConfig, "mine", {"learning_rate": 0.01, "shrink": s})) for s in (1.0, 0.5)]
    same(frames[1], curves(task, sgd(0.005)))
    assert frames[0]["train"].iloc[4] != frames[1]["train"].iloc[4]


def test_each_call_of_a_torch_closure_is_at_the_parameters_as_they_are(task):
    torch = pytest.importorskip("torch")

    class Ahead(torch.optim.Optimizer):
        """Gradients from a step ahead. Ways to move that leave no trace of it in a parameter: all do the same."""

        def __init__(self, params, way):
            super().__init__(params, {})
            self.way = way

        @torch.no_grad()
        def step(self, closure):
            params = [p for group in self.param_groups for p in group["params"]]
            shifts = [0.01 * p.grad.clone() for p in params]
            for p, shift in zip(params, shifts):
                (p.data if self.way == "data" else p).add_(shift)
            if self.way == "twice":
                closure()
            closure()
            for p, shift in zip(params, shifts):
                p.sub_(shift + RATE * p.grad)

    frames = {way: curves(task, adapt(Ahead, "ahead", {"way": way})) for way in ("plain", "data", "twice")}
    same(frames["data"], frames["plain"])
    same(frames["twice"], frames["plain"])
    assert not np.allclose(frames["plain"]["train"][4:5], curves(task, sgd(RATE))["train"][4:5], rtol=1e-4)


def test_a_torch_closure_brings_changed_gradients_back(task, expected):
    torch = pytest.importorskip("torch")

    class Zeroing(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        @torch.no_grad()
        def step(self, closure):
            self.zero_grad(set_to_none=False)
            closure()
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(RATE * p.grad)

    same(curves(task, adapt(Zeroing, "zeroing")), expected)


def test_torch_parameters_of_another_shape(task):
    torch = pytest.importorskip("torch")

    class Wrong(torch.optim.Optimizer):
        def __init__(self, params, change):
            super().__init__(params, {})
            self.change = change

        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data = self.change(p.data)

    for change, says in (
        (lambda w: w.mean().reshape(1), r"shape \(1,\)"),
        (lambda w: w[:1], "shape"),
        (lambda w: w.double(), "float64"),
    ):
        with pytest.raises(ConfigError, match=f"a step of 'wrong' made parameter .*{says}"):
            curves(task, adapt(Wrong, "wrong", {"change": change}))


def test_random_numbers_of_a_torch_optimizer_repeat(task):
    torch = pytest.importorskip("torch")

    class Noisy(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            super().step(closure)
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(0.01 * torch.randn_like(p) + 0.01 * np.random.normal())

    torch.manual_seed(5)
    np.random.seed(5)
    frames = [curves(task, *(adapt(Noisy, name, {"lr": RATE}) for name in names)) for names in ("a", "ab")]
    drawn = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    assert (torch.rand(1).item(), np.random.rand()) == drawn  # the user's generators are as they were
    for name in "ab":
        part = frames[1][frames[1]["optimizer"] == name]
        np.testing.assert_array_equal(part["train"], frames[0]["train"])
    ends = frames[0][frames[0]["step"] == STEPS]["train"]
    assert ends.iloc[0] != ends.iloc[1] and not np.allclose(frames[0]["train"], curves(task, sgd(RATE))["train"], rtol=1e-6)


@pytest.mark.parametrize("returned", [None, (None, ()), ([], ()), ({}, (), 0)])
def test_what_an_optax_update_returns(returned):
    """It was a TypeError in a line of the package, and updates that were lacking left their parameters out."""
    optax = pytest.importorskip("optax")
    wrong = optax.GradientTransformation(lambda params: (), lambda updates, state, params=None: returned)
    with pytest.raises(ConfigError, match=r"update of 'wrong' returned .*: allowed is a pair \(updates, state\)"):
        adapt(wrong, "wrong").begin(np.ones(6, np.float32), {"w": (2, 3)}, 10)


def test_optax_updates_of_another_shape(task):
    optax = pytest.importorskip("optax")
    wrong = optax.stateless(lambda updates, params: [u.mean().reshape(1) for u in updates])
    with pytest.raises(ConfigError, match=r"shape \(1,\)"):
        curves(task, adapt(wrong, "wrong"))


KEPT = {"steps": 0, "seen": set()}


def counted():
    KEPT["steps"] += 1
    return KEPT["steps"]


def in_a_set():
    KEPT["seen"].add(len(KEPT["seen"]))
    return len(KEPT["seen"])


def in_another_function():
    return counted()


@pytest.mark.parametrize(
    "factor, says",
    [
        (counted, "update of 'mine' computes something else in its second call"),
        (in_a_set, "update of 'mine' computes something else in its second call than in its first"),
        (in_another_function, "update of 'mine' computes something else in its second call"),
        (np.random.rand, "update of 'mine' draws from NumPy's global random state.*jax.random.normal"),
    ],
)
def test_an_optax_update_that_keeps_something_in_python_is_refused(factor, says):
    """It is compiled, so that its Python runs once for all steps."""
    optax = pytest.importorskip("optax")
    mine = optax.stateless(lambda updates, params: [-factor() * u for u in updates])
    with pytest.raises(ConfigError, match=says):
        adapt(mine, "mine").begin(np.zeros(3, np.float32), {"w": (3,)}, 10)
    drawn = optax.GradientTransformation(lambda params: np.random.rand(), lambda updates, state, params=None: (updates, state))
    with pytest.raises(ConfigError, match="init of 'mine' draws from NumPy's"):
        adapt(drawn, "mine").begin(np.zeros(3, np.float32), {"w": (3,)}, 10)


def test_the_packages_own_rules_are_not_traced_twice():
    """Which would take long for the large ones."""
    rule = get_optimizer("soap")
    named = adapt(rule, "mine")
    assert (named.init, named.update) == (rule.init, rule.update)


def test_what_hides_in_an_optax_transformation_is_refused():
    """In a function that the user compiled, and in the first call alone."""
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")

    @jax.jit
    def update(updates, state, params=None):
        counted()
        return [-KEPT["steps"] * u for u in updates], state

    with pytest.raises(ConfigError, match=r"update of 'mine' changes KEPT\['steps'\]"):
        adapt(optax.GradientTransformation(lambda params: (), update), "mine").begin(np.zeros(3, np.float32), {"w": (3,)}, 10)
    drawn = []

    def init(params):
        if not drawn:
            drawn.append(np.random.rand())
        return drawn[0]

    once = optax.GradientTransformation(init, lambda updates, state, params=None: (updates, state))
    with pytest.raises(ConfigError, match="init of 'mine' draws from NumPy's"):
        adapt(once, "mine").begin(np.zeros(3, np.float32), {"w": (3,)}, 10)


def test_optax_transformations_keep_nothing():
    """Whatever they are made of, they are the same step in each call."""
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    falling = optax.cosine_decay_schedule(0.1, 100)
    made = {
        "adamw": optax.adamw(falling),
        "chain": optax.chain(optax.clip_by_global_norm(1.0), optax.adaptive_grad_clip(0.1), optax.lamb(0.1)),
        "adafactor": optax.adafactor(0.1),
        "inject_hyperparams": optax.inject_hyperparams(optax.lion)(learning_rate=falling),
        "noisy_sgd": optax.noisy_sgd(0.1, key=jax.random.key(0)),
        "prodigy": optax.contrib.prodigy(),
        "schedule_free": optax.contrib.schedule_free_adamw(0.1),
        "muon": optax.contrib.muon(0.1),
        "if_finite": optax.apply_if_finite(optax.adam(0.1), 3),
        "steps": optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
        "plateau": optax.contrib.reduce_on_plateau(),
    }
    for name, transformation in made.items():
        run = adapt(transformation, name).begin(np.ones(6, np.float32), {"w": (2, 3)}, 10)
        run.step(lambda vector: (tf.constant(1.0), vector))
        assert np.isfinite(run.vector()).all(), name


def test_a_numpy_run_begins_with_nothing_of_an_earlier_one(task):
    class Counting:
        framework, steps = "numpy", 0

        def __init__(self, resets):
            self.resets = resets

        def init(self, params):
            if self.resets:
                self.steps = 0

        def update(self, grads, state, params, step, hparams):
            self.steps += 1
            return {path: w - 0.1 / self.steps * grads[path] for path, w in params.items()}, state

    curves(task, adapt(Counting(True), "counting"))
    left = r"'counting' begins a run with what an earlier one left in self\.steps: keep it in"
    with pytest.raises(ConfigError, match=left):
        curves(task, adapt(Counting(False), "counting"))
    start, shapes = np.ones(2, np.float32), {"w": (2,)}
    made = candidate(Counting(True), name="counting")
    for _ in range(2):  # tasks, with one run of one step each
        made.make(0, 1).begin(start, shapes, 1).step(lambda vector: (tf.constant(1.0), vector))
    run = candidate(Counting(False), name="counting").make(0, 1).begin(start, shapes, 1)
    with pytest.raises(ConfigError, match=left):  # by the first run already, which none may follow in this process
        run.step(lambda vector: (tf.constant(1.0), vector))


def test_a_numpy_run_with_a_horizon_of_its_own_is_not_started_again_before_its_end():
    class Momentum:
        framework = "numpy"

        def init(self, params):
            self.moment = 0.0

        def update(self, grads, state, params, step, hparams):
            self.moment = 0.5 * self.moment + grads["w"]
            return {"w": params["w"] - self.moment}, state

    start, shapes = np.zeros(1, np.float32), {"w": (1,)}
    run = adapt(Momentum(), "momentum", {"horizon": 2}).begin(start, shapes, 4)
    for _ in range(4):
        run.step(lambda vector: (tf.constant(1.0), tf.ones(1)))
    assert run.vector().numpy().item() == -(1 + 1.5 + 1.75 + 1.875)


def test_seconds_of_runs_that_step_by_themselves_have_their_share_of_drawing(task, monkeypatch):
    drawn = Loop.draw_raw

    def slowly(self, seed, step):
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        return drawn(self, seed, step)

    monkeypatch.setattr(Loop, "draw_raw", slowly)
    pair = types.SimpleNamespace(framework="numpy", init=lambda params: None, update=lambda g, s, p, t, h: (p, s))
    seconds = curves(task, adapt(pair, "pair"))["seconds"]
    assert seconds.max() >= 0.2


def test_what_a_numpy_start_writes_into_the_parameters_is_no_part_of_the_run(task, expected):
    """Runs began elsewhere than the baselines', with the same losses at step 0."""

    def init(params):
        for w in params.values():
            w[:] = 5

    def update(grads, state, params, step, hparams):
        return {path: w - np.float32(RATE) * grads[path] for path, w in params.items()}, state

    same(curves(task, adapt(types.SimpleNamespace(framework="numpy", init=init, update=update), "pair")), expected)


def test_numpy(task, expected):
    def init(params):
        return {"count": 0}

    def update(grads, state, params, step, hparams):
        state["count"] += 1
        assert state["count"] == step + 1
        rate = np.float64(hparams["learning_rate"])  # float64 arrays come of it
        return {path: w - rate * grads[path] for path, w in params.items()}, state

    pair = types.SimpleNamespace(framework="numpy", init=init, update=update)
    same(curves(task, adapt(pair, "pair", {"learning_rate": RATE})), expected)
    with pytest.raises(ConfigError, match="finite numbers"):
        adapt(pair, "pair", {"learning_rate": "high"})
    for change, says in ((lambda w: w.mean(), r"shape \(\)"), (lambda w: w.astype(int), "int64")):
        pair.update = lambda g, s, params, t, h, change=change: ({path: change(w) for path, w in params.items()}, s)
        with pytest.raises(ConfigError, match=says):
            curves(task, adapt(pair, "wrong"))


def test_what_a_users_function_raises_is_one_line_with_its_place(task):
    def pair(**changed):
        found = types.SimpleNamespace(init=lambda params: None, framework="numpy")
        found.update = lambda grads, state, params, step, hparams: (params, state)
        vars(found).update(changed)
        return adapt(found, "mine")

    def update(grads, state, params, step, hparams):
        return {path: w - hparams["lr"] * grads[path] for path, w in params.items()}, state

    with pytest.raises(ConfigError, match=r"update of 'mine' failed: KeyError: 'lr' \(.*test_adapters_checks.py, line \d+\)"):
        curves(task, pair(update=update))
    with pytest.raises(ConfigError, match="init of 'mine' failed: ZeroDivisionError"):
        curves(task, pair(init=lambda params: 1 / 0))
