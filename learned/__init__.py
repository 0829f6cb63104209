"""Learned optimizers, trained on the tasks of `taskset`.

    import learned
    from taskset.scoring import suites

    tasks = ["quadratic_family_seed1?"]
    suite = suites.make("small", tasks, baselines=None, source="synthetic", horizon=2000)  # tasks, and the scales of their losses
    options = learned.Options("learnable_adam", estimator="pes", lengths="100")
    learned.train(suite, options, "runs/adam", outer_steps=100)  # the same call resumes a training that was interrupted
    learned.evaluate("runs/adam/checkpoint.npz", suite, "runs/adam-test", horizon=200, evaluations=5, batches=5)
    print(learned.compare(["runs/adam-test"]).table)  # beside Adam, by the trials that each takes
    optimizer = learned.load("runs/adam/checkpoint.npz")  # for loops on tasks; in Keras: learned.keras.from_checkpoint(..)

`evaluate` starts processes, which import a script again: its calls stand below `if __name__ == "__main__":`.

The names below are loaded on first use: importing the package imports no TensorFlow. It registers the tasks of `learned.tasks`
and the suites of `learned.suite_files`.
"""

import importlib
from typing import Any

from learned import suite_files, tasks  # noqa: F401

_WHERE = {
    "learned.unrolling.problem": ("Objective", "Problem"),
    "learned.outer_training.options": ("Options",),
    "learned.outer_training.trainer": ("Trainer",),
    "learned.outer_training.session": ("open_trainer", "train"),
    "learned.optimizers.base": ("LearnedOptimizer",),
    "learned.optimizers.as_optimizer": ("with_weights",),
    "learned.estimators.base": ("Estimate", "Estimator", "Settings"),
    "learned.evaluation.runs": ("evaluate",),
    "taskset.scoring.comparison": ("compare",),
    "learned.deploy.weights": ("load",),
    "learned.registry": ("register_optimizer", "register_estimator", "register_objective"),
}
_MODULES = {
    "optimizers": "learned.optimizers",  # optimizers.names(), optimizers.get("mlp")
    "estimators": "learned.estimators",
    "objectives": "learned.outer_training.objectives",
    "pretrained": "learned.deploy.pretrained",  # pretrained.names(), pretrained.describe("mlp_pes")
    "recipes": "learned.recipes",
    "keras": "learned.deploy.keras",
}
# {name: (module, what to take of it; None: the module itself)}
_PLACES: dict[str, tuple[str, str | None]] = {name: (module, name) for module, names in _WHERE.items() for name in names}
_PLACES |= {name: (module, None) for name, module in _MODULES.items()}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'learned' has no attribute {name!r}; it has: {', '.join(sorted(__all__))}")
    module, attribute = _PLACES[name]
    value = importlib.import_module(module)
    if attribute is not None:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
