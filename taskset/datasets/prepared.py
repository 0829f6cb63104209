"""Where real data lies: TensorFlow Datasets' own directory, and beside it what this package built from it once.

Shared by image and text data. Nothing here needs TensorFlow.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from taskset.errors import DataNotPrepared, StoreError

DATA_VARIABLE = "TFDS_DATA_DIR"
CACHE_VARIABLE = "TASKSET_CACHE_DIR"


@dataclass(frozen=True)
class DataStatus:
    """One data set, as `python -m taskset data status` shows it.

    name: as configs write it. tfds: the TFDS data set it is read from. prepared: whether a task can read it now. where: the
    directory it is read from, or None. download: bytes still to be downloaded to prepare it, None where nobody states them.
    note: what else is to be known, or "".
    """

    name: str
    tfds: str
    prepared: bool
    where: str | None
    download: int | None
    note: str = ""


def data_dir_or_default(data_dir=None):
    """`data_dir`, else the environment variable TFDS_DATA_DIR, else TFDS's own default ~/tensorflow_datasets: a `Path`."""
    return Path(data_dir or os.environ.get(DATA_VARIABLE) or "~/tensorflow_datasets").expanduser()


def cache_dir(data_dir=None):
    """Where built files are kept: TASKSET_CACHE_DIR (for a TFDS directory that can't be written), else DATA_DIR/taskset."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else data_dir_or_default(data_dir) / "taskset"


def built_dir(name, data_dir=None):
    """The directory of what was built for the data set `name`."""
    return cache_dir(data_dir) / name.replace("/", "_")


def stored_version(tfds_name, data_dir=None):
    """The directory of the newest prepared version of a TFDS data set ("sun397/tfds"), None if there is none."""
    root = data_dir_or_default(data_dir) / tfds_name
    return max((info.parent for info in root.glob("*/dataset_info.json")), key=_version, default=None)


def _version(directory):
    return tuple(int(part) if part.isdigit() else -1 for part in directory.name.split("."))


def megabytes(size):
    """A size in bytes as people read it: `"11.6 MB"`, `"5.0 GB"`; `"of unknown size"` for None."""
    if size is None:
        return "of unknown size"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def not_prepared(name, data_dir, download, why="is not prepared"):
    """The `DataNotPrepared` for `name`: what to run, what it downloads (bytes; 0 for nothing), and what needs no data at all."""
    place = data_dir_or_default(data_dir)
    cost = "no download" if download == 0 else f"download {megabytes(download)}"
    return DataNotPrepared(
        f"data set {name!r} {why} in {str(place)!r}: run python -m taskset data prepare {name} --data-dir {place} ({cost}), "
        "or use --source synthetic, which needs none"
    )


def require_writable(directory):
    """Make `directory`; raise `StoreError` unless files can be written there: found out before the work, not after it."""
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise StoreError(
            f"can't write in {str(directory)!r} ({error.strerror}): name a directory of your own with --data-dir, "
            f"or set {CACHE_VARIABLE} to keep what is built from prepared data elsewhere"
        ) from None


def download(tfds_name, data_dir=None):
    """Download and prepare a TFDS data set. Raises `StoreError` where that fails (no network, no space, a refusal)."""
    import tensorflow_datasets as tfds

    place = data_dir_or_default(data_dir)
    require_writable(place)
    # A download directory for each: mnist and fashion_mnist have files of the same names.
    downloads = place / "downloads" / tfds_name.replace("/", "_")
    try:
        tfds.builder(tfds_name, data_dir=str(place)).download_and_prepare(download_dir=str(downloads))
    except Exception as error:  # whatever a publisher's server, an archive or a builder may come up with
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise StoreError(
            f"TFDS could not prepare {tfds_name!r} in {str(place)!r} ({type(error).__name__}: {reason}): "
            "mend that and run it again, or copy the directory from a machine that has it"
        ) from error
