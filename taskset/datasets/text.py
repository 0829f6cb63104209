"""Text for classification and for language models: random windows of encoded documents.

Splits: valid_inner, then valid_outer, are cut off the front of the real train split, `valid_size` documents each; of the rest the
first `num_train` are taken (all if None). test is the real test split.
"""

from dataclasses import dataclass

from taskset.datasets import text_info
from taskset.datasets.base import EpochOrder
from taskset.datasets.corpus import window_starts, windows
from taskset.errors import InfeasibleTask


@dataclass(frozen=True)
class TextClassificationData:
    """Windows of movie reviews, and whether the review is positive (1) or negative (0).

    Whatever data set a config names, the release read imdb_reviews/subwords8k for all text classification: kept, so that the
    tasks are the published ones. `name` is what the config says, `reads` is what is read.

    name: the data set that the config names.
    batch_size: documents in a batch.
    num_train: documents to train on; None for all.
    patch_length: tokens of a window.
    max_token: ids in the vocabulary; it is the task that clips tokens to it.
    valid_size: documents in each of the two validation splits.
    """

    name: str
    batch_size: int
    num_train: int | None
    patch_length: int
    max_token: int
    valid_size: int = 3000

    needs_source = True
    reads = "imdb_reviews/subwords8k"

    @property
    def num_classes(self):
        """Classes of the label."""
        return text_info.info(self.reads).num_classes

    @property
    def batch(self):
        """tokens [batch size, patch length], mask of the same shape (1 on tokens, 0 on padding), label [batch size]."""
        shape = (self.batch_size, self.patch_length)
        return {"tokens": (shape, "int32"), "mask": (shape, "float32"), "label": ((self.batch_size,), "int32")}

    @property
    def infeasible(self):
        """Why no batch can be drawn, or None."""
        return _too_small(self, self.reads, split_ranges(_nominal(self.reads), self.valid_size, self.num_train), "bs")

    def open(self, source, data_dir):
        """`TextBatches` of tokens int32, mask uint8, label int32."""
        corpus = open_corpus(self.reads, source, data_dir)
        return _batches(self, corpus, split_ranges(_sizes(corpus), self.valid_size, self.num_train), labelled=True)

    def prepare(self, raw, key):
        """The mask as float32; nothing is random here."""
        return _prepare(raw)


@dataclass(frozen=True)
class LanguageModelData:
    """Windows of documents without a label.

    name: an encoded text data set, such as `lm1b/bytes`.
    batch_size: documents in a batch.
    num_train: documents to train on; None for all.
    just_train: all four splits draw from the train split (each in its own order).
    patch_length: tokens of a window.
    valid_size: documents in each of the two validation splits.
    """

    name: str
    batch_size: int
    num_train: int | None
    just_train: bool
    patch_length: int
    valid_size: int = 3000

    needs_source = True

    @property
    def reads(self):
        """The data set that is read: the one named."""
        return self.name

    @property
    def batch(self):
        """tokens and mask (1 on tokens, 0 on padding), both [batch size, patch length]."""
        shape = (self.batch_size, self.patch_length)
        return {"tokens": (shape, "int32"), "mask": (shape, "float32")}

    def _ranges(self, sizes):
        ranges = split_ranges(sizes, self.valid_size, self.num_train)
        return dict.fromkeys(ranges, ("train", ranges["train"][1])) if self.just_train else ranges

    @property
    def infeasible(self):
        """Why no batch can be drawn, or None."""
        return _too_small(self, self.reads, self._ranges(_nominal(self.reads)), "batch_size")

    def open(self, source, data_dir):
        """`TextBatches` of tokens int32, mask uint8."""
        corpus = open_corpus(self.reads, source, data_dir)
        return _batches(self, corpus, self._ranges(_sizes(corpus)), labelled=False)

    def prepare(self, raw, key):
        """The mask as float32; nothing is random here."""
        return _prepare(raw)


def split_ranges(sizes, valid_size, num_train):
    """{split: (real split, range of its documents)} of a data set with `sizes` = (train, test) documents."""
    train, test = sizes
    cut = 2 * valid_size
    end = train if num_train is None else min(train, cut + num_train)
    return {
        "train": ("train", range(cut, max(cut, end))),
        "valid_inner": ("train", range(0, min(valid_size, train))),
        "valid_outer": ("train", range(min(valid_size, train), min(cut, train))),
        "test": ("test", range(test)),
    }


def open_corpus(name, source, data_dir):
    """The `Corpus` of an encoded text data set: the real one, read from `data_dir`, or the synthetic one."""
    text_info.parse(name)
    if source == "tfds":
        from taskset.datasets.text_sources import read_corpus

        return read_corpus(name, data_dir)
    from taskset.datasets.synthetic.text import make_corpus

    return make_corpus(name)


def _nominal(name):
    """(train, test) documents as published; where nobody published them more than any config asks for."""
    described = text_info.info(name)
    return (described.train or 1_000_000, described.test or 300_000)


def _sizes(corpus):
    return len(corpus.train), len(corpus.test)


def _too_small(spec, name, ranges, field):
    for split, (_, rows) in ranges.items():
        if len(rows) < spec.batch_size:
            return (
                f"{field} = {spec.batch_size} and two validation splits of {spec.valid_size}: "
                f"the {split} split of {name} has {len(rows)} documents"
            )
    return None


def _batches(spec, corpus, ranges, labelled):
    reason = _too_small(spec, spec.reads, ranges, "batch size")
    if reason:
        raise InfeasibleTask(f"no batch can be drawn with {reason}; choose a smaller batch size or validation split")
    return TextBatches(spec, corpus, ranges, labelled)


class TextBatches:
    """Batches of random windows: a pure function of (split, seed, step)."""

    def __init__(self, spec, corpus, ranges, labelled):
        self._length, self._size, self._labelled = spec.patch_length, spec.batch_size, labelled
        self._documents = {split: getattr(corpus, real) for split, (real, _) in ranges.items()}
        self._orders = {split: EpochOrder(rows, spec.batch_size) for split, (_, rows) in ranges.items()}

    def __call__(self, split, seed, start, count):
        """Batches `start .. start + count - 1` of the endless sequence (split, seed): {name: [count, batch size, ..]}."""
        documents, rows = self._documents[split], self._orders[split](seed, split, start, count)
        starts = window_starts(seed, split, start, count, self._size)
        tokens, mask = windows(documents, rows, starts, self._length)
        batch = {"tokens": tokens, "mask": mask}
        return {**batch, "label": documents.labels[rows]} if self._labelled else batch


def _prepare(raw):
    import tensorflow as tf

    return {**raw, "mask": tf.cast(raw["mask"], tf.float32)}
