"""Losses and scores of a page, from their codes: what its script does, to compare with what was encoded."""

import base64
import zlib

import numpy as np

from taskset.scoring.report.packing import LOWEST_SCORE, OCTAVES_BELOW, PER_OCTAVE, SCORE_STEP

RAW_DEFLATE = -15  # zlib's name for a stream without a header
RELATIVE_ERROR = 2 ** (0.5 / PER_OCTAVE) - 1  # of a distance from the lowest loss


def unpack(text, shape, kind):
    """The codes of `packing.pack`, as in assets/packing.js."""
    size = np.dtype(kind).itemsize
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text), RAW_DEFLATE), np.uint8)
    little = np.ascontiguousarray(planes.reshape(size, -1).T).reshape(-1)
    differences = little.view(np.dtype(kind).newbyteorder("<")).astype(kind).reshape(shape)
    return np.cumsum(differences, axis=-1, dtype=kind)


def decode_losses(codes, lowest, scale):
    """The losses of codes; NaN for 0."""
    distances = scale * 2.0 ** ((codes.astype(np.float64) - 2) / PER_OCTAVE - OCTAVES_BELOW)
    return np.where(codes == 0, np.nan, lowest + np.where(codes == 1, 0.0, distances))


def decode_scores(codes):
    """The normalized losses of codes; NaN for 0."""
    return np.where(codes == 0, np.nan, LOWEST_SCORE + (codes.astype(np.float64) - 1) * SCORE_STEP)


def best(document, split, setting, members):
    """The member that the page chooses by a split, by its place among the optimizers."""
    shape = len(document["settings"]["task"]), len(document["optimizers"])
    codes, ties = (unpack(document[key][split], shape, np.uint16)[setting].astype(int) for key in ("scores", "ties"))
    return min((member for member in members if codes[member]), key=lambda member: (codes[member], ties[member]))
