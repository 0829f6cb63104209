"""Where each pair is in its episode, when it starts anew, and which batches it reads. NumPy, on the host.

A pair's state is (steps taken, length of the episode, number of the episode); zeros before the first. In a window of K steps
a pair starts anew at most once: no episode is shorter than K steps, a drawn length below that becomes K.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from learned.estimators.base import never
from taskset.random import seeds


@dataclass(frozen=True)
class Window:
    """One window of all pairs, and what the compiled program (`learned.unrolling.unroll`) is given for it.

    first: steps taken before it [N]; reset_at: the step of the window that is the first of a new episode [N], K for none;
    horizons: length of the episode before that step and from it on [N, 2]; fresh, raw, key: arguments of `Unroll.window`;
    after: the episodes' state behind the window.
    """

    first: np.ndarray
    reset_at: np.ndarray
    horizons: np.ndarray
    fresh: dict
    raw: dict
    key: tf.Tensor
    after: dict

    @property
    def arguments(self):
        """The arguments of `Unroll.window` behind the inner states."""
        first, reset_at, horizons = map(tf.constant, (self.first, self.reset_at, self.horizons))
        return self.fresh, first, reset_at, horizons, self.raw, self.key

    def old(self, steps):
        """[K, N]: whether a step belongs to the episode that the pair was in before the window."""
        return np.arange(steps)[:, None] < self.reset_at


def start(seed, pairs):
    """The state before the first window."""
    zeros = np.zeros(pairs, np.int32)
    return {
        "seed": np.asarray(seed, np.int64),
        "window": np.asarray(0, np.int64),
        "steps": zeros,
        "length": zeros,
        "number": zeros,
    }


def episode_seed(seed, pair, number):
    """The seed of one training: of its start and of the order of its batches."""
    return seeds.stream(seed, "episode", int(pair), int(number))


def next_window(unroll, state, lengths, first_lengths, resumed=never):
    """The next `Window`.

    lengths: `(rng, n) -> [n]`, of episodes that start; first_lengths: `(rng, lengths) -> lengths` of those that are first;
    resumed: `(rng, lengths) -> lengths`, longer for episodes that end in this window and are resumed. Such a training has another
    horizon from this window on; everything else of it stays, the perturbations' sums of `pes` included.
    """
    seed, number_of_window, steps_of_window = int(state["seed"]), int(state["window"]), unroll.steps
    rng = seeds.generator(seed, "lengths", number_of_window)
    drawn = np.asarray(lengths(rng, unroll.pairs))
    drawn = np.maximum(np.where(state["number"] == 0, first_lengths(rng, drawn), drawn), steps_of_window).astype(np.int32)

    ends = (state["length"] - state["steps"] < steps_of_window) & (state["number"] > 0)
    length = np.where(ends, resumed(rng, state["length"]), state["length"]).astype(np.int32)
    left = length - state["steps"]
    resets = left < steps_of_window
    reset_at = np.where(resets, left, steps_of_window).astype(np.int32)
    number = state["number"] + resets
    until, length = length, np.where(resets, drawn, length).astype(np.int32)
    steps = np.where(resets, steps_of_window - left, state["steps"] + steps_of_window).astype(np.int32)

    pieces = []
    for n in range(unroll.pairs):
        parts = [(episode_seed(seed, n, state["number"][n]), int(state["steps"][n]), int(reset_at[n]))] if reset_at[n] else []
        if resets[n]:
            parts.append((episode_seed(seed, n, number[n]), 0, int(steps[n])))
        pieces.append(parts)
    fresh = unroll.fresh({n: episode_seed(seed, n, number[n]) for n in np.flatnonzero(resets)})
    key = tf.constant([seeds.stream(seed, "window"), number_of_window], tf.int32)
    after = {
        "seed": state["seed"],
        "window": state["window"] + 1,
        "steps": steps,
        "length": length,
        "number": number.astype(np.int32),
    }
    horizons = np.stack([until, length], axis=1).astype(np.int32)
    return Window(state["steps"].astype(np.int32), reset_at, horizons, fresh, unroll.raw(pieces), key, after)
