"""SHA-256 sums of the files of shipped baselines."""

import hashlib
from pathlib import Path

from taskset.errors import StoreError, system
from taskset.files import write_text
from taskset.normalization.store import files, layout
from taskset.normalization.store.columns import TABLES

NAME = layout.SUMS


def described_files(root: str | Path) -> list[str]:
    """The files that make up the baselines under `root`, without the sums: paths relative to it, sorted."""
    wanted = ["README.md", "croissant.json", *(f"{table}.parquet" for table in (*TABLES, "optimizers"))]
    there = [Path(root, name) for name in wanted if Path(root, name).exists()]
    return sorted(path.relative_to(root).as_posix() for path in there + files.curve_files(root))


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write(root: str | Path) -> None:
    """SHA256SUMS of all files, in the form that `sha256sum -c` reads."""
    lines = [f"{digest(Path(root, name))}  {name}" for name in described_files(root)]
    write_text("\n".join(lines) + "\n", Path(root, NAME))


def listed(root: str | Path) -> dict[str, str]:
    """{file: SHA-256} of the lines of SHA256SUMS that are sums."""
    return _read(root)[0]


def _read(root: str | Path) -> tuple[dict[str, str], list[str]]:
    """({file: SHA-256}, one line per fault) of SHA256SUMS."""
    found: dict[str, str] = {}
    faults: list[str] = []
    try:
        lines = Path(root, NAME).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return {}, [f"{NAME}: it is no text"]
    except OSError as error:
        raise StoreError(f"can't read {Path(root, NAME)}: {system(error)}; restore it") from error
    for number, line in enumerate(lines, 1):
        parts = line.split("  ", 1)
        if len(parts) == 2 and len(parts[0]) == 64:
            found[parts[1]] = parts[0]
        else:
            faults.append(f"{NAME}: line {number} is no sum and file name")
    return found, faults


def problems(root: str | Path) -> list[str]:
    """One line for each file that is missing, changed or not listed."""
    listed, found = _read(root)
    if found == [f"{NAME}: it is no text"]:
        return found
    there = described_files(root)
    found += [f"{name}: missing, and listed in {NAME}" for name in sorted(set(listed) - set(there))]
    found += [f"{name}: not listed in {NAME}" for name in there if name not in listed]
    return found + [
        f"{name}: its SHA-256 is not the one in {NAME}"
        for name in there
        if name in listed and digest(Path(root, name)) != listed[name]
    ]
