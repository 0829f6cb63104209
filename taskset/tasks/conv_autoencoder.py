"""Convolutional encoders and decoders of images, for autoencoders and variational autoencoders."""

import math
from collections.abc import Sequence
from itertools import pairwise

import sonnet as snt
import tensorflow as tf

from taskset.tasks.initializers import lecun_normal, truncated_normal


class Encoder(snt.Module):
    """3x3 convolutions of stride 2 with ReLUs, halving height and width; a linear layer: [batch, h, w, c] -> [batch, outputs]."""

    def __init__(self, channels: Sequence[int], outputs: int, name: str = "encoder"):
        super().__init__(name)
        self._convolutions = [snt.Conv2D(n, 3, stride=2, w_init=lecun_normal(), name=f"conv_{i}") for i, n in enumerate(channels)]
        self._linear = snt.Linear(outputs, w_init=lecun_normal(), name="linear")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        for convolution in self._convolutions:
            x = tf.nn.relu(convolution(x))
        return self._linear(snt.flatten(x))


class Decoder(snt.Module):
    """A linear layer to an image of channels[0]; transposed 3x3 convolutions of stride 2 with ReLUs to the other channels, each
    doubling height and width; a 1x1 convolution: [batch, latents] -> [batch, h, w, outputs]."""

    def __init__(self, image_shape: Sequence[int], channels: Sequence[int], outputs: int, name: str = "decoder"):
        super().__init__(name)
        shrink = 2 ** (len(channels) - 1)
        self._start = [image_shape[0] // shrink, image_shape[1] // shrink, channels[0]]
        self._linear = snt.Linear(math.prod(self._start), w_init=lecun_normal(), name="linear")
        self._transposed = [
            # Not lecun_normal: the kernel of a transposed convolution has its inputs on the last axis.
            snt.Conv2DTranspose(n, 3, stride=2, w_init=truncated_normal(1 / math.sqrt(9 * inputs)), name=f"conv_transpose_{i}")
            for i, (inputs, n) in enumerate(pairwise(channels))
        ]
        self._pixels = snt.Conv2D(outputs, 1, w_init=lecun_normal(), name="conv")

    def __call__(self, z: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(self._linear(z), [z.shape[0], *self._start])
        for convolution in self._transposed:
            x = tf.nn.relu(convolution(x))
        return self._pixels(x)
