"""Families of one's own: names, registering twice, modules that can't be imported, losses that can't be tasks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

import taskset
from taskset import catalogue, plugins, registry
from taskset.errors import ConfigError
from taskset.tasks.base import Model, Task

SAMPLER = """
import taskset

@taskset.register_sampler({name!r})
def sample(seed):
    return {{"made_by": {maker!r}}}
"""
pytestmark = pytest.mark.usefixtures("registered_here")


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


@pytest.mark.parametrize("wrong", [np.int64(4), float("nan"), {1, 2}, np.float32(2)])
def test_a_sampler_that_returns_no_json_is_one_line(wrong):
    taskset.register_sampler("own")(lambda seed: {"width": wrong})
    with pytest.raises(ConfigError, match="the sampler of 'own' returned .*allowed are JSON values; int"):
        taskset.get_config("own_seed3")


def test_a_sampler_that_draws_from_more_than_the_seed_is_one_line():
    rng = np.random.default_rng(0)
    taskset.register_sampler("own")(lambda seed: {"width": float(rng.uniform())})
    with pytest.raises(
        ConfigError, match="the sampler of 'own' gives another config for seed 3 each time: draw from the seed alone"
    ):
        taskset.get_config("own_seed3")


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


def test_a_file_that_was_edited_is_loaded_anew(tmp_path, registered_here):
    text, found = SAMPLER.format(name="edited_family", maker="x"), []
    for extra in ("", "", "# edited"):
        plugins.load([written(tmp_path / "tasks.py", f"{text}\n{extra}")])
        found.append(catalogue.family("edited_family").sample)
    assert found[0] is found[1] and found[2] is not found[1]


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


def task(loss):
    return Task("own", "own", {}, Model(loss), "none")


def line(call):
    with pytest.raises(ConfigError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_variables_and_modules_made_outside_the_loss():
    variable, one, other = tf.Variable([1.0], name="slope"), snt.Linear(1, name="one"), snt.Linear(1, name="other")
    x = tf.ones([4, 2])
    for loss in (lambda batch, key: tf.reduce_sum(variable), lambda batch, key: tf.reduce_sum(variable * snt.Linear(1)(x))):
        assert "reads the variable 'slope:0', which was made outside it: make modules" in line(lambda loss=loss: task(loss))
    outside = "a Sonnet module of the loss was made outside it: make modules inside the loss, in each call"
    for loss in (lambda batch, key: tf.reduce_sum(one(x)), lambda batch, key: tf.reduce_sum(other(snt.Linear(3, name="in")(x)))):
        assert line(lambda loss=loss: task(loss)) == outside


def test_losses_that_are_not_one_number_of_parameters():
    def outputs():
        return snt.Linear(1)(tf.ones([4, 2]))

    wrong = {
        "the loss of 'own' is float32 of shape (4, 1): allowed is one float, as tf.reduce_mean": lambda batch, key: outputs(),
        "the metric 'error' of 'own' is float32 of shape (4, 1)": lambda batch, key: (
            tf.reduce_mean(outputs()),
            {"error": outputs()},
        ),
        "the loss of 'own' is int32 of shape ()": lambda batch, key: tf.cast(tf.reduce_mean(outputs()), tf.int32),
        "the loss of 'own' is no tensor": lambda batch, key: None,
        "the loss of 'own' has no parameters: make": lambda batch, key: tf.reduce_sum(tf.ones([4])),
    }
    for message, loss in wrong.items():
        assert message in line(lambda loss=loss: task(loss))


def test_data_of_ones_own_has_to_have_all_of_its_parts():
    class Half:
        batch_size, needs_source, batch = 2, False, {"x": ((2,), "float32")}

        def open(self, source, data_dir):
            raise AssertionError

    def loss(batch, seed):
        return tf.reduce_sum(tf.Variable(tf.ones([2]), name="w") * batch["x"])

    task = Task("half", "own", {}, Model(loss=loss, data=Half()), "synthetic")
    with pytest.raises(ConfigError, match="^the data of 'half' has no prepare: allowed is what .*DataSpec describes$"):
        next(task.batches("train", 0))


def own(facts, build=lambda config, data: Model(squares), sample=lambda seed: {}):
    """One task of a family that is registered with these functions."""
    taskset.register_sampler("own")(sample)
    taskset.register_facts("own")(facts)
    taskset.register_builder("own")(build)
    return "own_seed0"


def squares(batch, key):
    return tf.reduce_sum(tf.Variable([1.0, 2.0], name="x") ** 2)


def broken(given):
    raise KeyError("width")


WRONG_FACTS = {
    "nothing": (lambda config: None, "the facts of family 'own' are None: allowed is taskset.Facts"),
    "the data itself": (lambda config: {"x": 1}, "the facts of family 'own' are .*: allowed is taskset.Facts"),
    "arrays": (lambda config: taskset.Facts(data={"x": 1}), "the data of family 'own' is .*, which has no needs_source"),
    "an error": (broken, r"the facts of family 'own' can't be made: KeyError: 'width' \(.*test_registration\.py, line \d+\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FACTS)
def test_facts_that_are_none_are_one_line(name):
    facts, says = WRONG_FACTS[name]
    task = own(facts)
    for look in (taskset.feasible, catalogue.num_params, taskset.get_task):
        with pytest.raises(ConfigError, match=says):
            look(task)


def test_facts_that_say_other_parameters_than_the_model_has():
    task = own(lambda config: taskset.Facts(parameter_shapes={"x": (3,)}))
    with pytest.raises(
        ConfigError, match=r"the facts of family 'own' say parameters .*\(3,\).* has .*\(2,\).*leave parameter_shapes"
    ):
        taskset.get_task(task)
    registry.forget("own")
    assert taskset.get_task(own(lambda config: taskset.Facts(parameter_shapes={"x": [2]}))).num_params == 2


def test_a_sampler_that_fails_is_one_line():
    task = own(lambda config: taskset.Facts(), sample=broken)
    with pytest.raises(ConfigError, match=r"a config of family 'own' can't be made: KeyError: 'width' \(.*test_registration\.py"):
        taskset.get_config(task)


NOISES = {
    "another shape": (lambda g: {path: tf.reduce_mean(x) for path, x in g.items()}, r"of shape \(\) of gradient x, float32"),
    "another dtype": (lambda g: {path: tf.cast(x, tf.float64) for path, x in g.items()}, r"float64 .* of gradient x"),
    "nothing": (lambda g: {}, r"made nothing of gradient x"),
    "more": (lambda g: {**g, "y": g["x"]}, r"made float32 of shape \(2,\) of gradient y, nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISES)
def test_disturbed_gradients_are_those_of_the_parameters(name):
    noise, says = NOISES[name]
    task = Task("noisy", "noisy", {}, Model(squares, gradient_noise=lambda g, batch, key: noise(g)), "tfds")
    with pytest.raises(ConfigError, match=f"gradient_noise of 'noisy' .*{says}"):
        task.value_and_gradients(task.init(0), next(task.batches("train", 0)), tf.constant([0, 0]))


def test_the_published_order_stands_before_what_was_imported_first():
    """The tiny tasks of `learned` are registered before the catalogue is asked for its own, which come first all the same."""
    script = "import learned, taskset; from taskset.execution import known_starts; print(*taskset.fixed_tasks())"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    published = (Path(__file__).parents[1] / "golden" / "fixed_tasks.txt").read_text().split()
    assert names[: len(published)] == published and any(name.startswith("Tiny_") for name in names[len(published) :])


@pytest.mark.parametrize("context", ["registry.restored()", "contextlib.suppress(ValueError), registry.all_or_nothing()"])
def test_what_the_package_registers_in_a_context_stays(context):
    """Its modules are imported once: what a context took from them would be gone for good."""
    script = f"""
import contextlib
import taskset
from taskset import catalogue, registry
from taskset.datasets.base import DataSpec
with {context}:
    import learned
    names, families = taskset.fixed_tasks(), taskset.families()
    catalogue.builder("quadratic_family")
    taskset.register_fixed("Mine")(lambda: ("quadratic_family", {{}}))
    taskset.register_sampler("mine", schema={{}})(lambda seed: {{}})
    taskset.register_builder("mine")(catalogue.builder("quadratic_family"))
    taskset.register_optimizer("mine")(lambda: None)
    raise ValueError
"""
    if "restored" in context:
        script = script.replace("    raise ValueError\n", "")
    script += """
assert taskset.fixed_tasks() == names and taskset.families() == families
assert "mlp_family" in families and names[0] == "TwoD_Bowl1" and names[-1].startswith("Tiny_")
assert catalogue.family("fixed_mlp").schema and catalogue.family("quadratic_family").build
assert "mine" not in registry.known_families() and not registry.own_optimizers()
print("as it was")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stdout.endswith("as it was\n"), ended.stderr
