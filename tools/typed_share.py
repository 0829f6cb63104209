"""Public functions whose parameters and result all have types: `python -m tools.typed_share`.

Public is what has no underscore in front, in its name or its module's: functions of modules and methods of public classes. Ends
with status 1, and the names, where a package has more functions without types than UNTYPED allows.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNTYPED = {"taskset": 0, "learned": 77}  # public functions without types that a package may have; make it smaller, never larger


def public(body, place):
    """(dotted name, node) of each public function of a module's or class's body, methods included; place: the body's own name."""
    for node in body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not named or (node.name.startswith("_") and node.name != "__call__"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{place}.{node.name}")
        else:
            yield f"{place}.{node.name}", node


def typed(function):
    """Whether all parameters, `self` and `cls` aside, and the result have types."""
    given = function.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return function.returns is not None and all(p.annotation is not None for p in parameters if p.arg not in ("self", "cls"))


def functions(package, root=ROOT):
    """[(dotted name, node)] of a package's public functions."""
    found = []
    for path in sorted((root / package).rglob("*.py")):
        if not path.stem.startswith("_") or path.stem == "__init__":
            parts = path.relative_to(root).with_suffix("").parts
            place = ".".join(parts[:-1] if path.stem == "__init__" else parts)
            found += public(ast.parse(path.read_text()).body, place)
    return found


def untyped(package, root=ROOT):
    """The names of a package's public functions that lack types."""
    return [name for name, function in functions(package, root) if not typed(function)]


def main():
    """Print the shares; the names of untyped functions of packages that have too many. Returns the exit status."""
    status = 0
    for package, allowed in UNTYPED.items():
        every, without = len(functions(package)), untyped(package)
        some = every - len(without)
        print(f"{package}: {some} of {every} public functions typed ({some / every:.0%})")
        if len(without) > allowed:
            status = 1
            print(f"{len(without)} without types, allowed are {allowed}: {', '.join(without)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
