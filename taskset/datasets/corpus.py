"""Encoded documents, and random windows of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taskset.random import seeds


@dataclass(frozen=True)
class Documents:
    """Documents as concatenated token ids.

    tokens: uint16 [total]; ids from 1, 0 is kept for padding.
    offsets: int64 [documents + 1]; document i is `tokens[offsets[i] : offsets[i + 1]]`, never empty.
    labels: int32 [documents], or None for text without labels.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.tokens[self.offsets[i] : self.offsets[i + 1]]

    def arrays(self) -> dict[str, np.ndarray]:
        """{name: array}, for storing."""
        arrays = {"tokens": self.tokens, "offsets": self.offsets}
        return arrays if self.labels is None else {**arrays, "labels": self.labels}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Documents:
        """`Documents` from what `arrays` returned."""
        return cls(arrays["tokens"], arrays["offsets"], arrays.get("labels"))


@dataclass(frozen=True)
class Corpus:
    """The stored splits of a text data set, before the validation sets are cut off.

    origin: where they come from (JSON values): source, name, version, and a checksum of all arrays, which distinguishes results
    on different copies of a data set.
    """

    train: Documents
    test: Documents
    origin: dict[str, str]


def checksum(train: Documents, test: Documents) -> str:
    """CRC-32 of the arrays of two `Documents`, as hexadecimal digits."""
    value = 0
    for documents in (train, test):
        for array in documents.arrays().values():
            value = zlib.crc32(np.ascontiguousarray(array).data, value)
    return f"{value:08x}"


def concatenate(documents: Sequence[np.ndarray], labels: Sequence[int] | None = None) -> Documents:
    """`Documents` of a list of arrays of token ids, none of them empty."""
    lengths = np.fromiter((len(d) for d in documents), np.int64, len(documents))
    if len(lengths) and not lengths.min():
        raise ValueError(f"document {int(lengths.argmin())} is empty")
    tokens = np.concatenate(documents).astype(np.uint16) if documents else np.zeros(0, np.uint16)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Documents(tokens, offsets, None if labels is None else np.asarray(labels, np.int32))


def windows(documents: Documents, rows: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of `length` tokens: int32 tokens and uint8 mask, both [*rows.shape, length].

    rows: int64, indices of documents. starts: of the same shape, numbers in [0, 1). A document of n > length tokens is read from
    token floor(start * (n - length)) on: all windows in it are equally likely, except for the last one, which is never drawn (as
    published). A document that is no longer than the window is read whole and padded with 0. The mask is 1 on tokens and 0 on
    padding.
    """
    begin = documents.offsets[rows]
    sizes = documents.offsets[rows + 1] - begin
    first = begin + (starts * np.maximum(sizes - length, 0)).astype(np.int64)
    mask = np.arange(length) < np.minimum(sizes, length)[..., None]
    index = np.where(mask, first[..., None] + np.arange(length), 0)
    return np.where(mask, documents.tokens[index], 0).astype(np.int32), mask.astype(np.uint8)


def window_starts(seed: int, split: str, start: int, count: int, batch_size: int) -> np.ndarray:
    """Draws from U[0, 1) for `windows`, for batches `start .. start + count - 1`: float64 [count, batch size].

    Each row is a function of (seed, split, its step) only.
    """
    steps = range(start, start + count)
    return np.stack([seeds.generator(seed, "window", split, step).random(batch_size) for step in steps])
