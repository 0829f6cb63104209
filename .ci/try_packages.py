"""Installs the wheel and the source distribution of a directory and uses them: `python .ci/try_packages.py dist`.

The wheel twice: alone, with no more than NumPy, pandas and PyArrow, where the baselines must load; and with all that it requires.
Of the source distribution, a wheel is built, which must have the same files; and its tests must at least be collected.
"""

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

LIGHT = ("numpy", "pandas", "pyarrow")
BASELINES = """
import importlib.util, sys
import taskset
from taskset import tabular
assert importlib.util.find_spec("tensorflow") is None
curves = taskset.load_curves(family="losg_tasks_family", optimizer="adam_lr_-3.00")
assert len(curves) and len(taskset.load_tasks()) and len(taskset.load_optimizers()) and len(taskset.load_sweeps())
assert taskset.normalizer("losg_tasks_family_seed12", horizon=10000)(curves["train"]).max() <= 2
assert tabular.load("quadratic_family_seed3", horizon=10000).search() is not None
assert taskset.get_config("mlp_family_seed12") and taskset.feasible("mlp_family_seed12")
print(f"baselines, with {', '.join(sys.argv[1:])} alone: {len(curves):,} rows")
"""
EVERYTHING = """
import taskset, learned.keras
task = taskset.get_task("mlp_family_seed12", source="synthetic")
loss, gradients = task.value_and_gradients(task.init(seed=0), next(task.batches("train", seed=0)), seed=0)
optimizer = learned.keras.from_checkpoint("mlp_pes")
print(f"a task's loss, {float(loss):.3f}; {optimizer.name}")
"""


def run(*command, **options):
    print("+", *map(str, command[:6]), "..." if len(command) > 6 else "", flush=True)
    subprocess.run([str(c) for c in command], check=True, **options)


def environment(place):
    """The Python of a new environment."""
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    return python


def files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/RECORD")}


def main(directory):
    (wheel,), (source,) = sorted(directory.glob("*.whl")), sorted(directory.glob("*.tar.gz"))
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        light = environment(place / "light")
        run(light, "-m", "pip", "install", "--quiet", *LIGHT)
        run(light, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
        run(light, "-c", BASELINES, *LIGHT, cwd=place)

        with tarfile.open(source) as archive:
            archive.extractall(place, filter="data")
        (tree,) = place.glob("taskset-*")
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place / "again", tree)
        if difference := files(wheel) ^ files(next((place / "again").glob("*.whl"))):
            sys.exit(f"the wheel of the source distribution is another one: {sorted(difference)[:5]}")

        full = environment(place / "full")
        run(full, "-m", "pip", "install", "--quiet", f"{wheel}[test]")
        run(full, "-m", "pip", "check")
        run(full, "-c", EVERYTHING, cwd=place)
        for command in (["taskset", "--version"], ["learned", "--version"], ["taskset", "show", "mlp_family_seed12"]):
            run(full.parent / command[0], *command[1:], cwd=place, stdout=subprocess.DEVNULL)
        run(full, "-m", "pytest", "--collect-only", "-q", cwd=tree, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
