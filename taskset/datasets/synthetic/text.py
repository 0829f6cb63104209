"""Synthetic documents: words of a made-up language, drawn from a grammar with topics, repetitions and opinions.

A word is, at random, either one of the followers of the word before it, or a word of a class drawn given the classes of the two
words before it. Within the class, it is drawn given the document's topics and label, or repeats an earlier word of the document.
So there is something to learn at every scale that a recurrent network may see: word frequencies, pairs of words, word classes,
the subject of the document, its label. The constants were chosen so that word frequencies, entropies and the accuracy of a
linear classifier are near those of movie reviews.
"""

import functools
from dataclasses import dataclass

import numpy as np

from taskset.datasets import sharing, text_info
from taskset.datasets.corpus import Corpus, Documents, checksum
from taskset.datasets.synthetic.rendering import byte_tokens, punctuate, subword_tokens
from taskset.datasets.synthetic.words import LANGUAGES, WORDS
from taskset.random import seeds

CLASSES, FUNCTION_CLASSES, FUNCTION_WORDS = 24, 8, 150
TOPICS, TOPIC_SHARES = 16, (0.6, 0.4)
TOPIC_SPREAD = 1.2
FOLLOWERS, FOLLOWS = 12, 0.58
REPEATS = 0.9
OPINIONATED, OPINION, CONTRARY = 0.17, 0.9, 0.04
CHUNK = 8192  # documents drawn together


@dataclass(frozen=True)
class Shape:
    """Sizes of a stand-in: documents in its splits, and a log-normal number of words per document, clipped to [low, high]."""

    train: int
    test: int
    log_mean: float
    log_spread: float
    low: int
    high: int


_SHAPES = {
    "imdb_reviews": Shape(25_000, 10_000, 5.4, 0.68, 20, 1000),
    "lm1b": Shape(80_000, 5_000, 3.1, 0.5, 3, 100),
    "tokenized_wikipedia": Shape(80_000, 10_000, 3.3, 0.9, 2, 400),
    "tokenized_amazon_reviews": Shape(80_000, 10_000, 3.9, 0.9, 3, 700),
}


def _shape(corpus: str) -> Shape:
    return _SHAPES[corpus.partition("/")[0]]


def sizes(name: str) -> dict[str, int]:
    """{"train": .., "test": ..}: documents of the stand-in for a text data set; the real numbers up to caps."""
    shape = _shape(text_info.parse(name)[0])
    return {"train": shape.train, "test": shape.test}


@dataclass(frozen=True)
class Grammar:
    """The tables of one corpus.

    word_class: [WORDS]; classes below FUNCTION_CLASSES hold function words, which topics and opinions don't affect.
    classes: cumulative probabilities of the next class, [two classes before * CLASSES]; row i rises from i to i + 1.
    order: words sorted by class. words: cumulative probabilities in that order, of each [topic, label, class], in the same form.
    followers: [WORDS, FOLLOWERS].
    """

    labels: int
    word_class: np.ndarray
    classes: np.ndarray
    order: np.ndarray
    words: np.ndarray
    followers: np.ndarray


def make_grammar(corpus: str, labels: int) -> Grammar:
    """The `Grammar` of a corpus whose documents have `labels` classes."""
    rng = seeds.generator(0, "synthetic grammar", corpus)
    p = (np.arange(WORDS) + 2.7) ** -0.9  # Zipf's and Mandelbrot's law
    p /= p.sum()
    word_class = np.concatenate([
        rng.permutation(np.arange(FUNCTION_WORDS) % FUNCTION_CLASSES),
        FUNCTION_CLASSES + rng.permutation(np.arange(WORDS - FUNCTION_WORDS) % (CLASSES - FUNCTION_CLASSES)),
    ])  # fmt: skip
    order = np.argsort(word_class, kind="stable")
    following = rng.gamma(0.25, size=(CLASSES * CLASSES, CLASSES)) * np.bincount(word_class, p, CLASSES)
    likely = p * _preferences(rng, labels, word_class)
    rows = [row[word_class == k] for row in likely for k in range(CLASSES)]
    return Grammar(labels, word_class, _cumulate(following), order, _cumulate(rows), rng.choice(WORDS, (WORDS, FOLLOWERS), p=p))


def _preferences(rng, labels, word_class):
    """How much more likely each word is: [topic * labels, WORDS]."""
    content = word_class >= FUNCTION_CLASSES
    topic = TOPIC_SPREAD * rng.standard_normal((TOPICS, 1, WORDS))
    tilt = rng.choice([-1.0, 0.0, 1.0], WORDS, p=[OPINIONATED / 2, 1 - OPINIONATED, OPINIONATED / 2])
    opinion = OPINION * np.linspace(-1, 1, labels)[:, None] * tilt
    return np.exp(content * (topic + opinion)).reshape(TOPICS * labels, WORDS)


def _cumulate(rows):
    """Rows of weights (of any lengths) as one increasing array; row i rises to i + 1: `searchsorted(.., i + u)` draws from it."""
    return np.concatenate([i + np.cumsum(row) / np.sum(row) for i, row in enumerate(rows)])


def _search(table, rows, u):
    return np.minimum(np.searchsorted(table, rows + u, side="right"), len(table) - 1)


def draw_words(
    grammar: Grammar, rng: np.random.Generator, lengths: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Documents of `lengths` words (in falling order) with these labels: (words int64, concatenated; offsets)."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    words = np.zeros(offsets[-1], np.int64)
    topics = rng.integers(TOPICS, size=(len(lengths), len(TOPIC_SHARES))) * grammar.labels
    topics += _opinions(rng, labels, grammar.labels)[:, None]
    follower = np.cumsum(1 / np.arange(1, FOLLOWERS + 1)) / np.sum(1 / np.arange(1, FOLLOWERS + 1))
    for t in range(lengths[0]):
        n = np.searchsorted(-lengths, -t)  # documents that have a word t; the longest come first
        at = offsets[:n] + t
        before = words[at - 1] if t else rng.integers(FUNCTION_WORDS, size=n)
        words[at] = grammar.followers[before, np.searchsorted(follower, rng.random(n))]
        free = np.flatnonzero(rng.random(n) >= FOLLOWS)
        words[at[free]] = _free_words(grammar, rng, words, at[free], t, topics[free])
    return words, offsets


def _free_words(grammar, rng, words, at, t, topics):
    """Words at positions `at`, each the t-th of its document, that are not followers of the word before."""
    u = rng.random((5, len(at)))
    kinds = [grammar.word_class[words[at - back]] if t >= back else 0 for back in (2, 1)]
    kind = _search(grammar.classes, kinds[0] * CLASSES + kinds[1], u[0]) % CLASSES
    topic = topics[np.arange(len(at)), (u[1] >= TOPIC_SHARES[0]).astype(int)]
    new = grammar.order[_search(grammar.words, topic * CLASSES + kind, u[2]) % WORDS]
    if not t:
        return new
    earlier = words[at - 1 - (u[3] * t).astype(int)]
    repeated = (u[4] < REPEATS) & (grammar.word_class[earlier] == kind) & (kind >= FUNCTION_CLASSES)
    return np.where(repeated, earlier, new)


def _opinions(rng, labels, classes):
    """The label whose words a document prefers: its own, or, with probability CONTRARY, another one."""
    if classes == 1:
        return labels
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < CONTRARY, other, labels)


def make_documents(name: str, split: str, seed: int = 0) -> Documents:
    """The `Documents` of one split of the stand-in for a text data set, made from (name, split, seed)."""
    corpus, encoding = text_info.parse(name)
    info, shape = text_info.CORPORA[corpus], _shape(corpus)
    classes = info.num_classes or 1
    grammar = make_grammar(corpus, classes)
    rng = seeds.generator(seed, "synthetic text", corpus, split)
    count = getattr(shape, split)
    labels = rng.permutation(np.arange(count) % classes)
    lengths = np.exp(shape.log_mean + shape.log_spread * rng.standard_normal(count))
    lengths = np.clip(np.rint(lengths), shape.low, shape.high).astype(int)
    parts = []
    for start in range(0, count, CHUNK):
        chunk = slice(start, start + CHUNK)
        words, offsets = _in_place(grammar, rng, lengths[chunk], labels[chunk])
        parts.append(_encode(words, punctuate(rng, offsets), offsets, encoding, info.language))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(offsets) for _, offsets in parts]))])
    tokens = np.concatenate([tokens for tokens, _ in parts])
    return Documents(tokens, offsets, labels.astype(np.int32) if info.num_classes else None)


def _in_place(grammar, rng, lengths, labels):
    """`draw_words` for lengths in any order."""
    falling = np.argsort(-lengths, kind="stable")
    words, begins = draw_words(grammar, rng, lengths[falling], labels[falling])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    shift = begins[np.argsort(falling)] - offsets[:-1]
    return words[np.arange(offsets[-1]) + np.repeat(shift, lengths)], offsets


def _encode(words, marks, offsets, encoding, language):
    if encoding == "subwords8k":
        return subword_tokens(words, marks, offsets)
    return byte_tokens(words, marks, offsets, language)


def _make_arrays(name: str, split: str, seed: int) -> dict[str, np.ndarray]:
    return make_documents(name, split, seed).arrays()


@functools.lru_cache(maxsize=2)
def open_synthetic(name: str, seed: int = 0) -> Corpus:
    """The `Corpus` of the stand-in: made once per process, and shared between the processes of a sweep."""
    scratch, parts = sharing.scratch_from_environment(), {}
    version = LANGUAGES[text_info.info(name).language].version
    for split in ("train", "test"):
        key = f"synthetic text {version} {name} {split} {seed}"
        arrays = sharing.open_arrays(key, functools.partial(_make_arrays, name, split, seed), scratch)
        parts[split] = Documents.from_arrays(arrays)
    origin = {"source": "synthetic", "name": name, "version": str(version), "checksum": checksum(**parts)}
    return Corpus(**parts, origin=origin)
