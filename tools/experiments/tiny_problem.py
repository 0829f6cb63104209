"""The inner training of several experiments: momentum on a network of 2,410 weights, its hyperparameters being theta.

The task is Tiny_mlp_mnist_bs32_start1.0 on synthetic data (64-32-10, images of 8x8 pixels, batches of 32). The optimizer is
`learnable_sgdm`: w <- w - lr u, u <- beta u + g, theta = (log lr, log(1 - beta)). The outer loss is the mean over the steps
of an unroll of n = min(L / log 10, 2), L being the loss of the training batch in nats: 1 is guessing, a diverged step counts
as 2.
"""

import math

import numpy as np

TASK = "Tiny_mlp_mnist_bs32_start1.0"
BETA = 0.9


def problem(optimizer="learnable_sgdm", dtype=None):
    """The `learned.Problem` of this task under an optimizer of `learned.optimizers`."""
    import tensorflow as tf

    import learned  # noqa: F401
    from learned import optimizers
    from learned.outer_training import objectives
    from learned.unrolling.problem import Problem
    from taskset.catalogue import get_task

    scale = objectives.LossScale(math.log(10), 0.0)
    return Problem(get_task(TASK, "synthetic"), optimizers.get(optimizer), objectives.get("train"), scale, dtype or tf.float32)


def theta(rate, beta=BETA, dtype=np.float32):
    """(log lr, log(1 - beta)), in the order of `learnable_sgdm`; rate: a number or an array [n], then [n, 2]."""
    rate = np.asarray(rate, np.float64)
    return np.stack([np.log(rate), np.full_like(rate, math.log1p(-beta))], axis=-1).astype(dtype)
