"""Short outer trainings of `anchored` that differ in one thing each, for docs/one_run_history.md.

    python -m tools.short_runs SUITE --out DIR [--only base rms ..] [--minutes 12] [--per-family losg_tasks_family=20 '*=1']

Each variant trains for the same CPU minutes in this process, compilation included, on training tasks of the suite, in DIR/NAME;
the same call resumes. DIR/NAME/weights.npz: the weights at the end; DIR/NAME/spent.json: outer steps and CPU seconds.
`tools.one_run weights` judges them on validation tasks.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from taskset.execution.runtime import start_tensorflow
from tools import one_run
from tools.experiments.training import train_for

# Step sizes alone are trained, from a hand-made rule: NAdam, its steps relative to the parameters' size, falling along a line.
BASE: dict[str, Any] = {
    "optimizer": "anchored", "estimator": "pes", "pairs": 8, "steps": 50, "sigma": 0.01, "slots": 16, "tasks_per_step": 4,
    "lengths": "log_uniform:100:2000", "first_lengths": "spread", "learning_rate": 0.001, "warm_up": 50, "clipping": "norm",
    "clip": 1.0, "cost_power": 0.5, "trained": ["controller/*", "power", "length"],
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "controller": {},  # from the pretrained `anchored_controller`
    "nadam": {},  # from NAdam at rate .01, as `anchored` starts by itself
    "all_weights": {"trained": ["*"]},
    "mixed": {"augment": "mixed"},
    "rms": {"differences": "rms"},
    "sign": {"differences": "sign"},
    "entries": {"clipping": "entries", "clip": 0.1},
    "faster": {"learning_rate": 0.003},
    "pairs_16": {"pairs": 16},
    "late": {"late_restarts": 0.8},
}
RULE: dict[str, Any] = {"rate": 0.03, "level": "linear", "scaled": True, "length": -0.5}  # nearly `relative_nadam`
SAVE_EVERY = 25
MEMORY_MIB = 3000


def start(name):
    """The weights that a variant starts from; None: those of `anchored` by itself."""
    from learned import optimizers
    from learned.deploy import pretrained
    from learned.optimizers import anchored_starts
    from learned.outer_training import phases

    if name == "nadam":
        return None
    if name == "controller":
        return phases.read(pretrained.find("anchored_controller"), optimizers.get("anchored"))
    return anchored_starts.scheduled(**RULE)


def train(name, suite, out, minutes):
    """Train a variant until its minutes are spent, those of earlier calls included."""
    from learned.outer_training import phases
    from learned.outer_training.options import Options

    weights = start(name)
    options = Options(**{**BASE, **VARIANTS[name]}, start=phases.digest(weights) if weights else "")
    train_for(minutes, suite, options, out, SAVE_EVERY, memory=MEMORY_MIB, start=weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="Suite file.")
    parser.add_argument("--out", type=Path, required=True, help="Directory of the trainings.")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="Variants to train.")
    parser.add_argument("--minutes", type=float, default=12.0, help="CPU minutes of each variant.")
    one_run.per_family_option(parser, [("conv_*", 0), ("*", 3)])  # convolutions are slow under XLA on a CPU
    args = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401
    from taskset.scoring import suites

    suite = one_run.few(suites.load(args.suite), args.per_family)
    print(f"{len(suite.tasks)} training tasks")
    for name in args.only:
        train(name, suite, args.out / name, args.minutes)


if __name__ == "__main__":
    main()
