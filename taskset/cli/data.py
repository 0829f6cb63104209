"""`python -m taskset data ..`: real data sets (status, prepare) and merged baselines (check, ship, add, import-npz)."""

import csv
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from taskset.cli.options import DataDir, out
from taskset.cli.tables import show_table
from taskset.errors import StoreError, counted, shown, system, unknown
from taskset.execution.runtime import start_tensorflow

app = typer.Typer(no_args_is_help=True, help="Prepare real data sets; check, merge, import baselines.")


@app.command("status")
def data_status(data_dir: DataDir = None) -> None:
    """Show which real data sets are prepared, and where."""
    from taskset.datasets.prepared import data_dir_or_default, megabytes
    from taskset.datasets.text_sources import text_status
    from taskset.datasets.tfds_source import status

    rows = [*status(data_dir), *text_status(data_dir)]
    root = data_dir_or_default(data_dir)
    out.print(f"TFDS directory: {root}{'' if root.is_dir() else ', which is not there'}", markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("name", "prepared", "note"):
        table.add_column(column)
    for row in rows:
        size = f" ({megabytes(row.download)})" if row.download else ""
        where = _inside(row.where, root) if row.prepared and row.where else "yes"
        table.add_row(
            row.name, escape(where) if row.prepared else f"no{size}", row.kind.partition(" ")[0] or ("below" if row.note else "")
        )
    show_table(table, out)
    print("\nIn brackets: what `data prepare NAME` downloads.")
    for kind in dict.fromkeys(row.kind for row in rows if row.kind):
        print(kind)
    for row in rows:
        if row.note:
            out.print(f"{row.name}: {row.note}", markup=False)


def _inside(place: str, root: Path) -> str:
    """A path, from the TFDS directory on where it is in there."""
    return str(Path(place).relative_to(root)) if Path(place).is_relative_to(root) else place


@app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="Data set, by the name that `data status` shows.")],
    data_dir: DataDir = None,
) -> None:
    """Download and prepare a real data set.

    This is done with tensorflow-datasets. Images are resized, and texts encoded, where tasks need that.
    """
    from taskset.datasets import text_info
    from taskset.datasets.info import IMAGES
    from taskset.datasets.text_sources import prepare_text, text_status_of
    from taskset.datasets.tfds_source import prepare, status_of

    if name not in IMAGES and name not in text_info.NAMES:
        raise unknown("data set", name, [*IMAGES, *text_info.NAMES], "python -m taskset data status shows all.")
    start_tensorflow()
    (prepare if name in IMAGES else prepare_text)(name, data_dir)
    note = (status_of if name in IMAGES else text_status_of)(name, data_dir).note
    print(f"{name} is prepared{note and f': {note}'}")


@app.command("check")
def data_check(
    directory: Annotated[
        Path | None, typer.Argument(help="Directory of baselines. Default: those of the package.", show_default=False)
    ] = None,
) -> int:
    """Verify baselines, and print each problem on a line.

    Looked at are checksums, schema, rows, starts, divergence and normalizers. The exit status is 1 if there is a problem.
    """
    from taskset.normalization.release.check import check
    from taskset.normalization.store import curve_files, read_metadata

    found = check(directory)
    for line in found:
        print(line)
    if found:
        return 1
    files = curve_files(directory)
    rows = sum(read_metadata(path)["rows"] for path in files)
    out.print(f"nothing is wrong: {counted(len(files), 'curve file')}, {counted(rows, 'row', form=',')}")
    return 0


Costs = Annotated[
    Path | None,
    typer.Option("--costs", help="CSV file with the columns task and ms_per_step, for tasks without curves.", show_default=False),
]
Notes = Annotated[
    list[str] | None,
    typer.Option("--data-note", help="NAME=TEXT: a note on the copy of a real data set. May be repeated."),
]


@app.command("ship")
def data_ship(
    directories: Annotated[list[Path], typer.Argument(help="Directories that `baseline --out` or `data ship --out` wrote.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the merged baselines.")],
    costs: Costs = None,
    data_note: Notes = None,
) -> None:
    """Merge several baselines into one directory.

    It gets a data card, a machine-readable description and checksums.
    """
    from taskset.normalization.release.ship import ship

    tasks, runs = ship(directories, out_dir, _costs(costs), _notes(data_note or []), report=print)
    print(f"{counted(tasks, 'task')}, {counted(runs, 'run')}: {out_dir}")


@app.command("add")
def data_add(
    directories: Annotated[list[Path], typer.Argument(help="Directories that `baseline --out` or `data ship --out` wrote.")],
    to: Annotated[Path, typer.Option("--to", help="Directory of merged baselines, which gets what it lacks.")],
    costs: Costs = None,
    data_note: Notes = None,
) -> None:
    """Add curves of further sweeps to merged baselines.

    They become new files; those that are there stay as they are.
    """
    from taskset.normalization.release.add import add

    tasks, runs = add(directories, to, _costs(costs), _notes(data_note or []), report=print)
    print(f"{counted(tasks, 'task')}, {counted(runs, 'run')} added: {to}")


def _notes(given):
    notes = {}
    for text in given:
        name, equals, note = text.partition("=")
        if not (name and equals and note):
            raise StoreError(f"--data-note {text!r}: expected is NAME=TEXT, such as 'mnist=our own scan'")
        notes[name] = note
    return notes


def _costs(path):
    if path is None:
        return {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not {"task", "ms_per_step"} <= {*(rows.fieldnames or ())}:
                raise ValueError(f"its columns are {shown(rows.fieldnames or [])}")
            return {row["task"]: _milliseconds(row["ms_per_step"]) for row in rows}
    except OSError as error:
        raise StoreError(f"can't read {path}: {system(error)}") from error
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: expected is CSV with the columns task and ms_per_step, a positive number ({error})") from error


def _milliseconds(text):
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{text} is not one")
    return value


@app.command("import-npz")
def data_import(
    files: Annotated[list[Path], typer.Argument(help="Files of the release: TASK/FAMILY_1k_10000_replica5.npz.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the curves.")],
) -> None:
    """Convert curves released with the paper to Parquet.

    Their source is `published`.
    """
    from taskset.normalization.release.published import import_npz

    count = import_npz(files, out_dir, report=print)
    print(f"{counted(count, 'file')}: {out_dir}")
