"""`python -m taskset data import-npz`: the curves that were released with the paper, in this package's schema.

A released file is `<task>/<optimizer family>_1k_10000_replica5.npz` (Metz et al. 2020, arXiv 2002.11887) with the arrays

    optimizers [C]           names of optimizers
    xs         [E]           steps of the evaluations: 0, 200 .. 10000
    ys         [C, R, E, 4]  mean losses of each optimizer, replica and evaluation: train, valid_inner, valid_outer, test

A replica becomes a seed, 0 .. R - 1. The release has no times: `seconds` is NaN.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa

from taskset import catalogue
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError, UnknownName, counted
from taskset.execution.divergence import has_diverged
from taskset.files import npz
from taskset.normalization import store
from taskset.normalization.normalizer import fit
from taskset.normalization.release import collect, merged_tables
from taskset.normalization.store import layout, packing, sha256_sums
from taskset.normalization.tables import optimizer_table, tasks_frame
from taskset.samplers.optimizers import get_optimizer_config
from taskset.version import __version__

_BATCHES = 50  # of each split in an evaluation, by the paper
_LAST_STEP = 2**31 - 1


@dataclass(frozen=True)
class Released:
    """The content of one released file. optimizers: [C] names; steps: int [E]; losses: float32 [C, R, E, 4]."""

    path: Path
    task: str
    family: str
    optimizers: tuple[str, ...]
    steps: np.ndarray
    losses: np.ndarray


def read(path: str | Path) -> Released:
    """A released file as `Released`. Raises StoreError, UnknownName with what is wrong and what is expected."""
    path = Path(path)
    arrays = _arrays(path)
    optimizers, steps, losses = _names(arrays["optimizers"], path), _steps(arrays["xs"], path), arrays["ys"]
    expected = (len(optimizers), len(steps), len(SPLITS))
    if losses.ndim != 4 or (losses.shape[0], *losses.shape[2:]) != expected or not losses.shape[1]:
        c, e, s = expected
        raise StoreError(
            f"{path}: ys has the shape {list(losses.shape)}; {c} optimizers and {e} evaluations need [{c}, replicas, {e}, {s}]"
        )
    if not np.issubdtype(losses.dtype, np.floating):
        raise StoreError(f"{path}: ys holds {losses.dtype}; losses are floats")
    family = _same_family(optimizers, path)
    task = path.resolve().parent.name
    try:
        catalogue.resolve(task)
    except UnknownName as error:
        raise UnknownName(f"{path}: its directory has to be the task's name: {error}") from error
    with np.errstate(over="ignore"):  # beyond float32 is not finite here, as in a sweep
        return Released(path, task, family, optimizers, steps, losses.astype(np.float32))


def _arrays(path):
    if not path.is_file():
        raise StoreError(f"there is no file {path}: pass released files, <task>/<optimizer family>_1k_10000_replica5.npz")
    try:
        arrays = npz.read(path)
    except (npz.Damaged, OSError) as error:
        raise StoreError(f"{path} is no complete .npz file of plain arrays: get it again") from error
    lacking = sorted({"optimizers", "xs", "ys"} - set(arrays))
    if lacking:
        raise StoreError(
            f"{path} has no array {lacking[0]!r}, it has {', '.join(sorted(arrays)) or 'none'}; expected are optimizers, xs, ys"
        )
    return arrays


def _names(array, path):
    if array.ndim != 1 or array.dtype.kind not in "SU" or not len(array):
        raise StoreError(f"{path}: optimizers is {array.dtype} {list(array.shape)}; expected is a list of names")
    try:
        names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in array.tolist())
    except (UnicodeDecodeError, ValueError) as error:
        raise StoreError(f"{path}: the name of an optimizer is no text in UTF-8") from error
    if len(set(names)) < len(names):
        raise StoreError(f"{path}: an optimizer is named twice")
    return names


def _steps(array, path):
    if array.ndim != 1 or len(array) < 2 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise StoreError(f"{path}: xs is {array.dtype} {list(array.shape)}; expected are the steps 0, 200 .. 10000")
    steps = np.round(array).astype(np.int64)
    apart = np.diff(steps)
    if steps[0] != 0 or (steps != array).any() or (apart != apart[0]).any() or apart[0] <= 0:
        raise StoreError(
            f"{path}: xs is {array[0]:g}, {array[1]:g} .. {array[-1]:g}; expected are whole steps at equal distances from 0"
        )
    if steps[-1] > _LAST_STEP:
        raise StoreError(f"{path}: xs goes to {steps[-1]}; steps are stored as 32-bit integers, up to {_LAST_STEP}: cut it there")
    return steps


def _same_family(names, path):
    """The optimizers' family, which has to be the one in the file's name: their hyperparameters follow from it."""
    named = path.stem.split("_1k_")[0]
    for name in names:
        try:
            family = get_optimizer_config(name)[1]
        except UnknownName as error:
            raise UnknownName(f"{path}: {error}") from error
        if family != named:
            raise StoreError(f"{path}: {name} is of the family {family}, the file's name says {named!r}: rename or get it again")
    return named


def to_table(released: Released) -> tuple[pa.Table, int]:
    """(the curves as an Arrow table (`store.SCHEMA`), the number of finite losses that had to become NaN).

    A run is over at its first evaluation with a loss that is not finite in any split, and NaN from there on, as in a sweep.
    Finite losses that the release has after that are left out, and counted.
    """
    losses, (c, r, e, _) = released.losses, released.losses.shape
    over = np.logical_or.accumulate(has_diverged(losses), axis=2)
    dropped = int((np.isfinite(losses) & over[..., None]).sum())
    losses = np.where(over[..., None], np.float32(np.nan), losses)
    names = pa.DictionaryArray.from_arrays(pa.array(np.repeat(np.arange(c), r * e), pa.int32()), list(released.optimizers))
    columns = {
        "task": pa.DictionaryArray.from_arrays(pa.array(np.zeros(c * r * e), pa.int32()), [released.task]),
        "optimizer": names,
        "seed": np.tile(np.repeat(np.arange(r), e), c),
        "step": np.tile(released.steps, c * r),
        "horizon": np.full(c * r * e, released.steps[-1]),
        **{split: losses[..., i].ravel() for i, split in enumerate(SPLITS)},
        "diverged": over.ravel(),
        "seconds": np.full(c * r * e, np.nan, np.float32),
    }
    return packing.in_order(pa.table(columns).cast(store.SCHEMA)), dropped


def _metadata(released: Released, dropped: int) -> dict[str, str]:
    family, config = catalogue.resolve(released.task)
    num_params = catalogue.facts(family, config).num_params
    e = len(released.steps)
    options = {
        "optimizers": list(released.optimizers),
        "source": "published",
        "steps": int(released.steps[-1]),
        "seeds": list(range(released.losses.shape[1])),
        "batches": _BATCHES,
        "evaluations": e - 1,
    }
    return {
        "task": released.task,
        "family": family,
        "config": json.dumps(config),
        "source": "published",
        "data_origin": "null",
        "options": json.dumps(options),
        "taskset_version": __version__,
        "num_params": "" if num_params is None else str(num_params),
        "batches_per_evaluation": str(_BATCHES),
        "machine": "unknown",
        "made_from": released.path.name,
        "finite_losses_after_divergence": str(dropped),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def import_npz(paths: Sequence[str | Path], out: str | Path, report: Callable[[str], object] = lambda text: None) -> int:
    """Turn released files into curves under the directory `out`, with its tables; returns the number of files.

    All files are checked before the first is written. A file that is imported again replaces its curves. Merged baselines get
    published curves from `data add`, in the layout of theirs.
    report: called with one line per file. Raises StoreError, UnknownName.
    """
    out = Path(out)
    others = {layout.SWEEP: "the output of a sweep", layout.SWEEPS: "merged baselines", sha256_sums.NAME: "merged baselines"}
    for name, what in others.items():
        if (out / name).exists():
            raise StoreError(f"{out} holds {what}: give published curves a directory of their own, which `data add` can add")
    seen: dict[tuple[str, str], str | Path] = {}
    for path in paths:
        released = read(path)
        key = released.task, released.family
        if key in seen:
            raise StoreError(f"{path} and {seen[key]} are the same task and optimizer family: pass one of them")
        seen[key] = path
    for path in paths:
        released = read(path)
        table, dropped = to_table(released)
        metadata = _metadata(released, dropped)
        target = store.curve_path(out, "published", metadata["family"], f"{released.task}.{released.family}")
        packing.write_packed(target, [layout.stored(table, __version__)], metadata)
        c, r, e, _ = released.losses.shape
        left = f"; {counted(dropped, 'finite loss', 'finite losses')} after divergence left out" if dropped else ""
        report(f"{released.task}: {released.family}, {counted(c, 'optimizer')} x {counted(r, 'replica')} x {e} evaluations{left}")
    _write_tables(out)
    return len(paths)


def _write_tables(out: Path) -> None:
    found = collect.find([out])
    optimizers = dict.fromkeys(name for curves in found for name in curves.options["optimizers"])
    tables = {
        "tasks": pa.Table.from_pandas(tasks_frame(out), preserve_index=False),
        "optimizers": optimizer_table(list(optimizers)),
        "normalizers": merged_tables.normalizers(found, fit),
    }
    for name, table in tables.items():
        store.write_table(table, out / f"{name}.parquet")
