"""Optimizers, estimators and objectives of one's own: names, registering twice, the examples from end to end."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import learned
from learned import registry
from learned.cli import main
from learned.outer_training import checkpoint, log
from taskset import plugins
from taskset.errors import ConfigError, UnknownName
from taskset.scoring import suites
from tests.learned.trainings import suite

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OWN = {
    "own_learned_optimizer": ("--optimizer", "learned_momentum"),
    "own_estimator": ("--estimator", "es_mean"),
    "own_objective": ("--objective", "small_weights"),
}
TABLES = (registry.optimizers, registry.estimators, registry.objectives)
pytestmark = pytest.mark.usefixtures("registered_here")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_names_are_checked_and_belong_to_one_function(table):
    for name in ("a b", "../own", "", 7, "own_seed3"):
        with pytest.raises(ConfigError, match="allowed are up to 100 letters"):
            table.register(name)
    with pytest.raises(ConfigError, match="one of the package's own: choose another name"):
        table.register(table.names()[0])
    cell = "@register('mine')\ndef mine(): return {}"
    for maker in (1, 2):  # a notebook's cell, run again
        exec(cell.format(maker), {"__name__": "__main__", "register": table.register})
        assert table.get("mine")() == maker and table.names()[-1] == "mine"
    with pytest.raises(ConfigError, match="registered already, by another module: choose another name"):
        exec(cell.format(3), {"__name__": "elsewhere", "register": table.register})
    with pytest.raises(UnknownName, match=f"unknown {table.kind} 'mines'; did you mean 'mine'"):
        table.get("mines")
    for name in (["mine"], None):
        with pytest.raises(UnknownName, match="Allowed are .*mine; --import MODULE adds"):
            table.get(name)


def test_a_module_that_fails_leaves_nothing_registered(tmp_path):
    file = tmp_path / "half.py"
    text = "import learned\n\n@learned.register_optimizer('half')\ndef half(): pass\n"
    file.write_text(text + "undefined_name\n")
    with pytest.raises(ConfigError, match="undefined_name"):
        plugins.load([str(file)])
    assert "half" not in learned.optimizers.names()
    file.write_text(text)
    plugins.load([str(file)])
    assert "half" in learned.optimizers.names()
    with pytest.raises(ConfigError, match="'half' is None: allowed is a function that returns a LearnedOptimizer"):
        learned.optimizers.get("half")


def test_a_part_of_a_package_that_fails_is_imported_again(tmp_path, monkeypatch):
    package = tmp_path / "half_lab"
    package.mkdir()
    (package / "__init__.py").write_text("from half_lab import parts\nundefined_name\n")
    (package / "parts.py").write_text("import learned\n\n@learned.register_objective('half')\ndef half(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="undefined_name"):
        plugins.load(["half_lab"])
    assert "half" not in learned.objectives.names()
    (package / "__init__.py").write_text("from half_lab import parts\n")
    plugins.load(["half_lab"])
    assert "half" in learned.objectives.names()
    for name in ("half_lab", "half_lab.parts"):
        del sys.modules[name]


def test_an_optimizer_must_have_its_registered_name():
    learned.register_optimizer("other_name")(lambda: learned.LearnedOptimizer("mine", {}, None, None))
    with pytest.raises(ConfigError, match="'other_name' calls itself 'mine'"):
        learned.optimizers.get("other_name")


def arguments(directory, *examples):
    imports = [text for example in examples for text in ("--import", EXAMPLES / f"{example}.py")]
    chosen = [text for example in examples for text in OWN[example]]
    sizes = ("--lengths", 6, "--pairs", 2, "--steps", 3, "--slots", 2, "--tasks-per-step", 2, "--outer-steps", 2)
    if "--optimizer" not in chosen:
        chosen += ["--optimizer", "learnable_sgd"]
    given = ("train", "--tasks", directory / "suite.json", *chosen, *sizes, "--learning-rate", 0.01, "--warm-up", 0, *imports)
    return [str(text) for text in given]


@pytest.fixture
def place(tmp_path):
    """A directory with a suite."""
    suites.save(suite(("Digits_mlp32_bs128",)), tmp_path / "suite.json")
    return tmp_path


@pytest.mark.parametrize("example", OWN)
def test_an_example_trains(place, example):
    result = CliRunner().invoke(main.app, [*arguments(place, example), "--out", str(place / "out")], catch_exceptions=False)
    assert result.exit_code == 0
    found = checkpoint.load(place / "out" / "checkpoint.npz")
    kind, name = OWN[example]
    assert found.meta["options"][kind.removeprefix("--")] == name and found.step == 2
    lines = log.read(place / "out" / "steps.jsonl")
    assert all(np.isfinite(line["loss"]) and 0 < line["gradient_norm"] < np.inf for line in lines)


@pytest.mark.slow
def test_all_examples_together_in_worker_processes(place):
    """The same weights from any number of processes, each of which imports the modules; then curves, in processes too."""
    for workers in (1, 2):
        command = [sys.executable, "-m", "learned", *arguments(place, *OWN), "--workers", str(workers)]
        subprocess.run([*command, "--out", str(place / str(workers))], check=True)
    weights = [checkpoint.load(place / str(workers) / "checkpoint.npz").theta for workers in (1, 2)]
    for path, w in weights[0].items():
        np.testing.assert_array_equal(w, weights[1][path])
    evaluation = ("--tasks", "quadratic_family_seed3", "--horizon", "6", "--evaluations", "2", "--seeds", "1", "--batches", "1")
    command = [sys.executable, "-m", "learned", "evaluate", str(place / "2" / "checkpoint.npz"), *evaluation]
    own = ("--import", str(EXAMPLES / "own_learned_optimizer.py"))
    subprocess.run([*command, *own, "--out", str(place / "curves")], check=True)
    assert list((place / "curves").rglob("quadratic_family_seed3.parquet"))
    done = subprocess.run([*command, "--out", str(place / "without")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "unknown learned optimizer 'learned_momentum'" in done.stderr


def test_an_export_has_the_rules_of_the_package_only(place):
    plugins.load([str(EXAMPLES / "own_learned_optimizer.py")])
    theta = learned.optimizers.get("learned_momentum").init_theta(0)
    meta = {"optimizer": "learned_momentum", "shapes": {path: list(w.shape) for path, w in theta.items()}}
    checkpoint.save(place / "own.npz", meta, {f"theta/{path}": w.numpy() for path, w in theta.items()})
    result = CliRunner().invoke(main.app, ["export", str(place / "own.npz"), "--out", str(place / "out.npz")])
    assert "which numpy_update.py doesn't know: allowed are learnable_" in str(result.exception)


def test_the_public_names_are_there():
    """Every name on the page of `learned`, and the ten lines of its docstring parse."""
    for name in learned.__all__:
        assert getattr(learned, name) is not None
    with pytest.raises(AttributeError, match="it has: .*Trainer"):
        learned.no_such_name  # noqa: B018
    code = "\n".join(line[4:] for line in learned.__doc__.splitlines() if line.startswith("    "))
    compile(code, "learned", "exec")


def test_importing_it_leaves_tensorflow_alone():
    uses = "learned.Options('mlp'); learned.optimizers.names(); learned.recipes.names()"
    code = f"import sys, learned; {uses}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
