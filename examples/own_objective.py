"""An objective from outside the package: `python -m learned train --objective small_weights --import THIS_FILE ..`."""

import tensorflow as tf

import learned


@learned.register_objective("small_weights")
class SmallWeights:
    """The train loss plus .01 times the mean square of each tensor of parameters: fits, and keeps the parameters small."""

    name = "small_weights"
    split = None  # it reads no batch beside the training batch
    scale_split = "train"  # and is normalized as the train loss is

    def check(self, task):
        """Every task has it."""

    def __call__(self, task, params, train_loss, batch, key):
        return train_loss + 0.01 * tf.add_n([tf.reduce_mean(p**2) for p in params.values()])
