"""Losses and scores of a page, from their codes: what its script does, to compare with what was encoded."""

import numpy as np

from taskset.scoring.report.packing import LOWEST_SCORE, OCTAVES_BELOW, PER_OCTAVE, SCORE_STEP, unpack

RELATIVE_ERROR = 2 ** (0.5 / PER_OCTAVE) - 1  # of a distance from the lowest loss


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
