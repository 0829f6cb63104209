"""The best hand-designed optimizer of one run: a grid of rules and schedules on the training tasks of a suite.

    python -m tools.one_run.stage0 SUITE --out DIR [--per-family 'losg_*=6' '*=1'] [--publish]

What outer training has to beat, and where it starts. The rule (`HandMade`) is NAdam, its direction as it is or divided by its
root mean square over the tensor, its step absolute or times the root mean square of the tensor's parameters; its rate is
constant, falls along a line to 0, or is level for half of the run and then falls along a cosine. All settings are copies in one
program (side_by_side.py). All of them make runs of 200 steps; the nine with the least mean normalized train loss over the curve
make runs of 2,000, and the best of these is the one that is least there. Writes DIR/best.json; --publish the section "stage0" of
docs/one_run_history.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from taskset.execution.runtime import start_tensorflow
from taskset.files import write_text
from tools import one_run, report
from tools.one_run import run_curves, task_choice

HORIZONS = (200, 2000)
RATES = {False: (0.003, 0.01, 0.03), True: (0.03, 0.1, 0.3)}  # absolute; relative to the size of the parameters
SCHEDULES = {"constant": (0.0, 1.0), "linear": (1.0, 1.0), "flat, cosine": (0.0, 0.5)}  # (linear, constant fraction)
KEPT = 9  # settings that make the longer runs
SMALLEST = 0.01  # of the root mean square that a step is relative to: biases start at 0


@dataclass(frozen=True)
class HandMade:
    """A `taskset.optimizers.base.Optimizer`.

        w <- w - rate f(t / T) s d        d: NAdam's direction n, or n / RMS(n);  s: 1, or max(RMS(w), .01);  RMS over the tensor

    n = (.9 m / (1 - .9^(t+1)) + .1 g / (1 - .9^t)) / (sqrt(v / (1 - .999^t)) + 1e-8), t = 1, 2, ..; f: `SCHEDULES`.
    """

    rate: float
    schedule: str
    normalised: bool
    scaled: bool

    rule = "hand_made"

    @property
    def name(self) -> str:
        """Such as "rate 0.01, linear, normalised, scaled"."""
        words = [f"rate {self.rate:g}", self.schedule, "normalised" * self.normalised, "scaled" * self.scaled]
        return ", ".join(word for word in words if word)

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams for a run of `horizon` steps."""
        linear, level = SCHEDULES[self.schedule]
        return {"rate": self.rate, "linear": linear, "horizon": float(horizon), "decay_steps": (1 - level) * horizon,
                "normalised": float(self.normalised), "scaled": float(self.scaled)}  # fmt: skip

    def init(self, params):
        """Averages of 0."""
        import tensorflow as tf

        return {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in ("m", "v")}

    def update(self, grads, state, params, step, hparams):
        """(params, state) after one more step."""
        import tensorflow as tf

        from taskset.optimizers.nadamw import schedule

        dtype = next(iter(params.values())).dtype
        h, k = {name: tf.cast(value, dtype) for name, value in hparams.items()}, tf.cast(step, dtype)
        t, zero = k + 1, tf.zeros([], dtype)
        cosine = schedule(k, learning_rate=h["rate"], min_learning_rate_mult=zero, horizon=h["horizon"],
                          warmup_steps=zero, decay_steps=h["decay_steps"])  # fmt: skip
        rate = tf.where(h["linear"] > 0.5, h["rate"] * (1 - tf.minimum(k / h["horizon"], 1.0)), cosine)
        new, moved = {"m": {}, "v": {}}, {}
        for path, w in params.items():
            g = grads[path]
            m = new["m"][path] = 0.9 * state["m"][path] + 0.1 * g
            v = new["v"][path] = 0.999 * state["v"][path] + 0.001 * tf.square(g)
            n = 0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
            n = n / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8)
            norm = tf.where(h["normalised"] > 0.5, tf.math.rsqrt(tf.reduce_mean(tf.square(n)) + 1e-18), 1.0)
            size = tf.sqrt(tf.maximum(tf.reduce_mean(tf.square(w)), SMALLEST**2))
            moved[path] = w - rate * norm * tf.where(h["scaled"] > 0.5, size, 1.0) * n
        return moved, new


def grid() -> list[HandMade]:
    """All settings: 36."""
    found = itertools.product((False, True), (False, True), SCHEDULES)
    return [HandMade(rate, form, norm, scaled) for scaled, norm, form in found for rate in RATES[scaled]]


def ordered(means):
    """The names of settings by their mean over tasks, best first; means: index task, columns names."""
    return [str(name) for name in means.mean().sort_values(kind="stable").index]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="Suite file.")
    parser.add_argument("--out", type=Path, required=True, help="Directory of the curves.")
    task_choice.per_family_option(parser, [("*", 4)])
    report.publish_option(parser, "the section of docs/one_run_history.md")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    from tools.one_run import side_by_side

    suite = task_choice.few_of_file(arguments.suite, arguments.per_family)
    tasks = [entry.task for entry in suite.tasks]
    settings = {one.name: one for one in grid()}
    short = side_by_side.run(suite, tasks, settings.values(), HORIZONS[:1], arguments.out / "short", seeds=(0,))
    means = {HORIZONS[0]: run_curves.scored(short, suite, "mean")[0].loc["train", HORIZONS[0]]}
    left = [settings[name] for name in ordered(means[HORIZONS[0]])[:KEPT]]
    long = side_by_side.run(suite, tasks, left, HORIZONS[1:], arguments.out / "long", seeds=(0,))
    found, diverged, _ = run_curves.scored(long, suite, "mean")
    means[HORIZONS[1]], diverged = found.loc["train", HORIZONS[1]], diverged.loc["train", HORIZONS[1]]
    best = ordered(means[HORIZONS[1]])
    write_text(json.dumps({"name": best[0], **asdict(settings[best[0]])}, indent=1) + "\n", arguments.out / "best.json")
    header = ["rule", "rate", "schedule", *(f"{h:,} steps" for h in HORIZONS), "diverged, of the runs of 2,000 steps"]
    rows = []
    for name in [*best, *(name for name in ordered(means[HORIZONS[0]]) if name not in best)]:
        one = settings[name]
        words = ["normalised" if one.normalised else "NAdam", "scaled" if one.scaled else ""]
        values = [f"{means[h][name].mean():.3f}" if name in means[h] else "" for h in HORIZONS]
        lost = int(diverged[name].sum()) if name in diverged else ""
        rows.append([", ".join(filter(None, words)), f"{one.rate:g}", one.schedule, *values, lost])
    seconds = sum(sum(json.loads(path.read_text()).values()) for path in arguments.out.glob("*/*_*.json"))
    text = (
        f"Mean normalized train loss over the curve, {len(tasks)} training tasks of "
        f"{len({suite.entry(task).family for task in tasks})} families, one seed; "
        f"{seconds / 60:.0f} core-minutes:\n\n"
        f"{report.table(header, rows)}\n\n{report.conditions('tensorflow', 'numpy')}."
    )
    report.show(arguments, "stage0", text, one_run.HISTORY)


if __name__ == "__main__":
    main()
