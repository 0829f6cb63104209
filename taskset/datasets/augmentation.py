"""Random crops, flips and colour changes of a batch of images, with separate draws for each example.

The result is a pure function of (images, key, options), the same in eager, graph and XLA execution. The colour mathematics is
that of `tf.image.adjust_*` on floats, which takes one delta for a whole batch; here each example has its own. As there, floats
are never clipped: a brightened pixel may exceed 1.
"""

from typing import Any

import tensorflow as tf

from taskset.random import stateless


def to_unit(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 0 .. 255 -> float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) / 255.0


def to_labels(labels: tf.Tensor) -> tf.Tensor:
    """Labels as int32."""
    return tf.cast(labels, tf.int32)


def augment(images: tf.Tensor, key: tf.Tensor, options: dict[str, Any] | None) -> tf.Tensor:
    """Augmented images: float32 [batch, height - crop_amount, width - crop_amount, channels]; `images` itself if options is None.

    options: crop_amount (pixels), flip_left_right and flip_up_down (each image with probability 1/2), and, if do_color_aug and
    there are 3 channels, in this order: brightness + U(-brightness, brightness), saturation * U(1 - saturation, 1 + saturation),
    hue + U(-hue, hue) turns, contrast * U(1 - contrast, 1 + contrast).
    """
    if options is None:
        return images
    keys = iter(stateless.split(key, 8))
    batch, height, width, channels = images.shape
    crop = options["crop_amount"]
    rows = _window(next(keys), next(keys), batch, height, crop, options["flip_up_down"])
    columns = _window(next(keys), next(keys), batch, width, crop, options["flip_left_right"])
    if crop or options["flip_up_down"]:
        images = tf.gather(images, rows, axis=1, batch_dims=1)
    if crop or options["flip_left_right"]:
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    if options["do_color_aug"] and channels == 3:
        images = adjust_brightness(images, _within(next(keys), batch, options["brightness"]))
        images = adjust_saturation(images, 1.0 + _within(next(keys), batch, options["saturation"]))
        images = adjust_hue(images, _within(next(keys), batch, options["hue"]))
        images = adjust_contrast(images, 1.0 + _within(next(keys), batch, options["contrast"]))
    return images


def _within(key, batch, limit):
    return stateless.uniform(key, [batch], minval=-limit, maxval=limit)


def _window(offset_key, flip_key, batch, size, crop, flip):
    """Pixel indices along one axis, int32 [batch, size - crop]: from a random offset on, reversed for half of the examples."""
    left = tf.cast(stateless.uniform(offset_key, [batch, 1], maxval=crop + 1.0), tf.int32)
    pixel = tf.range(size - crop)[tf.newaxis]
    if flip:
        pixel = tf.where(stateless.uniform(flip_key, [batch, 1]) < 0.5, pixel[:, ::-1], pixel)
    return tf.minimum(left, crop) + pixel


def _per_image(values):
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def adjust_brightness(images: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """images [batch, height, width, channels] + deltas [batch]."""
    return images + _per_image(deltas)


def adjust_contrast(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """(x - mean) factor + mean, where the mean is that of each channel of each image."""
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    return (images - mean) * _per_image(factors) + mean


def adjust_saturation(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Saturation s = (max - min) / max of each pixel times the factor, clipped to [0, 1]; hue and maximum kept.

    A pixel whose maximum is not positive has saturation 0, as in TensorFlow: its channels all become the maximum.
    """
    hue, low, high = _hue_and_range(images)
    saturation = tf.where(high > 0, (high - low) / tf.where(high > 0, high, 1.0), 0.0)
    saturation = tf.clip_by_value(saturation * _per_image(factors), 0.0, 1.0)
    return _to_rgb(hue, high * (1.0 - saturation), high)


def adjust_hue(images: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """Hue + delta (in turns) of each pixel; its smallest and largest channel values are kept."""
    hue, low, high = _hue_and_range(images)
    return _to_rgb(hue + 6.0 * _per_image(deltas), low, high)


def _hue_and_range(images):
    """Hue in sixths of a turn, smallest and largest channel: each [batch, height, width, 1] (hexagonal hue, Smith 1978)."""
    red, green, blue = tf.split(images, 3, axis=-1)
    high = tf.maximum(tf.maximum(red, green), blue)
    low = tf.minimum(tf.minimum(red, green), blue)
    spread = tf.where(high > low, high - low, 1.0)
    hue = tf.where(
        red == high,
        (green - blue) / spread,
        tf.where(green == high, 2.0 + (blue - red) / spread, 4.0 + (red - green) / spread),
    )
    return hue, low, high


def _to_rgb(hue, low, high):
    """The inverse: each channel is `high` within a sixth of a turn of its own hue (0, 2, 4), `low` beyond two, linear between."""
    turns = (hue - tf.constant([0.0, 2.0, 4.0])) / 6.0
    distance = 6.0 * (turns - tf.round(turns))  # XLA would compute floormod one number after the other
    return low + (high - low) * tf.clip_by_value(2.0 - tf.abs(distance), 0.0, 1.0)
