"""Generated sequences: associative recall and copying (tasks of the kind of Graves et al. 2014, arXiv 1410.5401, section 4).

Nothing is loaded, and the sequence of batches is endless: batch `step` of (split, seed) is drawn from its own generator. The
splits differ only in their draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskset.datasets.base import BatchShapes, Computed, RawBatch, RawBatches
from taskset.datasets.given import RawShapes
from taskset.random import seeds

if TYPE_CHECKING:
    from taskset.datasets.prepared import Directory


def _batch(batch_size: int, length: int) -> BatchShapes:
    shape = (batch_size, length)
    return {"tokens": (shape, "int32"), "target": (shape, "int32"), "mask": (shape, "float32")}


def _draw(spec: _Generated, split: str, seed: int, start: int, count: int) -> RawBatch:
    """Batches `start .. start + count - 1`, stacked; the answer stands at the end of `target`, and there `mask` is 1."""
    purpose = (type(spec).__name__, split)
    drawn = [spec.sequences(seeds.generator(seed, *purpose, step)) for step in range(start, start + count)]
    tokens, answers = (np.stack(arrays).astype(np.int32) for arrays in zip(*drawn))
    target, mask = np.zeros_like(tokens), np.zeros(tokens.shape, np.float32)
    target[..., -answers.shape[-1] :] = answers
    mask[..., -answers.shape[-1] :] = 1
    return {"tokens": tokens, "target": target, "mask": mask}


class _Generated(Computed):
    """What both kinds of sequences share as data specifications."""

    batch_size: int
    num_tokens: int

    @property
    def length(self) -> int:
        """The number of steps of a sequence."""
        raise NotImplementedError

    def sequences(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One batch: tokens [batch size, length], answers [batch size, number of answers]."""
        raise NotImplementedError

    @property
    def num_symbols(self) -> int:
        """The number of symbols: the tokens and two more."""
        return self.num_tokens + 2

    @property
    def batch(self) -> BatchShapes:
        """tokens, target, mask, each [batch size, length]. The mask is 1 on the steps that count; on others, the target is 0."""
        return _batch(self.batch_size, self.length)

    @property
    def raw(self) -> RawShapes:
        """{name: (shape, limit)} of a raw batch: symbols, and the weights of the steps."""
        return {name: (shape, self.num_symbols if dtype == "int32" else None) for name, (shape, dtype) in self.batch.items()}

    def open(self, source: str | None = None, data_dir: Directory | None = None) -> RawBatches:
        """Draws batches from (split, seed, step); both arguments are ignored."""
        return lambda split, seed, start, count: _draw(self, split, seed, start, count)


@dataclass(frozen=True)
class AssociativeData(_Generated):
    """Key-value pairs, the query symbol, one of the keys; the answer, due at the last step, is the key's value.

    batch_size: sequences per batch.
    pairs: key-value pairs per sequence; its keys are distinct.
    num_tokens: keys and values are 0 .. num_tokens - 1; num_tokens is the query symbol (num_tokens + 1 stays unused).
    """

    batch_size: int
    pairs: int
    num_tokens: int

    @property
    def length(self) -> int:
        """The number of steps of a sequence."""
        return 2 * self.pairs + 2

    @property
    def infeasible(self) -> str | None:
        """Why no batch can be drawn, or None."""
        if self.pairs > self.num_tokens:
            return f"pairs = {self.pairs} distinct keys can't be drawn from tokens = {self.num_tokens}"
        return None

    def sequences(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One batch: tokens [batch size, length], answers [batch size, 1]."""
        rows, pairs = self.batch_size, self.pairs
        # The order of independent uniforms is a uniform permutation: its first entries are keys drawn without replacement.
        keys = np.argsort(rng.random((rows, self.num_tokens)), axis=1)[:, :pairs]
        values = rng.integers(self.num_tokens, size=(rows, pairs))
        asked = rng.integers(pairs, size=(rows, 1))
        listed = np.stack([keys, values], axis=2).reshape(rows, 2 * pairs)
        query = np.full((rows, 1), self.num_tokens)
        return np.concatenate([listed, query, np.take_along_axis(keys, asked, 1)], axis=1), np.take_along_axis(values, asked, 1)


@dataclass(frozen=True)
class CopyData(_Generated):
    """Tokens, a separator, and the symbol that asks for output once per token; the answer is the tokens in their order.

    batch_size: sequences per batch.
    num_copied: tokens to copy.
    num_tokens: tokens are 0 .. num_tokens - 1; num_tokens is the separator, num_tokens + 1 asks for output.
    """

    batch_size: int
    num_copied: int
    num_tokens: int

    infeasible = None

    @property
    def length(self) -> int:
        """The number of steps of a sequence."""
        return 2 * self.num_copied + 1

    def sequences(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One batch: tokens [batch size, length], answers [batch size, num_copied]."""
        rows = self.batch_size
        copied = rng.integers(self.num_tokens, size=(rows, self.num_copied))
        separator, emit = np.full((rows, 1), self.num_tokens), np.full((rows, self.num_copied), self.num_tokens + 1)
        return np.concatenate([copied, separator, emit], axis=1), copied
