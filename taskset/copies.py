"""Several runs of one task in one program: the same seed, a learning rate each.

A step of a tiny task costs less than what it takes to start it, and runs of one seed share their batches and random draws. So
their parameters get a leading axis of copies, and a step of all copies is one `tf.vectorized_map`: what doesn't depend on the
parameters (a batch, the noise of a quadratic) is computed once for all.
"""

import tensorflow as tf

from taskset.training import Loop, Run


class CopiesLoop(Loop):
    """A `Loop` that trains `copies` runs of one seed side by side.

    Params, states and losses have a leading axis [copies]; so have hyperparameters: {name: [copies] floats}. The numbers are
    those of the runs one by one, up to rounding. `train` and `compile` raise what TensorFlow does where an operation of the task
    can't be batched.
    """

    def __init__(self, task, optimizer, copies, *args, **kwargs):
        self._runs = (copies,)
        super().__init__(task, optimizer, *args, **kwargs)

    def start(self, seed):
        """All runs at step 0."""
        params = {path: tf.stack([w] * self._runs[0]) for path, w in self.task.init(seed).items()}
        init = self.optimizer.init
        return Run(seed, params, init(params) if self._flat else batched(init, params))

    def _value_and_gradients(self, params, batch, key):
        return batched(lambda one: self.task.value_and_gradients(one, batch, key), params)

    def _loss(self, params, batch, key):
        return batched(lambda one: self.task.loss(one, batch, key), params)

    def _updated(self, grads, state, params, step, hparams, told):
        if self._flat:
            return super()._updated(grads, state, params, step, hparams, told)
        if "validation_loss" in told:
            raise ValueError("an optimizer that reads validation losses has its runs one by one")
        return batched(lambda one: self.optimizer.update(*one[:3], step, one[3], **one[4]), (grads, state, params, hparams, told))


def batched(function, arguments):
    """`function` of each copy, all copies at once; ValueError where an operation has no batched form."""
    return tf.vectorized_map(function, arguments, fallback_to_while_loop=False)
