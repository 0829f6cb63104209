"""The step that outer training takes with a gradient: clipping, Adam or AdamW, warm-up and cosine. NumPy, pure functions.

g: gradient [P]; x: weights [P]; m, v: averages of g and g^2; k = 0, 1, ..: number of the outer step. All are float64.
"""

import math

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
LAST = 0.1  # of the learning rate, at the end of the cosine


def clip_entries(g: Vector, bound: float) -> Vector:
    """Each entry to [-bound, bound]."""
    return np.clip(g, -bound, bound)


def clip_norm(g: Vector, bound: float) -> Vector:
    """g min(1, bound / |g|), |g| the Euclidean norm over all weights (Pascanu et al. 2013, arXiv 1211.5063)."""
    norm = np.linalg.norm(g)
    return g * (bound / norm) if norm > bound else g


def entries_share(g: Vector, bound: float) -> float:
    """The share of entries that `clip_entries` changes."""
    return float(np.mean(np.abs(g) > bound))


def norm_share(g: Vector, bound: float) -> float:
    """1 where `clip_norm` acts, else 0."""
    return float(np.linalg.norm(g) > bound)


# name: (clipping, share of what it acts on)
CLIPPING = {"entries": (clip_entries, entries_share), "norm": (clip_norm, norm_share)}


def adam(x: Vector, m: Vector, v: Vector, g: Vector, step: int, rate: float) -> tuple[Vector, Vector, Vector]:
    """(x, m, v) after step k of Adam, bias-corrected (Kingma and Ba, arXiv 1412.6980, algorithm 1)."""
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2
    m_hat, v_hat = m / (1 - BETA1 ** (step + 1)), v / (1 - BETA2 ** (step + 1))
    return x - rate * m_hat / (np.sqrt(v_hat) + EPSILON), m, v


def adamw(
    x: Vector, m: Vector, v: Vector, g: Vector, step: int, rate: float, weight_decay: float
) -> tuple[Vector, Vector, Vector]:
    """(x, m, v) after step k of AdamW: Adam's step less rate * weight_decay * x (Loshchilov and Hutter, arXiv 1711.05101).

    The decay is in units of the rate, as PyTorch has it, so that a schedule is one for both.
    """
    moved, m, v = adam(x, m, v, g, step, rate)
    return moved - rate * weight_decay * x, m, v


def warm_up(step: int, steps: int) -> float:
    """min(1, (k + 1) / (steps + 1)): the factor of the rate, which grows linearly over the first `steps` steps."""
    return min(1.0, (step + 1) / (steps + 1))


def cosine(fraction: float) -> float:
    """LAST + (1 - LAST) (1 + cos(pi fraction)) / 2: the factor of the rate, from 1 at fraction 0 to a tenth at 1."""
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * fraction)) / 2


def fraction(step: int, first: int, last: int) -> float:
    """(k - first) / (last - first), between 0 and 1."""
    return min(max((step - first) / (last - first), 0.0), 1.0)
