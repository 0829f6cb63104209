"""By what the experiments on trainings of a few hundred steps judge: rules by hand to tune, seeds, scores, and speed-ups."""

import numpy as np

from tools.experiments.training import train_losses_of_many

STEPS, TUNING, JUDGING = 200, range(4), range(100, 112)
SCALE = (2.3026, 0.05)  # of the normalized loss: guessing, and about the least that a training of 200 steps reaches
SMOOTHED = 20
ADAM_LABEL = "Adam, 19 rates"


def by_hand():
    """{name: rules that differ in their hyperparameters}: what is tuned."""
    from taskset.optimizers import adaptive, descent, named, one_run

    rates = 10.0 ** (np.arange(-16, 3) / 4)
    betas = (0.0, 0.5, 0.9, 0.95, 0.99)
    sampled = range(256)
    return {
        ADAM_LABEL: [adaptive.adam(rate) for rate in rates],
        "momentum, 19 rates x 5 decays": [descent.momentum(rate, beta) for rate in rates for beta in betas],
        "RMSProp, 19 rates x 2 decays": [descent.rmsprop(rate, rho) for rate in rates for rho in (0.9, 0.99)],
        "schedule-free AdamW, 19 rates": [one_run.schedule_free_adamw(rate) for rate in rates],
        "Adam, four hyperparameters, 256 drawn": [named.get_optimizer(f"adam4p_wide_grid_seed{seed}") for seed in sampled],
        "adam8p, 256 drawn": [named.get_optimizer(f"adam8p_wide_grid_seed{seed}") for seed in sampled],
        "NAdamW with schedules, 256 drawn": [named.get_optimizer(f"nadamw_grid_seed{seed}") for seed in sampled],
        "NAdamW, the learned list's first 100": named.opt_list(100),
    }


def last_tenth(losses, axis=0):
    """The part of losses that is the last tenth of the steps, which lie on an axis; at least one of them."""
    return np.split(losses, [-max(1, losses.shape[axis] // 10)], axis)[1]


def scores(losses):
    """{"mean", "end"}: scores [seeds, ..] of train losses [seeds, steps, ..]; a loss counts as at most 2 log 10."""
    worst = 2 * np.log(10)
    losses = np.minimum(np.where(np.isfinite(losses), losses, worst), worst)
    return {"mean": losses.mean(axis=1), "end": last_tenth(losses, 1).mean(axis=1)}


def best_by_tuning(task, rules, steps=STEPS):
    """The number of the rule that ends lowest on a task, in the mean over the tuning seeds."""
    losses = train_losses_of_many(task, rules, TUNING, steps, STEPS)
    return int(scores(losses)["end"].mean(axis=0).argmin())


def moving_mean(curve):
    """The mean of a curve [steps] over the last SMOOTHED steps, fewer at its start."""
    sums = np.concatenate([[0.0], np.cumsum(curve)])
    at = np.arange(1, len(curve) + 1)
    first = np.maximum(at - SMOOTHED, 0)
    return (sums[at] - sums[first]) / (at - first)


def first_step_at(curve, loss):
    """Steps until the moving mean of a curve is at most `loss`; NaN where it never is."""
    reached = np.flatnonzero(moving_mean(curve) <= loss)
    return float(reached[0] + 1) if len(reached) else float("nan")
