"""Every loader of files, fed with damaged and made-up ones by hypothesis: the right value, or one line of an error.

A row of LOADERS is a kind of file: how to write a small right one, and how to load it. Its bytes are changed, its JSON values are
replaced (inside an .npz too, whose sums are then right), and it is replaced by a file of another kind.
"""

import functools
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import taskset
from learned.deploy import numpy_update
from learned.deploy.weights import load_weights
from learned.outer_training import trainer as outer
from learned.recipes import budget, screening
from taskset.datasets import built
from taskset.errors import TasksetError
from taskset.normalization import store
from taskset.normalization.store import packing
from taskset.scoring import requested, score_file, suites
from taskset.scoring.rows import Row
from taskset.scoring.suites.suite import Suite, from_json
from tests.datasets.prepared_sets import tfds_version
from tests.small_files import (
    BYTES,
    CURVES,
    SUBWORDS,
    check_sums,
    checkpoint_file,
    corpus,
    costs_file,
    export_file,
    images,
    is_json,
    json_values,
    kept_file,
    packed,
    places,
    read_images,
    read_log,
    read_text,
    replaced,
    requests,
    resumed,
    scores,
    stored_version,
    suite_file,
    sums_file,
    sweep_file,
    training_file,
)

EXAMPLES = 150  # of each loader

# Changes of a file.

changes = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(1, 255)),
    st.tuples(st.just("cut"), places, places),
    st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=20) | st.just(b"[" * 10**5)),
    st.tuples(st.just("duplicate"), places, st.integers(1, 500)),
    st.tuples(st.just("value"), places, json_values),
    st.tuples(st.just("swap"), places, st.none()),
)


def changed(content: bytes, change: tuple[str, int, Any], others: list[bytes]) -> bytes:
    """The content of a file after one of `changes`; others: contents of files of other kinds."""
    kind, place, what = change
    at = place % max(len(content), 1)
    if kind == "flip" and content:
        return content[:at] + bytes([content[at] ^ what]) + content[at + 1 :]
    if kind == "cut":
        return content[:at] + content[at + 1 + what % max(len(content) - at, 1) :]
    if kind == "insert":
        return content[:at] + what + content[at:]
    if kind == "duplicate":
        return content[: at + what] + content[at:]
    if kind == "value":
        return with_value(content, place, what)
    return others[place % len(others)] if kind == "swap" else content


def with_value(content: bytes, place: int, value: object) -> bytes:
    """One value of the JSON in a file is replaced: of the whole file, of a line, or of "meta" in an .npz; else nothing."""
    if content[:2] == b"PK":
        return with_meta(content, lambda meta: with_value(meta, place, value))
    lines = content.split(b"\n") if is_json(content.split(b"\n")[0]) else [content]
    number = place % len(lines)
    if not is_json(lines[number]):
        return content
    lines[number] = json.dumps(replaced(json.loads(lines[number]), place // len(lines), value)).encode()
    return b"\n".join(lines)


def with_meta(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    try:
        with np.load(io.BytesIO(content)) as file:
            arrays = dict(file)
        arrays["meta"] = np.array(change(str(arrays["meta"]).encode()).decode())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):  # damaged by an earlier change
        return content
    whole = io.BytesIO()
    np.savez(whole, **arrays)
    return whole.getvalue()


# Kinds of files.


@dataclass(frozen=True)
class Loader:
    """write: (directory) -> path of the file that is changed; load: of this path; error: what it may raise.

    right: (found, right value) -> whether `found` may be read; default: the two are equal.
    """

    write: Callable[[Path], Path]
    load: Callable[[Path], Any]
    error: type[Exception] = TasksetError
    right: Callable[[Any, Any], bool] | None = None


def same(found: Any, right: Any) -> bool:
    if isinstance(right, pd.DataFrame):
        return isinstance(found, pd.DataFrame) and found.astype(str).equals(right.astype(str))
    if isinstance(right, np.ndarray):
        return isinstance(found, np.ndarray) and found.dtype == right.dtype and np.array_equal(found, right, equal_nan=True)
    if isinstance(right, dict):
        return isinstance(found, dict) and found.keys() == right.keys() and all(same(found[k], right[k]) for k in right)
    return type(found) is type(right) and found == right


def whole_suite(found: Suite, _: object) -> bool:
    """Suites are for hands to edit: whatever is read is one, and is read the same again."""
    return from_json(found.as_json(), "again") == found


LOADERS = {
    "curves": Loader(sweep_file(CURVES), lambda path: taskset.load_curves(root=path.parents[3])),
    "curves, part": Loader(sweep_file(CURVES), lambda path: packing.read_part(path, 0).to_pandas()),
    "curves, packed": Loader(packed, lambda path: taskset.load_curves(root=path.parents[3])),
    "curves, one task": Loader(packed, lambda path: taskset.load_curves("quadratic_family_seed11", root=path.parents[3])),
    "curves, metadata": Loader(sweep_file(CURVES), store.read_metadata),
    "normalizers": Loader(sweep_file("normalizers.parquet"), lambda path: taskset.load_normalizers(path.parent)),
    "tasks": Loader(sweep_file("tasks.parquet"), lambda path: taskset.load_tasks(path.parent)),
    "optimizers": Loader(sweep_file("optimizers.parquet"), lambda path: taskset.load_optimizers(path.parent)),
    "sweep.json": Loader(sweep_file("sweep.json"), lambda path: store.read_options(path.parent)),
    "sums": Loader(sums_file, check_sums),
    "suite": Loader(suite_file, suites.load, right=whole_suite),
    "scores": Loader(scores, score_file.read, right=lambda found, _: isinstance(found["rows"][0], Row)),
    "requests": Loader(
        requests,
        lambda path: requested.unfinished(path.parent),
        right=lambda found, _: isinstance(found, list) and all(isinstance(task, str) for task in found),
    ),
    "checkpoint": Loader(checkpoint_file, lambda path: load_weights(path).theta),
    "checkpoint, resumed": Loader(training_file(outer.LATEST), resumed),
    "steps.jsonl": Loader(training_file(outer.LOG), read_log, right=lambda found, right: found in (right, [])),
    "checkpoint, export": Loader(export_file, lambda path: load_weights(path).theta),
    "checkpoint, export in NumPy": Loader(export_file, lambda path: numpy_update.load(path).theta, ValueError),
    "prepared images": Loader(images("train_image.npy"), read_images),
    "prepared images, record": Loader(images("info.json"), read_images),
    "prepared text": Loader(corpus(SUBWORDS, "train_tokens.npy"), read_text(SUBWORDS)),
    "prepared text, record": Loader(corpus(BYTES, built.RECORD), read_text(BYTES)),
    "prepared text, vocabulary": Loader(corpus(SUBWORDS, "vocabulary.json"), read_text(SUBWORDS)),
    "recipe, kept weights": Loader(kept_file, lambda path: budget.read_kept(path.parent, 1)),
    "recipe, screening": Loader(costs_file, screening.read_costs, right=lambda *_: True),
    "prepared data of TFDS": Loader(lambda place: tfds_version(place, "3.0.1") / "dataset_info.json", stored_version),
}  # fmt: skip


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """{kind: the bytes of a right file}."""
    return {name: loader.write(tmp_path_factory.mktemp("right")).read_bytes() for name, loader in LOADERS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADERS)
def test_only_the_right_value_or_one_line(name, tmp_path, contents):
    loader = LOADERS[name]
    path = loader.write(tmp_path)
    right, whole = loader.load(path), path.read_bytes()
    others = [content for other, content in contents.items() if other.split(",")[0] != name.split(",")[0]]
    accept = loader.right or same
    assert accept(right, right)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(changes, min_size=1, max_size=2))
    def fuzzed(drawn):
        content = functools.reduce(lambda content, change: changed(content, change, others), drawn, whole)
        path.unlink()  # arrays that were read may be mapped from it
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = loader.load(path)
        except loader.error as error:
            line, fits = str(error), True
        else:
            line, fits = "", accept(found, right)
        assert fits and "\n" not in line and len(line) < 1000

    fuzzed()
