"""Short outer trainings of `anchored` that differ in one thing each, for docs/one_run.md.

    python -m tools.short_runs SUITE --out DIR [--only plain from_tiny] [--minutes 8] [--per-family losg_tasks_family=4 '*=1']

Each variant trains for the same CPU minutes in this process, compilation included, on a few training tasks of each family,
in DIR/NAME; the same call resumes. DIR/NAME/weights.npz: the weights at the end; DIR/NAME/spent.json: outer steps and CPU
seconds. `tools.one_run weights` judges them on validation tasks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from taskset.execution.runtime import start_tensorflow
from tools import one_run, side_by_side

# Settings of the first experiments with a rule that starts at NAdam: short episodes first, many tasks in an outer step.
PLAIN: dict[str, Any] = {
    "optimizer": "anchored", "estimator": "pes", "pairs": 4, "steps": 20, "sigma": 0.01, "slots": 12, "tasks_per_step": 8,
    "lengths": "linear:40:200:200", "first_lengths": "spread", "learning_rate": 0.003, "warm_up": 20, "clip": 0.1,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "from_tiny": {"learning_rate": 0.001, "lengths": "log_uniform:50:500"},  # starts from examples/anchored_tiny.npz
    "mixed": {"augment": "mixed"},
    "rms": {"differences": "rms"},
    "log_uniform": {"lengths": "log_uniform:100:2000"},
    "norm": {"clipping": "norm", "clip": 1.0},
}
STARTS = {"from_tiny": Path(__file__).parents[1] / "examples" / "anchored_tiny.npz"}
SAVE_EVERY = 10
MEMORY_MIB = 3000


class TimeIsOver(Exception):
    """Ends a training between two outer steps."""


def train(name, suite, out, minutes, say=print):
    """Train a variant until its minutes are spent, those of earlier calls included."""
    from learned import optimizers
    from learned.outer_training import phases
    from learned.outer_training.options import Options
    from learned.outer_training.session import open_trainer

    path = out / "spent.json"
    spent = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"steps": 0, "seconds": 0.0}
    if spent["seconds"] >= 60 * minutes:
        return
    begun, before = time.process_time(), spent["seconds"]
    weights = phases.read(STARTS[name], optimizers.get("anchored")) if name in STARTS else None
    options = Options(**{**PLAIN, **VARIANTS[name]}, start=phases.digest(weights) if weights else "")
    losses = []

    def report(line):
        spent.update(steps=line["step"], seconds=before + time.process_time() - begun)
        losses.append(line["loss"])
        if line["step"] % SAVE_EVERY == 0:
            finite = [loss for loss in losses[-SAVE_EVERY:] if loss is not None]
            say(f"{name}: outer step {line['step']}, {spent['seconds']:.0f} s, loss {sum(finite) / max(len(finite), 1):.3f}")
            side_by_side.write_json(spent, path)
        if spent["seconds"] >= 60 * minutes:
            raise TimeIsOver

    with open_trainer(suite, options, out, memory=MEMORY_MIB, start=weights) as trainer:
        try:
            trainer.train(10**6, SAVE_EVERY, report=report)
        except TimeIsOver:
            trainer.save()
            trainer.keep(out / "weights.npz")
            side_by_side.write_json(spent, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="Suite file.")
    parser.add_argument("--out", type=Path, required=True, help="Directory of the trainings.")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="Variants to train.")
    parser.add_argument("--minutes", type=float, default=8.0, help="CPU minutes of each variant.")
    one_run.per_family_option(parser, [("conv_*", 0), ("*", 3)])  # convolutions are slow under XLA on a CPU
    args = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401
    from taskset.scoring import suites

    suite = one_run.few(suites.load(args.suite), args.per_family)
    print(f"{len(suite.tasks)} training tasks: {', '.join(entry.task for entry in suite.tasks)}")
    for name in args.only:
        train(name, suite, args.out / name, args.minutes)


if __name__ == "__main__":
    main()
