"""Trainings of one task that several experiments make: train losses of one run, or of many settings of one rule side by side."""

import numpy as np


def train_losses(task, rule, seeds, steps, interval=None):
    """Train losses [seeds, steps] of a task under one optimizer.

    interval: steps in one call; tasks with the same network, batches and interval share a compiled program.
    """
    from taskset.execution.loop import Loop

    return _each_seed(Loop(task, rule, interval or steps), rule.hparams(steps), seeds, steps)


def train_losses_of_many(task, rules, seeds, steps, interval=None):
    """Train losses [seeds, steps, rules] of a task; the rules differ in their hyperparameters only."""
    from taskset.execution.copies import CopiesLoop

    hparams = [rule.hparams(steps) for rule in rules]
    stacked = {name: np.array([one[name] for one in hparams]) for name in hparams[0]}
    return _each_seed(CopiesLoop(task, rules[0], len(rules), interval or steps), stacked, seeds, steps)


def _each_seed(loop, hparams, seeds, steps):
    from taskset.execution.loop import calls

    found = []
    for seed in seeds:
        run = loop.start(seed)
        found.append(np.concatenate([loop.train(run, hparams, count, raw) for count, raw in calls(loop, seed, steps, steps)]))
    return np.array(found, np.float64)
