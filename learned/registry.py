"""What can be chosen by name: learned optimizers, estimators of outer gradients, objectives. Imports no TensorFlow.

    @learned.register_optimizer("mine")        a function without arguments that returns a `LearnedOptimizer`
    @learned.register_estimator("mine")        a class, or a function, called as `mine(problem, settings, **execution)`
    @learned.register_objective("mine")        a class, or a function, called without arguments

A name that is registered works wherever those of the package do: in `learned.Options`, on the command line and in worker
processes, where `--import MODULE` names the module that registers it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from taskset import registry
from taskset.errors import ConfigError, unknown
from taskset.execution import code_digest

PACKAGE = "learned"  # what workers import after users' modules: it registers the tasks of `learned.tasks`

T = TypeVar("T", bound=Callable[..., Any])


class Registry:
    """The functions and classes of one kind, by name: those of the package, and those that users register.

    kind: what they are called in errors. places: {name: "module:attribute"} of the package's own, which are imported, and
    TensorFlow with them, when one is asked for.
    """

    def __init__(self, kind: str, places: Mapping[str, str]) -> None:
        self.kind = kind
        self._places = dict(places)
        self._registered: dict[str, Callable[..., Any]] = registry.watched({})

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: a function or class, under a name for it.

        The same one may be registered again, by a notebook's cell or a reloaded module: it is known by its module and name.
        Raises `ConfigError` where the name is not allowed, belongs to the package, or was registered by another module.
        """
        registry.check_name(self.kind, name)
        if name in self._places:
            raise ConfigError(f"{self.kind} {name!r} is one of the package's own: choose another name")

        def register(made: T) -> T:
            if name in self._registered and not registry.same(self._registered[name], made):
                raise ConfigError(f"{self.kind} {name!r} is registered already, by another module: choose another name")
            self._registered[name] = made
            return made

        return register

    def names(self) -> list[str]:
        """The names of the package's own, then those that were registered, in the order in which they were."""
        return [*self._places, *self._registered]

    def get(self, name: str) -> Callable[..., Any]:
        """What `name` stands for. Raises `UnknownName`."""
        self.check(name)
        if name in self._registered:
            return self._registered[name]
        module, _, attribute = self._places[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def own(self, name: str) -> Callable[..., Any] | None:
        """What a user registered under a name; None for the package's own."""
        return self._registered.get(name)

    def check(self, name: object) -> None:
        """Raise `UnknownName` unless something is called `name`. Nothing is imported."""
        if not isinstance(name, str) or name not in self.names():
            allowed = f"Allowed are {', '.join(self.names())}; --import MODULE adds those that a module of yours registers."
            raise unknown(self.kind, name, self.names(), allowed)


optimizers = Registry(
    "learned optimizer",
    {
        "adafac_mlp": "learned.optimizers.adafac_mlp:adafac_mlp",
        "anchored": "learned.optimizers.anchored:anchored",
        "anchored_muon": "learned.optimizers.anchored_muon:anchored_muon",
        "hierarchical": "learned.optimizers.hierarchical:hierarchical",
        "learnable_adam": "learned.optimizers.learnable:learnable_adam",
        "learnable_sgd": "learned.optimizers.learnable:learnable_sgd",
        "learnable_sgdm": "learned.optimizers.learnable:learnable_sgdm",
        "lstm": "learned.optimizers.lstm:lstm",
        "mlp": "learned.optimizers.mlp:mlp",
        "mlp2019": "learned.optimizers.mlp2019:mlp2019",
    },
)
estimators = Registry(
    "estimator",
    {
        "es_full": "learned.estimators.es_full:ESFull",
        "es_truncated": "learned.estimators.es_truncated:ESTruncated",
        "pes": "learned.estimators.pes:PES",
        "es_single": "learned.estimators.es_single:ESSingle",
        "reparam": "learned.estimators.reparam:Reparam",
        "combined": "learned.estimators.combined:Combined",
        "bptt": "learned.estimators.bptt:BPTT",
    },
)
objectives = Registry(
    "objective",
    {
        "train": "learned.outer_training.objectives:TrainLoss",
        "valid": "learned.outer_training.objectives:ValidLoss",
        "noise": "learned.outer_training.objectives:NoisyLoss",
    },
)


def register_optimizer(name: str) -> Callable[[T], T]:
    """Decorator: a function without arguments that returns a `LearnedOptimizer`, under a name.

    Errors as of `Registry.register`.
    """
    return optimizers.register(name)


def register_estimator(name: str) -> Callable[[T], T]:
    """Decorator: a class or function that returns an `Estimator` for `(problem, settings, **execution)`, under a name.

    Errors as of `Registry.register`.
    """
    return estimators.register(name)


def register_objective(name: str) -> Callable[[T], T]:
    """Decorator: a class or function without arguments that returns an `Objective`, under a name.

    Errors as of `Registry.register`.
    """
    return objectives.register(name)


def own_code(**names: str) -> dict[str, str]:
    """{"KIND NAME": digest of its code} of those of `optimizer=`, `estimator=`, `objective=` that users registered.

    Code that can't be known is left out.
    """
    found = {}
    for kind, name in names.items():
        own = {"optimizer": optimizers, "estimator": estimators, "objective": objectives}[kind].own(name)
        digest = None if own is None else code_digest.of_code(own)
        if digest is not None:
            found[f"{kind} {name}"] = digest
    return found
