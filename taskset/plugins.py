"""Modules from outside the package that register families of their own."""

import importlib
import importlib.util
import sys
from pathlib import Path

from taskset.errors import ConfigError
from taskset.quiet import start_tensorflow


def load(modules):
    """Import each of `modules`: a module name (`"lab.tasks"`) or a file (`"./tasks.py"`)."""
    if modules:
        start_tensorflow()  # they will: this way it starts without its greetings
    for module in modules:
        try:
            if module.endswith(".py"):
                _load_file(Path(module).resolve())
            else:
                importlib.import_module(module)
        except (ImportError, OSError) as error:
            raise ConfigError(f"can't import {module!r} ({error}): give a module name or the path of a .py file") from error


def _load_file(path):
    if any(getattr(module, "__file__", None) == str(path) for module in list(sys.modules.values())):
        return
    name = f"taskset_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
