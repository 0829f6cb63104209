"""Training a task with a learned optimizer, as a function of the optimizer's weights theta.

    w_(t+1) = u(w_t, grad L(w_t), state; theta)        outer loss of the step: n(L(w_t)), before the update

`Problem` is one such training: the start and one step, pure functions of tensors. `learned.unrolling.unroll` makes truncations of many
copies of it.
"""

import tensorflow as tf

from learned.unrolling.vectors import Layout
from taskset.random import stateless

VALIDATION_INTERVAL = 10  # steps between the validation losses that an optimizer is told (arXiv 2009.11243)


class Problem:
    """One task under one learned optimizer and one objective.

    task: a `taskset` Task; optimizer: a `LearnedOptimizer`; objective: one of `learned.outer_training.objectives`.
    scale: loss -> normalized loss (`learned.outer_training.objectives.LossScale`, or `unscaled`).
    dtype: in which everything is computed.

    An inner state is {"params": .., "optimizer": ..} and, where the optimizer looks at it, "validation_loss".
    """

    def __init__(self, task, optimizer, objective, scale, dtype=tf.float32):
        objective.check(task)
        self.task, self.optimizer, self.objective, self.scale, self.dtype = task, optimizer, objective, scale, dtype
        self.layout = Layout(optimizer.shapes)
        told = ["valid_inner"] if optimizer.uses_validation_loss else []
        self.splits = tuple(dict.fromkeys(["train", *([objective.split] if objective.split else []), *told]))

    def theta(self, seed):
        """Initial theta, a NumPy vector [P]."""
        return self.layout.vector(self.optimizer.init_theta(seed, self.dtype))

    def start(self, theta, params):
        """The inner state at step 0: theta [P], params {path: tensor} of the task."""
        inner = {"params": params, "optimizer": self.optimizer.init(self.layout.views(theta), params)}
        if self.optimizer.uses_validation_loss:
            inner["validation_loss"] = tf.zeros([], self.dtype)
        return inner

    def batches(self, raw, key):
        """{split: batch} from {split: raw batch}; augmentation draws from `key`."""
        keys = dict(zip(self.splits, stateless.split(key, len(self.splits))))
        return {split: self.task.prepare(part, keys[split][0], keys[split][1]) for split, part in raw.items()}

    def step(self, theta, inner, step, batches, key, horizon=None):
        """One step: (normalized outer loss before it, inner state after it).

        theta: [P]; step: steps taken so far in this training; batches: as `batches` returns them; key: of the task's own draws;
        horizon: the number of steps that this training is planned to have, for optimizers that read it.
        """
        params = inner["params"]
        train_key, outer_key, told_key = stateless.split(key, 3)
        loss, gradients = self.task.value_and_gradients(params, batches["train"], train_key)
        outer = self.objective(self.task, params, loss, batches.get(self.objective.split), outer_key)
        after, told = {}, loss
        if self.optimizer.uses_validation_loss:
            measured = self.task.loss(params, batches["valid_inner"], told_key)
            told = tf.where(step % VALIDATION_INTERVAL == 0, measured, inner["validation_loss"])
            after["validation_loss"] = told
        views = self.layout.views(theta)
        after["params"], after["optimizer"] = self.optimizer.update(
            views, gradients, inner["optimizer"], params, step, loss, told, **self.optimizer.planned(horizon, self.dtype)
        )
        return self.scale(outer), after
