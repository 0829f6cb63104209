"""Short outer trainings that differ in one thing each, judged on validation tasks, for docs/one_run_history.md.

    python -m tools.weights.short_runs train --out DIR [--only base rms ..] [--minutes 6]
    python -m tools.weights.short_runs judge --out DIR [--tasks tiny package]
    python -m tools.weights.short_runs table --out DIR [--section short_runs] [--publish]

`train`: each variant trains for the same CPU minutes in this process, on the cheapest training tasks of `tiny:1`, MLPs and
autoencoders with batches of 32, and quadratics; programs are compiled before these minutes. The same call resumes.
DIR/NAME/weights.npz: the weights at the end; weights_1.5.npz, weights_3.npz: after so many minutes.
`--suite` trains on another suite.

`judge` runs all of these weights for 200 and 2,000 steps on the validation tasks of `tiny:1`, and those at the end on the tasks
of heldout-valid:1 that take at most .3 ms a step, at most two of a family, with one seed. `table` is a section
of the document: weights beside the hand-designed rule that they start from, and a paired difference to `base`. It has what
was judged in DIR: of variants that were trained later, with a `base` of their own, another section.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from taskset.errors import counted
from taskset.execution.runtime import start_tensorflow
from tools import one_run, report
from tools.experiments.training import train_for
from tools.one_run import run_curves, task_choice

# Step sizes are trained, from a hand-designed rule: relative to the parameters' size, falling along a line, as `relative_muon`.
BASE: dict[str, Any] = {
    "optimizer": "anchored_muon", "estimator": "es_single", "pairs": 8, "steps": 50, "sigma": 0.01, "slots": 16,
    "tasks_per_step": 4, "lengths": "log_uniform:100:2000", "first_lengths": "spread", "learning_rate": 0.001, "warm_up": 50,
    "clipping": "norm", "clip": 1.0, "cost_power": 0.5, "trained": ["controller/*", "power", "length"],
}  # fmt: skip
RULE: dict[str, Any] = {"rate": 0.03, "level": "linear", "scaled": True, "length": -0.5}
NADAM: dict[str, Any] = {"optimizer": "anchored"}
ABSOLUTE, WIDE, NARROW = "anchored_muon_absolute", "anchored_muon_32", "anchored_muon_8"
HIDDEN = {WIDE: 32, NARROW: 8}  # units of the controller; those of `anchored_muon`: 16
SAVE_EVERY, MEMORY_MIB = 25, 3000
KEEP_AT = (1.5, 3.0)  # minutes
MOST_MILLISECONDS, PER_FAMILY = 0.3, 2  # of the judged tasks of the package
CHEAP = ("Tiny_mlp_*_bs32_*", "Tiny_autoencoder_*_bs32_*", "Tiny_quadratic*")
TINY_CONV = "tiny_conv"
TITLES = {
    "tiny": "The {} validation tasks of `tiny:1` that have no convolutions:",
    "package": "{} validation tasks of `heldout-valid:1`, at most two of a family:",
}


@dataclass(frozen=True)
class Variant:
    """What differs from BASE, in words and as options of `learned.Options`.

    after: the variant at whose half it goes on; rule: what differs from RULE, by which it starts.
    """

    says: str
    options: dict[str, Any] = field(default_factory=dict)
    after: str = ""
    rule: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "base": Variant("step sizes of Muon's direction, es_single, 8 pairs"),
    "again": Variant("the same with another outer seed", {"seed": 1}),
    "nadam": Variant("NAdam's direction", NADAM),
    "one_phase": Variant("NAdam's direction, and a network that changes it", NADAM | {"trained": ["*"]}),
    "two_phases": Variant("the same in the second half of the time only", NADAM | {"trained": ["*"]}, "nadam"),
    "normalized": Variant("NAdam's direction over its RMS in the tensor", NADAM, rule={"normalised": True}),
    "plain": Variant("`mlp`, which no rule anchors", {"optimizer": "mlp", "trained": ["*"]}),
    "absolute": Variant("time in steps, the planned number unknown", {"optimizer": ABSOLUTE}),
    "narrow": Variant("8 hidden units, not 16", {"optimizer": NARROW}),
    "wide": Variant("32 hidden units, not 16", {"optimizer": WIDE}),
    "pes": Variant("pes", {"estimator": "pes"}),
    "rms": Variant("differences over their RMS", {"differences": "rms"}),
    "sign": Variant("signs of the differences", {"differences": "sign"}),
    "mixed": Variant("rescaled parameters, mixed", {"augment": "mixed"}),
    "entries": Variant("every entry clipped at .1", {"clipping": "entries", "clip": 0.1}),
    "pairs_4": Variant("4 pairs", {"pairs": 4}),
    "pairs_16": Variant("16 pairs", {"pairs": 16}),
    "faster": Variant("learning rate .003", {"learning_rate": 0.003}),
    "late": Variant("late restarts, share .8", {"late_restarts": 0.8}),
    "controller": Variant("from `anchored_controller`, NAdam's direction, pes", NADAM | {"estimator": "pes"}),
}


def register():
    """Register the three rules that differ from `anchored_muon`."""
    from learned import register_optimizer
    from learned.optimizers import network, tensorwise
    from learned.optimizers.anchored_muon import anchored_muon

    usual = anchored_muon()

    def absolute():
        def update(theta, grads, state, params, step, loss, validation_loss, horizon):
            return usual.update(theta, grads, state, params, step, loss, validation_loss, 0 * horizon + tensorwise.USUAL_STEPS)

        return dataclasses.replace(usual, name=ABSOLUTE, update=update, alone=None)

    def of_width(name):
        last = {path: ((HIDDEN[name], *shape[1:]), draw) for path, (shape, draw) in usual.weights.items() if path.endswith("1/w")}
        first = network.linear_weights("controller/linear_0", tensorwise.READ + 1, HIDDEN[name])
        return lambda: dataclasses.replace(usual, name=name, weights=usual.weights | first | last)

    for name, made in ((ABSOLUTE, absolute), (WIDE, of_width(WIDE)), (NARROW, of_width(NARROW))):
        register_optimizer(name)(made)


def merged(theta, count):
    """theta with the first `count` units of the controller's hidden layer, the last of them the sum of that and the next.

    For units that are linear where they are used and change the outputs in the same sense, as those of the last two fractions
    of a run do in a schedule that falls to its end: the sum of both is what the one unit gives.
    """
    first, bias, last = (theta[f"controller/{path}"] for path in ("linear_0/w", "linear_0/b", "linear_1/w"))
    outputs = last[count - 1 : count + 1, 0]
    shares = outputs / outputs.sum()
    found = {"linear_0/w": first[:, :count].copy(), "linear_0/b": bias[:count].copy(), "linear_1/w": last[:count].copy()}
    found["linear_0/w"][:, -1] = first[:, count - 1 : count + 1] @ shares
    found["linear_0/b"][-1] = bias[count - 1 : count + 1] @ shares
    found["linear_1/w"][-1, 0] = outputs.sum()
    return theta | {f"controller/{path}": w for path, w in found.items()}


def by_hand(optimizer, differs=None):
    """Weights with which a rule is the hand-designed one; None for a rule that has no such weights.

    differs: what differs from RULE.
    """
    from learned import optimizers
    from learned.optimizers import anchored_starts
    from tools.weights.anchored_muon_start import taken_over

    if optimizer == "mlp":
        return None
    made = anchored_starts.scheduled(**{**RULE, **(differs or {})})
    if optimizer == "anchored":
        return made
    found, rule = taken_over(made), optimizers.get(optimizer)
    if optimizer == WIDE:  # the units that are new have the weights that they are drawn with, and no effect at first
        whole = {path: np.array(w) for path, w in rule.init_theta(0).items()}
        for path, w in found.items():
            whole[path][tuple(slice(n) for n in w.shape)] = w
        return whole
    return merged(found, HIDDEN[NARROW]) if optimizer == NARROW else found


def start_of(name, out):
    """The weights that a variant starts from; None: those that are drawn."""
    from learned import optimizers
    from learned.deploy import pretrained
    from learned.outer_training import start_weights

    variant = VARIANTS[name]
    optimizer = {**BASE, **variant.options}["optimizer"]
    if name == "controller":
        return start_weights.read(pretrained.find("anchored_controller"), optimizers.get(optimizer))
    if variant.after:
        return start_weights.read(out / variant.after / f"weights_{KEEP_AT[-1]:g}.npz", optimizers.get(optimizer))
    return by_hand(optimizer, variant.rule)


def compile_beforehand(suite, options, weights):
    """Make one estimate with each program, which leaves all of them in the cache on disk."""
    from learned.outer_training.task_pool import TaskPool
    from learned.unrolling.sharing import program_of
    from taskset.catalogue import get_task

    pool = TaskPool(suite, options, memory=MEMORY_MIB, start=weights)
    of_program = {program_of(get_task(one.task, suite.source)) or one.task: one.task for one in suite.tasks}
    for task in of_program.values():
        estimator = pool.estimator(task)
        layout = estimator.problem.layout
        given = estimator.problem.theta(0) if weights is None else layout.vector({path: weights[path] for path in layout.shapes})
        estimator.estimate(given.astype(np.float32), estimator.init(0), lambda rng, n: np.full(n, options.steps))


def train(name, suite, out, minutes):
    """Train a variant until its minutes are spent, those of earlier calls included."""
    from learned.outer_training import checkpoint
    from learned.outer_training.options import Options

    variant, weights = VARIANTS[name], start_of(name, out)
    options = Options(**{**BASE, **variant.options}, start=checkpoint.digest(weights) if weights else "")
    minutes, keep_at = (minutes - KEEP_AT[-1], ()) if variant.after else (minutes, KEEP_AT)
    if not (out / name).exists():
        compile_beforehand(suite, options, weights)
    train_for(minutes, suite, options, out / name, SAVE_EVERY, keep_at, memory=MEMORY_MIB, start=weights)


def training_suite():
    """The cheapest training tasks of `tiny:1`."""
    from taskset.scoring.suites import by_name

    whole = by_name.get_suite("tiny:1")
    cheap = [one for one in whole.of_split("train") if any(fnmatch.fnmatchcase(one.task, glob) for glob in CHEAP)]
    return dataclasses.replace(whole, tasks=tuple(cheap))


def judged_suites():
    """{name: suite} of validation tasks."""
    from taskset.execution import costs
    from taskset.scoring.suites import by_name

    tiny, package = by_name.get_suite("tiny:1"), by_name.get_suite("heldout-valid:1")
    of_family: dict[str, list] = {}
    for entry in package.of_split("valid"):
        known = costs.milliseconds(entry.task)
        if known and known[0] <= MOST_MILLISECONDS:
            of_family.setdefault(entry.family, []).append(entry)
    few = tuple(entry for entries in of_family.values() for entry in entries[:PER_FAMILY])
    small = tuple(entry for entry in tiny.of_split("valid") if entry.family != TINY_CONV)
    return {"tiny": dataclasses.replace(tiny, tasks=small), "package": dataclasses.replace(package, tasks=few)}


def judged_weights(out, kept):
    """{optimizer: {label: weights}} of what was trained; kept: with those on the way, as "NAME, 2 minutes"."""
    from learned.outer_training import checkpoint

    found: dict[str, dict[str, Any]] = {"anchored_muon": {"by hand": by_hand("anchored_muon")}}
    for name in VARIANTS:
        for path in sorted((out / name).glob("weights*.npz") if kept else (out / name).glob("weights.npz")):
            loaded = checkpoint.load(path)
            minutes = path.stem.partition("_")[2]
            found.setdefault(loaded.optimizer, {})[f"{name}, {minutes} minutes" if minutes else name] = loaded.theta
    return found


def places(folder, optimizer, weights):
    """[(directory, {label: weights})] of a rule: what was judged before has its own, what was trained since has one more."""
    left, found = dict(weights), []
    while left:
        place = folder / (f"{optimizer}-{len(found) + 1}" if found else optimizer)
        plan = place / "plan.json"
        labels = list(left)
        if plan.exists():
            runs = json.loads(plan.read_text(encoding="utf-8"))["optimizers"]
            labels = list(dict.fromkeys(run.rpartition("@")[0] for run in runs))
        found.append((place, {label: left.pop(label) for label in labels if label in left}))
    return found


def judge(out, which):
    """Runs of all weights, for each suite and each rule, resumable."""
    from learned import optimizers
    from tools.one_run import side_by_side

    for name, suite in judged_suites().items():
        if name in which:
            tasks = task_choice.in_turn(suite.tasks)
            for optimizer, weights in judged_weights(out, kept=name == "tiny").items():
                for place, part in places(out / "judged" / name, optimizer, weights):
                    sets = side_by_side.table(optimizers.get(optimizer), part)
                    side_by_side.run(suite, tasks, sets, one_run.HORIZONS, place, seeds=[0])


def rows(curves: Any, suite: Any, says: Callable[[str], str]) -> list[list[Any]]:
    """Rows (label, what differs, mean and interquartile mean at each horizon, difference to base at each with its interval)."""
    from taskset.scoring import statistics

    means = run_curves.scored(curves, suite, "mean")[0].xs("train", level="split")
    found = []
    for label in means.columns:
        values, differences = [], []
        for horizon in one_run.HORIZONS:
            part = means.xs(horizon, level="horizon")
            own, base = part[label].to_numpy(), part["base"].to_numpy()
            values += [f"{statistics.STATISTICS[kind](own):.3f}" for kind in ("mean", "IQM")]
            differences.append("" if label == "base" else statistics.estimate(own - base).text("+.3f"))
        found.append([label, says(label), *values, *differences])
    return found


def table_of(curves, suite, says):
    """`rows` as Markdown."""
    header = [
        "weights",
        "what differs",
        "200: mean",
        "IQM",
        "2,000: mean",
        "IQM",
        "200: mean less base's",
        "2,000: mean less base's",
    ]
    return report.table(header, rows(curves, suite, says))


def show(arguments):
    """Print the section, and write it with --publish. arguments: of the command `table`."""
    from learned.outer_training import checkpoint

    out = arguments.out

    def says(label):
        name, _, minutes = label.removesuffix(" minutes").partition(", ")
        if name not in VARIANTS:
            return "nothing trained"
        weights = checkpoint.load(out / name / (f"weights_{minutes}.npz" if minutes else "weights.npz"))
        return f"{VARIANTS[name].says}; {weights.step:,} outer steps"

    parts = []
    for name, suite in judged_suites().items():
        folder = out / "judged" / name
        if not folder.exists():  # judged with --tasks of the other alone
            continue
        curves = run_curves.read(sorted(folder.glob("*")) or [folder])
        parts += [TITLES[name].format(curves["task"].nunique()), table_of(curves, suite, says)]
    text = "\n\n".join(parts) + f"\n\n{report.conditions('tensorflow', 'numpy')}."
    report.show(arguments, arguments.section, text, one_run.document_of(arguments.section))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train")
    command.add_argument("--suite", help="Suite file, for its training tasks; default: those of tiny:1.")
    command.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="Variants to train.")
    command.add_argument("--minutes", type=float, default=6.0, help="CPU minutes of each variant.")
    task_choice.per_family_option(command, [("conv_*", 0), ("*", 3)])  # of --suite; convolutions are slow under XLA on a CPU
    commands.add_parser("judge").add_argument("--tasks", nargs="+", choices=("tiny", "package"), default=("tiny", "package"))
    command = commands.add_parser("table")
    command.add_argument("--section", default="short_runs", help="The section of the document that has it.")
    report.publish_option(command, "the section of its document")
    for command in commands.choices.values():
        command.add_argument("--out", type=Path, required=True, help="Directory of the trainings.")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401

    register()
    if arguments.command == "judge":
        judge(arguments.out, arguments.tasks)
        return
    if arguments.command == "table":
        show(arguments)
        return
    suite = task_choice.few_of_file(arguments.suite, arguments.per_family) if arguments.suite else training_suite()
    print(f"{counted(len(suite.tasks), 'training task')}")
    for name in arguments.only:
        train(name, suite, arguments.out, arguments.minutes)


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
