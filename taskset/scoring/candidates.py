"""An optimizer that is to be scored: which one, under which name, with which sets of hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from taskset import registry
from taskset.errors import ConfigError, shown, whole_number
from taskset.execution import code_digest
from taskset.samplers import opt_list
from taskset.samplers.optimizers import family_of, get_optimizer_config, opt_list_names
from taskset.scoring import trial_sets
from taskset.scoring.optimizer_code import digest, find
from taskset.scoring.trial_sets import Given, Hyperparameters

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer
    from taskset.scoring.adapters import Adapted

MakeNamed: TypeAlias = "Callable[[str, int, int], Optimizer | Adapted]"  # (name, trial, horizon) -> optimizer

NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,150}")


@dataclass(frozen=True)
class Candidate:
    """An optimizer with its trials.

    name: what results are stored under; trials: hyperparameters {name: value} of each trial; drawn: whether they were drawn at
    random, so that their order says nothing; make: `(trial, horizon) -> optimizer` for a sweep, trial = 0, 1, ..; code: digest of
    the code that runs, "" for a name of this package; it begins with UNKNOWN, and is another one each time, where code can't be
    known. trained_on: names of the tasks that a learned optimizer was trained on, where the object that was found has them as an
    attribute of that name; results don't depend on them. text: what it was given as, where that was a text.
    """

    name: str
    trials: tuple[Hyperparameters, ...]
    drawn: bool
    make: Callable[[int, int], Optimizer | Adapted]
    code: str = ""
    trained_on: tuple[str, ...] = ()
    text: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the trials: the candidate's where there is one, else NAME@0, NAME@1, .."""
        return (self.name,) if len(self.trials) == 1 else tuple(f"{self.name}@{i}" for i in range(len(self.trials)))

    def as_json(self) -> dict[str, Any]:
        """What results depend on beside the sweep's options, as JSON values."""
        return {"hyperparameters": list(self.trials), "code": self.code}


def candidate(
    optimizer: object, hyperparameters: Given | None = None, trials: int | None = None, name: str | None = None
) -> Candidate:
    """The `Candidate` of an optimizer, an object or a text that `optimizer_code.find` understands; of a `Candidate`, itself.

    hyperparameters: a dict, a list of dicts, or a sampler `numpy.random.Generator -> dict`, of which `trials` are drawn.
    trials: of a list, the first so many. Raises: ConfigError, UnknownName.
    """
    if isinstance(optimizer, Candidate):
        given = {"hyperparameters": hyperparameters, "trials": trials, "name": name}
        if told := [key for key, value in given.items() if value is not None]:
            raise ConfigError(f"{', '.join(told)} of a Candidate, {optimizer.name!r}: it has its own; give them where it is made")
        return optimizer
    if isinstance(optimizer, str) and (length := opt_list.length_of(optimizer)) is not None:
        return _of_list(length, hyperparameters, trials, name)
    thing, code = find(optimizer) if isinstance(optimizer, str) else (optimizer, digest(optimizer))
    name = check_name(name or (name_of(optimizer) if isinstance(optimizer, str) else _name_of(thing)))
    sets, drawn = trial_sets.checked(hyperparameters, trials, name)
    make = _named(optimizer, sets) if isinstance(optimizer, str) and isinstance(thing, str) else _adapted(thing, sets)
    known = getattr(thing, "trained_on", ())
    known = known if isinstance(known, tuple) and all(isinstance(task, str) for task in known) else ()  # another's attribute
    text = optimizer if isinstance(optimizer, str) else None
    found = Candidate(
        name, tuple(sets), drawn, lambda trial, horizon: make(found.names[trial], trial, horizon), code, known, text
    )
    if any(sets) and any(_is_taken(each) for each in found.names):
        raise ConfigError(f"{name!r} with other hyperparameters is not the package's {name!r}: give it a name of its own, --name")
    return found


def _of_list(count: int, hyperparameters: Given | None, trials: int | None, name: str | None) -> Candidate:
    if hyperparameters is not None:
        raise ConfigError(f"hyperparameters {shown(hyperparameters)} of opt_list:{count}: the list has its own; leave them out")
    if trials is not None:
        trials = whole_number("trials", trials, most=count, note=f", the first ones of opt_list:{count}")
    names = opt_list_names(count)[:trials]
    sets = [{"optimizer": listed} for listed in names]
    found = Candidate(
        check_name(name or f"opt_list_{len(names)}"),
        tuple(sets),
        False,
        lambda trial, horizon: _by_name(names[trial], {}, found.names[trial]),
        text=f"opt_list:{count}",
    )
    return found


def _named(text: str, sets: Sequence[Hyperparameters]) -> MakeNamed:
    return lambda name, trial, horizon: _by_name(text, sets[trial], name)


def _by_name(text: str, hyperparameters: Hyperparameters, name: str) -> Optimizer:
    from taskset.optimizers.named import make_optimizer, make_own

    own = registry.own_optimizer(text)
    if own is not None:
        return make_own(name, replace(own, hyperparameters={**own.hyperparameters, **hyperparameters}))
    config, family = get_optimizer_config(text)
    return make_optimizer(family, {**config, **hyperparameters}, name)


def _adapted(thing: object, sets: Sequence[Hyperparameters]) -> MakeNamed:
    def make(name: str, trial: int, horizon: int) -> Adapted:
        from taskset.scoring.adapters import adapt

        return adapt(thing, name, sets[trial], horizon)

    return make


def name_of(text: str, trials: int | None = None) -> str:
    """What the results of an optimizer that is given as a text are called, unless they get another name."""
    if (length := opt_list.length_of(text)) is not None:
        return f"opt_list_{min(length, trials or length)}"
    return _allowed(text.rpartition(":")[2] if ":" in text else Path(text).stem if text.endswith((".npz", ".py")) else text)


def _name_of(thing: object) -> str:
    if code_digest.of_keras(type(thing)):
        found = str(getattr(thing, "name", type(thing).__name__))
        unnumbered = re.sub(r"_\d+$", "", found)  # Keras numbers the names that it gives: adam, adam_1, ..
        found = unnumbered if unnumbered.replace("_", "") == type(thing).__name__.lower() else found
    elif isinstance(thing, (tuple, SimpleNamespace)):
        found = _name_of_function(thing[1] if isinstance(thing, tuple) and len(thing) == 2 else getattr(thing, "update", None))
    else:
        found = getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__
    return _allowed(str(found))


def _allowed(name: str) -> str:
    """`name` with what a name can't have replaced."""
    return re.sub(r"[^A-Za-z0-9_.@+-]", "_", name)[:150]


def _name_of_function(update: object) -> str:
    """Of a pair: where its `update` was made, or how it is called; "pair" where that says nothing."""
    parts = [part for part in getattr(update, "__qualname__", "").split(".") if part not in ("<locals>", "<lambda>")]
    return ".".join(parts[:-1] if parts[-1:] in (["update"], ["update_fn"]) else parts) or "pair"


def _is_taken(name: str) -> bool:
    """Whether this is the name of one optimizer of a family, such as adam_lr_-3.00, whose hyperparameters are known by it."""
    return family_of(name) not in (None, name)


def check_name(name: str) -> str:
    """`name`. Raises `ConfigError` where results can't have it."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(f"name {shown(name)}: allowed are at most 150 letters, digits and _ . @ + -")
    return name
