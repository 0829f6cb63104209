"""A task with its recorded curves, and the account of a search on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from taskset.datasets.base import check_split
from taskset.errors import StoreError, guessed, shown, unknown, whole_number
from taskset.normalization.normalizer import gets_below
from taskset.random import seeds
from taskset.samplers.optimizers import family_of, get_optimizer_config, opt_list_names

if TYPE_CHECKING:
    from taskset.tabular.space import Space


@dataclass(frozen=True, eq=False)
class Curve:
    """A configuration's recorded curve up to some step. All arrays [E]: one element per evaluation.

    steps: training steps; losses: {split: losses, NaN once diverged}; seconds: training time so far (NaN where not recorded).
    """

    optimizer: str
    steps: np.ndarray
    losses: dict[str, np.ndarray]
    seconds: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """One task with the recorded curves of its configurations.

    optimizers: names, C of them; seeds: of the runs, S; steps: of the evaluations, int [E], from 0 to the horizon.
    losses: {split: float64 [C, S, E]}, NaN once diverged; seconds: float64 [C, S, E].
    """

    task: str
    source: str
    horizon: int
    optimizers: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray
    losses: dict[str, np.ndarray]
    seconds: np.ndarray

    @property
    def first_step(self) -> int:
        """The first step after the start at which there is an evaluation: whoever pays for less sees nothing but the start."""
        return max(int(self.steps[:2].max()), 1)

    def hyperparameters(self, optimizer: str) -> dict[str, float]:
        """The configuration's hyperparameters as a dict."""
        self._place(optimizer)
        return get_optimizer_config(optimizer)[0]

    def query(self, optimizer: str, step: int | None = None, seed: int | None = None) -> Curve:
        """The `Curve` of a configuration up to `step` (None: to the end), of one run or (seed None) the mean over all of them.

        A mean of which one run has diverged has diverged. A `step` between evaluations means the last evaluation before it.
        """
        c, e = self._place(optimizer), self.evaluations(self.horizon if step is None else step)
        s = slice(None) if seed is None else [self._seed(seed)]
        losses = {split: frozen(values[c, s, :e].mean(axis=0)) for split, values in self.losses.items()}
        return Curve(optimizer, self.steps[:e], losses, frozen(self.seconds[c, s, :e].mean(axis=0)))

    def families(self) -> list[str]:
        """The optimizer families that this problem has configurations of, such as adam_lr, in the order of their first ones."""
        return list(dict.fromkeys(self._family(name) for name in self.optimizers))

    def space(self, family: str) -> Space:
        """The configurations of one optimizer family as points of a numeric `Space`. Raises `UnknownName`."""
        from taskset.tabular.space import space_of

        names = [name for name in self.optimizers if self._family(name) == family]
        if not names:
            raise unknown("family", family, self.families(), f"{self.task} has {', '.join(self.families())}.")
        return space_of({name: self.hyperparameters(name) for name in names})

    def _family(self, optimizer: str) -> str:
        return family_of(optimizer) or optimizer  # a learned one, or a user's own: a family by itself

    def scale(self, choose_on: str = "valid_outer", seed: int | None = None) -> tuple[float, float]:
        """(loss at step 0, lowest recorded loss of any configuration at any step): what a normalized regret of 1 and 0 mean.

        Raises StoreError where no configuration ends up below the start.
        """
        losses = self.losses[check_split(choose_on)]
        chosen = losses.mean(axis=1) if seed is None else losses[:, self._seed(seed)]
        finite = chosen[np.isfinite(chosen)]
        initial, best = (float(np.nanmean(chosen[:, 0])), float(finite.min())) if finite.size else (np.nan, np.nan)
        if not gets_below(best, initial, chosen[:, 0]):
            raise StoreError(f"no configuration of {self.task} lowers the loss of {choose_on}: it has no regret to normalize")
        return initial, best

    def regret(self, loss: ArrayLike, choose_on: str = "valid_outer", seed: int | None = None) -> np.ndarray:
        """Normalized regrets of losses, of the same shape: (loss - best) / (initial - best), with those of `scale`."""
        initial, best = self.scale(choose_on, seed)
        return (np.asarray(loss, np.float64) - best) / (initial - best)

    def search(self, choose_on: str = "valid_outer", seed: int | None = None) -> Search:
        """A new account on which nothing has been spent. choose_on: the split whose loss decides; seed: as in `query`."""
        check_split(choose_on)
        if seed is not None:
            self._seed(seed)
        return Search(self, choose_on, seed)

    def learned_list(self) -> list[str]:
        """The names of the learned list (best first) that this problem has curves of."""
        return [name for name in opt_list_names(100) if name in self.optimizers]

    def _place(self, optimizer: str) -> int:
        if optimizer not in self.optimizers:
            guess = guessed(optimizer, self.optimizers) or ":"
            some = ", ".join(self.optimizers[:3])
            raise StoreError(
                f"{self.task} has no curves of {shown(optimizer)}{guess} its {len(self.optimizers)} optimizers are {some} .."
            )
        return self.optimizers.index(optimizer)

    def _seed(self, seed: int) -> int:
        number = seeds.check(seed)
        if number not in self.seeds:
            raise StoreError(f"{self.task} has no runs of seed {number}: there are {', '.join(map(str, self.seeds))}")
        return self.seeds.index(number)

    def evaluations(self, step: int) -> int:
        """How many evaluations there are up to a step."""
        number = whole_number("step", step, 0, self.horizon, StoreError, ", the horizon of these curves")
        return int(np.searchsorted(self.steps, number, side="right"))


@dataclass(frozen=True)
class Best:
    """The lowest loss seen, with its configuration and the number of that configuration's steps."""

    optimizer: str
    step: int
    loss: float


class Search:
    """The account of one search on a `Problem`.

    Paying for a configuration up to a step pays for what wasn't paid before: a run that is paused and resumed costs no more than
    one that isn't paused.

    steps, seconds: spent so far, summed over configurations (a run of a mean over seeds counts as one run). best: a `Best`, None
    until something finite was seen. history: (steps spent, seconds spent, best loss so far) after each evaluation seen.
    """

    def __init__(self, problem: Problem, choose_on: str, seed: int | None) -> None:
        self.problem, self.choose_on, self.seed = problem, choose_on, seed
        self.steps, self.seconds = 0, 0.0
        self.best: Best | None = None
        self.history: list[tuple[int, float, float]] = []
        self._curves: dict[str, Curve] = {}
        self._seen: dict[str, int] = {}
        self._begun: list[int] = []  # the places in the history at which a new configuration begins

    def advance(self, optimizer: str, step: int) -> float:
        """Pay for a configuration up to `step`; returns its loss there (of the last evaluation), infinite if it has diverged.

        What was paid for already is free. A run that has diverged costs nothing after the evaluation that shows it: it would be
        stopped there.
        """
        end = self.problem.evaluations(step)  # first: what is refused is no trial
        if optimizer not in self._curves:
            self._curves[optimizer] = self.problem.query(optimizer, seed=self.seed)
            self._begun.append(len(self.history))
        curve = self._curves[optimizer]
        for e in range(self._seen.get(optimizer, 0), end):
            self._look(curve, e)
        self._seen[optimizer] = max(end, self._seen.get(optimizer, 0))
        loss = curve.losses[self.choose_on][end - 1]
        return float(loss) if np.isfinite(loss) else np.inf

    def _look(self, curve: Curve, e: int) -> None:
        losses = curve.losses[self.choose_on]
        if e and np.isfinite(losses[e - 1]):
            self.steps += int(curve.steps[e] - curve.steps[e - 1])
            self.seconds += float(curve.seconds[e] - curve.seconds[e - 1])
        if np.isfinite(losses[e]) and (self.best is None or losses[e] < self.best.loss):
            self.best = Best(curve.optimizer, int(curve.steps[e]), float(losses[e]))
        self.history.append((self.steps, self.seconds, np.inf if self.best is None else self.best.loss))

    def paid(self, optimizer: str) -> int | None:
        """The step up to which a configuration is paid for; None if it was never looked at."""
        seen = self._seen.get(optimizer, 0)
        return int(self.problem.steps[seen - 1]) if seen else None

    def loss(self, split: str) -> float:
        """The loss of another split at the place of `best`, such as the test loss of what was chosen on validation loss."""
        check_split(split)
        if self.best is None:
            return np.inf
        curve = self._curves[self.best.optimizer]
        return float(curve.losses[split][np.searchsorted(curve.steps, self.best.step)])

    def reached(self, steps: float = np.inf, seconds: float = np.inf) -> float:
        """The best loss after at most so many steps and seconds were spent; infinite before the first finite evaluation.

        Raises StoreError for `seconds` where the curves have no times.
        """
        if seconds == np.inf:
            return min((loss for spent, _, loss in self.history if spent <= steps), default=np.inf)
        if np.isnan(self.seconds):
            raise StoreError(f"the curves of {self.problem.task} have no times: give a budget in steps, without seconds")
        return min((loss for spent, time, loss in self.history if spent <= steps and time <= seconds), default=np.inf)

    @property
    def trials(self) -> int:
        """How many configurations were looked at."""
        return len(self._begun)

    def regrets(self) -> np.ndarray:
        """Normalized regrets [trials] (`Problem.regret`) of the best so far, each when the next configuration was begun."""
        ends = [*self._begun[1:], len(self.history)][: self.trials]
        return self.problem.regret([self.history[end - 1][2] for end in ends], self.choose_on, self.seed)

    def regret(self, steps: float = np.inf, seconds: float = np.inf) -> float:
        """The normalized regret after at most so many steps and seconds were spent."""
        return float(self.problem.regret(self.reached(steps, seconds), self.choose_on, self.seed))


def frozen(array: ArrayLike) -> np.ndarray:
    """A copy that can't be written into."""
    array = np.array(array)
    array.flags.writeable = False
    return array
