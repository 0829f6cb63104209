"""Tiny quadratics: 32 numbers, from a round bowl to a narrow valley, with noisy targets. They share one compiled program.

    loss = |A x - A y|^2 / 2,    A = diag(10^0, .., 10^-narrowness) Q,    y = target + noise N(0, 1)

Q is a random rotation and `target` a random point, both by the config's seed; y is drawn again for each batch. A and A y come
with the batch, as 32 examples of a linear regression, so that the loss is one function for all tasks
(`learned.unrolling.sharing`). No TensorFlow here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskset.datasets.base import BatchShapes, Computed, DataSpec, RawBatch
from taskset.random import seeds
from taskset.registry import Config, Facts, add_fixed, register_builder, register_facts, register_schema

if TYPE_CHECKING:
    from learned.unrolling.sharing import SharedModel
    from taskset.datasets.prepared import Directory

FAMILY = "tiny_quadratic"
SIZE = 32
NARROWNESS, NOISE, SEEDS = (0.0, 0.5, 1.0, 1.5, 2.0), (0.02, 0.1, 0.5), (0, 1)  # of the tasks with names
SCHEMA = {
    "type": "object",
    "properties": {
        "narrowness": {"type": "number", "minimum": 0},
        "noise": {"type": "number", "minimum": 0},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    },
    "required": ["narrowness", "noise", "seed"],
    "additionalProperties": False,
}
register_schema(FAMILY, SCHEMA)


@dataclass(frozen=True)
class QuadraticData(Computed):
    """A and A y of each batch (`taskset.datasets.base.DataSpec`); all four splits are alike, with draws of their own.

    Prepared batches: "matrix" float32 [32, 32], "value" float32 [32].
    """

    narrowness: float
    noise: float
    seed: int

    batch_size = SIZE

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"matrix": ((SIZE, SIZE), "float32"), "value": ((SIZE,), "float32")}

    def open(self, source: str | None = None, data_dir: Directory | None = None) -> QuadraticBatches:
        """Computes A; both arguments are ignored."""
        return QuadraticBatches(self)


class QuadraticBatches:
    """The opened data (`taskset.datasets.base.RawBatches`)."""

    def __init__(self, spec: QuadraticData) -> None:
        rng = seeds.generator(spec.seed, FAMILY)
        rotation = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
        self.matrix = (np.logspace(0, -spec.narrowness, SIZE)[:, None] * rotation).astype(np.float32)
        self.target, self.noise = rng.standard_normal(SIZE), spec.noise

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1`: {name: [count, ..]}."""
        drawn = [seeds.generator(seed, FAMILY, split, i).standard_normal(SIZE) for i in range(start, start + count)]
        target = self.target + self.noise * np.stack(drawn)
        values = (target @ self.matrix.T.astype(np.float64)).astype(np.float32)
        return {"matrix": np.broadcast_to(self.matrix, (count, SIZE, SIZE)), "value": values}


@register_facts(FAMILY)
def facts(config: Config) -> Facts:
    """What a config says of its data and parameters."""
    return Facts(QuadraticData(config["narrowness"], config["noise"], config["seed"]), {"x": (SIZE,)})


@register_builder(FAMILY)
def build(config: Config, data: DataSpec) -> SharedModel:
    """|A x - A y|^2 / 2; x starts at N(0, 1)."""
    import tensorflow as tf

    from learned.unrolling.sharing import SharedModel
    from taskset.tasks.starts import normal, parameter

    def loss(batch, key):
        x = parameter("x", [SIZE], normal())
        rows, values = (tf.cast(batch[name], x.dtype) for name in ("matrix", "value"))
        return tf.reduce_sum(tf.square(tf.linalg.matvec(rows, x) - values)) / 2

    return SharedModel(loss, data, program=FAMILY)


for _narrowness, _noise, _seed in itertools.product(NARROWNESS, NOISE, SEEDS):
    _config = {"narrowness": _narrowness, "noise": _noise, "seed": _seed}
    add_fixed(__name__, f"Tiny_quadratic{_seed}_narrow{_narrowness}_noise{_noise}", FAMILY, _config)
