"""Numbers as text inside a page: quantized to 16 bits, deflated, base64.

A curve is stored as the distance of its losses from the lowest one of its setting and split, on a logarithmic grid:

    code 0        diverged, or not there
    code 1        loss = lowest
    code c >= 2   loss = lowest + scale * 2^((c - 2) / 256 - 40)        scale = initial - lowest

so that both a linear axis and one of several decades show it right: a loss is exact to 0.14% of its distance from the lowest.
Distances below 2^-40 of the scale become 0, those above 2^20 of it become that. A score, a normalized loss in [-2, 2], is
stored in steps of 0.0001.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np
from numpy.typing import ArrayLike

PER_OCTAVE, OCTAVES_BELOW, OCTAVES_ABOVE = 256, 40, 20
LAST = 2 + PER_OCTAVE * (OCTAVES_BELOW + OCTAVES_ABOVE)
SCORE_STEP, LOWEST_SCORE = 1e-4, -2.0
_RAW_DEFLATE = -15  # as the browsers' DecompressionStream("deflate-raw") reads it


def scale_of(losses: ArrayLike, initial: float) -> tuple[float, float]:
    """(lowest, scale) for the losses of one setting and split; (0, 1) where none is finite."""
    finite = np.asarray(losses, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    lowest = float(finite.min())
    scale = initial - lowest
    if not 0 < scale < np.inf:  # nothing starts above the lowest loss
        scale = float(finite.max()) - lowest
    return lowest, scale if 0 < scale < np.inf else 1.0


def encode_losses(losses: ArrayLike, lowest: float, scale: float) -> np.ndarray:
    """Codes, uint16, of losses of any shape; see `scale_of`."""
    losses = np.asarray(losses, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        octaves = np.log2(np.maximum(losses - lowest, 0) / scale)
        codes = 2 + np.rint(PER_OCTAVE * (np.clip(octaves, -np.inf, OCTAVES_ABOVE) + OCTAVES_BELOW))
    codes = np.where(octaves < -OCTAVES_BELOW, 1, codes)
    return np.where(np.isfinite(losses), codes, 0).astype(np.uint16)


def encode_scores(scores: ArrayLike) -> np.ndarray:
    """Codes, uint16, of normalized losses in [-2, 2]; 0 for NaN."""
    scores = np.asarray(scores, np.float64)
    codes = 1 + np.rint((np.nan_to_num(scores) - LOWEST_SCORE) / SCORE_STEP)
    return np.where(np.isnan(scores), 0, codes).astype(np.uint16)


def pack(codes: np.ndarray) -> str:
    """Codes, uint8 or uint16, as text. Neighbours along the last axis are alike, which their differences make short.

    The bytes of the differences (modulo 2^8 or 2^16, the first one against 0) come lowest byte of all first. assets/packing.js
    reads them.
    """
    differences = np.diff(codes, axis=-1, prepend=codes.dtype.type(0))
    little = np.ascontiguousarray(differences).astype(codes.dtype.newbyteorder("<")).view(np.uint8)
    planes = little.reshape(-1, codes.dtype.itemsize).T
    deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE)
    return base64.b64encode(deflate.compress(planes.tobytes()) + deflate.flush()).decode("ascii")
