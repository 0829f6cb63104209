"""Where real data is stored: in a directory of TensorFlow Datasets (TFDS), and beside it what this package built from it.

Shared by image and text data. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from taskset.errors import DataNotPrepared, StoreError, argument, shown, system

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

Directory: TypeAlias = str | os.PathLike[str]

NEEDS_NONE = 'use source="synthetic" (--source synthetic), which needs none'
DATA_VARIABLE = "TFDS_DATA_DIR"
CACHE_VARIABLE = "TASKSET_CACHE_DIR"
_FEATURES, _CLASS_KEYS = "tensorflow_datasets.", ("pythonClassName", "python_class_name", "type")  # of features.json
_FRAME = 16  # bytes around each example of a TFRecord file
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"  # of the names of TFDS's files


@dataclass(frozen=True)
class DataStatus:
    """One data set, as `python -m taskset data status` shows it.

    name: as configs write it. prepared: whether a task can read it now. where: the directory it is read from, or None.
    download: the bytes that preparing it would download, None if that is unknown. kind: what holds of other data sets as well, a
    clause whose first word stands for it in a table, or "". note: a remark on this one, or "".
    """

    name: str
    prepared: bool
    where: str | None
    download: int | None
    kind: str = ""
    note: str = ""


def data_dir_or_default(data_dir: Directory | None = None) -> Path:
    """`data_dir`, else the environment variable TFDS_DATA_DIR, else TFDS's own default ~/tensorflow_datasets.

    Raises `DataNotPrepared` if that needs a home directory and there is none (as in some containers).
    """
    return _expanded(data_dir or os.environ.get(DATA_VARIABLE) or "~/tensorflow_datasets")


def cache_dir(data_dir: Directory | None = None) -> Path:
    """Where built files are stored: TASKSET_CACHE_DIR wherever it is set, else DATA_DIR/taskset."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return _expanded(chosen) if chosen else data_dir_or_default(data_dir) / "taskset"


def _expanded(place: Directory) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError:  # neither HOME nor the list of accounts has one for this user
        raise DataNotPrepared(
            f"the data directory {str(place)!r} can't be found, since no home directory is known: "
            f"name one with --data-dir or {DATA_VARIABLE}, or {NEEDS_NONE}"
        ) from None


def built_dir(name: str, data_dir: Directory | None = None) -> Path:
    """The directory of the files built for the data set `name`."""
    return cache_dir(data_dir) / name.replace("/", "_")


def stored_version(tfds_name: str, data_dir: Directory | None = None) -> Path | None:
    """The directory of the newest undamaged version of a TFDS data set ("sun397/tfds"), None if there is none."""
    return next((place for place in _versions(tfds_name, data_dir) if version_damage(place) is None), None)


def damage(tfds_name: str, data_dir: Directory | None = None) -> str | None:
    """If all stored versions are damaged, what is wrong with the newest: `"is damaged (..; delete 'DIR' first)"`; else None."""
    places = _versions(tfds_name, data_dir)
    if not places or stored_version(tfds_name, data_dir):
        return None
    return f"is damaged ({version_damage(places[0])}; delete {str(places[0])!r} first)"


def passed_over(tfds_name: str, data_dir: Directory | None = None, made_from: str | None = None) -> str:
    """Where an older version is read, as the newest is damaged, `"3.0.1 is damaged (..); 3.0.0 is read"`; else "".

    made_from: name and version that built files were made from, which are read instead: nothing is said where it is another one.
    """
    places, read = _versions(tfds_name, data_dir), stored_version(tfds_name, data_dir)
    if read is None or read == places[0] or made_from not in (None, f"{tfds_name} {read.name}"):
        return ""
    return f"{places[0].name} is damaged ({version_damage(places[0])}); {read.name} is read"


def _versions(tfds_name: str, data_dir: Directory | None) -> list[Path]:
    """Directories of versions, the newest first. TFDS prepares under other names ("3.0.1.incompleteABC"), which don't count."""
    root = data_dir_or_default(data_dir) / tfds_name
    found = [place for place in root.glob("*") if re.fullmatch(r"\d+\.\d+\.\d+", place.name)]
    return sorted(found, key=lambda place: tuple(int(part) for part in place.name.split(".")), reverse=True)


def version_damage(place: Path) -> str | None:
    """Why a directory is not a complete TFDS data set, None if it is: compares names and sizes of files and reads none."""
    try:
        info = json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))
        features = json.loads((place / "features.json").read_text(encoding="utf-8"))
        foreign = next((name for name in _classes(features) if not name.startswith(_FEATURES)), None)
        if foreign is not None:  # TFDS would import its module: a file must not cause that
            return f"features.json names {shown(foreign)}, a class that isn't of TFDS"
        return next((found for split in info["splits"] if (found := _split_damage(place, info, split))), None)
    except OSError as error:
        return f"{Path(error.filename or place).name}: {system(error)}"
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError, RecursionError):
        return "dataset_info.json or features.json can't be read"


def _classes(values: Any, key: str = "") -> Iterator[str]:
    """The names of Python classes in a features.json, also in JSON inside its texts and under the keys of older versions."""
    if isinstance(values, dict):
        for name, inner in values.items():
            yield from _classes(inner, name)
    elif isinstance(values, list):
        for inner in values:
            yield from _classes(inner, key)
    elif isinstance(values, str):
        if key in _CLASS_KEYS and "." in values:
            yield values
        elif values.lstrip()[:1] in ("{", "["):
            with contextlib.suppress(ValueError):
                yield from _classes(json.loads(values), key)


def _split_damage(place: Path, info: dict[str, Any], split: dict[str, Any]) -> str | None:
    if split.get("filepathTemplate", _TEMPLATE) != _TEMPLATE or not split["shardLengths"]:
        return None
    shards = len(split["shardLengths"])
    files = list(place.glob(f"*-{split['name']}.{info.get('fileFormat', 'tfrecord')}-?????-of-{shards:05d}"))
    if len(files) != shards:
        return f"{split['name']} has {len(files)} of {shards} files"
    size = sum(file.stat().st_size for file in files)
    if size < int(split["numBytes"]):
        return f"{split['name']} has {size} bytes, fewer than its {split['numBytes']} of examples"
    claimed = sum(int(length) for length in split["shardLengths"])
    if info.get("fileFormat", "tfrecord") == "tfrecord" and not 0 <= _FRAME * claimed <= size:  # memory is taken for that many
        return f"{split['name']} claims {claimed} examples in {size} bytes"
    return None


def megabytes(size: int | None) -> str:
    """A size in bytes for people to read: `"11.6 MB"`, `"5.0 GB"`; `"of unknown size"` for None."""
    if size is None:
        return "of unknown size"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def not_prepared(name: str, data_dir: Directory | None, download: int | None, why: str = "is not prepared") -> DataNotPrepared:
    """The `DataNotPrepared` for `name`: the command to run, the size of its download (in bytes; 0 for none), the alternative."""
    place = data_dir_or_default(data_dir)
    cost = "no download" if download == 0 else f"download {megabytes(download)}"
    return DataNotPrepared(
        f"data set {name!r} {why} in {str(place)!r}: run python -m taskset data prepare {name} "
        f"--data-dir {argument(place)} ({cost}), "
        f"or {NEEDS_NONE}"
    )


def require_writable(directory: Directory) -> None:
    """Raise `StoreError` unless files can be written in `directory` or where it will be made: before the work, not after it.

    A directory marked read-only is left alone even by root, who could write there.
    """
    place = parent = Path(directory).absolute()
    try:
        parent = next(folder for folder in (place, *place.parents) if folder.exists())
        if not parent.stat().st_mode & 0o222:
            raise PermissionError(errno.EACCES, "marked read-only", str(parent))
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise StoreError(
            f"can't write in {str(place)!r} ({system(error)}): name a directory of your own with --data-dir, "
            f"or set {CACHE_VARIABLE} to keep what is built from prepared data elsewhere"
        ) from None


def reason(error: BaseException, length: int = 120) -> str:
    """The beginning of an error message of TFDS or TensorFlow, without names of graph nodes."""
    line = (str(error).strip().splitlines() or [""])[0]
    return re.sub(r"\{\{.*?\}\} ?", "", line)[:length] or type(error).__name__


def open_builder(place: Path) -> tfds.core.DatasetBuilder:
    """TFDS's builder of the version in a directory. Raises `ValueError` if its files can't be read as one."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(str(place))
    except Exception as error:  # its parsers raise errors of several libraries
        raise ValueError(reason(error)) from None


def download(tfds_name: str, data_dir: Directory | None = None) -> None:
    """Download and prepare a TFDS data set. Raises `StoreError` if that fails (no network, no space, a refusal)."""
    import tensorflow_datasets as tfds

    place = data_dir_or_default(data_dir)
    require_writable(place)
    # One download directory per data set: mnist and fashion_mnist have files of the same names.
    downloads = place / "downloads" / tfds_name.replace("/", "_")
    try:
        tfds.builder(tfds_name, data_dir=str(place)).download_and_prepare(download_dir=str(downloads))
    except Exception as error:  # servers, archives and builders raise errors of all kinds
        raise StoreError(
            f"TFDS could not prepare {tfds_name!r} in {str(place)!r} ({type(error).__name__}: {reason(error, 200)}): "
            "mend that and run it again, or copy the directory from a machine that has it"
        ) from error
