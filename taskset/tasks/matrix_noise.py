"""Random matrices E that are drawn afresh at every evaluation, on the device, as a function of a key.

Each of these takes a matrix A and a key, and returns the function x -> (A + E) x. E depends on the key alone, so
that gradients (of any order) are those of the loss with the same key, and evaluations that share a key share their noise. That
fixes the price: as many draws as E has degrees of freedom, dims^2 or half of it.
"""

import math

import numpy as np
import tensorflow as tf

from taskset import stateless

_STEP = 2.0**-24  # between neighbouring values of `stateless.uniform` in float32


def _standard_normal(key, shape):
    """N(0, 1), float32, by inversion of the distribution function; |z| stays below 5.5.

    Measured under XLA on a CPU, per entry: 7 ns where Box and Muller's transform takes 20; in a while loop 27 and 36.
    """
    middle = 2.0 * stateless.uniform(key, shape) - (1.0 - _STEP)  # in (-1, 1), both ends excluded: the inverse is finite
    return math.sqrt(2.0) * tf.math.erfinv(middle)


def normal(matrix, key, mean, std):
    """E has independent entries N(mean, std^2)."""
    noise = mean + std * _standard_normal(key, matrix.shape)
    return _dense(matrix, noise)


def uniform(matrix, key, low, high):
    """E has independent entries U[low, high)."""
    return _dense(matrix, stateless.uniform(key, matrix.shape, minval=low, maxval=high))


def _dense(matrix, noise):
    return lambda x: tf.linalg.matvec(matrix + tf.cast(noise, matrix.dtype), x)


def spectral(matrix, key, spectrum):
    """E = Q diag(spectrum) Q^T, Q uniform (Haar) over the orthogonal matrices; spectrum: array [dims].

    Q = H_1 H_2 .. H_(dims - 1) D with Householder reflections H_k that take a vector with normal entries from k on to a multiple
    of the k-th unit vector, D a diagonal of signs (Stewart 1980, SIAM J. Numer. Anal. 17; Mezzadri 2007,
    arXiv math-ph/0609050: it is Q of the QR decomposition of a normal matrix). D commutes with the diagonal
    spectrum and drops out of E. Q is never formed: applying it to a vector takes 4 dims^2 flops, a decomposition dims^3.

    E is symmetric: its gradient is E applied to what comes from above, so nothing is kept of the passes through the reflections.
    """
    mirrors = _mirrors(key, int(matrix.shape[0]), matrix.dtype)
    spectrum = tf.constant(spectrum, matrix.dtype)

    @tf.custom_gradient
    def noise(x):
        inside = spectrum * _reflect_forward(mirrors, x)
        return tf.ensure_shape(_reflect_backward(mirrors, inside), x.shape), noise

    return lambda x: tf.linalg.matvec(matrix, x) + noise(x)


def _mirrors(key, n, dtype):
    """Unit normals of the mirrors, [n, n]: row k is v_k / |v_k|, v_k = x_k + sign(x_kk) |x_k| e_k, x_k normal from entry k on."""
    rows = tf.cast(tf.linalg.band_part(_packed_triangle(key, n), 0, -1), dtype)
    corner, length = tf.linalg.diag_part(rows), tf.sqrt(tf.reduce_sum(rows**2, axis=1))
    signed = tf.where(corner < 0, -length, length)
    # |v_k|^2 = 2 |x_k| (|x_k| + |x_kk|)
    return tf.linalg.set_diag(rows, corner + signed) * tf.math.rsqrt(2 * length * (length + tf.abs(corner)))[:, None]


def _packed_triangle(key, n):
    """Normal entries [n, n], independent on and above the diagonal and meaningless below it, from half as many draws.

    Row k needs n - k entries; the k that the k-th drawn row has left serve row n - k, turned round.
    """
    drawn = _standard_normal(key, [n // 2 + 1, n])
    return tf.concat([drawn[: n - n // 2], tf.reverse(drawn[1:], axis=[0, 1])], axis=0)


def _reflected(x, mirror):
    return x - 2.0 * tf.reduce_sum(mirror * x) * mirror


def _as_one_call(function):
    """`function` that is traced where it would be executed operation by operation: thousands of reflections would take seconds.

    Where a graph is being built, it becomes part of that. A graph shared by all callers is changed by who differentiates it, and
    what then is left has no batched form under XLA.
    """
    traced = tf.function(function, autograph=False)
    return lambda *args: (traced if tf.executing_eagerly() else function)(*args)


@_as_one_call
def _reflect_forward(mirrors, x):
    """H_n .. H_1 x (Q^T x up to signs)."""
    n = x.shape[0]
    return tf.while_loop(lambda k, x: k < n, lambda k, x: (k + 1, _reflected(x, mirrors[k])), (0, x))[1]


@_as_one_call
def _reflect_backward(mirrors, x):
    """H_1 .. H_n x (Q x up to signs)."""
    n = x.shape[0]
    return tf.while_loop(lambda k, x: k >= 0, lambda k, x: (k - 1, _reflected(x, mirrors[k])), (n - 1, x))[1]


def spectrum(name, args, n):
    """Eigenvalues of a config's `[name, args]`, ascending from args["min"] to args["max"], float64 [n].

    "linspace_eigen": evenly spaced; "logspace_eigen": in constant ratio.
    """
    return {"linspace_eigen": np.linspace, "logspace_eigen": np.geomspace}[name](args["min"], args["max"], n)


def perturbed(matrix, noise, key):
    """The function x -> (matrix + E) x with E drawn from `key`; noise is a config's `[name, args]`, or None for E = 0."""
    if noise is None:
        return lambda x: tf.linalg.matvec(matrix, x)
    name, args = noise
    if name == "normal":
        return normal(matrix, key, args["mean"], args["std"])
    if name == "uniform":
        return uniform(matrix, key, args["min"], args["max"])
    return spectral(matrix, key, spectrum(name, args, int(matrix.shape[0])))
