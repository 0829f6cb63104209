"""Text as token ids, and back: bytes, and subwords of a vocabulary learned from the text. Id 0 is the padding in both."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VERSION = 1  # of the vocabulary file
PIECES = 8184  # 8185 ids with the padding, as configs assume
MOST_PIECES = 2**16 - 1  # ids are stored as uint16
LEARN_CHARACTERS = 50_000_000  # of text that a vocabulary is learned from, at most
_BATCH = 2000


def encode_bytes(texts: Iterable[str]) -> list[np.ndarray]:
    """Each byte of the UTF-8 text as its value + 1: a list of uint16 arrays."""
    return [np.frombuffer(text.encode(), np.uint8).astype(np.uint16) + np.uint16(1) for text in texts]


def decode_bytes(tokens: np.ndarray) -> str:
    """The text of byte tokens; padding is dropped, and a character cut off by a window's edge becomes U+FFFD."""
    tokens = np.asarray(tokens)
    return (tokens[tokens > 0] - 1).astype(np.uint8).tobytes().decode(errors="replace")


class Subwords:
    """Pieces of words, merged from bytes by byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909).

    Every byte is a piece, so that no text is out of vocabulary.

    pieces: the most frequent first, spelled with the printable characters by which `tokenizers` represents bytes; piece i has
        the id i + 1.
    merges: pairs of pieces, in the order in which they are merged.
    """

    def __init__(self, pieces: Iterable[str], merges: Iterable[Sequence[str]]) -> None:
        self.pieces, self.merges = list(pieces), [(first, second) for first, second in merges]
        self._tokenizer = _tokenizer({piece: i for i, piece in enumerate(self.pieces)}, self.merges)

    def __len__(self) -> int:
        """The number of ids, including that of the padding."""
        return len(self.pieces) + 1

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of each text: a list of uint16 arrays."""
        encoded: list[np.ndarray] = []
        for start in range(0, len(texts), _BATCH):
            batch = self._tokenizer.encode_batch_fast(texts[start : start + _BATCH], add_special_tokens=False)
            encoded += [np.array(one.ids, np.uint16) + np.uint16(1) for one in batch]
        return encoded

    def decode(self, tokens: Iterable[int]) -> str:
        """The text; padding is dropped."""
        return self._tokenizer.decode([int(token) - 1 for token in tokens if token > 0])

    def to_json(self) -> str:
        """The text of the vocabulary file."""
        return json.dumps({"version": VERSION, "pieces": self.pieces, "merges": self.merges}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Subwords:
        """The `Subwords` of a vocabulary file's text.

        Raises `ValueError` if it is of another version or damaged; the message is meant to follow the file's name.
        """
        try:
            stored = json.loads(text)
            version = stored["version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError("is no vocabulary file") from None
        if version != VERSION:
            raise ValueError(f"is a vocabulary of version {version!r:.40}, this package reads version {VERSION}")
        pieces, merges = stored.get("pieces"), stored.get("merges")
        if not _are_texts(pieces) or len(pieces) > MOST_PIECES or len(set(pieces)) < len(pieces):
            raise ValueError(f"is damaged: its pieces have to be at most {MOST_PIECES} different texts")
        known = set(pieces)
        if not isinstance(merges, list) or not all(_are_texts(pair) and len(pair) == 2 for pair in merges):
            raise ValueError("is damaged: its merges have to be pairs of pieces")
        if not all(first in known and second in known and first + second in known for first, second in merges):
            raise ValueError("is damaged: it merges what are no pieces")
        return cls(pieces, merges)


def _are_texts(values: object) -> bool:
    """Whether JSON values are texts that UTF-8 can spell, as single surrogates can't be."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return False
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


def learn_subwords(texts: Sequence[str]) -> tuple[Subwords, list[np.ndarray]]:
    """(`Subwords`, `texts` encoded with them).

    The pieces are learned from the first `LEARN_CHARACTERS` of text and numbered by how often they occur in all of it, so that
    a task that clips ids to a smaller vocabulary keeps the frequent ones.
    """
    from tokenizers import pre_tokenizers, trainers

    tokenizer = _tokenizer({}, [])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = itertools.accumulate(len(text) for text in texts)
    few = [text for text, end in zip(texts, ends, strict=True) if end - len(text) < LEARN_CHARACTERS]
    tokenizer.train_from_iterator(few, trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    encoded = Subwords(pieces, model["merges"]).encode(texts)
    counts = np.zeros(len(pieces) + 1, np.int64)
    for tokens in encoded:
        counts += np.bincount(tokens, minlength=len(counts))
    order = sorted(range(len(pieces)), key=lambda i: (-counts[i + 1], pieces[i]))
    number = np.zeros(len(counts), np.uint16)
    number[np.array(order) + 1] = np.arange(1, len(counts))
    return Subwords([pieces[i] for i in order], model["merges"]), [number[tokens] for tokens in encoded]


def _tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
