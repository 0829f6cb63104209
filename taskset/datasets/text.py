"""Text for classification and for language models: random windows of encoded documents (`corpus` draws them).

All sets have a real train and a real test split, so valid_inner and valid_outer are cut off the front of train
(`taskset.datasets.splits`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskset.datasets import splits, text_info
from taskset.datasets.base import BatchShapes, EpochOrder, RawBatch, check_source
from taskset.datasets.corpus import Corpus, window_starts, windows
from taskset.datasets.given import RawShapes
from taskset.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

    from taskset.datasets.prepared import Directory


class _Windows:
    """What both kinds of text share as data specifications."""

    batch_size: int
    patch_length: int

    needs_source = True

    @property
    def reads(self) -> str:
        """The data set that is read."""
        raise NotImplementedError

    def cuts(self, sizes: Mapping[str, int]) -> dict[str, splits.Cut]:
        """{split: Cut} for stored splits of these sizes."""
        raise NotImplementedError

    @property
    def raw(self) -> RawShapes:
        """{name: (shape, limit)} of a raw batch."""
        shape = (self.batch_size, self.patch_length)
        return {"tokens": (shape, 2**31), "mask": (shape, 2)}

    @property
    def infeasible(self) -> str | None:
        """Why no batch can be drawn, or None."""
        from taskset.datasets.synthetic.text import sizes as synthetic_sizes

        info = text_info.info(self.reads)
        sizes = [synthetic_sizes(self.reads)]
        if info.train is not None and info.test is not None:
            sizes.append({"train": info.train, "test": info.test})
        return next((found for each in sizes if (found := splits.shortage(self.cuts(each), each, self.batch_size))), None)

    def check(self, source: str, data_dir: Directory | None = None) -> None:
        """Raise `DataNotPrepared` where `open` would; loads nothing."""
        if source == "tfds":
            from taskset.datasets.text_sources import require_corpus

            require_corpus(self.reads, data_dir)

    def prepare(self, raw: Mapping[str, tf.Tensor], key: tf.Tensor) -> dict[str, tf.Tensor]:
        """The mask as float32; nothing is random here."""
        import tensorflow as tf

        return {**raw, "mask": tf.cast(raw["mask"], tf.float32)}


@dataclass(frozen=True)
class TextClassificationData(_Windows):
    """Windows of movie reviews, and whether the review is positive (1) or negative (0).

    Whatever data set a config names, the release read imdb_reviews/subwords8k for all text classification. So does this, so that
    tasks are the published ones: `name` is what the config says, `reads` is what is read.

    name: the data set that the config names.
    batch_size: documents per batch.
    num_train: documents to train on; None for all.
    patch_length: tokens of a window.
    max_token: ids in the vocabulary, to which the task clips tokens.
    valid_size: documents in each of the two validation splits.
    """

    name: str
    batch_size: int
    num_train: int | None
    patch_length: int
    max_token: int
    valid_size: int = 3000

    reads = "imdb_reviews/subwords8k"

    @property
    def num_classes(self) -> int:
        """The number of classes: labels are 0 .. num_classes - 1."""
        classes = text_info.info(self.reads).num_classes
        assert classes is not None  # reviews have labels
        return classes

    @property
    def batch(self) -> BatchShapes:
        """tokens [batch size, patch length], mask of the same shape (1 on tokens, 0 on padding), label [batch size]."""
        shape = (self.batch_size, self.patch_length)
        return {"tokens": (shape, "int32"), "mask": (shape, "float32"), "label": ((self.batch_size,), "int32")}

    @property
    def raw(self) -> RawShapes:
        """As of all text, and label; tokens are clipped to `max_token` later."""
        return {**super().raw, "label": ((self.batch_size,), self.num_classes)}

    def cuts(self, sizes: Mapping[str, int]) -> dict[str, splits.Cut]:
        """{split: Cut} for stored splits of these sizes."""
        return splits.four_splits(sizes, self.valid_size, self.num_train)

    def open(self, source: str, data_dir: Directory | None = None) -> TextBatches:
        """`TextBatches` of tokens int32, mask uint8, label int32."""
        return TextBatches(self, open_corpus(self.reads, source, data_dir), labelled=True)


@dataclass(frozen=True)
class LanguageModelData(_Windows):
    """Windows of documents without labels.

    name: an encoded text data set, such as `lm1b/bytes`.
    batch_size: documents per batch.
    num_train: documents to train on; None for all.
    just_train: whether all four splits draw from the train split, each in its own order.
    patch_length: tokens of a window.
    valid_size: documents in each of the two validation splits.
    """

    name: str
    batch_size: int
    num_train: int | None
    just_train: bool
    patch_length: int
    valid_size: int = 3000

    @property
    def reads(self) -> str:
        """The data set that is read: `name`."""
        return self.name

    @property
    def batch(self) -> BatchShapes:
        """tokens and mask (1 on tokens, 0 on padding), both [batch size, patch length]."""
        shape = (self.batch_size, self.patch_length)
        return {"tokens": (shape, "int32"), "mask": (shape, "float32")}

    def cuts(self, sizes: Mapping[str, int]) -> dict[str, splits.Cut]:
        """{split: Cut} for stored splits of these sizes."""
        cuts = splits.four_splits(sizes, self.valid_size, self.num_train)
        return dict.fromkeys(cuts, cuts["train"]) if self.just_train else cuts

    def open(self, source: str, data_dir: Directory | None = None) -> TextBatches:
        """`TextBatches` of tokens int32, mask uint8."""
        return TextBatches(self, open_corpus(self.reads, source, data_dir), labelled=False)


def open_corpus(name: str, source: str, data_dir: Directory | None = None) -> Corpus:
    """The `Corpus` of an encoded text data set: the real one, read from `data_dir`, or the synthetic one.

    Raises `UnknownName`, `DataNotPrepared`.
    """
    text_info.parse(name)
    check_source(source)
    if source == "tfds":
        from taskset.datasets.text_sources import read_corpus

        return read_corpus(name, data_dir)
    from taskset.datasets.synthetic.text import open_synthetic

    return open_synthetic(name)


class TextBatches:
    """An opened text data set (`taskset.datasets.base.RawBatches`): random windows, a pure function of (split, seed, step)."""

    def __init__(self, spec: _Windows, corpus: Corpus, labelled: bool) -> None:
        self._length, self._size, self._labelled = spec.patch_length, spec.batch_size, labelled
        stored = {"train": corpus.train, "test": corpus.test}
        sizes = {split: len(documents) for split, documents in stored.items()}
        self.origin, self.cuts = corpus.origin, spec.cuts(sizes)
        problem = splits.shortage(self.cuts, sizes, spec.batch_size)
        if problem:  # prepared data may have fewer documents than the published set
            raise ConfigError(f"{spec.reads}: {problem}")
        self._documents = {split: stored[cut.stored] for split, cut in self.cuts.items()}
        self._orders = {split: EpochOrder(cut.rows, spec.batch_size) for split, cut in self.cuts.items()}

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1` of the endless sequence (split, seed): {name: [count, batch size, ..]}."""
        documents, rows = self._documents[split], self._orders[split](seed, split, start, count)
        starts = window_starts(seed, split, start, count, self._size)
        tokens, mask = windows(documents, rows, starts, self._length)
        batch = {"tokens": tokens, "mask": mask}
        if self._labelled:
            assert documents.labels is not None  # as `spec` says
            batch["label"] = documents.labels[rows]
        return batch
