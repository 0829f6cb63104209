"""Modules that have moved: importing an old name gives the module under its new name.

PUBLIC names are those in the README and the docs, which stay. MOVED names work until version 0.3, with a DeprecationWarning that
names the new module.
"""

import importlib
import importlib.abc
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

PUBLIC = {
    "taskset.quiet": "taskset.execution.runtime",
    "taskset.seeds": "taskset.random.seeds",
    "taskset.stateless": "taskset.random.stateless",
    "learned.keras": "learned.deploy.keras",
    "learned.pretrained": "learned.deploy.pretrained",
}
MOVED = {
    "taskset.canonical": "taskset.execution.canonical",
    "taskset.cli.matching": "taskset.cli.optimizer_patterns",
    "taskset.compile_cache": "taskset.execution.compile_cache",
    "taskset.compiled": "taskset.execution.program",
    "taskset.copies": "taskset.execution.copies",
    "taskset.data_commands": "taskset.cli.data",
    "taskset.memory": "taskset.execution.memory",
    "taskset.modes": "taskset.execution.modes",
    "taskset.philox": "taskset.random.philox",
    "taskset.tables": "taskset.cli.tables",
    "taskset.training": "taskset.execution.loop",
    "taskset.samplers.measured": "taskset.execution.costs",
    "taskset.samplers.work": "taskset.execution.work",
    "taskset.normalization.baseline": "taskset.normalization.sweep.baseline",
    "taskset.normalization.card": "taskset.normalization.release.card",
    "taskset.normalization.check": "taskset.normalization.release.check",
    "taskset.normalization.columns": "taskset.normalization.store.columns",
    "taskset.normalization.croissant": "taskset.normalization.release.croissant",
    "taskset.normalization.merged": "taskset.normalization.release.merged",
    "taskset.normalization.packing": "taskset.normalization.store.packing",
    "taskset.normalization.provenance": "taskset.normalization.sweep.provenance",
    "taskset.normalization.published": "taskset.normalization.release.published",
    "taskset.normalization.report": "taskset.cli.progress",
    "taskset.normalization.runs": "taskset.normalization.sweep.run_groups",
    "taskset.normalization.ship": "taskset.normalization.release.ship",
    "taskset.normalization.store.sealed": "taskset.normalization.store.checked_parquet",
    "taskset.normalization.store.sums": "taskset.normalization.store.sha256_sums",
    "taskset.normalization.sums": "taskset.normalization.store.sha256_sums",
    "taskset.normalization.workers": "taskset.jobs.pool",
    "learned.backpropagation": "learned.unrolling.backpropagation",
    "learned.checkpoint": "learned.outer_training.checkpoint",
    "learned.curriculum": "learned.outer_training.length_schedules",
    "learned.distributed": "learned.unrolling.distributed",
    "learned.events": "learned.outer_training.events",
    "learned.export": "learned.deploy.export",
    "learned.measuring": "taskset.scoring.suites.baseline_protocol",
    "learned.named": "taskset.scoring.suites.by_name",
    "learned.numpy_update": "learned.deploy.numpy_update",
    "learned.objective": "learned.outer_training.objectives",
    "learned.options": "learned.outer_training.options",
    "learned.outer": "learned.outer_training.trainer",
    "learned.problem": "learned.unrolling.problem",
    "learned.programs": "learned.outer_training.estimator_cache",
    "learned.slots": "learned.outer_training.task_pool",
    "learned.suites": "taskset.scoring.suites",
    "taskset.npz": "taskset.files.npz",
    "taskset.normalization.markdown": "taskset.files.markdown",
    "taskset.normalization.release.documents": "taskset.files.documents",
    "taskset.normalization.store.described": "taskset.normalization.store.file_metadata",
    "taskset.normalization.tabular": "taskset.tabular",
    "taskset.normalization.sweep.claims": "taskset.jobs.claims",
    "taskset.normalization.sweep.engines": "taskset.jobs.engines",
    "taskset.normalization.sweep.waiting": "taskset.jobs.waiting",
    "taskset.normalization.sweep.workers": "taskset.jobs.pool",
    "taskset.scoring.measuring": "taskset.scoring.suites.baseline_protocol",
    "taskset.scoring.named_suites": "taskset.scoring.suites.by_name",
    "taskset.scoring.suite": "taskset.scoring.suites.suite",
    "taskset.scoring.tiers": "taskset.scoring.suites.tiers",
    "taskset.scoring.written": "taskset.scoring.suites.written",
    "learned.digits": "learned.tasks.digits",
    "learned.small_images": "learned.tasks.tiny_image_data",
    "learned.tasks.small_images": "learned.tasks.tiny_image_data",
    "learned.tiny": "learned.tasks.tiny_images",
    "learned.tiny_quadratics": "learned.tasks.tiny_quadratics",
    "learned.tiny_text": "learned.tasks.tiny_text",
    "learned.outer_training.drawing": "learned.outer_training.task_drawing",
    "learned.outer_training.differences": "learned.outer_training.difference_scales",
    "learned.outer_training.phases": "learned.outer_training.start_weights",
    "learned.unroll": "learned.unrolling.unroll",
    "learned.vectors": "learned.unrolling.vectors",
    "learned.workers": "learned.outer_training.workers",
    "learned.evaluation.commands": "learned.cli.evaluation",
    "learned.evaluation.comparison": "taskset.scoring.comparison",
    "learned.evaluation.contenders": "taskset.scoring.rivals",
    "learned.evaluation.picture": "taskset.scoring.picture",
    "learned.evaluation.report": "taskset.scoring.comparison_table",
    "taskset.scoring.scores": "taskset.scoring.run_scores",
    "taskset.scoring.summary": "taskset.scoring.comparison_table",
    "taskset.scoring.one_optimizer": "taskset.scoring.score",
    "learned.evaluation.scores": "taskset.scoring.run_scores",
    "learned.evaluation.speedup": "taskset.scoring.speedup",
    "learned.evaluation.statistics": "taskset.scoring.statistics",
    "learned.estimators.carried": "learned.estimators.truncated_unroll",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds old names. Importing one gives the very module of the new name, not a copy of it."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in PUBLIC or fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        new = PUBLIC.get(spec.name) or MOVED[spec.name]
        if spec.name in MOVED:
            warnings.warn(
                f"{spec.name} is now {new}; the old name will be removed in version 0.3", DeprecationWarning, stacklevel=6
            )
        module = importlib.import_module(new)
        self._specs[new] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._specs[module.__name__]  # importing the old name has replaced it


def serve_old_names() -> None:
    """Make the old names importable."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # first: of an old folder, __pycache__ may be left
