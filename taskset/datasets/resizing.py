"""Images in another size by OpenCV's bicubic interpolation, with which the release made its resized sets.

`tf.image.resize` has other kernels: its "bicubic" has a = -1/2.
"""

import tensorflow as tf

A = -0.75  # OpenCV's; the kernel's slope at distance 1
_TAPS = 4


def kernel(distance):
    """Keys' cubic kernel (1981) of distances d >= 0: (a + 2) d^3 - (a + 3) d^2 + 1 up to 1, a (d^3 - 5 d^2 + 8 d - 4) up to 2."""
    d = distance
    near, far = ((A + 2) * d - (A + 3)) * d**2 + 1, A * (((d - 5) * d + 8) * d - 4)
    return tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


def weights(size, wanted):
    """float32 [wanted, size]: what each of `size` pixels in a row gives to each of the `wanted` ones that are made of them.

    Centres of pixels lie at i + 1/2 in both. A new pixel is made of the four around it, however many it stands for (there is no
    antialiasing); beyond the edge it is the pixel at the edge that counts.
    """
    size = tf.cast(size, tf.int32)
    place = (tf.range(wanted, dtype=tf.float64) + 0.5) * (tf.cast(size, tf.float64) / wanted) - 0.5
    taps = tf.cast(tf.floor(place), tf.int32)[:, None] + tf.range(_TAPS) - 1
    shares = tf.cast(kernel(tf.abs(place[:, None] - tf.cast(taps, tf.float64))), tf.float32)
    return tf.reduce_sum(shares[..., None] * tf.one_hot(tf.clip_by_value(taps, 0, size - 1), size), axis=1)


def resize(image, size):
    """uint8 [*size, channels] of uint8 [height, width, channels], whatever the aspect; rounded, and clipped to 0 .. 255."""
    shape = tf.shape(image)
    rows, columns = weights(shape[0], size[0]), weights(shape[1], size[1])
    resized = tf.matmul(columns, tf.tensordot(rows, tf.cast(image, tf.float32), 1))
    # The weights of the outer two are negative: values overshoot, and a cast alone would wrap them around.
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
