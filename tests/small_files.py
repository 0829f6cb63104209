"""A small right file of each kind that the packages read: how it is written, and how it is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from learned import optimizers
from learned.deploy.export import export
from learned.outer_training import checkpoint, log, resuming
from learned.recipes import budget
from taskset.datasets import built, encoding, prepared, text_info, text_sources, tfds_source
from taskset.datasets.corpus import checksum, concatenate
from taskset.errors import DataNotPrepared, StoreError
from taskset.normalization import store
from taskset.normalization.store import packing, sha256_sums
from taskset.scoring import requested, score_file, suites
from tests.datasets.prepared_sets import IMAGES
from tests.learned.trainings import opened, suite
from tests.normalization import made_up_sweeps as made

# JSON values, and places in them.

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


# Files.


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
    sha256_sums.write(root)
    return root / sha256_sums.NAME


def check_sums(path: Path) -> str:
    problems = sha256_sums.problems(path.parent)
    if problems:
        raise StoreError("; ".join(problems)[:500])
    return "all right"


def suite_file(place: Path) -> Path:
    suites.save(suite(), place / "suite.json")
    return place / "suite.json"


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
        opened(place).train(6, save_every=3)
        return place / name

    return write


def resumed(path: Path) -> dict[str, Any]:
    found = opened(path.parent)
    resuming.kept_places(path.parent)
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


def kept_file(place: Path) -> Path:
    found, path = checkpoint.load(checkpoint_file(place)), budget.weights_path(place, 1)
    checkpoint.save(path, {**found.meta, "seconds": 3.5}, found.arrays)
    return path


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
