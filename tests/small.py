"""Small data and tasks for tests."""

import itertools

import numpy as np
import tensorflow as tf

from taskset.catalogue import get_task
from taskset.execution.loop import train
from taskset.optimizers import get_optimizer
from taskset.random import seeds


class RandomImages:
    """A data specification of random pixels; nothing is loaded."""

    needs_source = False
    num_classes = 5

    def __init__(self, batch_size=6, shape=(8, 8, 1)):
        self.batch_size, self.image_shape = batch_size, shape
        self.batch = {"image": ((batch_size, *shape), "float32"), "label": ((batch_size,), "int32")}

    def open(self, source, data_dir=None):
        def draw(split, seed, start, count):
            rngs = [seeds.generator(seed, split, step) for step in range(start, start + count)]
            images = [rng.integers(0, 256, (self.batch_size, *self.image_shape), np.uint8) for rng in rngs]
            labels = [rng.integers(0, self.num_classes, self.batch_size).astype(np.int32) for rng in rngs]
            return {"image": np.stack(images), "label": np.stack(labels)}

        return draw

    def prepare(self, raw, key):
        return {"image": tf.cast(raw["image"], tf.float32) / 255.0, "label": raw["label"]}


def assert_learned(name, optimizer="adam_lr_-2.50", steps=200):
    """After so many steps the mean loss of 20 training batches is a twentieth lower at least."""
    task = get_task(name, "synthetic")
    params, losses = train(task, get_optimizer(optimizer), steps)
    batches = list(itertools.islice(task.batches("train", 1), 20))
    before, after = (np.mean([task.loss(p, batch, 0) for batch in batches]) for p in (task.init(0), params))
    assert np.isfinite(losses).all() and after < 0.95 * before, (name, before, after)
