"""The programs that `benchmarks/export.py` writes: training loops and an outer step, as functions with their arguments."""

import contextlib
import copy
import math
import re
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from taskset.execution.copies import batched
from taskset.execution.loop import Loop, Run
from taskset.optimizers import adam
from taskset.random import seeds, stateless

RATES = 1e-5, 1e-2  # least and greatest learning rate of a grid
HORIZON = 10_000  # steps of the run that a loop is part of
MOST_RATES = 16
_BOOLEANS = re.compile(r'dense<"0x([0-9A-F]+)"> : tensor<((?:\d+x)+)i1>')
_LOCATION = re.compile(r' loc\((?:[^()"]|"[^"]*"|\((?:[^()"]|"[^"]*")*\))*\)')
CLIP, OUTER_RATE = 0.1, 1e-3


@dataclass
class Program:
    """`function(*arguments)`, nested dicts and tuples of tensors, to be compiled as a whole.

    name: of its files; facts: what else the manifest says about it.
    """

    name: str
    function: callable
    arguments: tuple
    facts: dict = field(default_factory=dict)

    def compiled(self, draws_for):
        """A `Compiled` program. draws_for: "CPU" or "GPU", for which large random draws are made the fast way."""
        flat = [tf.convert_to_tensor(x) for x in tf.nest.flatten(self.arguments)]

        def run(*given):
            with stateless.for_xla_cpu() if draws_for == "CPU" else contextlib.nullcontext():
                return tf.nest.flatten(self.function(*tf.nest.pack_sequence_as(self.arguments, given)))

        return Compiled(tf.function(run, autograph=False, jit_compile=True), flat)


class Compiled:
    """A function of flat arguments, compiled by XLA: `compiled() -> flat results` of the arguments that it is made with."""

    def __init__(self, function, flat):
        self._function, self._flat = function, flat

    def __call__(self):
        return self._function(*self._flat)

    def nudged(self, size):
        """The same function with each float argument changed by `size`, relative, at random: shows what rounding may do."""
        rng = seeds.generator(0, "nudge")
        nudge = lambda x: x * (1 + size * rng.standard_normal(x.shape)).astype(np.float32)  # noqa: E731
        return Compiled(self._function, [nudge(x) if x.dtype == tf.float32 else x for x in self._flat])

    @property
    def inputs(self):
        """The arguments and, behind them, the tensors that the trace has captured: arguments of the compiled program, too."""
        return [*self._flat, *self._function.get_concrete_function(*self._flat).captured_inputs]

    def stablehlo(self):
        """The program as text, without the lines of source that it comes from."""
        text = self._function.experimental_get_compiler_ir(*self._flat)(stage="stablehlo")
        text = _LOCATION.sub("", "\n".join(line for line in text.splitlines() if not line.startswith("#loc")))
        return _BOOLEANS.sub(_listed, text)


def _listed(match):
    """A constant of booleans element by element: as bits, eight in a byte, readers of other versions refuse it."""
    shape = [int(size) for size in match[2].split("x")[:-1]]
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(match[1]), np.uint8), count=math.prod(shape), bitorder="little")
    listed = str(bits.astype(bool).reshape(shape).tolist()).lower()
    return f"dense<{listed}> : tensor<{match[2]}i1>"


def slug(name):
    """`name` as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


# Training loops.


def shape_of_grid(copies):
    """(seeds, rates) with seeds * rates = copies: as many rates as divide it, up to MOST_RATES and half of the copies."""
    rates = max(n for n in range(1, MOST_RATES + 1) if copies % n == 0 and (n == 1 or n <= copies // 2))
    return copies // rates, rates


def rates_of(count):
    """`count` learning rates, geometrically spaced."""
    return np.geomspace(*RATES, count) if count > 1 else np.array([1e-3])


class GridLoop(Loop):
    """A `Loop` over seeds x learning rates in one program: copy s * rates + r is seed number s with rate number r.

    Each seed has its own start and its own batches, which its rates share. What the task draws within a step (noise, dropout,
    augmentation) is drawn once for all copies: a draw with a key of each copy's own has no batched form.
    """

    def __init__(self, task, optimizer, grid, *args, **kwargs):
        self.grid, self._runs, self._prepare_one = grid, (math.prod(grid),), task.prepare
        of_all = copy.copy(task)
        of_all.prepare = self._prepare
        super().__init__(of_all, optimizer, *args, **kwargs)

    def _prepare(self, raw, batch_seed, step):
        return batched(lambda one: self._prepare_one(one, batch_seed, step), raw) if raw else {}

    def start(self, seed):
        """All runs at step 0: of seeds `seed`, `seed` + 1, .."""
        count, rates = self.grid
        initial = self.task.initializer()(range(seed, seed + count))
        params = {path: tf.repeat(w, rates, axis=0) for path, w in initial.items()}
        return Run(seed, params, self.optimizer.init(params))

    def draw(self, seed, first):
        """Raw train batches of one call, {name: [steps, seeds, ..]}."""
        drawn = [self.task.raw_batches("train", seed + s, first, self.chunk) for s in range(self.grid[0])]
        return {name: tf.constant(np.stack([d[name] for d in drawn], axis=1)) for name in drawn[0]}

    def _value_and_gradients(self, params, batch, key):
        def of_rate(one, batch):
            return self.task.value_and_gradients(one, batch, key)

        def of_seed(both):
            return batched(lambda one: of_rate(one, both["batch"]), both["params"])

        grid = {path: tf.reshape(w, [*self.grid, *w.shape[1:]]) for path, w in params.items()}
        result = batched(of_seed, {"params": grid, "batch": batch})
        return tf.nest.map_structure(lambda x: tf.reshape(x, [*self._runs, *x.shape[2:]]), result)


def loop(task, copies, steps):
    """The training loop of `task` under Adam, `steps` steps of `copies` copies."""
    grid = shape_of_grid(copies)
    each = [adam(rate).hparams(HORIZON) for rate in rates_of(grid[1])]
    if copies == 1:
        made, hparams = Loop(task, adam(1.0), steps, mode="xla_loop"), each[0]
    else:
        made = GridLoop(task, adam(1.0), grid, steps, mode="xla_loop")
        hparams = {name: [h[name] for h in each] * grid[0] for name in each[0]}
    run = made.start(0)
    arguments = run.params, run.state, made.draw(0, 0), made.scalars_of(run, hparams, steps)
    facts = {"kind": "training loop", "task": task.name, "copies": copies, "steps": steps}
    facts |= {"seeds": grid[0], "rates": grid[1]}
    facts["draws_shared_by_copies"] = copies > 1 and bool(task.random or task.model.gradient_noise)
    return Program(f"{slug(task.name)}_{copies}", made._train_program, arguments, facts)


# An outer step.


class OuterStep:
    """An outer step of persistent evolution strategies in one program: perturbations, truncation, estimate, clipping and Adam.

    The same mathematics as `learned.estimators.pes.PES` and `learned.outer_training.outer_optimizer.adam`, all in float32; there
    the host computes what is outside of the truncation, with NumPy.
    """

    def __init__(self, problem, pairs, steps, sigma):
        from learned.unrolling.unroll import Unroll

        self.problem, self.pairs, self.steps, self.sigma = problem, pairs, steps, sigma
        self.unroll = Unroll(problem, pairs, 2, steps, "xla_loop", "batched")

    def start(self, theta):
        """What an outer step changes, before the first."""
        zeros = tf.zeros([self.problem.layout.size])
        xi = tf.zeros([self.pairs, self.problem.layout.size])
        adam_ = {"x": tf.constant(theta), "m": zeros, "v": zeros, "t": tf.constant(0)}
        return {"adam": adam_, "xi": xi, "inner": self.unroll.empty()}

    def arguments(self, episodes, lengths):
        """(arguments of `step` behind the state, episodes behind the truncation): all that the host draws."""
        from learned.estimators import base
        from learned.estimators import episodes as of_pairs

        truncation = of_pairs.next_truncation(self.unroll, episodes, lengths, base.together)
        key = tf.constant([seeds.stream(int(episodes["seed"]), "perturbation"), int(episodes["window"])], tf.int32)
        return (key, *truncation.arguments), truncation.after

    def step(self, state, perturbation_key, fresh, first, reset_at, horizons, raw, key):
        """(state after the step, gradient [P], losses [K, C])."""
        theta = state["adam"]["x"]
        e = self.sigma * stateless.normal(perturbation_key, [self.pairs, theta.shape[0]])
        copies = tf.concat([theta + e, theta - e], axis=0)
        losses, inner = self.unroll.run(copies, copies, state["inner"], fresh, first, reset_at, horizons, raw, key)
        xi = state["xi"] + e
        old = tf.range(self.steps)[:, None] < reset_at
        before, after = self._difference(losses, old), self._difference(losses, ~old)
        sums = tf.linalg.matvec(xi, before, transpose_a=True) + tf.linalg.matvec(e, after, transpose_a=True)
        gradient = sums / (2 * self.sigma**2 * self.pairs)
        adam_ = _adam(state["adam"], tf.clip_by_value(gradient, -CLIP, CLIP))
        xi = tf.where((reset_at < self.steps)[:, None], e, xi)
        return {"adam": adam_, "xi": xi, "inner": inner}, gradient, losses

    def _difference(self, losses, mask):
        plus, minus = losses[:, : self.pairs], losses[:, self.pairs :]
        d = tf.reduce_sum(tf.where(mask, plus - minus, 0.0), axis=0) / self.steps
        return tf.where(tf.math.is_finite(d), d, 0.0)


def _adam(state, g):
    from learned.outer_training.outer_optimizer import BETA1, BETA2, EPSILON

    t = tf.cast(state["t"], tf.float32) + 1
    m = BETA1 * state["m"] + (1 - BETA1) * g
    v = BETA2 * state["v"] + (1 - BETA2) * g**2
    x = state["x"] - OUTER_RATE * m / (1 - BETA1**t) / (tf.sqrt(v / (1 - BETA2**t)) + EPSILON)
    return {"x": x, "m": m, "v": v, "t": state["t"] + 1}


def outer(task, optimizer="mlp", pairs=16, steps=20, sigma=0.01):
    """The second outer step of an outer training on `task`: the truncation in which the first episodes end, at its half."""
    from learned import optimizers
    from learned.estimators import episodes
    from learned.outer_training import objectives
    from learned.unrolling.problem import Problem

    problem = Problem(task, optimizers.get(optimizer), objectives.get("train"), objectives.unscaled)
    outer_step = OuterStep(problem, pairs, steps, sigma)
    lengths = lambda rng, n: np.full(n, steps + steps // 2)  # noqa: E731
    compiled = tf.function(outer_step.step, autograph=False, jit_compile=True)
    state = outer_step.start(problem.theta(0))
    drawn, where = outer_step.arguments(episodes.start(0, pairs), lengths)
    state = compiled(state, *drawn)[0]
    drawn, _ = outer_step.arguments(where, lengths)
    facts = {"kind": "outer step", "task": task.name, "copies": 2 * pairs, "steps": steps}
    facts |= {"optimizer": optimizer, "estimator": "pes", "num_weights": problem.layout.size}
    return Program(f"outer_{slug(task.name)}_{optimizer}_pes", outer_step.step, (state, *drawn), facts)
