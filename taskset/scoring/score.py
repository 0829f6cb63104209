"""Where an optimizer stands: `score` runs it on a suite and puts it beside the baselines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taskset.errors import counted, whole_number
from taskset.files import write_text
from taskset.jobs import engines
from taskset.jobs.pool import Progress
from taskset.normalization.sweep import planning
from taskset.normalization.sweep.options import BATCHES, EVALUATIONS, SEEDS, SweepOptions
from taskset.random.seeds import first_seeds
from taskset.scoring import (
    candidates,
    earlier_trials,
    profile,
    run_scores,
    score_file,
    shipped_rivals,
    standing,
    standing_table,
    step_cost,
    suites,
    trial_runs,
)
from taskset.scoring.standing import Standing
from taskset.scoring.suites import by_name
from taskset.scoring.suites.baseline_protocol import equal_intervals
from taskset.scoring.suites.suite import ALL, Suite


def score(
    optimizer: object,
    suite: str,
    out: str | Path,
    *,
    hyperparameters: candidates.Given | None = None,
    trials: int | None = None,
    name: str | None = None,
    seeds: int = SEEDS,
    horizon: int | None = None,
    split: str = ALL,
    batches: int = BATCHES,
    view: str = "end",
    data_dir: str | Path | None = None,
    workers: int | None = None,
    modules: Iterable[str] = (),
    report: Callable[[Progress], object] = lambda progress: None,
    engine: engines.Engine = engines.LOCAL,
    baselines: str | Path | None = None,
    planned: Callable[[str], object] = lambda line: None,
) -> Standing:
    """Run an optimizer on the tasks of a suite and return its `taskset.scoring.standing.Standing`.

    optimizer: an optimizer of taskset, a pair of functions (init, update), an object with both and framework = "numpy" where
    they compute with NumPy, a Keras optimizer, a class of torch.optim, an optax transformation, a function that returns one
    of these, or a text: FILE.py:NAME, MODULE:NAME, the name of an optimizer, a checkpoint of `learned`. A
    `taskset.scoring.candidates.Candidate`, made of one of these, has its hyperparameters, trials and name.
    suite: "1m", "1h", "1d", the name of another suite, a .json file. split: of its tasks: train, valid, test or all.
    out: directory of the curves, which `taskset.load_curves(root=out)` reads, and of scores.json, scores.md, scores.tex,
    profile.pdf and profile.png. An interrupted run is resumed by the same call.
    hyperparameters: a dict; a list of dicts, one for each trial; or a function `numpy.random.Generator -> dict`, called
    `trials` times. seeds: runs of each trial on each task; horizon: steps, one of those at which the suite's baselines were
    evaluated (default: the last). batches: of each split in an evaluation. view: "end", "mean" or "lowest" of the curve.
    workers: processes, for optimizers that are given as texts; None: 1 on this machine, all cores of a cluster. engine: where
    they are (`taskset.jobs.engines`). modules: those that register families or optimizers of your own. data_dir:
    where TFDS data was prepared. name: in curves and tables. baselines: the directory of those that are compared with; None: the
    package's. A suite that is a rule is made from them, too; of a suite in a file, give those that it was made with.
    report: called with a `taskset.jobs.pool.Progress`; planned: before the runs begin, with each line that says what they are
    and what they cost.

    Raises: ConfigError and UnknownName for what is not allowed, StoreError where `out` holds other results, TasksetError where
    tasks failed.
    """
    found, horizon, workers = _checked(suite, horizon, view, workers, baselines)
    tasks = found.names_of(split)
    candidate = candidates.candidate(optimizer, hyperparameters, trials, name)
    options = options_of(candidate, found.source, horizon, seeds, batches, found.horizon)
    standing.check_horizon(found, tasks, horizon, baselines)
    earlier_trials.check_same(out, candidate.name, candidate.trials)
    _check_names(candidate, horizon)
    text = None if candidate.text is None else trial_runs.Text(candidate.text, candidate.trials, candidate.name)
    waiting = trial_runs.plan(candidate, tasks, options, out)
    count = engine.workers(workers, 1) if text else 1  # objects run here, one by one
    for line in _plan(candidate, tasks, waiting, options, count):
        planned(line)
    progress = trial_runs.run(
        candidate, waiting, options, out, data_dir=data_dir, text=text, workers=workers, modules=modules, report=report,
        engine=engine,
    )  # fmt: skip
    progress.require_done(candidate.name)
    cost = step_cost.of_candidate(candidate, found, tasks, options, out, data_dir)
    result = standing.standing(candidate, found, tasks, horizon, out, view, baselines, cost)
    if horizon == found.horizon and len(options.seeds) == SEEDS and baselines is None:
        result = replace(result, rows=[*result.rows, *shipped_rivals.rows(found, tasks, view)])
    _write(result, candidate, options, Path(out))
    return result


def _checked(
    suite: str, horizon: int | None, view: str, workers: int | None, baselines: str | Path | None
) -> tuple[Suite, int, int | None]:
    """(suite, horizon, workers) that `score` is asked for; raises where an argument is not allowed, before hours of runs."""
    run_scores.view(view)
    found = by_name.get_suite_beside(suite, baselines)
    suites.require_measured(found)
    longest = found.horizon
    horizon = longest if horizon is None else whole_number("horizon", horizon, most=longest, note=", the suite's")
    if workers is not None:
        workers = whole_number("workers", workers, note="; None: 1 on this machine")
    return found, horizon, workers


def _check_names(candidate: candidates.Candidate, horizon: int) -> None:
    """Make a trial of each set of names: hyperparameters that it doesn't have are said before anything is written.

    Not every trial, of which there may be thousands: a value that it doesn't take is said when the trial is made to run.
    """
    first: dict[frozenset[str], int] = {}
    for trial, given in enumerate(candidate.trials):
        first.setdefault(frozenset(given), trial)
    for trial in first.values():
        candidate.make(trial, horizon)


def _plan(
    candidate: candidates.Candidate, tasks: Sequence[str], costs: Mapping[str, float | None], options: SweepOptions, workers: int
) -> list[str]:
    """What the runs are, and what they cost. costs: of the tasks that wait, as of `trial_runs.plan`."""
    runs = f"{counted(len(candidate.trials), 'trial')} x {counted(len(options.seeds), 'seed')} x {counted(options.steps, 'step')}"
    lines = [f"{candidate.name}: {counted(len(tasks), 'task')}, {len(tasks) - len(costs)} finished before; {runs}"]
    if costs:
        supposed = ", if steps cost what Adam's do" if any(costs.values()) else ""
        lines.append(f"{planning.announcement(costs, workers)}{supposed}")
    return lines


def _write(result: Standing, candidate: candidates.Candidate, options: SweepOptions, out: Path) -> None:
    """The files of a score but its curves."""
    score_file.write(result, candidate, len(options.seeds), options.batches, out / "scores.json")
    write_text(standing_table.markdown(result), out / "scores.md")
    write_text(standing_table.latex(result), out / "scores.tex")
    profile.draw(result, out)


def options_of(
    candidate: candidates.Candidate,
    source: str,
    horizon: int,
    seeds: int = SEEDS,
    batches: int = BATCHES,
    longest: int | None = None,
) -> SweepOptions:
    """The options of a candidate's sweep.

    There are at most 50 intervals between evaluations, all equal, and as many as fit into those of runs of `longest` steps (the
    suite's; None: `horizon`) that have 50: so a shorter run is evaluated at all steps at which the baselines were.
    """
    theirs, equal = max((longest or horizon) // EVALUATIONS, 1), equal_intervals(horizon)
    fitting = [n for n in equal if theirs % (horizon // n) == 0]
    return SweepOptions(candidate.names, source, horizon, first_seeds(seeds), batches, (fitting or equal)[0])
