"""The code of an optimizer that is to be scored: what a text names, loaded, and the digest of what runs."""

from __future__ import annotations

import hashlib
import importlib
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

from taskset import plugins, registry
from taskset.errors import ConfigError, UnknownName, cut, nearest, origin, to_install
from taskset.execution import carried, code_digest
from taskset.normalization.sweep.provenance import own_optimizer_code
from taskset.samplers import installed
from taskset.samplers.optimizers import get_optimizer_config, is_optimizer_name

UNKNOWN = "unknown "


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
        code = digest(found, " ".join(_digest_of_file(each) for each in (module, defined_by)).strip())
    return found, code


def digest(thing: object, known: str = "") -> str:
    """The digest of an object's code, and of what else is `known` of where it is from.

    Where nothing can be known of it, it begins with UNKNOWN, and is another one each time.
    """
    found = code_digest.digest(thing)
    if found is None and not known:
        return UNKNOWN + uuid.uuid4().hex[:8]
    return hashlib.sha256(f"{known} {found}".encode()).hexdigest()[:16] if known else str(found)


def _names_of(module: ModuleType) -> list[str]:
    """What a module has that may be an optimizer."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and not isinstance(value, ModuleType)]


def _digest_of_file(module: ModuleType) -> str:
    try:
        return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except (OSError, AttributeError):  # a module that is no file
        return ""


def sampler_of(text: str) -> Any:
    """The sampler of hyperparameters that a text names, FILE.py:NAME or MODULE:NAME. Raises `ConfigError`."""
    return loaded(*text.rpartition(":")[::2])[0]
