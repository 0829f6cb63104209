"""Images in another size by OpenCV's bicubic interpolation, which the release used for its resized sets.

`tf.image.resize` has other kernels: its "bicubic" has a = -1/2.
"""

from collections.abc import Sequence

import tensorflow as tf

A = -0.75  # OpenCV's; the kernel's slope at distance 1
_TAPS = 4


def kernel(distance: tf.Tensor) -> tf.Tensor:
    """Keys' cubic kernel (1981) of distances d >= 0: (a + 2) d^3 - (a + 3) d^2 + 1 up to 1, a (d^3 - 5 d^2 + 8 d - 4) up to 2."""
    d = distance
    near, far = ((A + 2) * d - (A + 3)) * d**2 + 1, A * (((d - 5) * d + 8) * d - 4)
    return tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


def weights(size: int | tf.Tensor, wanted: int) -> tf.Tensor:
    """The weight of each of `size` old pixels in each of `wanted` new ones along one axis: float32 [wanted, size].

    Centres of pixels lie at i + 1/2 in both. A new pixel is made of the four old ones around its centre, however many it covers
    (there is no antialiasing); beyond the edge, the pixel at the edge is repeated.
    """
    size = tf.cast(size, tf.int32)
    place = (tf.range(wanted, dtype=tf.float64) + 0.5) * (tf.cast(size, tf.float64) / wanted) - 0.5
    taps = tf.cast(tf.floor(place), tf.int32)[:, None] + tf.range(_TAPS) - 1
    shares = tf.cast(kernel(tf.abs(place[:, None] - tf.cast(taps, tf.float64))), tf.float32)
    return tf.reduce_sum(shares[..., None] * tf.one_hot(tf.clip_by_value(taps, 0, size - 1), size), axis=1)


def resize(image: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """A uint8 image [height, width, channels] as uint8 [*size, channels], any aspect ratio; rounded and clipped to 0 .. 255."""
    shape = tf.shape(image)
    rows, columns = weights(shape[0], size[0]), weights(shape[1], size[1])
    resized = tf.matmul(columns, tf.tensordot(rows, tf.cast(image, tf.float32), 1))
    # The outer two weights are negative: values overshoot, and a cast without clipping would wrap them around.
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
