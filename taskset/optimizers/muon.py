"""Muon: momentum whose matrices are made orthogonal before they are applied.

A parameter with two or more axes is a matrix of [everything but outputs, outputs]: its last axis counts the outputs, as in dense
layers [in, out] and in kernels [height, width, in, out]. An optimizer sees shapes alone, so embeddings and output layers, which
the authors leave to Adam, are matrices here as well. `learned.optimizers.anchored_muon` takes iterations and blocks from here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step, in_dtype, positive
from taskset.optimizers.settings import checked, described, with_averages

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a, b, c: steep at 0 rather than convergent, so that five iterations are enough
GROUPS = (2, 3)  # five iterations; those of a group share a Gram matrix
BLOCK = 128  # rows of a block, at most
SMALLEST = 1e-7  # added to the norm: a gradient of zeros stays one
LARGE = 1e12  # of an entry: from here on, squares of all entries of a large matrix may add up to infinity in float32


def orthogonalized(matrix: tf.Tensor) -> tf.Tensor:
    """Nearly U V' of the singular value decomposition U S V' of a matrix, or of each of a batch, by Newton-Schulz iterations.

    X <- M / (|M|_F + 1e-7), then five times X <- a X + (b A + c A A) X, A = X X', with the smaller side in front. The singular
    vectors stay as they are; singular values that are not tiny beside the norm come to lie between some .68 and 1.2.
    """
    wide = matrix.shape[-2] <= matrix.shape[-1]
    x = matrix if wide else tf.linalg.matrix_transpose(matrix)
    largest = tf.reduce_max(tf.abs(x), axis=(-2, -1), keepdims=True)
    x /= tf.where(largest > LARGE, largest, tf.ones_like(largest))
    x = newton_schulz(x / (tf.norm(x, axis=(-2, -1), keepdims=True) + SMALLEST))
    return x if wide else tf.linalg.matrix_transpose(x)


def newton_schulz(x: tf.Tensor) -> tf.Tensor:
    """The iterations of `orthogonalized`, for matrices [.., rows, columns], rows <= columns, of norm 1 at most.

    A = X X' and Q = a I + b A + c A A have the sides of the smaller one: X <- Q X and A <- Q A Q go side by side, and the Q of a
    group are multiplied before X is: for square matrices that costs 18 products instead of 15, for those of six times as many
    columns 38 instead of 65. Each group computes A anew, as rounding errors of A that belong to small singular values grow
    twelvefold with each iteration; where products are rounded to TF32, as by default on some GPUs, errors stay at some per cent.
    """
    a, b, c = COEFFICIENTS
    identity = tf.eye(x.shape[-2], dtype=x.dtype)
    for iterations in GROUPS:
        gram, product = tf.matmul(x, x, transpose_b=True), None
        for i in range(iterations):
            factor = a * identity + b * gram + c * gram @ gram
            product = factor if product is None else factor @ product
            if i < iterations - 1:
                gram = factor @ gram @ factor
        x = product @ x
    return x


def by_blocks(function: Callable[[tf.Tensor], tf.Tensor], matrices: tf.Tensor) -> tf.Tensor:
    """`function` of blocks of at most BLOCK rows of matrices [k, rows, columns], put together again: [k, rows, columns].

    Where there are fewer columns than rows, blocks are of columns. function: of [blocks, rows of a block, columns]; it leaves
    rows of zeros as they are, which fill up the last block. With `orthogonalized`, whose cost grows like rows^2 columns, wide
    layers cost far less so. The rows of a block are nearly orthogonal to one another, not to those of other blocks: where k
    blocks have the same few directions, as with small batches, the step is up to k^.5 times as large as that of the whole matrix.
    Khaled et al. 2025 (arXiv 2510.16981), who take the whole matrix from time to time as well.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return tf.linalg.matrix_transpose(by_blocks(function, tf.linalg.matrix_transpose(matrices)))
    k, rows, columns = matrices.shape
    count = -(-rows // BLOCK)
    high = -(-rows // count)  # blocks of one size
    filled = tf.pad(matrices, [[0, 0], [0, count * high - rows], [0, 0]])
    blocks = function(tf.reshape(filled, [k * count, high, columns]))
    return tf.reshape(blocks, [k, count * high, columns])[:, :rows]


def rows_and_columns(shape: tf.TensorShape) -> tuple[int, int] | None:
    """The sides of a tensor as a matrix, [everything but the last axis, last axis]; None where it is none, or has a side of 1."""
    if shape.rank < 2 or shape.num_elements() == 0:
        return None
    columns = shape[-1]
    rows = shape.num_elements() // columns
    return (rows, columns) if min(rows, columns) > 1 else None


@dataclass(frozen=True, eq=False)
class Muon:
    """The `Optimizer` that `muon` makes."""

    name: str
    settings: dict[str, float]
    rule = "muon"

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams, whatever the horizon. Raises `ConfigError` unless horizon is an integer >= 1."""
        positive(horizon)
        return with_averages(self.settings)

    def init(self, params: Params) -> State:
        """Zeros: m for every parameter, v for those that are no matrices."""
        zeros = {path: tf.zeros_like(w) for path, w in params.items()}
        return {"m": zeros, "v": {path: zero for path, zero in zeros.items() if zero.shape.rank < 2}}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """(params, state) after one more step; see `Optimizer.update`."""
        moved: Params = {}
        new: State = {"m": {}, "v": {}}
        for path, w in params.items():
            h = {name: in_dtype(value, w.dtype) for name, value in hparams.items()}
            g, m = grads[path], state["m"][path]
            if w.shape.rank < 2:
                m, v = moments(g, m, state["v"][path], h["one_minus_beta1"], h["one_minus_beta2"])
                new["m"][path], new["v"][path] = m, v
                t, rate = tf.cast(step, w.dtype) + 1, h["adam_learning_rate"]
                mh, vh = m / weight(h["log_beta1"], t), v / weight(h["log_beta2"], t)
                direction = mh / (tf.sqrt(vh) + h["epsilon"])
            else:
                new["m"][path] = m = m + (1 - h["momentum"]) * (g - m)
                rate, direction = h["learning_rate"], _direction(g + h["momentum"] * (m - g))
            moved[path] = w - rate * (direction + h["weight_decay"] * w)
        return moved, new


def _direction(momentum: tf.Tensor) -> tf.Tensor:
    """The step of one parameter with two or more axes, for a learning rate of 1."""
    if momentum.shape.num_elements() == 0:
        return momentum
    outputs = momentum.shape[-1]
    matrix = tf.reshape(momentum, [-1, outputs])
    scale = max(1.0, outputs / matrix.shape[0]) ** 0.5
    return tf.reshape(scale * orthogonalized(matrix), momentum.shape)


def muon(
    learning_rate: float = 0.02,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    adam_learning_rate: float = 3e-4,
    beta1: float = 0.9,
    beta2: float = 0.95,
    epsilon: float = 1e-10,
    name: str | None = None,
) -> Muon:
    """Muon: M <- mu M + (1 - mu) G; W <- W - lr (max(1, outputs / inputs)^.5 O + weight_decay W).

    O = `orthogonalized`((1 - mu) G + mu M), Nesterov's look ahead; M = 0 at the start, mu = momentum. W is any parameter of two
    or more axes as a matrix [inputs, outputs], the last axis being the outputs. Jordan et al. 2024
    (kellerjordan.github.io/posts/muon), in the parameters' precision instead of bfloat16; their matrices are transposed, and the
    factor is that of the matrix, also for kernels.

    Other parameters take steps of AdamW with `adam_learning_rate`: w <- w - rate (mh / (sqrt(vh) + eps) + weight_decay w),
    mh = m / (1 - b1^t), vh = v / (1 - b2^t), with m and v as in `adam`.
    """
    settings = {
        "learning_rate": learning_rate,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "adam_learning_rate": adam_learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
    }
    settings = checked("muon", settings)
    return Muon(name or described("muon", settings), settings)
