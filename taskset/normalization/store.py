"""Learning curves on disk: the schema, writing without half-finished files, reading only what is asked for.

A root directory holds

    curves/source=SOURCE/family=FAMILY/*.parquet   one row an evaluation
    tasks.parquet, optimizers.parquet, normalizers.parquet
    sweep.json                                     the options that all curves of a sweep were made with
    sweeps.parquet                                 where several sweeps were merged (`data ship`): the options of each

`root=None` in the loading functions means the baselines that come with the package.
"""

import contextlib
import json
import numbers
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from taskset.errors import StoreError

_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("task", _NAME),
        ("optimizer", _NAME),
        ("seed", pa.int32()),
        ("step", pa.int32()),
        ("horizon", pa.int32()),
        ("train", pa.float32()),
        ("valid_inner", pa.float32()),
        ("valid_outer", pa.float32()),
        ("test", pa.float32()),
        ("diverged", pa.bool_()),
        ("seconds", pa.float32()),
    ]
)
_PARTITIONING = ds.partitioning(pa.schema([("source", pa.string()), ("family", pa.string())]), flavor="hive")


def curve_path(root, source, family, task):
    """Where the curves of one task are kept."""
    return Path(root) / "curves" / f"source={source}" / f"family={family}" / f"{task}.parquet"


def make_directory(path):
    """Create a directory for results; `StoreError` where that can't be."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise StoreError(f"can't write to {path}: {error.strerror.lower()}. Choose another directory with --out") from error


@contextlib.contextmanager
def whole_file(path):
    """A temporary path to write to; at the end it is renamed to `path`: whoever reads sees all of the file or none."""
    path = Path(path)
    make_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table, path):
    """Write a Parquet file, whole or not at all."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_text(text, path):
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_table(path, **options):
    """A Parquet file as an Arrow table; `StoreError` with what to do where it is missing or cut short."""
    try:
        return pq.read_table(path, partitioning=None, **options)
    except FileNotFoundError as error:
        raise StoreError(f"there is no {path}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise broken(path) from error


def broken(path):
    return StoreError(
        f"{path} is no complete Parquet file (cut short?): delete it, and run what made it again; nothing else is recomputed"
    )


def read_metadata(path):
    """The key-value metadata that was stored with a curve file, and its number of rows."""
    try:
        file = pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise broken(path) from error
    pairs = {k.decode(): v.decode() for k, v in (file.metadata or {}).items() if not k.startswith((b"ARROW", b"pandas"))}
    return {**pairs, "rows": file.num_rows}


def packaged_root():
    """The directory of the baselines that come with the package."""
    from importlib.resources import files

    return Path(str(files("taskset.data")))


def _root(root, kind):
    path = packaged_root() if root is None else Path(root)
    if not path.is_dir():
        raise StoreError(f"there is no directory {path}: pass root=, the --out of `python -m taskset baseline`")
    wanted = path / kind
    if not wanted.exists():
        advice = (
            "make it with `python -m taskset normalize DIR`"
            if kind.endswith(".parquet")
            else "run `python -m taskset baseline .. --out DIR`"
        )
        raise StoreError(f"{path} has no {kind}: {advice}, and pass root=DIR")
    return wanted


def _values(value):
    return [value] if isinstance(value, (str, numbers.Integral)) else list(value)


def curve_files(root):
    """All curve files under a root, sorted; those still being written are left out."""
    directory = _root(root, "curves")
    files = sorted(path for path in directory.rglob("*.parquet") if not path.name.startswith("."))
    if not files:
        raise StoreError(f"{directory} holds no curves: run `python -m taskset baseline .. --out DIR`")
    return files


def curves_dataset(root=None):
    """All curves under a root as a `pyarrow.dataset.Dataset`; nothing is read yet."""
    files = [str(path) for path in curve_files(root)]
    schema = pa.schema([*SCHEMA, ("source", pa.string()), ("family", pa.string())])
    base = str(_root(root, "curves"))
    return ds.dataset(files, schema=schema, format="parquet", partitioning=_PARTITIONING, partition_base_dir=base)


def _holding(dataset, condition, wanted):
    """The row groups that can hold `wanted` ({column: values}); Arrow itself passes over the statistics of dictionary columns."""

    def may(group):
        known = {column: group.statistics.get(column) for column in wanted}
        return all(told is None or any(told["min"] <= v <= told["max"] for v in wanted[column]) for column, told in known.items())

    if condition is None:
        return dataset
    fragments = []
    for fragment in dataset.get_fragments(filter=condition):
        groups = [group.id for group in fragment.row_groups if may(group)]
        if groups:
            fragments.append(fragment.subset(row_group_ids=groups))
    return ds.FileSystemDataset(fragments, dataset.schema, dataset.format, dataset.filesystem)


def _check_asked(wanted, columns):
    for column, values in wanted.items():
        kind, told = (numbers.Integral, "integers") if column == "horizon" else (str, "names")
        if not all(isinstance(value, kind) for value in values):
            raise StoreError(f"{column}={values!r}: allowed are {told}")
    there = [*SCHEMA.names, "source", "family"]
    for column in columns or []:
        if column not in there:
            raise StoreError(f"curves have no column {column!r}: there are {', '.join(there)}")


def curves_table(root=None, task=None, family=None, optimizer=None, source=None, columns=None, horizon=None):
    """The Arrow table behind `load_curves`."""
    asked = {"task": task, "family": family, "optimizer": optimizer, "source": source, "horizon": horizon}
    wanted = {column: _values(value) for column, value in asked.items() if value is not None}
    _check_asked(wanted, columns)
    dataset, condition = curves_dataset(root), None
    for column, values in wanted.items():
        one = pc.field(column).isin(values)
        condition = one if condition is None else condition & one
    try:
        table = _holding(dataset, condition, wanted).to_table(filter=condition, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        for fragment in dataset.get_fragments():
            read_metadata(fragment.path)  # names the broken file
        raise StoreError(f"can't read the curves: {error}") from error
    if len(table) == 0:
        given = ", ".join(f"{k}={v!r}" for k, v in asked.items() if v is not None)
        raise StoreError(f"no curves for {given}; taskset.load_tasks() lists what there is")
    return table


def load_curves(task=None, family=None, optimizer=None, source=None, columns=None, root=None, horizon=None):
    """Learning curves as a pandas DataFrame, one row an evaluation.

    task, family, optimizer, source, horizon: a value or several; only those rows are read. A task may have curves of several
    sources and horizons: one run is one (task, source, horizon, optimizer, seed).
    columns: the columns wanted (SCHEMA, and source and family); None: all.
    root: a directory made by `python -m taskset baseline`; None: the baselines that come with the package.

    Losses are means over the same batches of a split at each evaluation, in nats where they are likelihoods; NaN once the run
    has diverged. `seconds` is the run's training time so far; NaN where it isn't known (source published).
    """
    return curves_table(root, task, family, optimizer, source, columns, horizon).to_pandas()


def _load(kind, root):
    return read_table(_root(root, kind)).to_pandas()


def load_tasks(root=None):
    """One row a task: name, family, seed, config (JSON text), data set, feasible, reason, num_params, cost."""
    return _load("tasks.parquet", root)


def load_optimizers(root=None):
    """One row an optimizer: its name, family and hyperparameters."""
    return _load("optimizers.parquet", root)


def load_sweeps(root=None):
    """One row a (task, source, group of options): how its curves were made, by what, where, and at what cost."""
    return _load("sweeps.parquet", root)


def load_normalizers(root=None):
    """One row a (task, source, horizon, split): initial and best loss, the best optimizer, runs, share of diverged runs."""
    return _load("normalizers.parquet", root)


def check_options(root, options):
    """Claim a directory for results made with `options` (JSON), or raise `StoreError` if it holds others: never mixed.

    A claim counts once there are curves: what failed or was stopped before its first keeps nobody from the directory.
    """
    make_directory(root)
    path = Path(root) / "sweep.json"
    if not any(Path(root, "curves").rglob("[!.]*.parquet")):
        write_text(json.dumps(options, indent=1) + "\n", path)
        return
    if not path.exists():
        raise StoreError(f"{root} has curves and no sweep.json: use another --out")
    try:
        there = json.loads(path.read_text())
    except ValueError as error:
        raise StoreError(f"{path} is no valid JSON: restore or remove the directory, and run the sweep again") from error
    different = sorted(k for k in {*there, *options} if there.get(k) != options.get(k))
    if different:
        told = "; ".join(f"{k} is {_short(there.get(k))} there, {_short(options.get(k))} here" for k in different)
        raise StoreError(f"{root} holds results made with other options ({told}): use the same options or another --out")


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:45]} .. ({len(value)} values)"
