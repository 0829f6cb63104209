"""The table of rivals, docs/rivals.md: `python -m tools.rivals --out DIR` runs what is missing, --publish writes what is there.

Every optimizer runs on `rivals:1` as `python -m taskset score` would run it: with the settings of its authors (one trial), and
with ten: these settings, and nine more whose rates are drawn. DIR/NAME-TRIALS is the directory of each score; a run that was
interrupted is resumed by the same command.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import report
from taskset.errors import TasksetError
from taskset.execution.runtime import start_tensorflow
from taskset.random import seeds
from taskset.samplers.optimizers import get_optimizer_config
from taskset.scoring import one_optimizer

SUITE = "rivals:1"
TRIALS = (1, 10)
DECADES = 1  # a rate is drawn log-uniformly from this far below its authors' value to this far above


@dataclass(frozen=True)
class Rival:
    """An optimizer of the table. name: for `taskset.score`; title: of its rows; rates: those that are drawn for more trials."""

    name: str
    title: str
    rates: tuple[str, ...] = ()

    def trials(self, count):
        """Hyperparameters of `count` trials, the authors' first."""
        config = get_optimizer_config(self.name)[0] if self.rates else {}
        drawn = [self._draw(config, trial) for trial in range(1, count)]
        return [{}, *drawn]

    def _draw(self, config, trial):
        decades = seeds.generator(0, "rivals", self.name, trial).uniform(-DECADES, DECADES, size=len(self.rates))
        return {rate: float(config[rate] * 10.0**shift) for rate, shift in zip(self.rates, decades)}


# The cheapest first.
RIVALS = (
    Rival("lion", "Lion", ("learning_rate",)),
    Rival("schedule_free_adamw", "schedule-free AdamW", ("learning_rate",)),
    Rival("prodigy", "Prodigy", ("learning_rate",)),
    Rival("muon", "Muon", ("learning_rate", "adam_learning_rate")),
    Rival("soap", "SOAP", ("learning_rate",)),
    Rival("mlp_pes", "pretrained mlp_pes"),
)


def missing(root):
    """[(rival, trials)] that have no complete results in `root`, those with fewer trials first."""
    wanted = [(one, trials) for trials in TRIALS for one in RIVALS if trials == 1 or one.rates]
    return [(one, trials) for one, trials in wanted if not (place(root, one, trials) / "scores.json").exists()]


def place(root, rival, trials):
    """The directory of a score."""
    return root / f"{rival.name}-{trials}"


def run(root):
    """Run what is missing, one after the other."""
    start_tensorflow(threads=1)
    for one, trials in missing(root):
        began, wall = time.process_time(), time.time()
        one_optimizer.score(one.name, SUITE, place(root, one, trials), one.trials(trials) if one.rates else None, name=one.name)
        print(
            f"{one.title}, {trials} trials: {time.process_time() - began:.0f} core-seconds, {time.time() - wall:.0f} s",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Directory of the results.")
    given = parser.parse_args()
    try:
        run(given.out)
    except TasksetError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
