"""Masked autoregressive flow with the masks of MADE (Germain et al. 2015, arXiv 1502.03509): `maf_family` as its paper has it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.autoregressive import Degrees, build_flow
from taskset.tasks.base import Model


def made_degrees(pixels: int, hidden_units: Sequence[int]) -> list[Degrees]:
    """(in_degrees, out_degrees) of each layer: a unit of degree m sees the first m pixels at most (section 4.1).

    The paper draws the degrees of hidden units at random from 1 .. pixels - 1; here they are spread evenly, so that a config
    needs no further seed, and pixels stand in their order, which the permutations between layers change. Masks are
    made of degrees by `autoregressive.mask`.
    """
    hidden = [np.linspace(1, max(1, pixels - 1), n).round().astype(int) for n in hidden_units]
    units: list[np.ndarray] = [np.arange(1, pixels + 1), *hidden]
    # Shift and log-scale of pixel i (from 0) see i pixels: equality is allowed since theirs is not counted.
    return list(zip(units, [*hidden, np.repeat(np.arange(pixels), 2)]))


@register_builder("made_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """`num_bijectors` masked autoregressive layers, each an MLP of `hidden_units`; -log p(image + noise), nats."""
    return build_flow(config, data, made_degrees)
