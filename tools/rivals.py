"""The table of rivals, docs/rivals.md: `python -m tools.rivals --out DIR` runs what is missing; --publish writes what is there.

Every optimizer runs on `rivals:1` as `python -m taskset score` runs it: with the settings of its authors (one trial), and with
ten: these settings, and nine more whose rates are drawn. DIR/NAME-TRIALS is the directory of each score. An interrupted run is
resumed by the same command; task follows task, the cheapest first, so that all optimizers get equally far.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import report
from taskset.errors import TasksetError
from taskset.normalization import store
from taskset.random import seeds
from taskset.samplers.optimizers import get_optimizer_config
from taskset.scoring import (
    candidates,
    one_optimizer,
    profile,
    row_json,
    shipped_rivals,
    standing,
    standing_table,
    step_cost,
    tiers,
    trial_runs,
)

SUITE = "rivals:1"
TRIALS = (1, 10)
DECADES = 1  # a rate is drawn log-uniformly from this far below its authors' value to this far above
TIERS = Path(tiers.__file__).parent


@dataclass(frozen=True)
class Rival:
    """An optimizer of the table. name: for `taskset.score`; title: of its rows; rates: those that are drawn for more trials."""

    name: str
    title: str
    rates: tuple[str, ...] = ()

    def candidate(self, trials):
        """Its `Candidate`: the authors' settings, then `trials` - 1 drawn ones."""
        if not self.rates:
            return candidates.candidate(self.name, name=self.name)
        config = get_optimizer_config(self.name)[0]
        return candidates.candidate(self.name, [{}, *(self._draw(config, i) for i in range(1, trials))], name=self.name)

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


def place(root, rival, trials):
    """The directory of a score."""
    return root / f"{rival.name}-{trials}"


def jobs(suite):
    """(rival, trials, task) of the whole table, in the order in which they run: the pretrained optimizer after the others."""
    tasks = sorted((entry.task for entry in suite.tasks), key=lambda task: suite.rule["costs"][task])
    tuned, learned = ([r for r in RIVALS if bool(r.rates) is has] for has in (True, False))
    for rivals, trials in ((tuned, 1), (learned, 1), (tuned, 10)):
        for task in tasks:
            yield from ((rival, trials, task) for rival in rivals)


def done(root, rival, trials, suite):
    """The tasks that have curves."""
    paths = {e.task: store.curve_path(place(root, rival, trials), "*", e.family, e.task) for e in suite.tasks}
    return {task for task, path in paths.items() if any(root.glob(str(path.relative_to(root))))}


def run(root, hours):
    """Run what is missing, one task after the other, for at most so many hours."""
    from taskset.execution.runtime import start_tensorflow

    start_tensorflow(threads=1)
    suite, end = tiers.load(SUITE), time.monotonic() + 3600 * hours
    for rival, trials, task in jobs(suite):
        if time.monotonic() > end:
            return
        candidate = rival.candidate(trials)
        options = one_optimizer.options_of(candidate, suite.source, suite.horizon)
        if trial_runs.plan(candidate, [task], options, place(root, rival, trials)):
            began = time.process_time()
            trial_runs.run_task(task, candidate, options, place(root, rival, trials))
            print(f"{rival.title}, {trials} trials, {task}: {time.process_time() - began:.0f} core-seconds", flush=True)


def costs(root):
    """Measure a step of each rival beside Adam's, where that is missing."""
    suite = tiers.load(SUITE)
    for rival in RIVALS:
        candidate = rival.candidate(1)
        options = one_optimizer.options_of(candidate, suite.source, suite.horizon)
        step_cost.of_candidate(candidate, suite, [e.task for e in suite.tasks], options, place(root, rival, 1), None)


def table(root, trials, suite):
    """(`Standing` of all rivals with so many trials, on the tasks that each has finished; {rival: tasks finished}).

    Those that have finished less than half as many tasks as the first are left out, so that they don't hold up the others.
    """
    there = {rival: done(root, rival, trials, suite) for rival in RIVALS if trials == 1 or rival.rates}
    there = {rival: tasks for rival, tasks in there.items() if tasks}
    most = max(map(len, there.values()), default=0)
    shown = {rival: tasks for rival, tasks in there.items() if 2 * len(tasks) >= most}
    if not shown:
        return None, there
    tasks = [e.task for e in suite.tasks if all(e.task in each for each in shown.values())]
    rows, found = [], None
    for rival in shown:
        candidate, where = rival.candidate(trials), place(root, rival, trials)
        cost = step_cost.kept(place(root, rival, 1))
        found = standing.standing(candidate, suite, tasks, suite.horizon, where, cost=cost)
        own = [row for row in found.rows if row.own and row.trials == trials]
        rows += [replace(row, title=rival.title, own=False) for row in own]
    baselines = [row for row in found.rows if not row.own]
    return replace(found, rows=[*baselines, *rows]), there


def text(parts, root):
    """docs/rivals.md."""
    suite = tiers.load(SUITE)
    seconds = {}
    for path in sorted(root.glob("*-*/curves/**/*.parquet")):
        found = store.read_metadata(path)
        key = path.relative_to(root).parts[0]
        seconds[key] = seconds.get(key, 0.0) + json.loads(found["core_seconds"])["total"]
    sections = []
    for trials, (found, there) in parts.items():
        ran = ", ".join(f"{rival.title} {len(tasks)}" for rival, tasks in there.items()) or "none yet"
        title = "One trial: the settings of the authors" if trials == 1 else f"{trials} trials"
        body = (
            ""
            if found is None
            else (
                f"\n\n{standing_table.table(found)}\n\n![performance profile](pictures/rivals_{trials}.png)\n\n"
                + "\n".join(found.notes)
            )
        )
        sections.append(f"## {title}\n\nTasks finished, of {len(suite.tasks)}: {ran}.{body}")
    total = sum(seconds.values())
    each = ", ".join(f"{key} {value:.0f}" for key, value in seconds.items())
    first = next(found for found, _ in parts.values() if found is not None)
    whole = "\n\n".join(sections)
    return f"""# Rivals

What optimizers that are used without tuning, or with ten trials, reach on `{SUITE}`: {len(suite.tasks)} tasks of
{len({e.family for e in suite.tasks})} families, a tenth of `1h:1`, on synthetic data. {standing_table.heading(first)}

Adam and the learned list are those of the baselines; Adam, tuned, has 17 learning rates to choose from. Each table is of the
tasks that all of its optimizers have finished. With ten trials the first has the authors' settings, and in the others each rate
is drawn log-uniformly between a tenth of the authors' value and ten times it; for each task the best by train loss (train) or
validation loss (test) counts. `mlp_pes` was trained on tasks of the split train of the package's families, of which
{sum(e.split == "train" for e in suite.tasks)} are among these. SOAP has bases for axes of up to 256, where its authors have them
for up to 10,000.

{whole}

## What it took

{suite.horizon} steps, 2 seeds, 5 batches of each split in an evaluation. {total / 60:.0f} core-minutes so far, compiling
included, on a machine that others used, too. In core-seconds, by optimizer and trials: {each}.

Made by `python -m tools.rivals --out DIR --publish`, which resumes what is missing.
{report.conditions("taskset", "tensorflow", "numpy")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Directory of the results.")
    parser.add_argument("--hours", type=float, default=1e9, help="Start no further task after so many hours; 0 runs nothing.")
    parser.add_argument("--costs", action="store_true", help="Measure the cost of a step of each rival beside Adam's.")
    parser.add_argument("--publish", action="store_true", help="Write docs/rivals.md, its pictures and the rows that ship.")
    given = parser.parse_args()
    try:
        run(given.out, given.hours)
        if given.costs:
            costs(given.out)
        suite = tiers.load(SUITE)
        parts = {trials: table(given.out, trials, suite) for trials in TRIALS}
    except TasksetError as error:
        sys.exit(f"error: {error}")
    for found, _ in parts.values():
        for line in standing_table.terminal(found) if found else []:
            print(line)
    if given.publish:
        shipped = []
        for trials, (found, _) in parts.items():
            if found is None:
                continue
            profile.draw(found, given.out, f"rivals_{trials}")
            picture = (given.out / f"rivals_{trials}.png").read_bytes()
            (report.DOCS / "pictures" / f"rivals_{trials}.png").write_bytes(picture)
            if len(found.tasks) == len(suite.tasks):
                titles = {rival.title for rival in RIVALS}
                shipped += [row_json.written(row, found.tuned) for row in found.rows if row.title in titles]
        (report.DOCS / "rivals.md").write_text(text(parts, given.out), encoding="utf-8")
        if shipped:
            values = {"suite": SUITE, "horizon": suite.horizon, "view": "end", "rows": shipped}
            (TIERS / shipped_rivals.FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
