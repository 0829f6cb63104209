"""Files of results: where they stand, writing them whole or not at all, reading them checked.

What a root directory holds: `taskset.normalization.store`. `root=None` means the baselines that come with the package.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskset.errors import StoreError, argument, shown, system
from taskset.files import different_keys, is_utf8, make_directory, read_json, readable, whole_file, write_text
from taskset.normalization.store import checked_parquet, file_metadata, layout

if TYPE_CHECKING:
    import pyarrow as pa

RUNS = ("optimizers", "seeds")  # the options that an existing directory may be given more of
_RESTORE = "restore or remove the directory, and run the sweep again"


def curve_path(root: str | Path, source: str, family: str, task: str) -> Path:
    """Where the curves of one task are kept."""
    return Path(root) / "curves" / f"source={source}" / f"family={family}" / f"{task}.parquet"


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write a Parquet file, whole or not at all, as `checked_parquet` has it. Raises `StoreError` as `whole_file`."""
    with whole_file(path) as temporary:
        checked_parquet.write([table], table.schema, temporary, compression="zstd")


def write_curves(table: pa.Table, path: str | Path, metadata: dict[str, str]) -> None:
    """Write the curves of one task (`SCHEMA`) with their {name: text}, of which "taskset_version" becomes a column.

    Raises `StoreError` as `write_table`, and for rows that are not whole runs in the order of a sweep.
    """
    stored = layout.stored(table, metadata["taskset_version"])
    write_table(stored.replace_schema_metadata(metadata), path)


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file as an Arrow table. Raises `StoreError` where it is missing, cut short or damaged."""
    return checked_parquet.read(path, columns=columns)


broken, UNREADABLE = checked_parquet.broken, checked_parquet.FAULTS


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The key-value metadata that was stored with a curve file, and its number of rows, checked (`file_metadata`).

    Raises `StoreError` for other files.
    """
    file = checked_parquet.verify(path, groups=())
    layout.check_columns(path, file.schema.to_arrow_schema())
    found = _pairs(path, file)
    file_metadata.check(path, found, found["rows"])
    return found


def table_metadata(path: str | Path) -> dict[str, Any]:
    """As `read_metadata`, of any Parquet file."""
    return _pairs(path, checked_parquet.verify(path, groups=()))


def _pairs(path, file):
    """The key-value metadata of a footer that was read from `path` and verified, and its number of rows."""
    pairs = {k: v for k, v in (file.metadata or {}).items() if not k.startswith((b"ARROW", b"pandas"))}
    pairs.pop(checked_parquet.KEY.encode(), None)
    try:
        return {**{k.decode(): v.decode() for k, v in pairs.items()}, "rows": file.num_rows}
    except UnicodeDecodeError as error:
        raise broken(path) from error


def packaged_root() -> Path:
    """The directory of the baselines that come with the package."""
    return Path(str(resources.files("taskset.data")))


def way_to(root: str | Path | None, kind: str) -> str:
    """What makes the file or directory `kind` below a root: `data ship` all tables of merged baselines, `normalize` a sweep's."""
    if kind == "curves":
        return "run `python -m taskset baseline .. --out DIR`; of a learned training, give the --out of `learned evaluate`"
    if root is not None and is_judged(root):
        return "it has results of `score` or `evaluate`, which have no tables: `python -m taskset report DIR` shows them"
    if kind == layout.SWEEPS or is_merged(root):
        return "make it with `python -m taskset data ship SWEEP.. --out DIR`"
    return "make it with `python -m taskset normalize DIR`"


def is_merged(root: str | Path | None) -> bool:
    """Whether a root is one of merged baselines, as those of the package are, and not the output of one sweep.

    The list of sums is there from the beginning of a merge, sweeps.parquet from near its end.
    """
    return root is None or any(Path(root, name).exists() for name in (layout.SUMS, layout.SWEEPS))


def is_judged(root: str | Path) -> bool:
    """Whether a directory has results of a candidate or a checkpoint, normalized by baselines; False where none says so.

    Raises `StoreError` where sweep.json is damaged.
    """
    return Path(root, layout.SWEEP).exists() and not {"code", "checkpoint"}.isdisjoint(read_options(root))


def _directory(root: str | Path | None) -> Path:
    if root is not None and not isinstance(root, str | os.PathLike):
        raise StoreError(f"root {shown(root)}: allowed are the path of a directory and None, the package's baselines")
    path = packaged_root() if root is None else Path(root)
    if not is_utf8(path):
        raise StoreError(f"{shown(str(path))} can't be read: its path is no text in UTF-8; rename what is in the way")
    return path


def under(root: str | Path | None, kind: str) -> Path:
    """The file or directory `kind` below a root. Raises `StoreError`, which says what makes it, where it is missing."""
    path = _directory(root)
    if not path.is_dir():
        raise StoreError(f"there is no directory {path}: give the --out of `python -m taskset baseline`")
    wanted = path / kind
    if not wanted.exists():
        raise StoreError(f"{path} has no {kind}: {way_to(root, kind)}, and give that directory")
    return wanted


def require_whole(root: str | Path | None) -> None:
    """Raise StoreError where a merge into `root` is at work or was interrupted: its curves may not be those of its tables."""
    file = _directory(root) / layout.SUMS
    if file.exists() and not file.stat().st_size:
        raise StoreError(
            f"a merge into {root} was interrupted: repeat `python -m taskset data ship .. "
            f"--out {argument(root)}`, or wait for the one "
            "that is at work"
        )


def curves_directory(root: str | Path | None) -> Path:
    """The directory under a root that all curves are in."""
    return under(root, "curves")


def finished_files(root: str | Path) -> list[Path]:
    """All curve files under a root, sorted; those still being written are left out. Empty where there are none."""
    return sorted(Path(root, "curves").rglob("[!.]*.parquet"))


def has_curves(root: str | Path) -> bool:
    """Whether there is a finished curve file under a root; looks no further than the first. Raises `StoreError`.

    A directory that can't be listed is no empty one, whose options might be written over.
    """

    def unlisted(error: OSError) -> None:
        raise StoreError(f"can't list {error.filename}: {system(error)}") from error

    curves = Path(root, "curves")
    walk = os.walk(curves, onerror=unlisted) if curves.exists() else ()
    return any(not name.startswith(".") and name.endswith(".parquet") for _, _, names in walk for name in names)


def curve_files(root: str | Path | None) -> list[Path]:
    """As `finished_files`. Raises `StoreError` where there are none."""
    directory = under(root, "curves")
    files = finished_files(directory.parent)
    if not files:
        raise StoreError(f"{directory} holds no curves: run `python -m taskset baseline .. --out DIR`")
    for file in files:
        source, family = file.parents[1], file.parent
        if source.parent != directory or not source.name.startswith("source=") or not family.name.startswith("family="):
            raise StoreError(f"{file} is no curve file: they lie in {directory}/source=SOURCE/family=FAMILY; move it there")
    return files


def check_options(root: str | Path, options: dict[str, Any]) -> None:
    """Claim a directory for results made with `options` (JSON), or raise `StoreError` if it holds others: never mixed.

    A claim counts once there are curves: a sweep that failed or was stopped before that leaves the directory to others.
    """
    make_directory(root)
    if not has_curves(root):
        write_options(root, options)
        return
    there = read_options(root)
    different = different_keys(there, options)
    if different:
        both = "; ".join(f"{k} is {_short(there.get(k))} there, {_short(options.get(k))} here" for k in different)
        grows = set(different) <= {*RUNS} and not is_judged(root)
        same = "name those that are there as well as new ones" if grows else "use the same options"
        raise StoreError(f"{root} holds results made with other options ({both}): {same}, or another --out, or delete {root}")


def belongs(option: str, value: Any, whole: Any) -> bool:
    """Whether `value` of an option belongs where `whole` is that of all curves.

    It does where they are the same, or, for an option in RUNS, where it has some of the values of `whole`. JSON values, from
    files that may hold anything.
    """
    if value == whole:
        return True
    lists = isinstance(value, list) and isinstance(whole, list)
    return option in RUNS and lists and {*map(repr, value)} <= {*map(repr, whole)}


def write_options(root: str | Path, options: dict[str, Any]) -> None:
    """Write sweep.json: options (JSON values) and a CRC-32 of them. Raises `StoreError` as `whole_file`."""
    write_text(json.dumps({**options, "crc32": _options_sum(options)}, indent=1) + "\n", Path(root) / layout.SWEEP)


def read_options(root: str | Path) -> dict[str, Any]:
    """The options that the curves under `root` were made with. Raises `StoreError` where sweep.json is missing or damaged."""
    path = Path(root) / layout.SWEEP
    if not Path(root).is_dir():
        raise StoreError(f"there is no directory {root}: give one that `baseline` or `evaluate` wrote")
    with readable(path, _RESTORE):
        if not path.exists():
            raise StoreError(f"{root} has no sweep.json, which `baseline` and `evaluate` leave there: use another directory")
        there = read_json(path)
    recorded = there.pop("crc32", None) if isinstance(there, dict) else ""
    whole = file_metadata.are_options(there)
    if recorded is None and whole and not any(str(value).startswith("crc32=") for value in there.values()):
        return there  # of before 0.2, without a sum: only one with all that every sweep has had
    if recorded != _options_sum(there) or not whole:
        raise StoreError(f"{path} was changed or damaged: {_RESTORE}")
    return there


def _options_sum(options):
    return f"crc32={zlib.crc32(json.dumps(options, sort_keys=True).encode()):08x}"


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:45]} .. ({len(value)} values)"
