"""Real text: documents of prepared TensorFlow Datasets data, encoded once and stored beside it."""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskset.datasets import built, encoding, prepared, text_info
from taskset.datasets.corpus import Corpus, Documents, checksum, concatenate
from taskset.datasets.prepared import Directory
from taskset.errors import DataNotPrepared, shown

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

Document: TypeAlias = tuple[str, str, int | None]  # (split, text, label)

VERSION = 2  # of the built files and of how records become documents; 2 adds checksums to 1
# The largest number of documents of each split: the first in stored order, which is random, as TFDS shuffles when it writes.
LIMITS = {"train": 500_000, "test": 50_000}
TRAIN_SHARE = 70  # per cent, if the only stored split is divided by a hash
SHORTEST_LINE = 6  # characters: shorter lines of an article are not documents
_PARTS = {"tokens": "uint16", "offsets": "int64", "labels": "int32"}


def read_corpus(name: str, data_dir: Directory | None = None) -> Corpus:
    """The `Corpus` of an encoded text data set, memory-mapped.

    Raises `UnknownName`, `DataNotPrepared` (also for files that another version built).
    """
    text_info.parse(name)
    return _read(name, str(prepared.data_dir_or_default(data_dir)), str(prepared.built_dir(name, data_dir)))


def read_vocabulary(name: str, data_dir: Directory | None = None) -> encoding.Subwords:
    """The `encoding.Subwords` of a data set with the encoding subwords8k. Raises `DataNotPrepared`."""
    place = prepared.built_dir(name, data_dir)
    file = place / "vocabulary.json"
    if not file.is_file():
        raise _not_prepared(name, data_dir)
    try:
        built.check_sum(place, _require(name, data_dir, place), file.name)
        return encoding.Subwords.from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _not_prepared(name, data_dir, f"can't be read: {str(file)!r} {error}; the text is") from None


def text_status(data_dir: Directory | None = None) -> list[prepared.DataStatus]:
    """The `DataStatus` of every text data set."""
    return [text_status_of(name, data_dir) for name in text_info.NAMES]


def prepare_text(name: str, data_dir: Directory | None = None) -> None:
    """Download the plain text with TFDS if it is missing, encode it, and store the result in `prepared.built_dir`.

    Does nothing if that is done already. Files that another version built are replaced.

    Raises `UnknownName`, `DataNotPrepared` (for withdrawn or damaged data), `StoreError` (if the download fails, or files can't
    be written).
    """
    info = text_info.info(name)
    if text_status_of(name, data_dir).prepared:
        return
    prepared.require_writable(prepared.built_dir(name, data_dir).parent)
    damage = prepared.damage(info.original, data_dir)
    if damage:  # TFDS would take damaged files for prepared ones
        raise _not_prepared(name, data_dir, damage)
    if prepared.stored_version(info.original, data_dir) is None:
        if info.download is None:
            raise _not_prepared(name, data_dir)
        prepared.download(info.original, data_dir)
    _build(name, info, data_dir)


def text_status_of(name: str, data_dir: Directory | None = None) -> prepared.DataStatus:
    """The `DataStatus` of one text data set."""
    info, place = text_info.info(name), prepared.built_dir(name, data_dir)
    stored = prepared.stored_version(info.original, data_dir)
    record = built.read_record(place)
    ready = record is not None and _problem(name, place, record) is None
    download = 0 if stored or ready else info.download
    kind, note = "encoded by this package from the plain text", ""
    if record is not None and not ready:
        note = _problem(name, place, record) or ""
    elif not ready and prepared.damage(info.original, data_dir):
        note = f"the plain text {prepared.damage(info.original, data_dir)}"
    elif stored and not ready:
        note = "the plain text is prepared, but not encoded"
    elif info.download is None and not ready:
        kind = "withdrawn by its publisher in 2023: only a copy prepared before can be used"
    older = prepared.passed_over(info.original, data_dir, record.get("made_from") if record is not None and ready else None)
    note = "; ".join(filter(None, (note, older)))
    return prepared.DataStatus(name, ready, str(place) if ready else None, download, "" if note else kind, note)


def _not_prepared(name: str, data_dir: Directory | None, why: str | None = None) -> DataNotPrepared:
    info = text_info.info(name)
    stored = prepared.stored_version(info.original, data_dir)
    damage = prepared.damage(info.original, data_dir)
    if stored is None and info.download is None and not damage:
        return DataNotPrepared(
            f"data set {name!r} can't be prepared: {info.original} was withdrawn by its publisher in 2023; put a copy that TFDS "
            f"prepared before into {str(prepared.data_dir_or_default(data_dir))!r}, or {prepared.NEEDS_NONE}"
        )
    why = why or damage or ("is prepared as plain text, but not encoded yet," if stored else "is not prepared")
    return prepared.not_prepared(name, data_dir, 0 if stored else info.download, why)


def _problem(name: str, place: Path, record: built.Record) -> str | None:
    """Why built files can't be read, None if they can."""
    if record.get("version") != VERSION:
        return f"built by version {record.get('version')!r:.40} of the text encoding, this package reads version {VERSION}"
    if text_info.parse(name)[1] == "subwords8k" and (problem := _vocabulary_problem(place)):
        return problem
    try:
        built.check(place, record)
    except built.Damaged as error:
        return f"damaged: {error}"
    if record.get("name") != name:  # a directory that was moved, or copied under this name
        return f"its files are those of {shown(record.get('name'))}"
    return None


def _vocabulary_problem(place: Path) -> str | None:
    try:
        version = json.loads((place / "vocabulary.json").read_text(encoding="utf-8")).get("version")
    except (OSError, ValueError, AttributeError, RecursionError):
        return f"{str(place / 'vocabulary.json')!r} is no vocabulary file"
    if version != encoding.VERSION:
        wanted = f"this package reads version {encoding.VERSION}"
        return f"{str(place / 'vocabulary.json')!r} is a vocabulary of version {version!r:.40}, {wanted}"
    return None


def require_corpus(name: str, data_dir: Directory | None = None) -> None:
    """Raise `DataNotPrepared` unless the text data set `name` is encoded. Reads no arrays."""
    _require(name, data_dir, prepared.built_dir(name, data_dir))


def _require(name: str, data_dir: Directory | None, place: Path) -> built.Record:
    """The record of the files built at `place`. Raises `DataNotPrepared` if they can't be read."""
    record = built.read_record(place)
    if record is None:
        raise _not_prepared(name, data_dir)
    problem = _problem(name, place, record)
    if problem:
        raise _not_prepared(name, data_dir, f"has to be encoded again ({problem})")
    return record


@functools.lru_cache(maxsize=4)
def _read(name: str, data_dir: str, built_dir: str) -> Corpus:
    place = Path(built_dir)
    record = _require(name, data_dir, place)
    try:
        parts = {split: _load(place, record, split) for split in LIMITS}
        origin = {"version": built.text(record, "made_from"), "checksum": built.text(record, "checksum")}
    except (OSError, KeyError, TypeError, built.Damaged) as error:
        raise _not_prepared(name, data_dir, f"is damaged ({str(error)[:160]}; delete {str(place)!r} first)") from None
    return Corpus(**parts, origin={"source": "tfds", "name": name, **origin})


def _load(place: Path, record: built.Record, split: str) -> Documents:
    parts = [part for part in _PARTS if part != "labels" or f"{split}_labels.npy" in record["files"]]
    arrays = {part: built.open_array(place, record, f"{split}_{part}", _PARTS[part], (None,)) for part in parts}
    documents = Documents.from_arrays(arrays)
    offsets, labels = documents.offsets, documents.labels
    if not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 1).any():
        raise built.Damaged(f"{split}_offsets.npy doesn't ascend from 0")
    if len(documents.tokens) != offsets[-1]:
        raise built.Damaged(f"{split} has {len(documents.tokens)} of {offsets[-1]} tokens")
    if labels is not None and len(labels) != len(documents):
        raise built.Damaged(f"{split} has {len(labels)} labels of {len(documents)} documents")
    return documents


def _build(name: str, info: text_info.TextInfo, data_dir: Directory | None) -> None:
    stored = prepared.stored_version(info.original, data_dir)
    assert stored is not None  # it has just been prepared
    texts, labels = _documents(name, info, stored, data_dir)
    if text_info.parse(name)[1] == "subwords8k":
        vocabulary, train = encoding.learn_subwords(texts["train"])
        encoded, files = {"train": train, "test": vocabulary.encode(texts["test"])}, {"vocabulary.json": vocabulary.to_json()}
    else:
        encoded, files = {split: encoding.encode_bytes(texts[split]) for split in LIMITS}, {}
    documents = {split: concatenate(encoded[split], labels[split] if info.num_classes else None) for split in LIMITS}
    arrays = {f"{split}_{part}": array for split in LIMITS for part, array in documents[split].arrays().items()}
    record = {
        "version": VERSION,
        "name": name,
        "made_from": f"{info.original} {stored.name}",
        "documents": {split: len(documents[split]) for split in LIMITS},
        "checksum": checksum(**documents),
    }
    built.write(prepared.built_dir(name, data_dir), arrays, files, record)


def _documents(
    name: str, info: text_info.TextInfo, stored: Path, data_dir: Directory | None
) -> tuple[dict[str, list[str]], dict[str, list[Any]]]:
    """({split: texts}, {split: labels}): the first `LIMITS` of each split."""
    import tensorflow as tf

    texts: dict[str, list[str]] = {split: [] for split in LIMITS}
    labels: dict[str, list[Any]] = {split: [] for split in LIMITS}  # int; None without classes
    try:
        builder = prepared.open_builder(stored)
        for split, text, label in _READERS[info.reader](builder):
            if text and len(texts[split]) < LIMITS[split]:
                texts[split].append(text)
                labels[split].append(label)
            if all(len(texts[split]) == LIMITS[split] for split in LIMITS):
                break
    except (tf.errors.OpError, AssertionError, ValueError, KeyError) as error:
        why = f"is damaged ({prepared.reason(error)}; delete {str(stored)!r} first)"
        raise _not_prepared(name, data_dir, why) from None
    return texts, labels


def _records(builder: tfds.core.DatasetBuilder, split: str, count: int | None = None) -> Iterator[dict[str, Any]]:
    """The records of a split as dicts of NumPy values, in stored order."""
    import tensorflow_datasets as tfds

    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    stored = builder.as_dataset(split=split, shuffle_files=False, read_config=config)
    for batch in stored.take(-1 if count is None else count).batch(256).as_numpy_iterator():
        fields = _flat(batch)
        for values in zip(*fields.values(), strict=True):
            yield dict(zip(fields, values, strict=True))


def _flat(batch: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, field in batch.items():
        flat |= field if isinstance(field, dict) else {name: field}
    return flat


def _reviews(builder: tfds.core.DatasetBuilder) -> Iterator[Document]:
    """imdb_reviews: reviews, and whether they are positive."""
    for split, count in LIMITS.items():
        for record in _records(builder, split, count):
            yield split, record["text"].decode(), record["label"]


def _sentences(builder: tfds.core.DatasetBuilder) -> Iterator[Document]:
    """lm1b: sentences."""
    for split, count in LIMITS.items():
        for record in _records(builder, split, count):
            yield split, record["text"].decode(), None


def _side(identity: bytes) -> str:
    return "train" if zlib.crc32(identity) % 100 < TRAIN_SHARE else "test"


def _articles(builder: tfds.core.DatasetBuilder) -> Iterator[Document]:
    """wikipedia: lines of articles that are long enough not to be headings; those of an article are all in one split."""
    for record in _records(builder, "train"):
        side = _side(record["title"])
        for line in record["text"].decode().splitlines():
            if len(line) >= SHORTEST_LINE:
                yield side, line, None


def _products(builder: tfds.core.DatasetBuilder) -> Iterator[Document]:
    """amazon_us_reviews: bodies of reviews, and their stars, 1 .. 5, as classes 0 .. 4."""
    for record in _records(builder, "train"):
        yield _side(record["review_id"]), record["review_body"].decode(), record["star_rating"] - 1


_READERS: dict[str, Callable[[tfds.core.DatasetBuilder], Iterator[Document]]] = {
    "reviews": _reviews,
    "sentences": _sentences,
    "articles": _articles,
    "products": _products,
}
