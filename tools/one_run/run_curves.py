"""Curves of runs and of the package's baselines, and their scores."""

from taskset.errors import ConfigError, StoreError
from tools.one_run import HORIZONS


def read(directories):
    """The curves that `weights` and `rivals` wrote into some directories."""
    import pandas as pd

    files = [path for directory in directories for path in sorted(directory.glob("*.parquet"))]
    if not files:
        raise StoreError(f"no curves in {', '.join(map(str, directories))}: give directories that `weights` or `rivals` wrote")
    return pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)


def of_split(curves, suite, split):
    """Those curves that are of the suite's tasks of a split. Raises `ConfigError` where there are none."""
    curves = curves[curves["task"].isin([entry.task for entry in suite.of_split(split)])]
    if curves.empty:
        raise ConfigError(f"no runs of split {split!r} in these folders: give the --split that they were made with")
    return curves


def baselines(suite, tasks, horizons, steps, sweeps=()):
    """Curves of the package's baselines with a column `horizon` of the runs that they stand for; steps: of evaluations.

    sweeps: directories of `baseline --out`, or of merged baselines, whose runs count as well. Adam's runs are cut, which a
    constant rate allows; the learned list, whose rates fall, has runs of each horizon.
    """
    import pandas as pd

    from taskset.normalization import store
    from taskset.scoring import rivals

    wanted = sorted({suite.horizon, *horizons})
    chosen = {"task": list(tasks), "source": store.sources_of(suite.source), "horizon": wanted}
    swept = store.load_sweeps()
    in_the_package = (swept["task"].isin(tasks) & swept["horizon"].isin(wanted)).any()
    roots = [*([None] if in_the_package or not sweeps else []), *sweeps]
    whole = pd.concat([store.with_text_names(store.load_curves(**chosen, root=root)) for root in roots], ignore_index=True)
    kind, parts = rivals.families(whole["optimizer"]), []
    for horizon in horizons:
        runs = (kind == rivals.ADAM) & (whole["horizon"] == suite.horizon) | (kind == rivals.LIST) & (whole["horizon"] == horizon)
        part = whole[runs & (whole["step"] <= horizon) & whole["step"].isin(steps)]
        parts.append(part.assign(horizon=horizon))
    return pd.concat(parts, ignore_index=True)


def beside_baselines(curves, suite, sweeps=()):
    """The curves, and those of the baselines on the same tasks at the same horizons and steps; sweeps: as of `baselines`."""
    import pandas as pd

    tasks, horizons = sorted(curves["task"].unique()), sorted(int(h) for h in curves["horizon"].unique())
    return pd.concat([curves, baselines(suite, tasks, horizons, curves["step"].unique(), sweeps)], ignore_index=True)


def baselines_alone(suite, split, sweeps=()):
    """The curves of the baselines on the tasks of a split, as `beside_baselines` has them; sweeps: as of `baselines`."""
    from tools.one_run.side_by_side import interval_of

    tasks = [entry.task for entry in suite.of_split(split)]
    return baselines(suite, tasks, HORIZONS, range(0, max(HORIZONS) + 1, interval_of(suite)), sweeps)


def scored_runs(curves, suite, view):
    """One row per run and split: horizon, task, optimizer, seed, split, score, diverged."""
    import pandas as pd

    from taskset.scoring import run_scores

    parts = []
    for horizon, part in curves.groupby("horizon"):
        steps = sorted(int(step) for step in part["step"].unique())
        parts.append(run_scores.scores(part, suite.scales, steps, run_scores.view(view)).assign(horizon=int(horizon)))
    return pd.concat(parts)


def scored(curves, suite, view):
    """(scores, diverged runs, runs), index (split, horizon, task), one column per optimizer; means, and counts, over seeds."""
    groups = scored_runs(curves, suite, view).groupby(["split", "horizon", "task", "optimizer"])
    return groups["score"].mean().unstack(), groups["diverged"].sum().unstack(), groups.size().unstack()
