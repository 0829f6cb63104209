"""Where the time of a step goes, on both sides: loops that leave out more and more of it.

    loss       of a batch prepared from the raw one, at parameters that stay
    gradients  .. and its gradient, with which parameters are moved: w - rate g
    all        .. by Adam instead: the step itself

The time of a part is that of its loop less that of the one before.
"""

import copy

PARTS = ("loss", "gradients", "all")
NAMES = {"loss": "loop, batch, loss", "gradients": "gradient", "all": "Adam"}


def our_loop(task, optimizer, part, steps, mode):
    """(`Loop`, hyperparameters) of a part."""
    from taskset.execution.loop import Loop
    from taskset.optimizers import sgd

    reduced = copy.copy(task)
    if part == "loss":
        reduced.value_and_gradients = lambda params, batch, key: (task.loss(params, batch, key), params)
    chosen = optimizer if part == "all" else sgd(1e-3) if part == "gradients" else Still()
    return Loop(reduced, chosen, steps, mode), chosen.hparams(10_000)


class Still:
    """An optimizer that leaves parameters where they are."""

    name = rule = "still"
    elementwise = True

    def hparams(self, horizon):
        return {"learning_rate": 0.0}

    def init(self, params):
        return {}

    def update(self, grads, state, params, step, hparams):
        return params, state


def jax_step(loss, part, learning_rate):
    """As `jax_twins.make_step`, of a part."""
    import jax

    from benchmarks import jax_twins

    def step(carry, raw, draw, i):
        params, state = carry
        batch = jax_twins.prepare(raw)
        if part == "loss":
            return carry, loss(params, batch, draw)
        value, gradients = jax.value_and_grad(loss)(params, batch, draw)
        return (jax.tree.map(lambda w, g: w - learning_rate * g, params, gradients), state), value

    return jax_twins.make_step(loss, learning_rate) if part == "all" else step
