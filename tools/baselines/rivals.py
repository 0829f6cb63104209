"""The table of rivals, docs/rivals.md.

    python -m tools.baselines.rivals --out DIR [--publish]       runs what is missing; --publish writes what is there

Every optimizer runs on `rivals:1` as `python -m taskset score` runs it: with the settings of its authors (one trial), and with
ten: these settings, and nine more whose rates are drawn. DIR/NAME-TRIALS is the directory of each score. An interrupted run is
resumed by the same command; task follows task, the cheapest first, so that all optimizers get equally far. Several processes
may share DIR if each has its own rivals (--only). --redraw draws the pictures from the rows that ship, and runs nothing.
"""

import argparse
import json
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path

from taskset.errors import counted
from taskset.execution.runtime import start_tensorflow
from taskset.normalization import store
from taskset.random import seeds
from taskset.samplers.optimizers import get_optimizer_config
from taskset.scoring import (
    candidates,
    row_json,
    score,
    shipped_rivals,
    standing,
    standing_table,
    step_cost,
    trial_runs,
)
from taskset.scoring.suites import tiers
from taskset.scoring.suites.tiers import tenth
from tools import report
from tools.baselines import rivals_dots

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
    Rival("relative_nadam", "relative NAdam"),
    Rival("anchored_pes", "pretrained anchored_pes"),
)


def place(root, rival, trials):
    """The directory of a score."""
    return root / f"{rival.name}-{trials}"


def jobs(suite, names):
    """(rival, trials, task) of the rivals called `names`, in the order in which they run: one trial of all comes first."""
    tasks = sorted((entry.task for entry in suite.tasks), key=lambda task: suite.rule["costs"][task])
    tuned, learned = ([r for r in RIVALS if bool(r.rates) is has and r.name in names] for has in (True, False))
    for rivals, trials in ((tuned, 1), (learned, 1), (tuned, 10)):
        for task in tasks:
            yield from ((rival, trials, task) for rival in rivals)


def done(root, rival, trials, suite):
    """The tasks that have curves."""
    paths = {e.task: store.curve_path(place(root, rival, trials), "*", e.family, e.task) for e in suite.tasks}
    return {task for task, path in paths.items() if any(root.glob(str(path.relative_to(root))))}


def run(root, hours, names):
    """Run what the rivals called `names` miss, one task after the other, for at most so many hours."""
    start_tensorflow(threads=1)
    suite, end = tiers.load(SUITE), time.monotonic() + 3600 * hours
    for rival, trials, task in jobs(suite, names):
        if time.monotonic() > end:
            return
        candidate = rival.candidate(trials)
        options = score.options_of(candidate, suite.source, suite.horizon)
        if trial_runs.plan(candidate, [task], options, place(root, rival, trials)):
            began = time.process_time()
            trial_runs.run(candidate, [task], options, place(root, rival, trials))
            print(
                f"{rival.title}, {counted(trials, 'trial')}, {task}: {time.process_time() - began:.0f} core-seconds", flush=True
            )


def costs(root):
    """Measure a step of each rival beside Adam's, where that is missing."""
    suite = tiers.load(SUITE)
    for rival in RIVALS:
        candidate = rival.candidate(1)
        options = score.options_of(candidate, suite.source, suite.horizon)
        step_cost.of_candidate(candidate, suite, [e.task for e in suite.tasks], options, place(root, rival, 1), None)


def finished(root, trials, suite):
    """{rival: the tasks that it has finished with so many trials}, of those that have finished any."""
    there = {rival: done(root, rival, trials, suite) for rival in RIVALS if trials == 1 or rival.rates}
    return {rival: tasks for rival, tasks in there.items() if tasks}


def table(root, trials, suite, there):
    """The `Standing` of the rivals in `there` with so many trials, on the tasks that each of them has finished; None: no task."""
    tasks = [e.task for e in suite.tasks if there and all(e.task in each for each in there.values())]
    if not tasks:
        return None
    rows = []
    for rival in there:
        candidate, where = rival.candidate(trials), place(root, rival, trials)
        cost = step_cost.kept(place(root, rival, 1), rival.candidate(1))
        found = standing.standing(candidate, suite, tasks, suite.horizon, where, cost=cost)
        own = [row for row in found.rows if row.own and row.trials == trials]
        rows += [replace(row, title=rival.title, own=False) for row in own]
    return replace(found, rows=[*(row for row in found.rows if not row.own), *rows])


def tables(root, suite):
    """{(trials, "whole" or "part"): `Standing`}: of the rivals that have finished all tasks, and, where that is not all of them,
    of all rivals on the tasks that all have finished."""
    found = {}
    for trials in TRIALS:
        there = finished(root, trials, suite)
        whole = {rival: tasks for rival, tasks in there.items() if len(tasks) == len(suite.tasks)}
        found[trials, "whole"] = table(root, trials, suite, whole)
        if len(whole) < len(there):
            found[trials, "part"] = table(root, trials, suite, there)
    return {key: standing for key, standing in found.items() if standing is not None}


def shipped(suite):
    """As `tables`, from the rows that ship and the baselines of the package; without speed-ups of Adam."""
    found = standing.of_baselines(suite)
    rows = shipped_rivals.rows(suite, found.tasks, "end")
    return {(trials, "whole"): replace(found, rows=[*found.rows, *(r for r in rows if r.trials == trials)]) for trials in TRIALS}


def pictures(parts, root, publish):
    """Draw them into `root`, and copy them to docs/."""
    root.mkdir(parents=True, exist_ok=True)
    for (trials, kind), found in parts.items():
        name = f"rivals_{trials}_{kind}.png"
        rivals_dots.draw(found, root / name)
        if publish:
            (report.DOCS / "pictures" / name).write_bytes((root / name).read_bytes())


def text(parts, root):
    """docs/rivals.md."""
    suite = tiers.load(SUITE)
    seconds = {}
    for path in sorted(root.glob("*-*/curves/**/*.parquet")):
        found = store.read_metadata(path)
        key = path.relative_to(root).parts[0]
        seconds[key] = seconds.get(key, 0.0) + json.loads(found["core_seconds"])["total"]
    sections = []
    for trials in TRIALS:
        title = "One trial: the settings of the authors" if trials == 1 else f"{trials} trials"
        ran = ", ".join(f"{r.title} {len(tasks)}" for r, tasks in finished(root, trials, suite).items()) or "none yet"
        sections.append(f"## {title}\n\nTasks finished, of {len(suite.tasks)}: {ran}.")
        for kind in ("whole", "part"):
            if (found := parts.get((trials, kind))) is None:
                continue
            names = ", ".join(f"`{task}`" for task in found.tasks)
            which = f"On the tasks that all of them have finished ({len(found.tasks)}: {names}), too few to tell rivals apart:"
            which = which if kind == "part" else "Those that have finished all tasks:" if (trials, "part") in parts else ""
            picture = f"![losses of each rival on each task](pictures/rivals_{trials}_{kind}.png)"
            sections += [*filter(None, [which]), standing_table.table(found), picture, rivals_dots.CAPTION, *found.notes]
    total = sum(seconds.values())
    each = ", ".join(f"{key} {value:.0f}" for key, value in seconds.items())
    heading = standing_table.heading(next(iter(parts.values()))).partition(". ")[2]  # without suite and tasks
    whole = "\n\n".join(sections)
    return f"""# Rivals

What optimizers that are used without tuning, or with ten trials, reach on `{SUITE}`: {len(suite.tasks)} tasks of
{len({e.family for e in suite.tasks})} families, a tenth of `1h:1`, {suite.horizon} steps, on synthetic data.

{textwrap.fill(heading, 127)}

Adam and the learned list are those of the baselines; Adam, tuned, has 17 learning rates to choose from. Of ten trials the
first has the authors' settings; in the others each rate is drawn log-uniformly between a tenth of the authors' value and ten
times it. For each task the best trial counts, by train loss (train) or validation loss (test). The runs that choose it are
also those that are judged, which flatters rows of many trials. The low mean of the learned list's ten trials is that of one
task, mlp_ae_family_seed13, whose loss counts as -2: medians and interquartile means say more. `anchored_pes` was trained on
other tasks, many of them of these families; `muon_mined` is left out, as it was trained on three of these. relative NAdam is a
rule of this package, whose one setting was chosen on other tasks, too.
SOAP has bases for axes of up to 256, where its authors have them for up to 10,000.
ms a step and x Adam are those of one task, FixedMLPVAE_mnist_128x64x32x64x128_bs64; where matrices are large, Muon and SOAP cost
more.
The tasks are among the cheapest of their families: by the cost model, an optimizer with one trial takes at most
{tenth.MOST_SECONDS:.0f} s of a core for each of them (`taskset/scoring/suites/tiers/tenth.py`).

{whole}

## What it took

{suite.horizon} steps, 2 seeds, 5 batches of each split in an evaluation. {total / 60:.0f} core-minutes so far, compiling
included, on a machine that others used, too. In core-seconds, by optimizer and trials: {each}.

Made by `python -m tools.baselines.rivals --out DIR --publish`, which resumes what is missing.
{report.conditions("taskset", "tensorflow", "numpy")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Directory of the results.")
    parser.add_argument("--hours", type=float, default=1e9, help="Start no further task after so many hours; 0 runs nothing.")
    every = [rival.name for rival in RIVALS]
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="NAME", help="Run these rivals alone.")
    parser.add_argument("--costs", action="store_true", help="Measure the cost of a step of each rival beside Adam's.")
    parser.add_argument("--redraw", action="store_true", help="Only draw the pictures, from the rows that ship, into DIR.")
    parser.add_argument("--publish", action="store_true", help="Write docs/rivals.md, its pictures and the rows that ship.")
    arguments = parser.parse_args()
    with report.errors_of_one_line():
        if arguments.redraw:
            pictures(shipped(tiers.load(SUITE)), arguments.out, arguments.publish)
            return
        run(arguments.out, arguments.hours, arguments.only)
        if arguments.costs:
            costs(arguments.out)
        suite = tiers.load(SUITE)
        parts = tables(arguments.out, suite)
    for found in parts.values():
        print(*standing_table.terminal(found), "", sep="\n")
    if arguments.publish:
        pictures(parts, arguments.out, publish=True)
        titles = {rival.title for rival in RIVALS}
        whole = [found for (_, kind), found in parts.items() if kind == "whole"]
        rows = [row_json.written(row, found.tuned) for found in whole for row in found.rows if row.title in titles]
        (report.DOCS / "rivals.md").write_text(text(parts, arguments.out), encoding="utf-8")
        if rows:
            values = {"suite": SUITE, "horizon": suite.horizon, "view": "end", "rows": rows}
            (TIERS / shipped_rivals.FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
