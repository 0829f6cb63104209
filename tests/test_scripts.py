"""Scripts of benchmarks/ and tools/: run as modules, and change docs/ or the package only with --publish."""

import argparse
import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from tools import report

ROOT = Path(__file__).parent.parent
SCRIPTS = [path for folder in ("benchmarks", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]
STANDALONE = "run_stablehlo"  # copied to another machine, where it has no package
WRITERS = {"write_section", "write_text", "write_bytes", "store"}  # `store`: of tools/conformance.py
IN_THE_TREE = {"DOCUMENT", "HISTORY", "DOCS", "COSTS", "STARTS"}


def calls(node, published=False):
    """(call, whether it stands under a condition that asks for --publish) of everything in a function."""
    for child in ast.iter_child_nodes(node):
        asked = published or (isinstance(node, ast.If) and child in node.body and "publish" in ast.unparse(node.test))
        if isinstance(child, ast.Call):
            yield child, asked
        yield from calls(child, asked)


def unasked(tree):
    """The calls of a script's main() that write into the tree without --publish."""
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    for call, asked in calls(main):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        place = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if name in WRITERS and not asked and (name in ("write_section", "store") or place.split(".")[-1] in IN_THE_TREE):
            yield ast.unparse(call)


def written_elsewhere(tree):
    """Functions other than main() that write to one of the tree's own files, by the names of the files."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name not in ("main", "store"):
            for call, _ in calls(node):
                if isinstance(call.func, ast.Attribute) and call.func.attr in WRITERS:
                    given = [call.func.value, *call.args]
                    yield from (name for name in map(ast.unparse, given) if name.split(".")[-1] in IN_THE_TREE)


def with_main():
    return [path for path in SCRIPTS if "def main(" in path.read_text() and path.stem != STANDALONE]


@pytest.mark.parametrize("path", with_main(), ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_only_publish_changes_the_tree(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert list(unasked(tree)) == [] and list(written_elsewhere(tree)) == []
    options = ("report.publish_option(", "report.folder_options(", "page.parser_of(", '"--publish"')
    into_docs = any(f"{name}(" in text for name in ("report.show", "page.figure", "write_section"))
    writes = into_docs or any(f"{name}(" in text for name in ("write_text", "savefig"))
    elsewhere = '"--out", type=Path, required=True' in text and not into_docs
    assert any(option in text for option in options) or elsewhere or not writes


def test_a_script_that_writes_unasked_is_found():
    code = "def main():\n    if arguments.publish:\n        report.write_section('a', text)\n    report.write_section('b', text)"
    assert list(unasked(ast.parse(code))) == ["report.write_section('b', text)"]
    assert list(written_elsewhere(ast.parse("def write():\n    DOCUMENT.write_text('a')"))) == ["DOCUMENT"]


@pytest.mark.parametrize("name", ["tools.family_list", "tools.import_plan", "tools.quirks"])
def test_without_publish_nothing_changes(name, monkeypatch, capsys):
    """Those that are quick enough to be run."""
    before = {path: path.read_bytes() for path in (ROOT / "docs").glob("*.md")}
    monkeypatch.setattr(sys, "argv", [name])
    importlib.import_module(name).main()
    assert len(capsys.readouterr().out) > 500
    assert {path: path.read_bytes() for path in (ROOT / "docs").glob("*.md")} == before


def test_sections(tmp_path):
    path = tmp_path / "page.md"
    report.write_section("a", "one", path)
    report.write_section("b", "two", path)
    report.write_section("a", "three", path)
    assert "one" not in path.read_text() and path.read_text().index("three") < path.read_text().index("two")
    path.write_text(path.read_text() * 2)
    with pytest.raises(ValueError, match="'a' is there 2 times"):
        report.write_section("a", "four", path)


FOLDERS = ["benchmarks", *(".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "tools").rglob("__init__.py"))]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_index_of_a_folder_has_all_of_its_modules_and_no_others(name):
    package = importlib.import_module(name)
    columns = (line.strip().split("  ")[0].rstrip(",") for line in package.__doc__.splitlines())
    listed = [name for column in columns if re.fullmatch(r"[\w/]+(, [\w/]+)*", column) for name in column.split(", ")]
    folder = Path(package.__file__).parent
    there = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")]
    there += [f"{path.parent.name}/" for path in folder.glob("*/__init__.py")]
    assert sorted(listed) == sorted(there)


def test_a_section_is_shown_and_published_where_asked(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    report.publish_option(parser)
    path = tmp_path / "page.md"
    report.show(parser.parse_args([]), "a", "one", path)
    assert capsys.readouterr().out == "one\n" and not path.exists()
    report.show(parser.parse_args(["--publish"]), "a", "two", path)
    assert capsys.readouterr().out == "two\n" and "two" in path.read_text()


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted((ROOT / "examples").glob("*.py"))], ids=lambda path: path.stem)
def test_scripts_are_modules(path):
    """None edits sys.path, and each is imported by the name that its package gives it."""
    text = path.read_text()
    assert "sys.path" not in text
    names = {alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names}
    assert not names & {other.stem for other in SCRIPTS if other.stem not in sys.stdlib_module_names}


def test_a_part_of_a_section_is_not_published(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", nargs="*", default=("all",))
    report.publish_option(parser)
    for given in (["--publish"], ["--lines", "one"], ["--publish", "--lines", "all"]):
        report.require_whole(parser, parser.parse_args(given), "lines")
    with pytest.raises(SystemExit):
        report.require_whole(parser, parser.parse_args(["--publish", "--lines", "one"]), "lines")
    assert "leave out --lines" in capsys.readouterr().err
