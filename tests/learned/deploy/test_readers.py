"""The readers of exports are files that users copy, so that each has what they share: it is one code. None but NumPy's is run."""

import ast
from pathlib import Path

import pytest

from learned.deploy import export, numpy_update

FOLDER = Path(export.__file__).parent


def defined(file):
    """{name: code} of what is defined at the top of a file, without docstrings and comments."""
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
            found[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign):
            found[ast.unparse(node.targets[0])] = ast.unparse(node)
    return found


READERS = {name: defined(FOLDER / file) for name, file in export.READERS.items()}
CONSTANTS = sorted({name for reader in READERS.values() for name in reader if name.isupper()} - {"RULES"})


def test_all_readers_read_alike():
    """Each is used alone, so each has the text; it is one text."""
    texts = [(FOLDER / file).read_text(encoding="utf-8") for file in export.READERS.values()]
    sections = {text[text.index("# Reading an export:") : text.index("# End of reading an export.")] for text in texts}
    assert len(texts) == 3 and len(sections) == 1
    assert [export.rules(text) for text in texts[:1]] == [list(numpy_update.RULES)]
    assert all(set(export.rules(text)) == set(numpy_update.RULES) - {"hierarchical"} for text in texts[1:])


@pytest.mark.parametrize("name", ["read", "_array", "_checked", "_effective"])
def test_a_function_that_all_readers_have_is_one(name):
    numpy, torch, jax = (reader[name] for reader in READERS.values())
    assert numpy == torch == jax


def test_a_constant_has_one_value_in_all_readers_that_have_it():
    values = {name: {reader[name] for reader in READERS.values() if name in reader} for name in CONSTANTS}
    assert {name: found for name, found in values.items() if len(found) > 1} == {}
    assert {"LARGEST", "MOST_LOSS", "MLP_DECAYS", "BLOCK"} <= set(values)


@pytest.mark.parametrize("name", ["_runs", "_Level", "_levels", "(ROW, LARGE)"])
def test_sums_over_tensors_are_planned_alike_in_jax_and_tensorflow(name):
    assert READERS["jax"][name] == defined(FOLDER.parent / "optimizers" / "tensorwise.py")[name]
