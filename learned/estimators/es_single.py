"""Evolution strategies with one perturbation per episode."""

from __future__ import annotations

import numpy as np

from learned.estimators.two_trainings import Perturbations, TwoTrainings


class ESSingle(TwoTrainings):
    """Each pair keeps two trainings, of theta + e and theta - e, with the same e from the start of an episode to its end.

        g = 1 / (2 sigma^2 N) sum_n sum_t 1/K (L_t(+) - L_t(-)) e_n

    No accumulator: the e of an episode is the perturbation that all its steps have seen. The mean over an episode's truncations
    is unbiased while theta stays; Vicol 2023 (arXiv 2304.11153).
    """

    name = "es_single"
    kept = "e"

    def perturbed(self, kept: np.ndarray, drawn: np.ndarray, starts: np.ndarray) -> Perturbations:
        """As `TwoTrainings.perturbed`."""
        e = np.where(starts, drawn, kept)
        return Perturbations(before=kept, after=e, old=kept, new=e)
