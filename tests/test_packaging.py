"""What ships beside the code: declared versions, links of the README, the container file, how an editable install is found."""

import configparser
import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import taskset

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def settings():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def setup():
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    spec = importlib.util.spec_from_file_location("setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Versions.


def requirements(text):
    """{name: its lowest version, None where none is given}."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            name, bound = re.fullmatch(r"([\w-]+)(?:\[\w+\])?((?:[<>=].*)?)", line.strip()).groups()
            found[name] = next(iter(re.findall(r"[>=]=([\d.]+)", bound)), None)
    return found


def padded(version):
    return [int(n) for n in version.split(".")] + [0] * (3 - version.count(".") - 1)


def test_lowest_versions_are_those_of_setup_cfg(settings):
    declared = requirements(settings["options"]["install_requires"]) | requirements(settings["options.extras_require"]["test"])
    pinned = requirements((ROOT / "requirements" / "lowest.txt").read_text())
    assert set(pinned) == set(declared)
    for name, lowest in declared.items():
        assert lowest is not None, f"{name} has no lower bound"
        assert padded(pinned[name]) == padded(lowest), name


def test_one_version(settings):
    assert f"version: {taskset.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {taskset.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert settings["metadata"]["license"] == "Apache-2.0" and "Apache License" in (ROOT / "LICENSE").read_text()[:200]


# Links of the README.

LINKS = "[a](docs/a.md#b), [c](https://example.org/d) and [e](#f): ![picture](docs/p.png)"


def test_links_become_absolute(setup):
    assert setup.absolute_links(LINKS, "https://host/us") == (
        "[a](https://host/us/blob/main/docs/a.md#b), [c](https://example.org/d) and [e](#f): "
        "![picture](https://host/us/raw/main/docs/p.png)"
    )
    assert setup.absolute_links(LINKS, None) == LINKS


def test_links_lead_somewhere(setup):
    readme = setup.absolute_links((ROOT / "README.md").read_text(), "BASE")
    linked = re.findall(r"\(BASE/\w+/main/([^)#]+)", readme)
    assert len(linked) > 5 and [path for path in linked if not (ROOT / path).exists()] == []


# The container file, where no Docker is there to build it.


def test_the_container_file():
    """Known instructions, sources that exist and that .dockerignore lets through, no root at the end."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    instructions = [line.split(None, 1) for line in lines]
    assert {word for word, _ in instructions} <= {"FROM", "RUN", "COPY", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
    assert all(re.fullmatch(r"python:3\.1[0-3]-slim( AS \w+)?", rest) for word, rest in instructions if word == "FROM")
    last = [word for word, _ in instructions]
    assert "USER" in last[len(last) - last[::-1].index("FROM") :]
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    assert {"data", "learned", "taskset", "setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"} <= set(kept)


# The source distribution.


def test_the_source_distribution_has_what_tests_and_documentation_need():
    grafted = re.findall(r"^graft (\S+)$", (ROOT / "MANIFEST.in").read_text(), re.MULTILINE)
    included = re.findall(r"^include (.*)$", (ROOT / "MANIFEST.in").read_text(), re.MULTILINE)[0].split()
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"taskset", "learned"}  # setuptools takes these
    assert folders | {"docs", "requirements", ".ci"} <= set(grafted)
    assert {"Makefile", "Dockerfile", "mkdocs.yml", "CITATION.cff", "*.md"} <= set(included)


# Editable.


@pytest.mark.skipif(not (ROOT / "taskset" / "data").is_symlink(), reason="not a checkout, or a file system without links")
def test_an_editable_install_is_found_beside_a_directory_of_its_name(tmp_path):
    """Setuptools puts the checkout on the path, no finder: a directory `taskset` in the working directory has no say."""
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    tree, wheel = tmp_path / "tree", tmp_path / "wheel"
    for name in ("taskset", "learned"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "data").mkdir()
    for name in ("data/__init__.py", "setup.cfg", "setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    wheel.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_editable({str(wheel)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
        installed = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert [Path(name).suffix for name in installed] == [".pth"]
        assert archive.read(installed[0]).decode().strip() == str(tree)


# Light.

HEAVY = (
    "tensorflow",
    "tensorflow_datasets",
    "sonnet",
    "importlib_resources",
    "jsonschema",
    "tokenizers",
    "typer",
    "rich",
    "matplotlib",
)
LOADS = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # importing any of them fails
import taskset
from taskset import tabular
curves = taskset.load_curves(family="losg_tasks_family", optimizer="adam_lr_-3.00")
assert len(curves) and len(taskset.load_tasks()) and len(taskset.load_optimizers()) and len(taskset.load_sweeps())
assert taskset.normalizer("losg_tasks_family_seed12", horizon=10000)(curves["train"]).max() <= 2
assert tabular.load("quadratic_family_seed3", horizon=10000).learned_list() is not None
assert taskset.feasible("mlp_family_seed12")
"""


def test_baselines_need_numpy_pandas_and_pyarrow_alone(settings):
    """Without the other requirements; `make dist` does the same with an installed wheel and no more than these three."""
    declared = set(requirements(settings["options"]["install_requires"])) - {"numpy", "pandas", "pyarrow"}
    assert {name.replace("dm-sonnet", "sonnet").replace("-", "_") for name in declared} == set(HEAVY)
    done = subprocess.run([sys.executable, "-c", LOADS, *HEAVY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
