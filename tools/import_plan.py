"""The plan of imports of both packages, read from the code: `python -m tools.import_plan [--publish]`.

Prints which package imports which, and the circles of modules, if any; `--publish` writes docs/architecture.md. Imports inside
functions count, and so does `importlib.import_module` of a constant; the tables of names that an `__init__` loads on first use
do not, nor do imports under `if TYPE_CHECKING:`, which never run. tests/test_architecture.py holds the order below.
"""

import argparse
import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "architecture.md"

# A module imports from its own layer or from earlier ones, never from a later one.
LAYERS = (
    (
        *("taskset.errors", "taskset.files", "taskset.moved", "taskset.random", "taskset.schema", "taskset.version"),
        # Whoever imports TensorFlow first gets it from these: they stand in execution/ by their subject, below all by their use.
        *(
            "taskset.execution.runtime",
            "taskset.execution.compile_cache",
            "taskset.execution.carried",
            "taskset.execution.machine",
        ),
    ),
    ("taskset.registry",),
    ("taskset.patterns",),
    ("taskset.datasets",),
    ("taskset.samplers",),
    ("taskset.optimizers", "taskset.tasks"),
    ("taskset.catalogue",),
    ("taskset.changes", "taskset.plugins"),
    ("taskset.execution",),
    ("taskset.jobs",),
    ("taskset.normalization",),
    ("taskset.tabular",),
    ("taskset.scoring",),
    ("taskset.cli", "taskset.__main__"),
    ("learned.choices", "learned.registry", "learned.types"),
    ("learned.optimizers",),
    ("learned.suite_files", "learned.unrolling"),
    ("learned.tasks",),
    ("learned.estimators",),
    ("learned.outer_training",),
    ("learned.deploy",),
    ("learned.evaluation",),
    ("learned.recipes",),
    ("learned.cli", "learned.__main__"),
)
FACES = ("taskset", "learned")  # the packages' own `__init__`: importing a name of theirs is importing what stands behind it


def modules(root=ROOT):
    """{dotted name: path} of every module of the two packages."""
    found = {}
    for package in FACES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _loads(function):
    """Whether this is `import_module`, by whatever path."""
    return getattr(function, "attr", getattr(function, "id", "")) == "import_module"


def imported(source, known):
    """The modules among `known` that Python code imports, at its top or inside functions."""
    found, waiting = set(), [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in whole}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and _loads(node.func):
            found.add(node.args[0].value)
    return found & set(known)


def imports(root=ROOT):
    """{module: the modules of the two packages that it imports}."""
    known = modules(root)
    return {name: imported(path.read_text(encoding="utf-8"), known) - {name} for name, path in known.items()}


def layer(module):
    """The number of a module's layer, by the longest name in LAYERS that it is or stands in; None where there is none."""
    places = [(len(name), number) for number, names in enumerate(LAYERS) for name in names if f"{module}.".startswith(f"{name}.")]
    return max(places)[1] if places else None


def against_the_order(graph):
    """Texts, one for each import that points to a later layer, and for each module that has no layer."""
    wrong = [f"{module} has no layer" for module in graph if module not in FACES and layer(module) is None]
    for module, others in graph.items():
        for other in sorted(others - set(FACES)):
            if module not in FACES and layer(module) is not None and layer(other) is not None and layer(other) > layer(module):
                wrong.append(f"{module} imports {other}, which stands above it")
    return wrong


def circles(graph):
    """Groups of modules that reach one another by imports (Tarjan 1972), each sorted."""
    number, low, stack, found = {}, {}, [], []

    def visit(module):
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            group = []
            while not group or group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return found


def row(module):
    """The row of a module: its package of two names, or the module itself at the top."""
    return ".".join(module.split(".")[:2])


def document(graph):
    """docs/architecture.md."""
    shown, uses = {row(module) for module in modules() if module not in FACES}, {}
    for module, others in graph.items():
        if module not in FACES:
            uses.setdefault(row(module), set()).update(row(o) for o in others if o not in FACES)
    rows = []
    for names in LAYERS:
        for name in names:
            if name in shown:
                below = ", ".join(f"`{other}`" for other in sorted(uses.get(name, set()) - {name}, key=lambda o: (layer(o), o)))
                rows.append(f"| `{name}` | {below or '-'} |")
    found = circles(graph)
    return (
        "# The plan of imports\n\n"
        "Made from the code by `python -m tools.import_plan --publish`. A module imports from its own row's layer or from\n"
        "earlier ones; `taskset` never imports `learned`. tests/test_architecture.py holds the order. Layers are those of\n"
        "modules: some, such as `taskset.execution.runtime`, are earlier than the rest of their package, and rows above it\n"
        "import them.\n\n"
        "| package or module | imports |\n| :-- | :-- |\n" + "\n".join(rows) + "\n\n"
        f"Circles of modules: {len(found) or 'none'}.\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--publish", action="store_true", help="Write docs/architecture.md.")
    arguments = parser.parse_args()
    graph = imports()
    text = document(graph)
    if arguments.publish:
        DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    for line in against_the_order(graph):
        print(line)


if __name__ == "__main__":
    main()
