"""The share of public functions whose parameters and result all have types: `python -m tools.typed_share`.

Public is what has no underscore in front, in its name or its module's: functions of modules and methods of public classes.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def public(body):
    """The public functions of a module's or class's body, methods included."""
    for node in body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not named or (node.name.startswith("_") and node.name != "__call__"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public(node.body)
        else:
            yield node


def typed(function):
    """Whether all parameters, `self` and `cls` aside, and the result have types."""
    given = function.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return function.returns is not None and all(p.annotation is not None for p in parameters if p.arg not in ("self", "cls"))


def share(package):
    """(typed, all) of a package's public functions."""
    paths = [path for path in (ROOT / package).rglob("*.py") if not path.stem.startswith("_") or path.stem == "__init__"]
    functions = [function for path in paths for function in public(ast.parse(path.read_text()).body)]
    return sum(map(typed, functions)), len(functions)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("taskset", "learned"):
        some, every = share(name)
        print(f"{name}: {some} of {every} public functions typed ({some / every:.0%})")
