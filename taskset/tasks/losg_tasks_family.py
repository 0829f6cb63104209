"""The synthetic problems of "Learned Optimizers that Scale and Generalize" (Wichrowska et al. 2017, arXiv 1703.04813)."""

from typing import Any

from taskset.datasets.base import DataSpec
from taskset.registry import register_builder
from taskset.tasks import losg_data_problems, losg_test_functions, losg_wrappers, starts  # noqa: F401 (the kinds of problem)
from taskset.tasks.base import Model
from taskset.tasks.losg_problems import problem


@register_builder("losg_tasks_family")
def build(config: list[Any], data: DataSpec | None) -> Model:
    """The problem `[kind, args, number]`; number seeds its constants and its data."""
    described = problem(*config)

    def loss(batch, key):
        params = {path: starts.parameter(path, shape, start) for path, (shape, start) in described.parameters.items()}
        return described.objective(params, batch)

    return Model(loss, data, gradient_noise=described.gradient_noise)
