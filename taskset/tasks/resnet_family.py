"""Residual convolutional classifiers of images (He et al. 2015, arXiv 1512.03385; 2016, arXiv 1603.05027)."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.samplers.resnet_family import convolutions
from taskset.tasks import activations, initializers, norms, starts
from taskset.tasks.base import Model
from taskset.tasks.conv_pooling_family import pooled_classification
from taskset.tasks.images import network_input


class _Net:
    """The layers of a config, to be applied inside a loss."""

    def __init__(self, config: dict[str, Any]):
        self._config = config
        self._activation = activations.from_config(config["activation"])
        self._w_init = initializers.from_config(config["w_init"])

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, C] -> the last block's output."""
        config, stem = self._config, self._config["stem"]
        x = self._convolve(x, stem["channels"], stem["kernel"], stem["stride"], "stem")
        if not config["pre_activation"]:
            x = self._activation(self._normalize(x, "stem_norm"))
        if stem["max_pool"]:
            x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for i, sizes in enumerate(config["blocks"]):
            with tf.name_scope(f"block_{i}"):
                x = self._pre_activated(x, sizes) if config["pre_activation"] else self._post_activated(x, sizes)
        return self._activation(self._normalize(x, "final_norm")) if config["pre_activation"] else x

    def _pre_activated(self, x: tf.Tensor, sizes: list[int]) -> tf.Tensor:
        """The sum of x, or a 1x1 convolution of its norm and activation, and a branch: norm, activation, convolution, norm, .."""
        out, _, stride = sizes
        entry = self._activation(self._normalize(x, "norm_0"))
        shortcut = x[:, ::stride, ::stride] if x.shape[-1] == out else self._convolve(entry, out, 1, stride, "shortcut")
        y = entry
        for i, (channels, kernel, step) in enumerate(convolutions(self._config["block"], sizes)):
            y = y if i == 0 else self._activation(self._normalize(y, f"norm_{i}"))
            y = self._convolve(y, channels, kernel, step, f"conv_{i}")
        return shortcut + self._weighted(y)

    def _post_activated(self, x: tf.Tensor, sizes: list[int]) -> tf.Tensor:
        """The activation of the sum of x, or a normed 1x1 convolution of it, and a branch: convolution, norm, activation, .."""
        out, _, stride = sizes
        if x.shape[-1] == out:
            shortcut = x[:, ::stride, ::stride]
        else:
            shortcut = self._normalize(self._convolve(x, out, 1, stride, "shortcut"), "shortcut_norm")
        y = x
        for i, (channels, kernel, step) in enumerate(convolutions(self._config["block"], sizes)):
            y = y if i == 0 else self._activation(y)
            y = self._normalize(self._convolve(y, channels, kernel, step, f"conv_{i}"), f"norm_{i}")
        return self._activation(shortcut + self._weighted(y))

    def _convolve(self, x: tf.Tensor, channels: int, kernel: int, stride: int, name: str) -> tf.Tensor:
        bias = self._config["norm"][0] == "none"  # a norm has an offset of its own
        return snt.Conv2D(channels, kernel, stride, padding="SAME", with_bias=bias, w_init=self._w_init, name=name)(x)

    def _normalize(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return norms.of_images(x, self._config["norm"], name)

    def _weighted(self, branch: tf.Tensor) -> tf.Tensor:
        """The branch; where `residual_init` is "zero", times a learned number that starts at 0 (arXiv 2002.10444)."""
        if self._config["residual_init"] == "plain":
            return branch
        return starts.parameter("gain", (), starts.constant(0.0)) * branch


@register_builder("resnet_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """A convolution, the stem, and perhaps a max pool; residual blocks; pool over all pixels; a linear layer; cross-entropy.

    blocks: [channels out, channels inside, stride] each. A "basic" block has two 3x3 convolutions, a "bottleneck" a 3x3 between
    two 1x1. Norms use the batch's or the example's own statistics, in all splits.
    """
    net = _Net(config)

    def loss(batch, key):
        x = net(network_input(batch["image"], config))
        return pooled_classification(x, config, batch["label"], data.num_classes)

    return Model(loss, data, convolutional=True)
