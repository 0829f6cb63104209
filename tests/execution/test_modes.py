"""How tasks are executed: the rules, what `show` says of them, and the choice of one's own."""

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue, registry
from taskset.catalogue import get_task
from taskset.errors import ConfigError
from taskset.execution import modes
from taskset.execution.loop import Loop, execution_mode
from taskset.normalization import store
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import sweep_to_file
from taskset.optimizers import get_optimizer


def first_feasible(family):
    names = (f"{family}_seed{seed}" for seed in range(200))
    return next(name for name in names if catalogue.facts(*catalogue.resolve(name)).infeasible is None)


# Other tests register families of their own, which needn't state their parameters before they are built.
FAMILIES = [name for name in catalogue.families() if registry.known_families()[name].sample.__module__.startswith("taskset.")]
# Those of `learned` differ in data and start alone, many by many.
FIXED = [name for name in catalogue.fixed_tasks() if not name.startswith("Tiny_") or name.endswith("cifar10_bs32_start1.0")]


@pytest.mark.parametrize("name", [*map(first_feasible, FAMILIES), *FIXED])
def test_facts_say_without_building_how_a_task_is_executed(name):
    facts, task = catalogue.facts(*catalogue.resolve(name)), get_task(name, source="synthetic")
    assert facts.convolutional == task.model.convolutional
    assert (facts.data is None) == (task.data is None)
    assert modes.described(facts).startswith(execution_mode(task))


def test_accelerators_always_have_the_loop_in_xla():
    assert modes.loop_mode(True) == "graph_loop"
    for device in ("GPU", "TPU"):
        assert modes.loop_mode(True, device) == modes.loop_mode(False, device) == "xla_loop"


def test_a_loop_is_chosen_for_where_it_runs(monkeypatch):
    name = next(name for name in catalogue.fixed_tasks() if catalogue.facts(*catalogue.resolve(name)).convolutional)
    task = get_task(name, source="synthetic")
    assert execution_mode(task) == Loop(task, get_optimizer("adam_lr_-3.00")).mode == "graph_loop"
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    assert execution_mode(task) == Loop(task, get_optimizer("adam_lr_-3.00")).mode == "xla_loop"
    assert execution_mode(task, "CPU") == "graph_loop"


def test_a_chosen_mode_is_used_and_recorded(tmp_path):
    options = SweepOptions(("adam_lr_-3.00", "adam_lr_-2.00"), "synthetic", 4, (0,), 1, 2)
    curves = {}
    for mode in (None, "graph_loop"):
        path = sweep_to_file("quadratic_family_seed13", options, tmp_path / str(mode), mode=mode)
        metadata = store.read_metadata(path)
        assert (metadata["mode"], metadata["copies"]) == (("xla_loop", "2") if mode is None else ("graph_loop", "1"))
        curves[mode] = store.read_table(path).to_pandas()["train"]
    np.testing.assert_allclose(curves["graph_loop"], curves[None], rtol=1e-4)


def test_an_unknown_mode_is_one_line():
    with pytest.raises(ConfigError, match="mode 'xla': allowed are xla_loop, graph_loop, eager_loop"):
        modes.check("xla")
