"""Damaged files: of 200 flipped bits none may be read as right, unless the values are the same."""

import contextlib
import json
import re
import shutil
import warnings

import numpy as np
import pytest

import taskset
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.store import checked_parquet, packing
from tests.normalization import made_up_sweeps as made

FLIPS = 200


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def packed(sweep, tmp_path_factory):
    """A curve file as it ships: several tasks, a row group each."""
    root = tmp_path_factory.mktemp("packed")
    files = [path for path in store.curve_files(sweep) if "quadratic" in path.name]
    metadata = {"source": "none", "family": "quadratic_family", "options": json.dumps(made.options())}
    tables = [packing.read_part(path, 0) for path in files]
    packing.write_packed(store.curve_path(root, "none", "quadratic_family", "group"), tables, metadata)
    return root


def same(left, right):
    try:
        return left.astype(str).equals(right.astype(str)) if hasattr(left, "astype") else left == right
    except (ValueError, TypeError):
        return False


def survivors(path, read, count=FLIPS):
    """How many of `count` files with one bit flipped, read through `read`, give other values than the right one."""
    right, content, wrong = read(), path.read_bytes(), []
    for bit in np.random.default_rng(0).choice(8 * len(content), min(count, 8 * len(content)), replace=False).tolist():
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found, refusal = right, ""
        try:
            found = read()
        except StoreError as error:
            refusal = str(error)
        assert "\n" not in refusal
        if not same(found, right):
            wrong.append(bit)
    path.write_bytes(content)
    return wrong


CASES = {
    "own curves": ("sweep", "curves/source=none/family=quadratic_family/quadratic_family_seed2.parquet",
                   lambda root: taskset.load_curves(task="quadratic_family_seed2", root=root)),
    "own curves, part": ("sweep", "curves/source=none/family=quadratic_family/quadratic_family_seed2.parquet",
                         lambda root: packing.read_part(store.curve_files(root)[1], 0).to_pandas()),
    "own curves, metadata": ("sweep", "curves/source=none/family=quadratic_family/quadratic_family_seed2.parquet",
                             lambda root: store.read_metadata(store.curve_files(root)[1])),
    "shipped curves": ("packed", "curves/source=none/family=quadratic_family/group.parquet",
                       lambda root: taskset.load_curves(root=root)),
    "normalizers": ("sweep", "normalizers.parquet", taskset.load_normalizers),
    "tasks": ("sweep", "tasks.parquet", taskset.load_tasks),
    "optimizers": ("sweep", "optimizers.parquet", taskset.load_optimizers),
    "sweep.json": ("sweep", "sweep.json", store.read_options),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_no_flipped_bit_is_read_as_right(kind, request, tmp_path):
    fixture, name, read = CASES[kind]
    root = shutil.copytree(request.getfixturevalue(fixture), tmp_path / "root")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing may pass for an older version either
        assert survivors(root / name, lambda: read(root)) == []


def test_every_bit_of_a_header_and_footer_counts(packed, tmp_path):
    """All bits of the last 400 bytes, and of the first, where page headers are."""
    root = shutil.copytree(packed, tmp_path / "root")
    path = next((root / "curves").rglob("*.parquet"))
    right, content = checked_parquet.read(path).to_pandas(), path.read_bytes()
    for place in [*range(150), *range(len(content) - 400, len(content))]:
        for bit in (1, 128):
            damaged = bytearray(content)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            with contextlib.suppress(StoreError):
                assert checked_parquet.read(path).to_pandas().equals(right), place  # NaN equals NaN


def test_a_column_of_another_type_in_the_footer_is_an_error(packed, tmp_path):
    """Arrow would end the process at statistics of a column whose type the footer gets wrong."""
    root = shutil.copytree(packed, tmp_path / "root")
    path = next((root / "curves").rglob("*.parquet"))
    content = path.read_bytes()
    places = [found.start() + 1 for found in re.finditer(rb"\x15\x0c\x19[\x25\x35]", content)]  # of a column: bytes
    assert places
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << 6
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match="no complete Parquet file"):
            taskset.load_curves(root=root)


def test_files_without_sums_are_read(tmp_path):
    import pyarrow.parquet as pq

    table = made.rows("TwoD_Bowl10", made.options())
    pq.write_table(table, tmp_path / "a.parquet")
    assert checked_parquet.read(tmp_path / "a.parquet").to_pandas().equals(table.to_pandas())
