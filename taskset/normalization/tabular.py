"""The baselines as a tabular benchmark: hyperparameter search on recorded curves, where a query costs nothing.

    from taskset import tabular

    problem = tabular.load("quadratic_family_seed3", horizon=10000)
    search = tabular.random_search(problem.search(choose_on="valid_outer"), steps=100_000, seed=0)
    search.best, search.steps, search.loss("test")

A `Problem` is one task with the optimizers that it was swept with: its configurations. A `Search` keeps the account of one run
of a search method: which part of which curve it has paid for, and the best it has seen. Methods are plain functions of a search;
three are here as examples: `random_search`, `successive_halving` (Jamieson and Talwalkar 2016, arXiv 1502.07943), and `in_turn`,
for a list such as the learned one of Metz et al. (2020, arXiv 2002.11887).
No TensorFlow.
"""

from dataclasses import dataclass

import numpy as np

from taskset.datasets.base import SPLITS
from taskset.errors import StoreError
from taskset.random import seeds
from taskset.samplers.optimizers import opt_list_names


@dataclass(frozen=True)
class Curve:
    """A configuration's recorded curve up to some step. All arrays [E]: one element an evaluation.

    steps: training steps; losses: {split: losses, NaN once diverged}; seconds: training time so far (NaN where not recorded).
    """

    optimizer: str
    steps: np.ndarray
    losses: dict
    seconds: np.ndarray


@dataclass(frozen=True)
class Problem:
    """One task with the recorded curves of its configurations.

    optimizers: names, C of them; seeds: of the runs, S; steps: of the evaluations, int [E], from 0 to the horizon.
    losses: {split: float64 [C, S, E]}, NaN once diverged; seconds: float64 [C, S, E].
    """

    task: str
    source: str
    horizon: int
    optimizers: tuple
    seeds: tuple
    steps: np.ndarray
    losses: dict
    seconds: np.ndarray

    def hyperparameters(self, optimizer):
        """The configuration's hyperparameters as a dict."""
        from taskset.samplers.optimizers import get_optimizer_config

        self._place(optimizer)
        return get_optimizer_config(optimizer)[0]

    def query(self, optimizer, step=None, seed=None):
        """The `Curve` of a configuration up to `step` (None: to the end), of one run or (seed None) the mean over all of them.

        A mean of which one run has diverged has diverged. A `step` between evaluations means the last evaluation before it.
        """
        c, e = self._place(optimizer), self._evaluations(self.horizon if step is None else step)
        s = slice(None) if seed is None else [self._seed(seed)]
        losses = {split: _frozen(values[c, s, :e].mean(axis=0)) for split, values in self.losses.items()}
        return Curve(optimizer, self.steps[:e], losses, _frozen(self.seconds[c, s, :e].mean(axis=0)))

    def search(self, choose_on="valid_outer", seed=None):
        """A new account, on which nothing is spent. choose_on: the split whose loss decides; seed: as in `query`."""
        if choose_on not in SPLITS:
            raise StoreError(f"split {choose_on!r}: allowed are {', '.join(SPLITS)}")
        if seed is not None:
            self._seed(seed)
        return Search(self, choose_on, seed)

    def learned_list(self):
        """The names of the learned list (best first) that this problem has curves of."""
        return [name for name in opt_list_names(100) if name in self.optimizers]

    def _place(self, optimizer):
        if optimizer not in self.optimizers:
            shown = ", ".join(self.optimizers[:3])
            raise StoreError(f"{self.task} has no curves of {optimizer!r}: its {len(self.optimizers)} optimizers are {shown} ..")
        return self.optimizers.index(optimizer)

    def _seed(self, seed):
        if seed not in self.seeds:
            raise StoreError(f"{self.task} has no runs of seed {seed!r}: there are {', '.join(map(str, self.seeds))}")
        return self.seeds.index(seed)

    def _evaluations(self, step):
        """How many evaluations there are up to a step."""
        if not 0 <= step <= self.horizon:
            raise StoreError(f"step {step}: allowed is 0 .. {self.horizon}, the horizon of these curves")
        return int(np.searchsorted(self.steps, step, side="right"))


@dataclass(frozen=True)
class Best:
    """The lowest loss seen: of which configuration, after how many of its steps."""

    optimizer: str
    step: int
    loss: float


class Search:
    """The account of one search on a `Problem`.

    Paying for a configuration up to a step pays for what wasn't paid before: pausing and going on costs no more than going on.

    steps, seconds: spent so far, summed over configurations (a run of a mean over seeds counts as one run). best: a `Best`, None
    until something finite was seen. history: (steps spent, seconds spent, best loss so far) after each evaluation seen.
    """

    def __init__(self, problem, choose_on, seed):
        self.problem, self.choose_on, self.seed = problem, choose_on, seed
        self.steps, self.seconds, self.best, self.history = 0, 0.0, None, []
        self._curves, self._seen = {}, {}

    def advance(self, optimizer, step):
        """Pay for a configuration up to `step`; returns its loss there (of the last evaluation), infinite if it has diverged.

        What was paid for already is free. A run that has diverged costs nothing after the evaluation that told so: it would be
        stopped there.
        """
        if optimizer not in self._curves:
            self._curves[optimizer] = self.problem.query(optimizer, seed=self.seed)
        curve, end = self._curves[optimizer], self.problem._evaluations(step)
        for e in range(self._seen.get(optimizer, 0), end):
            self._look(curve, e)
        self._seen[optimizer] = max(end, self._seen.get(optimizer, 0))
        loss = curve.losses[self.choose_on][end - 1]
        return float(loss) if np.isfinite(loss) else np.inf

    def _look(self, curve, e):
        losses = curve.losses[self.choose_on]
        if e and np.isfinite(losses[e - 1]):
            self.steps += int(curve.steps[e] - curve.steps[e - 1])
            self.seconds += float(curve.seconds[e] - curve.seconds[e - 1])
        if np.isfinite(losses[e]) and (self.best is None or losses[e] < self.best.loss):
            self.best = Best(curve.optimizer, int(curve.steps[e]), float(losses[e]))
        self.history.append((self.steps, self.seconds, np.inf if self.best is None else self.best.loss))

    def paid(self, optimizer):
        """Up to which step a configuration is paid for; None if it was never looked at."""
        seen = self._seen.get(optimizer, 0)
        return int(self.problem.steps[seen - 1]) if seen else None

    def loss(self, split):
        """The loss of another split at the place of `best`, such as the test loss of what was chosen on validation loss."""
        if self.best is None:
            return np.inf
        curve = self._curves[self.best.optimizer]
        return float(curve.losses[split][np.searchsorted(curve.steps, self.best.step)])

    def reached(self, steps):
        """The best loss after at most `steps` steps spent; infinite before the first finite evaluation."""
        return min((loss for spent, _, loss in self.history if spent <= steps), default=np.inf)


def load(task, optimizer=None, source=None, horizon=None, root=None, version=None):
    """The `Problem` of a task, from the baselines that come with the package or from `root`.

    optimizer: names of the configurations wanted, None: all. source, horizon: needed only where the task has several.
    version: as in `taskset.load_curves`.
    Raises StoreError: no such curves; several sources or horizons; optimizers that were swept with different seeds or steps.
    """
    from taskset.normalization.store import load_curves

    curves = load_curves(task=task, optimizer=optimizer, source=source, horizon=horizon, root=root, version=version)
    there = sorted(set(zip(curves["source"], curves["horizon"].tolist())))
    if len(there) > 1:
        raise StoreError(f"task {task!r} has curves of several (source, horizon): {there}; pass source= and horizon=")
    return from_curves(curves)


def from_curves(curves):
    """The `Problem` in a DataFrame of curves (`taskset.load_curves`) of one task, source and horizon, each run once.

    Its arrays are read-only. Raises StoreError.
    """
    from taskset.normalization.store.packing import optimizer_order

    lacking = [name for name in _COLUMNS if name not in curves]
    if lacking or not len(curves):
        what = f"no column {lacking[0]!r}" if lacking else "no rows"
        raise StoreError(f"curves with {what}: expected are those of one task, as taskset.load_curves gives them")
    task, source, horizon = _only(curves, "task"), _only(curves, "source"), int(_only(curves, "horizon"))
    order = optimizer_order()
    optimizers = sorted(curves["optimizer"].astype(str).unique(), key=lambda name: (order.get(name, len(order)), name))
    runs, steps = sorted(int(s) for s in curves["seed"].unique()), np.sort(curves["step"].unique()).astype(np.int64)
    shape = len(optimizers), len(runs), len(steps)
    place = {name: i for i, name in enumerate(optimizers)}
    frame = curves.assign(place=curves["optimizer"].astype(str).map(place)).sort_values(["place", "seed", "step"])
    twice = frame.duplicated(["place", "seed", "step"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise StoreError(
            f"the curves of {task} have ({row['optimizer']}, seed {row['seed']}, step {row['step']}) twice: pass each run once"
        )
    if len(curves) != np.prod(shape):
        raise StoreError(
            f"the optimizers of {task} were swept with different seeds or evaluations: {len(optimizers)} optimizers x "
            f"{len(runs)} seeds x {len(steps)} evaluations, {len(curves)} rows; pass optimizer= to choose those of one sweep"
        )
    arrays = {name: _frozen(frame[name].to_numpy(np.float64).reshape(shape)) for name in (*SPLITS, "seconds")}
    seconds = arrays.pop("seconds")
    return Problem(task, source, horizon, tuple(optimizers), tuple(runs), _frozen(steps), arrays, seconds)


_COLUMNS = ("task", "source", "horizon", "optimizer", "seed", "step", *SPLITS, "seconds")


def _only(curves, column):
    values = curves[column].unique().tolist()
    if len(values) > 1:
        shown = ", ".join(map(str, sorted(values)[:3]))
        raise StoreError(f"curves of several {column}s ({shown}{' ..' if len(values) > 3 else ''}): a problem has one")
    return values[0]


def _frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def random_search(search, steps, seed=0):
    """Configurations in random order without replacement, each to its end, until `steps` steps are spent or none is left."""
    problem = search.problem
    order = seeds.generator(seed, "random search", problem.task).permutation(len(problem.optimizers))
    return in_turn(search, [problem.optimizers[i] for i in order], steps)


def in_turn(search, optimizers, steps):
    """The configurations in the order given, each to its end; the last one as far as what is left of `steps` reaches."""
    for optimizer in optimizers:
        left = steps - search.steps
        if left > 0:
            search.advance(optimizer, min(left, search.problem.horizon))
        if left <= search.problem.horizon:
            break
    return search


def successive_halving(search, first, eta=3, candidates=None):
    """All candidates for `first` steps, the best 1 / eta of them for eta times as many, and so on to the horizon.

    first: steps of the first round; eta: integer of at least 2; candidates: names, None: all of the problem.
    The rank of a candidate is its loss at the end of a round (not its lowest); ties and diverged ones go by the order given.
    """
    if eta < 2 or first < 1:
        raise StoreError(f"successive halving with first={first}, eta={eta}: allowed are first of at least 1, eta of at least 2")
    alive, step = list(search.problem.optimizers if candidates is None else candidates), first
    while alive:
        step = min(step, search.problem.horizon)
        losses = {optimizer: search.advance(optimizer, step) for optimizer in alive}
        if step == search.problem.horizon:
            break
        alive = sorted(alive, key=losses.get)[: max(1, len(alive) // eta)]
        step *= eta
    return search
