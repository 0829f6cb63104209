"""Families of one's own: names, registering twice, modules that can't be imported."""

import sys

import pytest

import taskset
from taskset import catalogue, plugins, registry
from taskset.errors import ConfigError

SAMPLER = """
import taskset

@taskset.register_sampler({name!r})
def sample(seed):
    return {{"made_by": {maker!r}}}
"""


@pytest.fixture(autouse=True)
def registered_here():
    """Forgets what a test registers."""
    catalogue.families()
    families, fixed, modules = dict(registry._families), dict(registry._fixed), set(sys.modules)
    yield
    for now, before in ((registry._families, families), (registry._fixed, fixed)):
        now.clear()
        now.update(before)
    for name in [name for name in sys.modules if name not in modules and name.startswith("taskset_plugin_")]:
        del sys.modules[name]


def written(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ["lab/own", "../own", "", ".own", "a b", "a=b", "own_seed3", "x" * 101, 7, None])
def test_names_that_files_can_not_have_are_refused(name):
    with pytest.raises(ConfigError, match="allowed are up to 100 letters"):
        taskset.register_sampler(name)(lambda seed: {})
    with pytest.raises(ConfigError, match="allowed are up to 100 letters"):
        taskset.register_fixed(name)(lambda: ("quadratic_family", {}))
    assert name not in taskset.families()


def test_a_cell_may_run_again_and_another_function_may_not():
    cell = SAMPLER.format(name="lab-own.2", maker="{}")
    for maker in ("first", "second"):
        exec(cell.replace("{}", maker), {"__name__": "__main__"})
        assert taskset.sample("lab-own.2", 0) == {"made_by": maker}
    with pytest.raises(ConfigError, match="registered already.*another name"):
        exec(cell, {"__name__": "elsewhere"})
    with pytest.raises(ConfigError, match="registered already"):
        taskset.register_sampler("lab-own.2")(lambda seed: {})
    for _ in range(2):
        exec("import taskset\n@taskset.register_fixed('One')\ndef one(): return 'quadratic_family', {}", {"__name__": "__main__"})
    with pytest.raises(ConfigError, match="'One' is registered already"):
        taskset.register_fixed("One")(lambda: ("quadratic_family", {}))


def test_two_files_of_one_name_are_two_modules(tmp_path):
    files = [written(tmp_path / maker / "tasks.py", SAMPLER.format(name=f"by_{maker}", maker=maker)) for maker in ("a", "b")]
    plugins.load(files)
    plugins.load(files)  # they are loaded already
    samplers = [catalogue.family(name).sample for name in ("by_a", "by_b")]
    assert samplers[0].__module__ != samplers[1].__module__
    assert all(sys.modules[sampler.__module__].sample is sampler for sampler in samplers)


@pytest.mark.parametrize(
    "end, reported",
    [
        ("undefined_name", "NameError: name 'undefined_name' is not defined"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("taskset.get_task('mlp_famly_seed3')", "did you mean 'mlp_family_seed3'"),
        ("open('/no/such/file')", "FileNotFoundError"),
    ],
)
def test_an_error_in_a_file_is_reported_with_its_line_and_nothing_stays_registered(tmp_path, end, reported):
    text = SAMPLER.format(name="half", maker="x")
    file = written(tmp_path / "tasks.py", f"{text}\n{end}\n")
    with pytest.raises(ConfigError) as failed:
        plugins.load([file])
    line = str(failed.value)
    assert reported in line and "\n" not in line and len(line) < 600
    assert f"({file}, line {len(text.splitlines()) + 2})" in line
    assert "half" not in taskset.families()
    written(tmp_path / "tasks.py", text)
    plugins.load([file])
    assert taskset.sample("half", 0) == {"made_by": "x"}


def test_a_module_that_is_not_there():
    with pytest.raises(ConfigError, match="can't import 'no_such.module'.*give a module name or the path of a .py file"):
        plugins.load(["no_such.module"])
    with pytest.raises(ConfigError, match="can't import './no_such.py'.*give a module name"):
        plugins.load(["./no_such.py"])
