"""Files that were sent along with the work, on machines that lack them: which copy stands for the path that was given."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from taskset.errors import ConfigError, StoreError, system
from taskset.files import whole_file

_copies: dict[str, str] = {}


@dataclass(frozen=True)
class CarriedFile:
    """A file on its way. path: absolute, where it came from; contents: its bytes."""

    path: str
    contents: bytes


def pack(paths: Iterable[str]) -> dict[str, CarriedFile]:
    """{path as given: `CarriedFile`}. Raises `ConfigError` for a file that can't be read."""
    packed = {}
    for given in paths:
        path = Path(given).resolve()
        try:
            packed[given] = CarriedFile(str(path), path.read_bytes())
        except OSError as error:
            raise ConfigError(f"can't read {given!r} ({system(error)}): give the path of a file") from error
    return packed


def unpack(packed: Mapping[str, CarriedFile], directory: Path) -> None:
    """Make `place` find these files: as they are where this machine has the same ones in the same places, else in `directory`."""
    for given, file in packed.items():
        _copies[given] = file.path if _has(Path(file.path), file.contents) else str(_copy(file, directory))


def place(given: str) -> str:
    """The path to open for a path that was given: that of the copy on a machine which was sent one, else `given` itself."""
    return _copies.get(given, given)


def _has(path: Path, contents: bytes) -> bool:
    try:
        return path.read_bytes() == contents
    except OSError:
        return False


def _copy(file: CarriedFile, directory: Path) -> Path:
    """By its contents, so that all processes of a machine share one copy."""
    copy = directory / "files" / sha256(file.path.encode() + file.contents).hexdigest()[:16] / Path(file.path).name
    if not _has(copy, file.contents):
        try:
            with whole_file(copy) as temporary:  # another process may be reading the copy by now
                temporary.write_bytes(file.contents)
        except StoreError as error:
            raise StoreError(f"this machine can't keep a copy of {file.path} in {directory}: free or change it") from error
    return copy
