"""What users load: curves and the tables beside them, as pandas data frames. `root=None`: the baselines of the package."""

from taskset import changes
from taskset.normalization.store import files
from taskset.normalization.store.reading import curves_table, warn_left_out


def load_curves(task=None, family=None, optimizer=None, source=None, columns=None, root=None, horizon=None, version=None):
    """Learning curves as a pandas DataFrame, one row an evaluation.

    task, family, optimizer, source, horizon: a value or several; only those rows are read. A task may have curves of several
    sources and horizons: one run is one (task, source, horizon, optimizer, seed).
    columns: the columns wanted (`SCHEMA`, version, source and family); None: all.
    root: a directory made by `python -m taskset baseline`; None: the baselines that come with the package.
    version: None: what holds for today's tasks. Curves of tasks that changed since they were computed (`taskset.changes`) are
    left out, with a warning, and are an error where the task was asked for by name. "0.1": what that version computed.

    Losses are means over the same batches of a split at each evaluation, in nats where they are likelihoods; NaN once the run
    has diverged. `seconds` is the run's training time so far, at the run's mean rate; NaN where it isn't known (source
    published). Raises `StoreError`: nothing there, a name that is nowhere, a damaged file.
    """
    return curves_table(root, task, family, optimizer, source, columns, horizon, version).to_pandas()


def _load(kind, root):
    return files.read_table(files.under(root, kind)).to_pandas()


def load_tasks(root=None):
    """One row a task: name, family, seed (an integer; missing for fixed tasks), config (JSON text), data set, feasible, reason,
    num_params, cost."""
    return _load("tasks.parquet", root).astype({"seed": "Int32", "num_params": "Int64"})


def load_optimizers(root=None):
    """One row an optimizer: its name, family and hyperparameters."""
    return _load("optimizers.parquet", root)


def load_sweeps(root=None):
    """One row a (task, source, group of options): how its curves were made, by what, where, and at what cost."""
    return _load("sweeps.parquet", root)


def load_normalizers(root=None, version=None):
    """One row a (task, source, horizon, split): initial and best loss, the best optimizer, runs, share of diverged runs.

    version: as in `load_curves`.
    """
    frame, left_out = normalizers_of(root, version)
    if left_out:
        warn_left_out("normalizers", left_out, stacklevel=3)
    return frame


def normalizers_of(root=None, version=None):
    """(the normalizers of `load_normalizers`, {(task, version)} of those left out), without a warning."""
    frame = all_normalizers(root)
    if version is not None:
        changes.release(version)
        return frame[[changes.is_of(made_by, version) for made_by in frame["version"]]].reset_index(drop=True), set()
    rows = list(zip(frame["task"], frame["source"], frame["version"]))
    old = {row for row in set(rows) if changes.outdated(*row)}
    if not old:
        return frame, set()
    return frame[[row not in old for row in rows]].reset_index(drop=True), {(task, made_by) for task, _, made_by in old}


def all_normalizers(root=None):
    """The normalizers of all versions, those of tasks that changed since included."""
    frame = _load("normalizers.parquet", root)
    return frame if "version" in frame else frame.assign(version=changes.FIRST)
