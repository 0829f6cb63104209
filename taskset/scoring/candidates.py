"""An optimizer that is to be scored: which one, under which name, with which sets of hyperparameters."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from taskset import plugins, registry
from taskset.errors import ConfigError, UnknownName, cut, nearest, origin, shown, to_install, whole_number
from taskset.execution import carried, code_digest
from taskset.normalization.sweep.provenance import own_optimizer_code
from taskset.samplers import installed
from taskset.samplers.optimizers import family_of, get_optimizer_config, is_optimizer_name, opt_list_length, opt_list_names
from taskset.scoring import trial_sets
from taskset.scoring.trial_sets import Given, Hyperparameters

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer
    from taskset.scoring.adapters import Adapted

MakeNamed: TypeAlias = "Callable[[str, int, int], Optimizer | Adapted]"  # (name, trial, horizon) -> optimizer

NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,150}")
UNKNOWN = "unknown "


def _code(thing: object, known: str = "") -> str:
    """The digest of an object's code, and of what else is `known` of where it is from."""
    found = code_digest.digest(thing)
    if found is None and not known:
        return UNKNOWN + uuid.uuid4().hex[:8]
    return hashlib.sha256(f"{known} {found}".encode()).hexdigest()[:16] if known else str(found)


@dataclass(frozen=True)
class Candidate:
    """An optimizer with its trials.

    name: what results are stored under; trials: hyperparameters {name: value} of each trial; drawn: whether they were drawn at
    random, so that their order says nothing; make: `(trial, horizon) -> optimizer` for a sweep, trial = 0, 1, ..; code: digest of
    the code that runs, "" for a name of this package; it begins with UNKNOWN, and is another one each time, where code can't be
    known. trained_on: names of the tasks that a learned optimizer was trained on, where the object that was found has them as an
    attribute of that name; results don't depend on them.
    """

    name: str
    trials: tuple[Hyperparameters, ...]
    drawn: bool
    make: Callable[[int, int], Optimizer | Adapted]
    code: str = ""
    trained_on: tuple[str, ...] = ()

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
    """The `Candidate` of an optimizer, an object or a text that `find` understands.

    hyperparameters: a dict, a list of dicts, or a sampler `numpy.random.Generator -> dict`, of which `trials` are drawn; texts
    (`FILE.py:SAMPLER`, JSON) as `parse_hyperparameters` understands them. trials: of a list, the first so many.
    Raises: ConfigError, UnknownName.
    """
    if isinstance(optimizer, str) and (length := opt_list_length(optimizer)) is not None:
        return _of_list(length, hyperparameters, trials, name)
    thing, code = find(optimizer) if isinstance(optimizer, str) else (optimizer, _code(optimizer))
    name = check_name(name or (name_of(optimizer) if isinstance(optimizer, str) else _name_of(thing)))
    sets, drawn = trial_sets.checked(hyperparameters, trials, name)
    make = _named(optimizer, sets) if isinstance(optimizer, str) and isinstance(thing, str) else _adapted(thing, sets)
    known = getattr(thing, "trained_on", ())
    known = known if isinstance(known, tuple) and all(isinstance(task, str) for task in known) else ()  # another's attribute
    found = Candidate(name, tuple(sets), drawn, lambda trial, horizon: make(found.names[trial], trial, horizon), code, known)
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
    )
    return found


def find(text: str) -> tuple[object, str]:
    """What a text names, and the digest of its code.

    text: FILE.py:NAME, MODULE:NAME, FILE.py with functions `init` and `update`, the name of an optimizer, or what an installed
    package makes of it (`taskset.samplers.installed`): `learned` finds checkpoints and pretrained optimizers. Names of
    this package's optimizers, and of registered ones, stay texts. Raises: ConfigError for code that can't be loaded, UnknownName.
    """
    own = registry.own_optimizer(text)
    if own is not None:
        return text, own_optimizer_code(own) or UNKNOWN + uuid.uuid4().hex[:8]
    if is_optimizer_name(text):
        return text, ""
    found = installed.optimizer(text)
    if found is not None:
        return found, hashlib.sha256(found.rule.encode()).hexdigest()[:16]
    if text.endswith(".py"):
        module, code = loaded(text, "")
        lacking = [part for part in ("init", "update") if not callable(getattr(module, part, None))]
        if lacking:
            there = cut(", ".join(_names_of(module)) or "nothing", 200)
            raise ConfigError(
                f"{text} has no function {' and no '.join(lacking)}, which a file by itself needs: there is {there}; or name an "
                f"optimizer of it, as in {Path(text).name}:NAME"
            )
        return module, code
    place, colon, attribute = text.rpartition(":")
    if not colon:
        or_else = "FILE.py:NAME, MODULE:NAME, or a checkpoint of `learned` (python -m learned pretrained lists its own)"
        try:
            get_optimizer_config(text)
        except UnknownName as error:
            raise UnknownName(f"{error} Or give {or_else}.") from error
    return loaded(place, attribute)


def loaded(place: str, attribute: str) -> tuple[Any, str]:
    """(the object, digest of its code) of an attribute of a .py file or a module, "": itself. Raises `ConfigError`.

    A file's digest is that of its text, which runs as it is now, whatever of it was loaded before. A module is loaded once in a
    process: its digest is that of the object, of its file, and of the file that defines the object.
    """
    file, code = Path(carried.place(place)).resolve() if place.endswith(".py") else None, ""
    if file and not file.exists():
        raise ConfigError(f"there is no file {place!r}: give the path of one, FILE.py:NAME")
    try:
        if file:
            text = file.read_bytes()
            module, code = plugins.module_of(file, text), hashlib.sha256(text).hexdigest()[:16]
        else:
            module = importlib.import_module(place)
    except (Exception, SystemExit) as error:
        failed = origin(error, str(file) if file else None)
        if file is None and isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}."):
            failed = f"there is no module {error.name!r} here"  # the place of the error would be one in Python's own files
        raise ConfigError(f"can't load {place!r}: {failed}{to_install(error)}") from error
    found = module
    for part in attribute.split(".") if attribute else ():
        if not hasattr(found, part):
            names = _names_of(module)
            there = ", ".join(nearest(attribute, names) or names)
            raise ConfigError(f"{place!r} has no {attribute!r}: there is {cut(there, 200)}; name one of its optimizers")
        found = getattr(found, part)
    if file is None:
        defined_by = sys.modules.get(getattr(found, "__module__", None) or place, module)
        code = _code(found, " ".join(_digest_of_file(each) for each in (module, defined_by)).strip())
    return found, code


def _names_of(module: ModuleType) -> list[str]:
    """What a module has that may be an optimizer."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and not isinstance(value, ModuleType)]


def _digest_of_file(module: ModuleType) -> str:
    try:
        return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except (OSError, AttributeError):  # a module that is no file
        return ""


def parse_hyperparameters(text: str) -> Given:
    """Hyperparameters as the command line gives them: those of `trial_sets.written`, or a sampler FILE.py:NAME."""
    found = trial_sets.written(text)
    return loaded(*text.rpartition(":")[::2])[0] if found is None else found


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
    if (length := opt_list_length(text)) is not None:
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
