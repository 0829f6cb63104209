"""Where each pair is in its episode, when it starts a new one, and which batches it reads. NumPy, on the host.

A pair's state is (steps taken, length of the episode, number of the episode); zeros before the first. In a truncation of K steps
a pair starts a new episode at most once: no episode is shorter than K steps, a drawn length below that becomes K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from learned.estimators.base import never
from learned.types import Lengths, Params, Tree
from learned.unrolling.unroll import Unroll
from taskset.random import seeds


@dataclass(frozen=True)
class Truncation:
    """One truncation of all pairs, and the arguments of the compiled program (`learned.unrolling.unroll`) for it.

    first: steps taken before it [N]; reset_at: the step of the truncation that is the first of a new episode [N], K for none;
    horizons: length of the episode before that step and from it on [N, 2]; fresh, raw, key: arguments of `Unroll.run`; after:
    the episodes' state after the truncation.
    """

    first: np.ndarray
    reset_at: np.ndarray
    horizons: np.ndarray
    fresh: Params
    raw: Tree
    key: tf.Tensor
    after: Tree

    @property
    def arguments(self) -> tuple[Params, tf.Tensor, tf.Tensor, tf.Tensor, Tree, tf.Tensor]:
        """The arguments of `Unroll.run` after the inner states."""
        first, reset_at, horizons = map(tf.constant, (self.first, self.reset_at, self.horizons))
        return self.fresh, first, reset_at, horizons, self.raw, self.key

    def old(self, steps: int) -> np.ndarray:
        """[K, N]: whether a step belongs to the episode that the pair was in before the truncation."""
        return np.arange(steps)[:, None] < self.reset_at


def start(seed: int, pairs: int, group: int | None = None) -> Tree:
    """The state of N pairs before the first truncation. group: which of them are computed, where it is done in groups.

    Each group knows where all pairs are, so that groups change their tasks after the same truncation.
    """
    zeros = np.zeros(pairs, np.int32)
    return {
        **({} if group is None else {"group": np.asarray(group, np.int64)}),
        "seed": np.asarray(seed, np.int64),
        "window": np.asarray(0, np.int64),
        "steps": zeros,
        "length": zeros,
        "number": zeros,
    }


def episode_seed(seed: int, pair: int, number: int) -> int:
    """The seed of one training: of its start and of the order of its batches."""
    return seeds.stream(seed, "episode", int(pair), int(number))


class _Counters(NamedTuple):
    """Where all pairs get to in a truncation of K steps: integers [N] each.

    starts: whether the pair starts a new episode; reset_at: at which step of the truncation, K for none; until: the length of the
    episode that it is in before that step; steps, length, number: its state at the end.
    """

    starts: np.ndarray
    reset_at: np.ndarray
    until: np.ndarray
    steps: np.ndarray
    length: np.ndarray
    number: np.ndarray


def _counters_after(state, drawn, resumed, rng, count):
    """The `_Counters` after a truncation of `count` steps; drawn: lengths [N] of the episodes that would start in it."""
    # Resumed in the truncation that takes an episode's last step: after that the pair counts as finished, and its task may go.
    left = state["length"] - state["steps"]
    ends = (left > 0) & (left <= count) & (state["number"] > 0)
    until = np.where(ends, resumed(rng, state["length"]), state["length"]).astype(np.int32)
    left = until - state["steps"]
    starts = left < count
    return _Counters(
        starts=starts,
        reset_at=np.where(starts, left, count).astype(np.int32),
        until=until,
        steps=np.where(starts, count - left, state["steps"] + count).astype(np.int32),
        length=np.where(starts, drawn, until).astype(np.int32),
        number=(state["number"] + starts).astype(np.int32),
    )


def _pieces(state, after, own):
    """(what the pairs of the slice `own` read: for each [(seed of an episode, its first step, how many)]; {place: seed of the
    episode that starts there})."""
    seed, pieces, begun = int(state["seed"]), [], {}
    for place, n in enumerate(range(own.start, own.stop)):
        parts = []
        if after.reset_at[n]:
            parts.append((episode_seed(seed, n, state["number"][n]), int(state["steps"][n]), int(after.reset_at[n])))
        if after.starts[n]:
            begun[place] = episode_seed(seed, n, after.number[n])
            parts.append((begun[place], 0, int(after.steps[n])))
        pieces.append(parts)
    return pieces, begun


def next_truncation(
    unroll: Unroll,
    state: Tree,
    lengths: Lengths,
    first_lengths: Callable[[np.random.Generator, np.ndarray], np.ndarray],
    resumed: Callable[[np.random.Generator, np.ndarray], np.ndarray] = never,
) -> Truncation:
    """The next `Truncation`.

    lengths: `(rng, n) -> [n]`, of episodes that start; first_lengths: `(rng, lengths) -> lengths`, of a pair's first;
    resumed: `(rng, lengths) -> lengths`, longer for episodes that end in this truncation and are resumed. Such a training has
    another horizon from this truncation on; everything else of it stays, the perturbations' sums of `pes` included.
    """
    # The state's entry and the purposes of draws keep the names that checkpoints have: a truncation was once called a window.
    seed, index, count = int(state["seed"]), int(state["window"]), unroll.steps
    rng = seeds.generator(seed, "lengths", index)
    drawn = np.asarray(lengths(rng, len(state["number"])))
    drawn = np.maximum(np.where(state["number"] == 0, first_lengths(rng, drawn), drawn), count).astype(np.int32)
    counters = _counters_after(state, drawn, resumed, rng, count)

    group = int(state.get("group", 0))
    own = slice(group * unroll.pairs, (group + 1) * unroll.pairs)
    pieces, begun = _pieces(state, counters, own)
    key = tf.constant([seeds.stream(seed, "window", *([group] if group else [])), index], tf.int32)
    moved = {"steps": counters.steps, "length": counters.length, "number": counters.number}
    after = {**state, "window": state["window"] + 1, **moved}
    first, horizons = state["steps"].astype(np.int32), np.stack([counters.until, counters.length], axis=1)
    return Truncation(first[own], counters.reset_at[own], horizons[own], unroll.fresh(begun), unroll.raw(pieces), key, after)
