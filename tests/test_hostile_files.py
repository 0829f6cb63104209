"""Files that are right by their sums, and hold what this package never writes: every reader answers with one line of an error.

Sums show damage. A file from elsewhere may be made with right ones around any values, so values are checked as well. A row of
KINDS is a kind of file, what replaces values in it with their sums, and everything that reads it.
"""

import io
import json
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import taskset
from learned.outer_training import log
from learned.outer_training import trainer as outer
from learned.recipes import budget, screening
from taskset.datasets import built, prepared
from taskset.errors import StoreError, TasksetError
from taskset.files import npz
from taskset.normalization import store, tables
from taskset.normalization.release import check, collect, merged, merged_tables, ship
from taskset.normalization.store import checked_parquet
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.options import SweepOptions
from tests.normalization import made_up_sweeps as made
from tests.small_files import (
    BYTES,
    CURVES,
    SUBWORDS,
    corpus,
    costs_file,
    images,
    is_json,
    json_values,
    kept_file,
    packed,
    places,
    read_images,
    read_text,
    replaced,
    resumed,
    sweep_file,
    training_file,
)

EXAMPLES = 100  # of each kind

# Changes: (path, place, value) -> None.


def parquet(path: Path, place: int, value: object) -> None:
    """One value of the metadata is replaced, or all of one column."""
    file = pq.ParquetFile(path)
    groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    metadata = {k: v for k, v in (file.schema_arrow.metadata or {}).items() if k != checked_parquet.KEY.encode()}
    keys = sorted(k for k in metadata if not k.startswith((b"ARROW", b"pandas")))
    rest, choice = divmod(place, len(keys) + len(groups[0].column_names))
    if choice < len(keys):
        text = metadata[keys[choice]].decode()
        new = json.dumps(replaced(json.loads(text), rest, value)) if is_json(text.encode()) else str(value)
        metadata[keys[choice]] = new.encode(errors="surrogatepass")
    else:
        groups = [_with_column(group, choice - len(keys), value) for group in groups]
    if rest % 7 == 0 and keys:
        del metadata[keys[choice % len(keys)]]
    schema = groups[0].schema.with_metadata(metadata)
    path.unlink()
    checked_parquet.write([group.replace_schema_metadata(metadata) for group in groups], schema, path)


def _with_column(table: pa.Table, i: int, value: object) -> pa.Table:
    try:
        changed = table.set_column(i, table.column_names[i], pa.array([value] * len(table)))
        pq.write_table(changed, io.BytesIO())
        return changed
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return table


def options_file(path: Path, place: int, value: object) -> None:
    there = json.loads(path.read_text())
    del there["crc32"]
    new = replaced(there, place, value)
    if isinstance(new, dict):
        store.write_options(path.parent, new)
    else:
        path.write_text(json.dumps(new))


def plain_json(path: Path, place: int, value: object) -> None:
    path.write_text(json.dumps(replaced(json.loads(path.read_text()), place, value)))


def record(path: Path, place: int, value: object) -> None:
    rest = json.loads((path.parent / built.RECORD).read_text())
    del rest["crc32"]
    new = replaced(rest, place, value)
    if isinstance(new, dict):
        new["crc32"] = f"{zlib.crc32(json.dumps(new, sort_keys=True).encode()):08x}"
    (path.parent / built.RECORD).write_text(json.dumps(new))


def built_file(change: Callable[[Path, int, object], None]) -> Callable[[Path, int, object], None]:
    """`change` of a file beside a record, which gets the new sums."""

    def changed(path: Path, place: int, value: object) -> None:
        change(path, place, value)
        rest = json.loads((path.parent / built.RECORD).read_text())
        rest["files"][path.name] = {"bytes": path.stat().st_size, "crc32": f"{zlib.crc32(path.read_bytes()):08x}"}
        del rest["crc32"]
        rest["crc32"] = f"{zlib.crc32(json.dumps(rest, sort_keys=True).encode()):08x}"
        (path.parent / built.RECORD).write_text(json.dumps(rest))

    return changed


def _changed_array(array: np.ndarray, place: int, value: object) -> np.ndarray:
    """An array of another type or shape, or with one entry replaced by a number."""
    rest, choice = divmod(place, 4)
    if choice == 0:
        other = np.asarray(value if isinstance(value, (int, float, str, bool)) and value != 10**400 else 0.5)
        return array if other.dtype.hasobject else other
    if choice == 1:
        return array[rest % (len(array) + 1) :] if array.ndim else array
    if choice == 2:
        return np.concatenate([array, array]) if array.ndim else array
    changed, number = array.copy(), (0, -1, 2**31 - 1, 254)[rest % 4]
    if changed.size and changed.dtype.kind in "iuf":
        changed.flat[rest % changed.size] = np.array(number).astype(changed.dtype)
    return changed


def npy(path: Path, place: int, value: object) -> None:
    array = _changed_array(np.load(path), place, value)
    path.unlink()
    np.save(path, array)


def npz_arrays(path: Path, place: int, value: object) -> None:
    arrays = npz.read(path)
    name = sorted(arrays)[place % len(arrays)]
    rest = place // len(arrays)
    if name == "meta":
        arrays[name] = np.array(json.dumps(replaced(json.loads(str(arrays[name])), rest, value)))
    else:
        arrays[name] = _changed_array(arrays[name], rest, value)
    path.unlink()
    np.savez(path, **arrays)


def log_line(path: Path, place: int, value: object) -> None:
    lines = path.read_text().splitlines(keepends=True)
    number, rest = place % len(lines), place // len(lines)
    values = json.loads(lines[number])
    del values["crc32"]
    new = replaced(values, rest, value)
    lines[number] = log.as_line(new) if isinstance(new, dict) else json.dumps(new) + "\n"
    path.write_text("".join(lines))


# What is written, and what reads it.


def shipped(place: Path) -> Path:
    ship.ship([made.write(place / "sweep", tasks=made.TASKS[1:2])], place / "merged")
    return place / "merged" / "sweeps.parquet"


def is_one_line(error: TasksetError) -> bool:
    return "\n" not in str(error) and len(str(error)) < 1000


def each(*readers: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Every reader has its turn, whatever those before say; the first error is raised at the end."""

    def load(path: Path) -> None:
        first = None
        for reader in readers:
            try:
                reader(path)
            except TasksetError as error:
                first = error if first is None or not is_one_line(error) else first
        if first is not None:
            raise first

    return load


def sweep_options(path: Path) -> SweepOptions:
    given = made.options()
    return SweepOptions(**{**given, "optimizers": (*given["optimizers"], "adam_lr_0.00"), "seeds": (0, 1, 2)})


def plan(path: Path) -> None:
    root = path.parents[3]
    baseline.plan(["quadratic_family_seed2"], sweep_options(path), root)


def missing(path: Path) -> None:
    baseline.resume.missing(path, store.read_metadata(path), sweep_options(path))


def found_for_shipping(root: Path) -> None:
    """What `data ship` reads, without the rows of the tasks that weren't swept, which take seconds."""
    for curves in collect.find([root]):
        merged_tables.sweep_row(curves, "group", {})
    merged.costs([root])


def nobody(path: Path) -> None:
    """A name that is nowhere is looked for in the metadata of all files."""
    try:
        taskset.load_curves(optimizer="nobody", root=path.parents[3])
    except StoreError as error:
        if "no curves of optimizer 'nobody'" not in str(error):
            raise


CURVE_READERS = each(
    lambda path: taskset.load_curves(root=path.parents[3]),
    nobody,
    lambda path: taskset.load_curves(task="quadratic_family_seed2", root=path.parents[3]),
    lambda path: tables.tasks_frame(path.parents[3]),
    lambda path: check.check(path.parents[3]),
    lambda path: tables.write_tables(path.parents[3]),
    lambda path: found_for_shipping(path.parents[3]),
    missing,
    plan,
)
TABLE_READERS = each(
    lambda path: taskset.load_tasks(path.parent),
    lambda path: taskset.load_optimizers(path.parent),
    lambda path: taskset.load_normalizers(path.parent),
    lambda path: check.check(path.parent),
    lambda path: found_for_shipping(path.parent),
)


@dataclass(frozen=True)
class Kind:
    """write: (directory) -> path of the file that is changed; change: puts a value into it; load: everything that reads it."""

    write: Callable[[Path], Path]
    change: Callable[[Path, int, object], None]
    load: Callable[[Path], Any]


KINDS = {
    "curves": Kind(sweep_file(CURVES), parquet, CURVE_READERS),
    "curves, packed": Kind(packed, parquet, lambda path: taskset.load_curves(root=path.parents[3])),
    "tasks": Kind(sweep_file("tasks.parquet"), parquet, TABLE_READERS),
    "optimizers": Kind(sweep_file("optimizers.parquet"), parquet, TABLE_READERS),
    "normalizers": Kind(sweep_file("normalizers.parquet"), parquet, TABLE_READERS),
    "sweeps": Kind(shipped, parquet, each(lambda path: store.load_sweeps(path.parent), TABLE_READERS)),
    "sweep.json": Kind(sweep_file("sweep.json"), options_file, lambda path: store.read_options(path.parent)),
    "recipe, kept weights": Kind(kept_file, npz_arrays, lambda path: budget.read_kept(path.parent, 1)),
    "recipe, screening": Kind(costs_file, plain_json, screening.read_costs),
    "checkpoint, resumed": Kind(training_file(outer.LATEST), npz_arrays, resumed),
    "steps.jsonl": Kind(training_file(outer.LOG), log_line, lambda path: log.read(path, 6)),
    "prepared images": Kind(images("train_image.npy"), built_file(npy), read_images),
    "prepared images, record": Kind(images(built.RECORD), record, read_images),
    "prepared text": Kind(corpus(SUBWORDS, "train_offsets.npy"), built_file(npy), read_text(SUBWORDS)),
    "prepared text, labels": Kind(corpus(SUBWORDS, "train_labels.npy"), built_file(npy), read_text(SUBWORDS)),
    "prepared text, record": Kind(corpus(BYTES, built.RECORD), record, read_text(BYTES)),
    "prepared text, vocabulary": Kind(corpus(SUBWORDS, "vocabulary.json"), built_file(plain_json), read_text(SUBWORDS)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_only_a_value_or_one_line(name, tmp_path, monkeypatch):
    monkeypatch.delenv(prepared.CACHE_VARIABLE, raising=False)
    kind = KINDS[name]
    path = kind.write(tmp_path)
    whole = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    kind.load(path)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(places, json_values | st.sampled_from([2**62, "0.1.0", "\ud800", {"a": []}, [[1]]]))
    def fuzzed(place, value):
        for file in [*tmp_path.rglob("*")]:
            if file.is_file():
                file.unlink()
        for file, content in whole.items():
            file.write_bytes(content)
        kind.change(path, place, value)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind.load(path)
            fits = True
        except TasksetError as error:
            fits = is_one_line(error)
        assert fits

    fuzzed()
