"""The rooms of the house: imports point to earlier layers only, no circles, few files at the top."""

from pathlib import Path

from tools import import_plan

GRAPH = import_plan.imports()


def test_the_page_is_made_from_the_code():
    assert import_plan.DOCUMENT.read_text(encoding="utf-8") == import_plan.document(GRAPH)


def test_imports_keep_the_order():
    assert import_plan.against_the_order(GRAPH) == []


def test_there_are_no_circles():
    assert import_plan.circles(GRAPH) == []


def test_taskset_never_imports_learned():
    wrong = {
        name: others
        for name, others in GRAPH.items()
        if name.startswith("taskset") and any(o.startswith("learned") for o in others)
    }
    assert not wrong


def test_few_files_stand_at_the_top():
    for package in import_plan.FACES:
        at_the_top = {path.stem for path in (import_plan.ROOT / package).glob("*.py")} - {"__init__", "__main__"}
        assert len(at_the_top) <= 10, sorted(at_the_top)


def test_tests_mirror_the_packages():
    """learned/, tools/ and benchmarks/ in tests/ have the rooms of what they are called after, tests/ itself those of `taskset`.

    golden/ and twins/ are not tests.
    """
    tests = import_plan.ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path(), Path("learned")}
    rooms = [folder if folder.parts[0] in ("learned", "tools", "benchmarks") else "taskset" / folder for folder in folders]
    assert [str(room) for room in rooms if not (import_plan.ROOT / room).is_dir()] == []


def test_tests_import_no_tests():
    """What several files need stands in a module of its own: a test file can be read, moved and split alone."""
    tests = import_plan.ROOT / "tests"
    files = {".".join(path.relative_to(import_plan.ROOT).with_suffix("").parts): path for path in tests.rglob("*.py")}
    found = {name: import_plan.imported(path.read_text(encoding="utf-8"), set(files)) for name, path in files.items()}
    assert {name: wrong for name, others in found.items() if (wrong := {o for o in others if ".test_" in o})} == {}


def test_a_wrong_import_and_a_circle_are_found():
    known = {"taskset.errors", "taskset.cli.main", "taskset.samplers.draws"}
    lines = ["import importlib", "from taskset.cli import main", "importlib.import_module('taskset.samplers.draws')"]
    source = "def f():" + "".join(f"\n    {line}" for line in lines)
    assert import_plan.imported(source, known) == {"taskset.cli.main", "taskset.samplers.draws"}
    source = "if TYPE_CHECKING:\n    from taskset.cli import main\nelse:\n    from taskset import errors\n"
    assert import_plan.imported(source, known) == {"taskset.errors"}
    graph = {"taskset.errors": {"taskset.cli.main"}, "taskset.cli.main": {"taskset.errors"}, "taskset.somewhere": set()}
    assert import_plan.against_the_order(graph) == [
        "taskset.somewhere has no layer",
        "taskset.errors imports taskset.cli.main, which stands above it",
    ]
    assert import_plan.circles(graph) == [["taskset.cli.main", "taskset.errors"]]
