"""Random matrices E that are drawn afresh at every evaluation, on the device, as a function of a key.

Each function takes a matrix A and a key, and returns the function x -> (A + E) x. E depends on the key alone, so
that gradients (of any order) are those of the loss with the same key, and evaluations that share a key share their noise. This
takes as many draws as E has degrees of freedom: dims^2, or half as many.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.random import stateless
from taskset.random.stateless import Key

Product: TypeAlias = Callable[[tf.Tensor], tf.Tensor]  # x -> (A + E) x
Block: TypeAlias = tuple[int, tf.Tensor, tf.Tensor]  # (index of the first reflection, V, T), see `_blocks`

_STEP = 2.0**-24  # between neighbouring values of `stateless.uniform` in float32
EXACT_DIMS = 24  # up to here, the published decomposition itself
_BLOCK = 64  # reflections applied as one; 96 is slower to run by a tenth and faster to compile by a third


def _centred(key: Key, shape: Sequence[int]) -> tf.Tensor:
    """U(-1, 1), float32: odd multiples of 2^-24, so that no entry is 0 and both ends are excluded."""
    return 2.0 * stateless.uniform(key, shape) - (1.0 - _STEP)


def _standard_normal(key: Key, shape: Sequence[int]) -> tf.Tensor:
    """N(0, 1), float32 [rows, columns], by inversion of the distribution function; |z| stays below 5.5.

    Measured under XLA on a CPU, per entry: 7 ns where Box and Muller's transform takes 20.
    """
    return math.sqrt(2.0) * stateless.by_rows(tf.math.erfinv, _centred(key, shape))


def normal(matrix: tf.Tensor, key: Key, mean: float, std: float) -> Product:
    """E has independent entries N(mean, std^2)."""
    noise = mean + std * _standard_normal(key, matrix.shape)
    return _dense(matrix, noise)


def uniform(matrix: tf.Tensor, key: Key, low: float, high: float) -> Product:
    """E has independent entries U[low, high)."""
    return _dense(matrix, stateless.uniform(key, matrix.shape, minval=low, maxval=high))


def _dense(matrix: tf.Tensor, noise: tf.Tensor) -> Product:
    return lambda x: tf.linalg.matvec(matrix + tf.cast(noise, matrix.dtype), x)


def spectral(matrix: tf.Tensor, key: Key, spectrum: np.ndarray) -> Product:
    """E = Q diag(spectrum) Q^T, Q from the QR decomposition of a matrix with independent entries U(-1, 1), as published.

    spectrum: array [dims]. Up to EXACT_DIMS the matrix is drawn and decomposed. Beyond, Q is drawn from the law of the
    decomposition of normal entries, the uniform one over all rotations (Haar): in high dimensions the two differ in what they
    make of a vector with few entries, not of one whose entries are alike in size.

    Q is a product of reflections (and a diagonal of signs, which commutes with the diagonal spectrum and cancels in E). It is
    never formed: applying it to a vector takes 2 dims^2 flops, a decomposition dims^3.

    E is symmetric: its gradient is E applied to the upstream gradient, so no intermediate results of the reflections are kept.
    """
    n = int(matrix.shape[0])
    blocks = _blocks((_decomposed if n <= EXACT_DIMS else _mirrors)(key, n, matrix.dtype))
    spectrum = tf.constant(spectrum, matrix.dtype)

    @tf.custom_gradient
    def noise(x):
        for start, v, t in blocks:  # Q^T x, up to signs
            x = _reflected(x, start, v, t, transpose=True)
        x = spectrum * x
        for start, v, t in reversed(blocks):  # Q x
            x = _reflected(x, start, v, t, transpose=False)
        return x, noise

    return lambda x: tf.linalg.matvec(matrix, x) + noise(x)


def _mirror(x: tf.Tensor, corner: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(new corner, factor) of the unit normal (x + sign(corner) |x| e) factor of the mirror that takes x to a multiple of e.

    x: vectors on the last axis; e: the unit vector of the entry whose value in x is `corner`.
    """
    length = tf.sqrt(tf.reduce_sum(x**2, axis=-1))
    signed = tf.where(corner < 0, -length, length)
    # |x + sign(corner) |x| e|^2 = 2 |x| (|x| + |corner|)
    return corner + signed, tf.math.rsqrt(2 * length * (length + tf.abs(corner)))


def _decomposed(key: Key, n: int, dtype: tf.DType) -> tf.Tensor:
    """Unit normals [n, n] of the mirrors of Householder's QR decomposition of a matrix with entries U(-1, 1).

    The last of them changes a sign alone, whatever is left of the last column: it is e_n.
    """
    entries, index = tf.cast(_centred(key, [n, n]), dtype), tf.range(n)

    def step(k, columns, mirrors):
        """columns: the matrix transposed, so that its columns are rows."""
        x = tf.where(index >= k, columns[k], 0)
        corner, factor = _mirror(x, columns[k, k])
        unit = tf.where(index == k, corner, x) * factor
        columns -= 2 * tf.linalg.matvec(columns, unit)[:, None] * unit
        return k + 1, columns, tf.where(index[:, None] == k, unit, mirrors)

    start = (tf.constant(0), tf.transpose(entries), tf.eye(n, dtype=dtype))
    return tf.while_loop(lambda k, *_: k < n - 1, step, start, maximum_iterations=n)[2]


def _mirrors(key: Key, n: int, dtype: tf.DType) -> tf.Tensor:
    """Unit normals [n, n] of the mirrors whose product, times random signs, is a Haar matrix.

    Row k is v_k / |v_k|, v_k = x_k + sign(x_kk) |x_k| e_k, x_k normal from entry k on, of squared length |x_k|^2 (Stewart 1980,
    SIAM J. Numer. Anal. 17; Mezzadri 2007, arXiv math-ph/0609050).
    """
    rows = tf.cast(tf.linalg.band_part(_packed_triangle(key, n), 0, -1), dtype)
    corner, factor = _mirror(rows, tf.linalg.diag_part(rows))
    return tf.linalg.set_diag(rows, corner) * factor[:, None]


def _packed_triangle(key: Key, n: int) -> tf.Tensor:
    """Normal entries [n, n], independent on and above the diagonal and meaningless below it, from half as many draws.

    Row k needs n - k entries; the k left over in the k-th drawn row serve row n - k, in reverse order.
    """
    drawn = _standard_normal(key, [n // 2 + 1, n])
    return tf.concat([drawn[: n - n // 2], tf.reverse(drawn[1:], axis=[0, 1])], axis=0)


def _blocks(mirrors: tf.Tensor) -> list[Block]:
    """Products of _BLOCK successive reflections as I - V^T T V: a list of (index of the first, V [b, n - first], T [b, b]).

    The compact WY form (Schreiber and Van Loan 1989, SIAM J. Sci. Stat. Comput. 10): the rows of V are the unit normals, T is
    upper triangular with T^-1 = I / 2 + the part of V V^T above the diagonal (Puglisi 1992, same journal, 13). A block is three
    small products with matrices instead of b steps that wait for each other, and V leaves out the columns that are 0.
    """
    n = int(mirrors.shape[0])
    starts = range(0, n, _BLOCK)
    blocks = [mirrors[start : start + _BLOCK, start:] for start in starts]
    grams = [tf.matmul(v, v, transpose_b=True) for v in blocks]
    b, last = min(_BLOCK, n), n - starts[-1]
    grams[-1] = tf.pad(grams[-1], [[0, b - last]] * 2)  # to one shape: all are inverted at once
    inverses = tf.linalg.set_diag(tf.stack(grams), tf.fill([len(blocks), b], tf.constant(0.5, mirrors.dtype)))
    identities = tf.eye(b, batch_shape=[len(blocks)], dtype=mirrors.dtype)
    ts = tf.unstack(tf.linalg.triangular_solve(inverses, identities, lower=False))  # which reads the upper triangle alone
    ts[-1] = ts[-1][:last, :last]
    return list(zip(starts, blocks, ts))


def _reflected(x: tf.Tensor, start: int, v: tf.Tensor, t: tf.Tensor, transpose: bool) -> tf.Tensor:
    """(I - V^T T V) x, or its transpose, on the entries of x [n] from `start` on."""
    head, tail = x[:start], x[start:]
    weights = tf.linalg.matvec(t, tf.linalg.matvec(v, tail), transpose_a=transpose)
    return tf.concat([head, tail - tf.linalg.matvec(v, weights, transpose_a=True)], axis=0)


def spectrum(name: str, args: dict[str, float], n: int) -> np.ndarray:
    """Eigenvalues of a config's `[name, args]`, ascending from args["min"] to args["max"], float64 [n].

    "linspace_eigen": evenly spaced; "logspace_eigen": in constant ratio.
    """
    spaced: dict[str, Callable[..., np.ndarray]] = {"linspace_eigen": np.linspace, "logspace_eigen": np.geomspace}
    return spaced[name](args["min"], args["max"], n)


def perturbed(matrix: tf.Tensor, noise: Sequence[Any] | None, key: Key) -> Product:
    """The function x -> (matrix + E) x with E drawn from `key`; noise is a config's `[name, args]`, or None for E = 0."""
    if noise is None:
        return lambda x: tf.linalg.matvec(matrix, x)
    name, args = noise
    if name == "normal":
        return normal(matrix, key, args["mean"], args["std"])
    if name == "uniform":
        return uniform(matrix, key, args["min"], args["max"])
    return spectral(matrix, key, spectrum(name, args, int(matrix.shape[0])))
