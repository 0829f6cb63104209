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
from learned import optimizers
from learned.deploy import numpy_update
from learned.deploy.export import export
from learned.deploy.weights import load_weights
from learned.outer_training import checkpoint, log
from learned.outer_training import trainer as outer
from learned.recipes import budget, screening
from taskset.datasets import built, encoding, prepared, text_info, text_sources, tfds_source
from taskset.datasets.corpus import checksum, concatenate
from taskset.errors import DataNotPrepared, StoreError, TasksetError
from taskset.normalization import store
from taskset.normalization.store import packing, sums
from taskset.scoring import requested, score_file, suites
from taskset.scoring.rows import Row
from tests.datasets.test_prepared import IMAGES, tfds_version
from tests.learned.outer_training import test_damaged_training as training
from tests.learned.outer_training.test_outer import suite
from tests.learned.recipes.test_recipes import TINY
from tests.normalization import made_up_sweeps as made

EXAMPLES = 150  # of each loader

# Changes of a file.

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**400, -1, 1e308, "x" * 10**5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
places = st.integers(0, 2**32 - 1)  # modulo the number of places there are
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


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def replaced(values: Any, place: int, value: object) -> Any:
    """JSON values with the one at `place`, counted from the outside, replaced by `value`."""
    keys = sorted(values) if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    rest, choice = divmod(place, len(keys) + 1)
    if choice == len(keys):
        return value
    key = list(keys)[choice]
    inner = replaced(values[key], rest, value)
    return {**values, key: inner} if isinstance(values, dict) else [*values[:key], inner, *values[key + 1 :]]


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


def sweep_file(name: str) -> Callable[[Path], Path]:
    return lambda place: made.write(place / "sweep", tasks=made.TASKS[1:2]) / name


def packed(place: Path) -> Path:
    """Curves as they ship: several tasks in one file."""
    root = made.write(place / "sweep", tasks=made.TASKS[1:])
    tables = [packing.read_part(path, 0) for path in store.curve_files(root)]
    path = store.curve_path(place / "packed", "none", "quadratic_family", "group")
    packing.write_packed(path, tables, {"source": "none", "family": "quadratic_family", "options": json.dumps(made.options())})
    return path


def sums_file(place: Path) -> Path:
    root = made.write(place / "sweep", tasks=made.TASKS[1:2])
    sums.write(root)
    return root / sums.NAME


def check_sums(path: Path) -> str:
    problems = sums.problems(path.parent)
    if problems:
        raise StoreError("; ".join(problems)[:500])
    return "all right"


def suite_file(place: Path) -> Path:
    suites.save(suite(), place / "suite.json")
    return place / "suite.json"


def whole_suite(found: suites.Suite, _: object) -> bool:
    """Suites are for hands to edit: whatever is read is one, and is read the same again."""
    return suites.from_json(found.as_json(), "again") == found


def scores(place: Path) -> Path:
    row = {"title": "own", "trials": 1, "own": True, "diverged": 0, "runs": 2, "train": {"tasks": {"a": 0.5}}}
    values = {"format": score_file.FORMAT, "format_version": 1, "suite": "1h:1", "horizon": 20, "view": "end", "rows": [row]}
    (place / "scores.json").write_text(json.dumps(values, indent=1))
    return place / "scores.json"


def requests(place: Path) -> Path:
    requested.record(place, ["TwoD_Bowl10", "TwoD_Bowl1"], "test", ["TwoD_Bowl10", "TwoD_Bowl1"])
    return place / requested.FILE


def checkpoint_file(place: Path, name: str = "learnable_adam") -> Path:
    theta = {path: np.full(shape, 0.1, np.float32) for path, shape in optimizers.get(name).shapes.items()}
    meta = {"optimizer": name, "shapes": {path: list(w.shape) for path, w in theta.items()}, "step": 7, "slots": {}}
    checkpoint.save(place / "checkpoint.npz", meta, {f"theta/{path}": w for path, w in theta.items()})
    return place / "checkpoint.npz"


def export_file(place: Path) -> Path:
    return export(checkpoint_file(place), place / "export.npz")[0]


def training_file(name: str) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        training.opened(place).train(6, save_every=3)
        return place / name

    return write


def resumed(path: Path) -> dict[str, Any]:
    found = training.opened(path.parent)
    outer.kept_slots(path.parent)
    return {"step": found.step, **{name: getattr(found, name) for name in "xmv"}}


def read_log(path: Path) -> list[int]:
    """Steps. A last line that is cut short is left out, and a log without lines stands for one that was removed: []."""
    return [line["step"] for line in log.read(path, 6)]


def images(name: str) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
        record = {**tfds_source.RESIZED, "name": IMAGES, "made_from": "deep_weeds 3.0.0", "sizes": {"train": 3}}
        arrays = {"train_image": pixels, "train_label": np.arange(3, dtype=np.int32)}
        built.write(prepared.built_dir(IMAGES, place), arrays, {}, record)
        return prepared.built_dir(IMAGES, place) / name

    return write


def read_images(path: Path) -> dict[str, Any]:
    pixels, labels = tfds_source.read_images(IMAGES, str(path.parent.parent.parent))["train"]
    return {"images": np.array(pixels), "labels": np.array(labels)}


def corpus(name: str, file: str) -> Callable[[Path], Path]:
    """Prepared text as `text_sources` leaves it, of documents made up here."""

    def write(place: Path) -> Path:
        texts = [f"document number {i} of a few" for i in range(8)]
        if name.endswith("subwords8k"):
            vocabulary, encoded = encoding.learn_subwords(texts)
            files = {"vocabulary.json": vocabulary.to_json()}
        else:
            encoded, files = encoding.encode_bytes(texts), {}
        labels = [i % 2 for i in range(8)] if text_info.info(name).num_classes else None
        documents = {split: concatenate(encoded, labels) for split in text_sources.LIMITS}
        arrays = {f"{split}_{part}": array for split, both in documents.items() for part, array in both.arrays().items()}
        values = {"version": text_sources.VERSION, "name": name, "made_from": "made up 1.0.0"}
        values |= {"documents": {split: 8 for split in documents}, "checksum": checksum(**documents)}
        built.write(prepared.built_dir(name, place), arrays, files, values)
        return prepared.built_dir(name, place) / file

    return write


def read_text(name: str) -> Callable[[Path], Any]:
    def load(path: Path) -> dict[str, Any]:
        data_dir = path.parent.parent.parent
        text_sources._read.cache_clear()
        text_sources.text_status(data_dir)
        text = ""
        if name.endswith("subwords8k"):
            vocabulary = text_sources.read_vocabulary(name, data_dir)
            text = vocabulary.decode(vocabulary.encode(["a few"])[0])
        found = text_sources.read_corpus(name, data_dir)
        arrays = {
            f"{split} {part}": array for split in ("train", "test") for part, array in getattr(found, split).arrays().items()
        }
        assert all(len(documents[i]) for documents in (found.train, found.test) for i in range(len(documents)))
        return {**{part: np.array(array) for part, array in arrays.items()}, "origin": found.origin, "text": text}

    return load


def progress_file(place: Path) -> Path:
    (place / budget.PROGRESS).write_text(json.dumps({"seconds": 3.5, "kept": [(0, 0, 0.0), (1, 4, 3.0)]}))
    return place / budget.PROGRESS


def costs_file(place: Path) -> Path:
    costs = {"a": {"first": 1.0, "step": 0.1, "loss": None}, "b": {"failed": "ValueError: why"}}
    (place / "screening.json").write_text(json.dumps(costs))
    return place / "screening.json"


def stored_version(path: Path) -> Path:
    root = path.parent.parent.parent
    why = prepared.damage("mnist", root)
    if why:
        raise DataNotPrepared(why)
    return prepared.stored_version("mnist", root)


BYTES, SUBWORDS = "lm1b/bytes", "imdb_reviews/subwords8k"  # the first without labels
CURVES = "curves/source=none/family=quadratic_family/quadratic_family_seed2.parquet"
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
    "recipe, progress": Loader(progress_file, lambda path: budget.read_progress(path, TINY), right=lambda *_: True),
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
