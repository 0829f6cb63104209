"""What a recipe is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from learned.outer_training.options import Options


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a pretrained optimizer is made and judged, the hours of training aside.

    name: of the weights that come out; about: one line.

    The suite: tasks of the package that match `patterns` and were measured with baselines of `source` and `horizon`, whose step
    took at most `max_milliseconds`, with at most `max_parameters` parameters; the first `per_family` of each family and split.
    The screening then leaves out training tasks whose estimate takes more than `max_estimate` CPU seconds, or the first one,
    compilation included, more than `max_first`.

    The training: `options`; a checkpoint every `save_every` outer steps. The hours are divided into equal `parts`, and
    weights are kept at the start and after each part. memory: MiB that a worker may have for itself; enough for the programs of
    all tasks, so that none is compiled twice.

    The judgement: all kept weights train the held-out tasks (split `test`) for `length` steps, from `seeds` seeds each.
    """

    name: str
    about: str
    options: Options
    length: int
    patterns: tuple[str, ...] = ("*",)
    source: str = "synthetic"
    horizon: int = 2000
    max_milliseconds: float = 4.0
    max_parameters: float = 160_000
    per_family: dict[str, int] = field(default_factory=lambda: {"train": 6, "test": 3})
    max_estimate: float = 2.5
    max_first: float = 90.0
    save_every: int = 20
    parts: int = 4
    memory: int = 4000
    seeds: int = 3

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return json.loads(json.dumps(asdict(self)))
