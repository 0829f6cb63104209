"""Modules from outside the package that register families, fixed tasks and optimizers of their own."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from taskset import catalogue, registry
from taskset.errors import ConfigError, origin, to_install
from taskset.execution import carried


def load(modules: Iterable[str]) -> None:
    """Import each of `modules`: a module name (`"lab.tasks"`) or a file (`"./tasks.py"`).

    A file is one module, whatever path leads to it; files of the same name in different folders are different modules. A file
    that was edited is loaded anew. A module that can't be imported leaves nothing registered. Raises `ConfigError`, with the
    error and the line that raised it.
    """
    catalogue.load()  # before, so that the package's own names are never among those that a failed import forgets
    for module in modules:
        if not module or (module.startswith(".") and not module.endswith(".py")):
            raise ConfigError(f"can't import {module!r}: give a whole module name or the path of a .py file")
        file = Path(carried.place(module)).resolve() if module.endswith(".py") else None
        try:
            with registry.all_or_nothing():
                if file:
                    _load_file(file)
                else:
                    _load_module(module)
        except OSError as error:
            if file and not file.is_file():
                raise ConfigError(f"can't import {module!r} ({error}): give a module name or the path of a .py file") from error
            raise _failed(module, file, error) from error
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and file is None and module.startswith(str(error.name)):
                raise ConfigError(f"can't import {module!r} ({error}): give a module name or the path of a .py file") from error
            raise _failed(module, file, error) from error


def _failed(module: str, file: Path | None, error: BaseException) -> ConfigError:
    inside = str(file) if file else f"{module.rpartition('.')[2]}"
    return ConfigError(f"can't import {module!r}: {origin(error, inside)}{to_install(error)}")


def _load_module(name: str) -> None:
    spec = importlib.import_module(name).__spec__
    if spec is not None and spec.origin is None:  # Python imports any folder, and nothing of it
        raise ModuleNotFoundError("it is a folder without __init__.py", name=name)


def _load_file(path: Path) -> None:
    own = _name(path)
    if not any(getattr(module, "__file__", None) == str(path) for name, module in list(sys.modules.items()) if name != own):
        module_of(path, path.read_bytes())


class _Loader(SourceFileLoader):
    """Of a file's text as it was read: Python's cache of compiled files would miss an edit within a second."""

    def __init__(self, name: str, path: Path, text: bytes) -> None:
        super().__init__(name, str(path))
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        """The compiled text."""
        del fullname
        return self.source_to_code(self.text, self.path)


def _name(path: Path) -> str:
    return f"taskset_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"


def module_of(path: Path, text: bytes) -> ModuleType:
    """The module of a file with this text, loaded once: `--import` and what is scored may be one file.

    Another text is loaded anew under the same name, and may register again what it registered before. A file that can't be
    imported leaves what was there before.
    """
    name = _name(path)
    before = sys.modules.get(name)
    if before is not None and getattr(before.__loader__, "text", None) == text:
        return before
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, path, text))
    assert spec is not None and spec.loader is not None  # it was given one
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        if before is not None:
            sys.modules[name] = before
        raise
    return module
