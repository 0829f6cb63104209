"""Training a new learned optimizer with a learned one: the outer problem as a task like any other.

    python -m tools.experiments.outer_problem --out DIR | --publish

Question. The weights theta of a learned optimizer are parameters, and an estimate of the outer gradient is a gradient. Is an
optimizer that was trained on ordinary tasks any good at training the next one, beside Adam with the best of several rates?

Formula. The loss of the task is F(theta) = E[1/T sum_t n(l_t)] over starts and batches of an inner training of T steps, n as in
tools.experiments.tiny_problem. Its gradient is estimated by antithetic evolution strategies over whole inner trainings,

    g = 1 / (2 sigma^2 N) sum_i (F_i(theta + e_i) - F_i(theta - e_i)) e_i,     e_i ~ N(0, sigma^2 I),

both signs of a pair having the same start and batches (Salimans et al. 2017, arXiv 1703.03864); the loss of an outer step is
the mean over its 2 N trainings. Outer optimizers see (theta, g, that loss), as they would of a network.

Settings. The new optimizer is `mlp`, a network for each parameter, from its initial weights; inner task:
Tiny_mlp_mnist_bs32_start1.0 on synthetic data, T = 50, N = 8, sigma = .01, 300 outer steps, 3 outer seeds (starts, batches and
perturbations, which all outer optimizers share). Adam has 5 rates, from 10^-2.5 to 10^-0.5, and its best is chosen by the very
score that it is compared by: what favours Adam. The others have no setting; they are told the number of outer steps. Scores:
the mean of F over the last 30 outer steps, and over all; and F of the final weights on 64 trainings with validation batches.
"""

import types

import numpy as np

from taskset.random import seeds
from tools import report
from tools.experiments import page, tiny_problem
from tools.experiments.judging import SMOOTHED, first_step_at, moving_mean

NEW, INNER, PAIRS, SIGMA, OUTER, SEEDS, HELD_OUT = "mlp", 50, 8, 0.01, 300, range(3), 8
RATES = tuple(10.0 ** (np.arange(-5, 0) / 2))
LEARNED = ("anchored_wide", "anchored_pes", "anchored_controller", "mlp_pes")
LAST = 30
START = "start/"  # before the names of an inner start's parameters
PICTURE = "outer_problem.png"


class OuterTask:
    """The training of a learned optimizer as a task: what `taskset.execution.loop.Loop` asks of one.

    problem: a `Problem`; its theta, {path: array} of the optimizer's weights, are the parameters. A batch is what `pairs` inner
    trainings of `steps` steps read: {name: [steps, pairs, ..]} of the inner task's raw batches, {"start/" + path: [pairs, ..]}.
    """

    random, batch_shapes = True, {}

    def __init__(self, problem, steps, pairs, sigma):
        self.problem, self.steps, self.pairs, self.sigma = problem, steps, pairs, sigma
        self.model = types.SimpleNamespace(convolutional=False)
        self.data = problem.task.data
        self.parameter_shapes, self.num_params = problem.layout.shapes, problem.layout.size
        self._initial = problem.initializer()

    def init(self, seed):
        """The optimizer's initial weights {path: tensor}."""
        import tensorflow as tf

        return {path: tf.constant(w) for path, w in self.problem.layout.arrays(self.problem.theta(seed)).items()}

    def raw_batches(self, split, seed, start, count):
        """The batches of `count` outer steps, {name: array [count, ..]}."""
        each = self.steps * self.pairs
        raw = self.problem.task.raw_batches(split, seed, start * each, count * each)
        found = {name: x.reshape(count, self.steps, self.pairs, *x.shape[1:]) for name, x in raw.items()}
        numbers = range(start * self.pairs, (start + count) * self.pairs)
        for path, x in self._initial([seeds.stream(seed, "start", split, i) for i in numbers]).items():
            found[START + path] = x.numpy().reshape(count, self.pairs, *x.shape[1:])
        return found

    def prepare(self, raw, batch_seed, step):
        """Raw batches are prepared in the inner trainings."""
        return raw

    def value_and_gradients(self, params, batch, key):
        """(mean loss of the pairs' trainings, {path: estimate of the gradient})."""
        import tensorflow as tf

        from taskset.random import stateless

        drawn, inner = stateless.split(key, 2)
        e = self.sigma * stateless.normal(drawn, [self.pairs, self.num_params])
        theta = self._vector(params)
        losses = self._trained(tf.concat([theta + e, theta - e], 0), batch, inner)
        d = losses[: self.pairs] - losses[self.pairs :]
        gradient = tf.linalg.matvec(e, d, transpose_a=True) / (2 * self.sigma**2 * self.pairs)
        return tf.reduce_mean(losses), self.problem.layout.views(gradient)

    def loss(self, params, batch, key):
        """The mean loss of the trainings at theta itself."""
        import tensorflow as tf

        from taskset.random import stateless

        return tf.reduce_mean(self._trained(tf.stack([self._vector(params)] * self.pairs), batch, stateless.split(key, 2)[1]))

    def _vector(self, params):
        import tensorflow as tf

        return tf.concat([tf.reshape(params[path], [-1]) for path in self.parameter_shapes], 0)

    def _trained(self, thetas, batch, key):
        """Mean normalized losses [copies] of trainings with thetas [copies, P]; copy c has start and batches of pair c mod N."""
        import tensorflow as tf

        from learned.unrolling.unroll import all_at_once
        from taskset.random import stateless

        signs = thetas.shape[0] // self.pairs
        each = lambda x: tf.concat([x] * signs, 0)  # noqa: E731
        starts = {name.removeprefix(START): each(x) for name, x in batch.items() if name.startswith(START)}
        raw = {name: x for name, x in batch.items() if not name.startswith(START)}
        horizon = tf.constant(self.steps)

        def body(t, inner, total):
            now, (prepare_key, step_key) = (
                {name: each(x[t]) for name, x in raw.items()},
                stateless.split(stateless.fold(key, t), 2),
            )

            def step(one):
                batches = self.problem.batches({"train": one["raw"]}, prepare_key)
                return self.problem.step(one["theta"], one["inner"], t, batches, step_key, horizon)

            losses, inner = all_at_once(step, {"theta": thetas, "inner": inner, "raw": now})
            return t + 1, inner, total + losses

        inner = all_at_once(lambda one: self.problem.start(*one), (thetas, starts))
        state = (tf.constant(0), inner, tf.zeros([thetas.shape[0]]))
        return tf.while_loop(lambda t, *_: t < self.steps, body, state, parallel_iterations=1)[2] / self.steps


def outer_optimizers():
    """{label: rule}: Adam's rates first."""
    import learned
    from taskset.optimizers import adaptive, one_run
    from taskset.optimizers.relative_nadam import relative_nadam

    found = {f"Adam, rate {rate:.2g}": adaptive.adam(rate) for rate in RATES}
    found["schedule-free AdamW"] = one_run.schedule_free_adamw()
    found["relative NAdam"] = relative_nadam()
    return {**found, **{f"{name}, learned": learned.load(name) for name in LEARNED}}


def measure():
    """{label: (losses [seeds, outer steps], validation losses [seeds])}."""
    from taskset.execution.loop import Loop, calls

    task, found = OuterTask(tiny_problem.problem(NEW), INNER, PAIRS, SIGMA), {}
    for label, rule in outer_optimizers().items():
        loop, curves, validated = Loop(task, rule, LAST), [], []
        for seed in SEEDS:
            run, hparams = loop.start(seed), rule.hparams(OUTER)
            losses = [loop.train(run, hparams, count, raw) for count, raw in calls(loop, seed, OUTER, LAST)]
            curves.append(np.concatenate(losses).astype(np.float64))
            validated.append(loop.evaluation(seed, HELD_OUT)(loop.evaluated(run, hparams))["valid_outer"])
        found[label] = np.array(curves), np.array(validated)
        end, every = (found[label][0][:, -n:].mean() for n in (LAST, OUTER))
        print(f"{label}: end {end:.4f}, mean {every:.4f}, validation {np.mean(validated):.4f}", flush=True)
    return found


def rows(found):
    """Rows of the table."""
    adam = min((label for label in found if label.startswith("Adam")), key=lambda label: found[label][0][:, -LAST:].mean())
    goal = found[adam][0].mean(axis=0)[-LAST:].mean()
    for label, (curves, validated) in found.items():
        steps = first_step_at(curves.mean(axis=0), goal)
        cells = [page.with_interval(values) for values in (curves[:, -LAST:].mean(axis=1), curves.mean(axis=1), validated)]
        yield [f"**{label}**" if label == adam else label, *cells, f"{steps:,.0f}" if np.isfinite(steps) else "not reached"]


def draw(found, path):
    """Outer loss against outer steps."""
    with page.figure(path, size=(7.5, 4.4), dpi=100) as (_, axes):
        grays = iter(np.linspace(0.8, 0.35, len(RATES)))
        for i, (label, (curves, _)) in enumerate(found.items()):
            by_hand = label.startswith("Adam")
            color = str(next(grays)) if by_hand else f"C{i - len(RATES)}"
            each = np.array([moving_mean(curve) for curve in curves])
            at = np.arange(1, OUTER + 1)
            axes.plot(at, each.mean(axis=0), color=color, label=label, linewidth=1.2 if by_hand else 1.8)
            axes.fill_between(at, each.min(axis=0), each.max(axis=0), color=color, alpha=0.15, linewidth=0)
        axes.set(xlabel="outer steps", ylabel="outer loss (1: guessing)", title=f"training the weights of {NEW}")
        axes.legend(fontsize=8, ncols=2)


def section(found):
    """Figure and numbers in Markdown."""
    header = ["outer optimizer", "loss at the end", "mean of all steps", "validation, final weights", "steps to Adam's end"]
    return f"""![outer loss against outer steps](pictures/{PICTURE})

{report.table(header, list(rows(found)))}

Outer loss: 1 is guessing. Bold: Adam's best rate, by the loss at the end. Brackets: 95% bootstrap intervals over {len(SEEDS)}
outer seeds, too few for more than their order. Curves: means of {SMOOTHED} outer steps and {len(SEEDS)} seeds; bands: the seeds.
{OUTER} outer steps; synthetic data; {report.conditions("tensorflow", "numpy")}."""


def write(found, out):
    """The picture, and the section of the document."""
    page.write("outer-problem", PICTURE, lambda path: draw(found, path), section(found), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
