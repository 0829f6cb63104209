"""Searchers that tools/baselines/search.py compares beside those of `taskset.tabular`: Optuna's TPE, and a Gaussian process.

Both look only at configurations that were trained: a proposal means the nearest one (`taskset.tabular.Space.nearest`).
"""

import math

import numpy as np

from taskset.random import seeds

FIRST = 3  # random looks of the Gaussian process before its model is used
TPE_FIRST = 4  # of TPE; Optuna's default of 10 would be the whole budget
LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)  # of the kernel, in unit cubes; the likeliest is used
NOISE = 1e-3


def tpe(search, steps, families, seed=0):
    """Optuna's tree-structured Parzen estimator, each configuration to its end; what it proposes again costs nothing."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem, (initial, _) = search.problem, search.problem.scale(search.choose_on, search.seed)
    spaces = {family: problem.space(family) for family in families}
    # A seed of the problem's own: else all problems would begin with the same proposals, lucky or not.
    own = int(seeds.generator(seed, "tpe", problem.task, problem.source, problem.horizon).integers(2**31))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=TPE_FIRST, seed=own))
    for _ in range(4 * math.ceil(steps / problem.horizon)):
        if search.trials and steps - search.steps < problem.first_step:  # for less, nothing is seen of a run but its start
            break
        trial = study.ask()
        family = trial.suggest_categorical("family", families) if len(families) > 1 else families[0]
        values = {
            name: trial.suggest_float(f"{family}:{name}", axis.low, axis.high, log=axis.log)
            for name, axis in spaces[family].axes.items()
        }
        optimizer = spaces[family].nearest(values)
        seen = search.paid(optimizer) or 0
        loss = search.advance(optimizer, min(problem.horizon, max(seen, steps - search.steps)))
        study.tell(trial, min(loss, initial))
    return search


def gaussian_process(search, steps, families, seed=0):
    """The configuration with the largest expected improvement over the best loss, by a Gaussian process; each to its end."""
    problem, (initial, _) = search.problem, search.problem.scale(search.choose_on, search.seed)
    names, points = _features(problem, families)
    order = seeds.generator(seed, "gaussian process", problem.task).permutation(len(names))
    looked, losses = [], []
    while len(looked) < len(names) and not (looked and steps - search.steps < problem.first_step):
        left = [i for i in order if i not in looked]
        chosen = left[0] if len(looked) < FIRST else left[_most_improving(points[looked], np.array(losses), points[left])]
        loss = search.advance(names[chosen], min(problem.horizon, steps - search.steps))
        looked.append(int(chosen))
        losses.append(min(loss, initial))
    return search


def _features(problem, families):
    """(names, points [C, A]): the learning rate on a log axis, which all share, and a block for each family."""
    spaces = [problem.space(family) for family in families]
    names = [name for space in spaces for name in space.optimizers]
    rates = np.log10([problem.hyperparameters(name)["learning_rate"] for name in names])
    columns = [(rates - rates.min()) / max(float(np.ptp(rates)), 1e-12)]
    begin = 0
    for space in spaces:
        own = slice(begin, begin := begin + len(space.optimizers))
        if len(spaces) > 1:
            member = np.zeros(len(names))
            member[own] = 1.0
            columns.append(member)
            for values in space.points.T:
                column = np.full(len(names), 0.5)
                column[own] = values
                columns.append(column)
    return names, np.stack(columns, axis=1)


def _most_improving(seen, losses, points):
    """The index of the point with the largest expected improvement. seen [N, A], losses [N], points [M, A]."""
    y = (losses - losses.mean()) / max(float(losses.std()), 1e-12)
    mean, deviation = max((_posterior(seen, y, points, length) for length in LENGTHS), key=lambda found: found[0])[1:]
    z = (y.min() - mean) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in z])
    return int(np.argmax(deviation * (z * below + density)))


def _posterior(seen, y, points, length):
    """(log likelihood of y, mean [M], standard deviation [M]) with the kernel exp(-|a - b|^2 / (2 A length^2))."""
    scale = length * math.sqrt(seen.shape[1])

    def kernel(a, b):
        return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / scale**2)

    root = np.linalg.cholesky(kernel(seen, seen) + NOISE * np.eye(len(seen)))
    whitened = np.linalg.solve(root, y)
    cross = np.linalg.solve(root, kernel(seen, points))
    likelihood = -0.5 * whitened @ whitened - np.log(np.diag(root)).sum()
    return likelihood, cross.T @ whitened, np.sqrt(np.maximum(1 - (cross**2).sum(axis=0), 1e-12))
