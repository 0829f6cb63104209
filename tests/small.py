"""Small data and tasks for tests."""

import itertools
from dataclasses import dataclass

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

    def examples(self):
        """A batch, prepared."""
        stacked = self.open(None)("train", 0, 0, 1)
        return self.prepare({name: tf.constant(values[0]) for name, values in stacked.items()}, None)


TINY = RandomImages(4, (8, 8, 3))


def assert_learned(name):
    """After 200 steps of Adam the mean loss of 20 training batches is a twentieth lower at least."""
    task = get_task(name, "synthetic")
    params, losses = train(task, get_optimizer("adam_lr_-2.50"), 200)
    batches = list(itertools.islice(task.batches("train", 1), 20))
    before, after = (np.mean([task.loss(p, batch, 0) for batch in batches]) for p in (task.init(0), params))
    assert np.isfinite(losses).all() and after < 0.95 * before, (name, before, after)


def shaken(task, dtype=tf.float32, seed=0):
    """Parameters away from their start, where biases are 0 and masked weights are."""
    rng = np.random.default_rng(seed)
    start = task.init(seed, dtype)
    return {name: value + tf.constant(0.1 * rng.standard_normal(value.shape), dtype) for name, value in start.items()}


@dataclass(frozen=True)
class Tokens:
    """Random tokens, some of them padding; labels where there are classes."""

    batch_size: int = 4
    patch_length: int = 6
    max_token: int = 30
    num_classes: int | None = None
    needs_source = False

    @property
    def batch(self):
        shape = (self.batch_size, self.patch_length)
        label = {} if self.num_classes is None else {"label": (shape[:1], "int32")}
        return {"tokens": (shape, "int32"), "mask": (shape, "float32"), **label}

    def open(self, source, data_dir):
        def one(rng):
            shape = (self.batch_size, self.patch_length)
            length = rng.integers(2, self.patch_length + 1, self.batch_size)
            mask = (np.arange(self.patch_length) < length[:, None]).astype("float32")
            batch = {"tokens": (rng.integers(1, 40, shape) * mask).astype("int32"), "mask": mask}
            labels = rng.integers(self.num_classes or 1, size=self.batch_size).astype("int32")
            return batch if self.num_classes is None else {**batch, "label": labels}

        def draw(split, seed, start, count):
            drawn = [one(np.random.default_rng([seed, number])) for number in range(start, start + count)]
            return {name: np.stack([batch[name] for batch in drawn]) for name in drawn[0]}

        return draw

    def prepare(self, raw, key):
        return raw
