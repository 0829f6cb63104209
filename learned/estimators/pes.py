"""Persistent evolution strategies: unbiased gradients from truncations of unfinished episodes.

The estimate itself is `two_trainings.TwoTrainings.estimate`; this file says which perturbations it goes with.
"""

from __future__ import annotations

import numpy as np

from learned.estimators.two_trainings import Perturbations, TwoTrainings


class PES(TwoTrainings):
    """Each pair keeps two trainings, of theta + e and of theta - e with a fresh e in each truncation, and the sum xi of its e.

        g = 1 / (2 sigma^2 N) sum_n sum_t 1/K (L_t(+) - L_t(-)) xi_t,     xi_t: sum of the e of the episode that t belongs to

    The mean of g over the truncations of an episode is an unbiased estimate of the gradient of the smoothed mean loss. Where a
    pair starts a new episode in a truncation, its losses up to and including the last one of the old episode go with the old sum
    (this truncation's e included), the later ones with this truncation's e alone. Vicol, Metz and Sohl-Dickstein 2021
    (arXiv 2112.13835).
    """

    name = "pes"
    kept = "xi"

    def perturbed(self, kept: np.ndarray, drawn: np.ndarray, starts: np.ndarray) -> Perturbations:
        """As `TwoTrainings.perturbed`."""
        return Perturbations(before=drawn, after=drawn, old=kept + drawn, new=drawn)
