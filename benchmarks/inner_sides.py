"""The two sides of `benchmarks.inner`, each for a process of its own: ours and JAX's, with the same methods.

`build` makes the ways of training one line, `take_apart` those of its parts, and `measure` times one of them.
"""

import os
import time

import numpy as np

from benchmarks import inner_parts, inner_tasks
from taskset.execution.runtime import start_tensorflow

LEARNING_RATE = 1e-3
CHECKED = 3  # steps whose losses must agree: later ones show how Adam magnifies rounding where gradients are nearly 0
TOLERANCE = 1e-4  # relative
CALL_SECONDS = 0.15  # at least this long a measurement: several calls for small tasks
CALL_STEPS = 10, 4000  # fewest and most steps of a call, the most being what the loop takes


def _timed(function, times):
    """(CPU seconds, wall seconds) of `times` calls."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        function()
    return time.process_time() - cpu, time.perf_counter() - wall


def _repeats(function):
    """How many calls take CALL_SECONDS; the first call, which compiles, is not counted."""
    function()
    return max(1, round(CALL_SECONDS / _timed(function, 1)[0]))


class Measured:
    """One way of training, ready to be timed: `call` trains `steps` steps on from where the last call ended."""

    def __init__(self, name, call, steps):
        self.name, self.call, self.steps, self.times = name, call, steps, _repeats(call)

    def per_step(self):
        """(CPU, wall) seconds a step."""
        return tuple(seconds / (self.times * self.steps) for seconds in _timed(self.call, self.times))


class Ours:
    """Our own side, in its process."""

    def __init__(self):
        start_tensorflow(threads=1)

    def build(self, name, all_modes):
        """Everything the other side needs; fills `self.ways`."""
        import tensorflow as tf

        from taskset.execution import loop as training
        from taskset.optimizers import adam

        self.task, self.optimizer = inner_tasks.make(name), adam(LEARNING_RATE)
        self.hparams = self.optimizer.hparams(10000)
        chosen = training.execution_mode(self.task)
        loops = {mode: training.Loop(self.task, self.optimizer, CALL_STEPS[1], mode) for mode in ("xla_loop", "graph_loop")}
        raw = self.task.raw_batches("train", 0, 0, loops[chosen].chunk)
        device = {k: tf.constant(v) for k, v in raw.items()}
        run = loops[chosen].start(0)
        params = {path: w.numpy() for path, w in run.params.items()}
        losses, draws = self._eager(run, raw)
        compiled = loops[chosen].train(loops[chosen].start(0), self.hparams, CHECKED, device)
        np.testing.assert_allclose(compiled, losses, rtol=TOLERANCE, err_msg=f"{name}: our loop against our own steps")
        steps = self._steps_of_a_call(loops[chosen], device)
        self.device, self.steps, self.chosen = device, steps, chosen
        self.ways = [self._way(mode, loop, device, steps) for mode, loop in loops.items() if all_modes or mode == chosen]
        return {
            "family": self.task.family, "config": self.task.config, "params": params, "losses": losses, "draws": draws,
            "raw": {k: v[:steps] for k, v in raw.items()}, "steps": steps, "fixed": self._fixed(), "mode": chosen,
        }  # fmt: skip

    def _steps_of_a_call(self, loop, device):
        """As many as take CALL_SECONDS, within CALL_STEPS."""
        run, steps = loop.start(0), CALL_STEPS[0]
        for _ in range(2):  # of ten steps of a small task, most is the call
            seconds = _timed(lambda steps=steps: loop.train(run, self.hparams, steps, device), 1)[0]
            steps = int(np.clip(CALL_SECONDS * steps / seconds, CALL_STEPS[0], loop.chunk))
        return steps

    def _fixed(self):
        from taskset.tasks import quadratic_family

        if self.task.family != "quadratic_family":
            return None
        config = self.task.config
        return quadratic_family.matrix(config["A_dist"], config["dims"], config["seed"]).astype(np.float32)

    def _way(self, mode, loop, device, steps, hparams=None):
        run, hparams = loop.start(0), hparams or self.hparams
        return Measured(mode, lambda: loop.train(run, hparams, steps, device), steps)

    def _eager(self, run, raw):
        """Losses of the first steps one by one, and what each drew."""
        import tensorflow as tf

        from taskset.random import seeds, stateless

        params, state, losses, draws = run.params, run.state, [], []
        plain = stateless.normal, stateless.uniform

        def recording(draw):
            def recorded(*args, **kwargs):
                stateless.normal, stateless.uniform = plain
                value = draw(*args, **kwargs)
                stateless.normal, stateless.uniform = map(recording, plain)
                draws[-1].append(value.numpy())
                return value

            return recorded

        for step in range(CHECKED):
            batch = self.task.prepare({k: tf.constant(v[step]) for k, v in raw.items()}, seeds.batch_seed(0, "train"), step)
            key = tf.constant([seeds.loss_seed(0, "train"), step])
            draws.append([])
            stateless.normal, stateless.uniform = map(recording, plain)
            try:
                loss, gradients = self.task.value_and_gradients(params, batch, key)
            finally:
                stateless.normal, stateless.uniform = plain
            params, state = self.optimizer.update(gradients, state, params, step, self.hparams)
            losses.append(float(loss))
        return losses, draws

    def take_apart(self):
        """Fills `self.ways` with the loops of `inner_parts.PARTS`."""
        self.ways = []
        for part in inner_parts.PARTS:
            loop, hparams = inner_parts.our_loop(self.task, self.optimizer, part, CALL_STEPS[1], self.chosen)
            self.ways.append(self._way(part, loop, self.device, self.steps, hparams))

    def measure(self, index):
        """(CPU, wall) seconds a step of the way numbered `index`."""
        return self.ways[index].per_step()

    def names(self):
        """Of the ways."""
        return [way.name for way in self.ways]


class Jax:
    """The other side, in its process."""

    def __init__(self):
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["JAX_PLATFORMS"] = "cpu"

    def build(self, line):
        """Compare losses, find the fastest way; returns the worst relative difference of the losses."""
        import jax

        from benchmarks import jax_twins

        self.loss = jax_twins.make_loss(line["family"], line["config"], line["fixed"])
        self.step, self.steps = jax_twins.make_step(self.loss, LEARNING_RATE), line["steps"]
        self.raw = jax.device_put(line["raw"])
        self.params = line["params"]
        given = jax.jit(lambda carry, raw, draws, i: self.step(carry, raw, jax_twins.Given(draws), i))
        carry, losses = self._start(), []
        for i in range(CHECKED):
            raw = {k: v[i] for k, v in self.raw.items()}
            carry, value = given(carry, raw, line["draws"][i], i)
            losses.append(float(value))
        worst = float(np.max(np.abs(np.array(losses) / line["losses"] - 1)))
        if not worst < TOLERANCE:
            raise SystemExit(f"losses differ by {worst:.1e}: ours {line['losses']}, JAX {losses}; nothing is timed")
        kinds = ("threefry2x32", "rbg") if line["draws"][0] else (None,)
        ways = [self._per_step(kind) for kind in kinds]
        # Convolutions in XLA's CPU loop are a hundred times slower: two steps of a scan show it.
        ways += [self._scan(kind, self.steps) for kind in kinds if self._scan(kind, 2).per_step()[0] < 5 * ways[0].per_step()[0]]
        self.ways = [min(ways, key=lambda way: way.per_step()[0])]
        return worst

    def take_apart(self):
        """As `Ours.take_apart`, in the way that was fastest."""
        way, *kind = self.ways[0].name.split()
        self.ways = []
        for part in inner_parts.PARTS:
            self.step = inner_parts.jax_step(self.loss, part, LEARNING_RATE)
            self.ways.append(self._scan(*kind or [None], self.steps) if way == "scan" else self._per_step(*kind or [None]))

    def _start(self):
        import jax
        import jax.numpy as jnp

        params = {path: jnp.array(w) for path, w in self.params.items()}
        return params, (jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params))

    def _draw(self, key, i):
        import jax

        from benchmarks import jax_twins

        return jax_twins.Drawn(jax.random.fold_in(key, i))

    def _scan(self, kind, steps):
        import jax
        import jax.numpy as jnp

        def program(carry, raw, key, first):
            def body(carry, row):
                carry, i = carry
                carry, loss = self.step(carry, row, self._draw(key, i), i)
                return (carry, i + 1), loss

            return jax.lax.scan(body, (carry, first), raw, steps)

        compiled, kept = jax.jit(program, donate_argnums=0), [(self._start(), jnp.int32(0))]
        key, rows = jax.random.key(0, impl=kind or "threefry2x32"), {k: v[:steps] for k, v in self.raw.items()}

        def call():
            kept[0], losses = compiled(kept[0][0], rows, key, kept[0][1])
            return np.asarray(losses)

        return Measured(f"scan {kind or ''}".strip(), call, steps)

    def _per_step(self, kind):
        import jax
        import jax.numpy as jnp

        def program(carry, raw, key, i):
            carry, loss = self.step(carry, raw, self._draw(key, i), i)
            return carry, i + 1, loss

        compiled, kept = jax.jit(program, donate_argnums=0), [self._start(), jnp.int32(0)]
        rows = [{k: v[i] for k, v in self.raw.items()} for i in range(self.steps)]
        key = jax.random.key(0, impl=kind or "threefry2x32")

        def call():
            losses = []
            for row in rows:
                kept[0], kept[1], loss = compiled(kept[0], row, key, kept[1])
                losses.append(loss)
            return np.asarray(jax.device_get(losses))

        return Measured(f"step {kind or ''}".strip(), call, self.steps)

    measure, names = Ours.measure, Ours.names
