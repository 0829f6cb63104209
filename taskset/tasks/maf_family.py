"""Masked autoregressive flow on flattened images (arXiv 1705.07057), with the masks as published.

Those masks are autoregressive only where every layer has at least as many units as there are pixels. Elsewhere, which is all
sampled configs, the last layer's kernel is masked to nothing and the model is one affine map per pixel. `made_family` has the
same configs with the masks of the paper. The release's optimizers adam6p and adam8p moved masked weights away from 0, so
that what they trained was no longer a density; here the mask is part of the loss.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.autoregressive import Degrees, build_flow
from taskset.tasks.base import Model


def published_degrees(pixels: int, hidden_units: Sequence[int]) -> list[Degrees]:
    """(in_degrees, out_degrees) of each layer.

    A layer n_in -> n_out counts in blocks of d_in = n_in // pixels inputs and d_out = n_out // pixels outputs: input block b is
    seen from output b d_out on, in the first layer from (b + 1) d_out on; inputs in no block are seen by none.
    """
    widths = [pixels, *hidden_units, 2 * pixels]
    degrees = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        d_in, d_out = n_in // pixels, n_out // pixels
        first = np.full(n_in, n_out)
        block = np.repeat(np.arange(pixels), d_in)
        first[: len(block)] = (block + (i == 0)) * d_out
        degrees.append((first, np.arange(n_out)))
    return degrees


@register_builder("maf_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """`num_bijectors` masked autoregressive layers, each an MLP of `hidden_units`; -log p(image + noise), nats."""
    return build_flow(config, data, published_degrees)
