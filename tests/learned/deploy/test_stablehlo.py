"""Exported programs: their files agree with each other, their numbers with the plain way, and JAX computes the same from them."""

import importlib.util
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import export, exported
from learned import optimizers
from learned.estimators import base, pes
from learned.outer_training import objectives, outer_optimizer
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from taskset.execution.loop import Loop
from taskset.optimizers import adam

MLP, QUADRATIC = "MLP 64-32-10, batch 32", "Quadratic 100"
CONVOLUTIONS = "Convolutions 16-32-32, strides 1-2-2, 32x32x3, batch 64"
STEPS, COPIES = 4, (1, 4)
PAIRS, TRUNCATION, SIGMA = 2, 4, 0.01
TOLERANCE = 1e-4  # of JAX's outputs against TensorFlow's, relative to an output's greatest number
DTYPES = {"f32": "float32", "i32": "int32", "ui8": "uint8", "i1": "bool"}


def loaded(directory, name):
    with np.load(directory / f"{name}.npz") as saved:
        return [saved[key] for key in saved.files]


@pytest.fixture(scope="module")
def digits():
    return export.make(export.OUTER[0])


@pytest.fixture(scope="module")
def directory(tmp_path_factory, digits):
    programs = export.planned((MLP, QUADRATIC), COPIES, STEPS, ())
    programs += export.planned((CONVOLUTIONS,), (4,), STEPS, ())
    programs.append(({"copies": 1}, lambda: exported.outer(digits, pairs=PAIRS, steps=TRUNCATION, sigma=SIGMA)))
    path = tmp_path_factory.mktemp("stablehlo")
    export.export(path, programs, "GPU")
    return path


@pytest.fixture(scope="module")
def entries(directory):
    return json.loads((directory / export.MANIFEST).read_text())["programs"]


@pytest.mark.long
def test_the_manifest_tells_what_was_and_what_was_not_exported(entries):
    made = [entry["name"] for entry in entries if entry["exported"]]
    loops = [f"{name}_{n}" for name in ("mlp_64_32_10_batch_32", "quadratic_100") for n in COPIES]
    assert made == [*loops, "outer_digits_mlp32_bs128_mlp_pes"]
    (refused,) = [entry for entry in entries if not entry["exported"]]
    assert (refused["task"], refused["copies"]) == (CONVOLUTIONS, 4) and "no batched form" in refused["why"]


def test_inputs_are_the_arguments_of_the_program(directory, entries):
    for entry in entries:
        if not entry["exported"]:
            continue
        text = (directory / f"{entry['name']}.stablehlo").read_text()
        arguments, results = re.search(r"func\.func (?:public )?@main\((.*?)\) -> \(?(.*?)\)? \{\n", text).groups()
        for types, arrays in (arguments, loaded(directory, entry["name"])), (results, loaded(directory, f"{entry['name']}.out")):
            wanted = [t.split("x") for t in re.findall(r"tensor<([^>]*)>", types)]
            assert [([int(n) for n in shape], DTYPES[kind]) for *shape, kind in wanted] == [
                (list(a.shape), a.dtype.name) for a in arrays
            ]
        assert (entry["text_bytes"], entry["inputs"]) == (len(text), len(loaded(directory, entry["name"])))
        assert "loc(" not in text and ".py" not in text


def test_copies_are_seeds_and_rates(directory):
    assert [exported.shape_of_grid(n) for n in (1, 2, 4, 64, 1024)] == [(1, 1), (2, 1), (2, 2), (4, 16), (64, 16)]
    for name in (MLP, QUADRATIC):
        task = export.make(name)
        *_, together = loaded(directory, f"{exported.slug(name)}_4.out")
        for copy, (seed, rate) in enumerate((s, r) for s in (0, 1) for r in exported.rates_of(2)):
            loop = Loop(task, adam(rate), STEPS, mode="eager_loop")
            alone = loop.train(loop.start(seed), adam(rate).hparams(exported.HORIZON), STEPS)
            np.testing.assert_allclose(together[:, copy], alone, rtol=2e-5, err_msg=f"{name} {seed} {rate}")
        assert len(set(together[-1])) == 4


def test_the_outer_step_is_that_of_the_estimator(directory, digits):
    problem = Problem(digits, optimizers.get("mlp"), objectives.get("train"), objectives.unscaled)
    estimator = pes.PES(problem, base.Settings(PAIRS, TRUNCATION, SIGMA))
    assert isinstance(estimator.unroll, Unroll)
    x, state = problem.theta(0).astype(np.float64), estimator.init(0)
    m, v = np.zeros_like(x), np.zeros_like(x)
    for step in range(2):
        estimate, state = estimator.estimate(x.astype(np.float32), state, lambda rng, n: np.full(n, TRUNCATION + TRUNCATION // 2))
        gradient = np.clip(estimate.gradient, -exported.CLIP, exported.CLIP)
        x, m, v = outer_optimizer.adam(x, m, v, gradient, step, exported.OUTER_RATE)
    assert 0 < state["episodes"]["steps"][0] < TRUNCATION  # an episode ended within the truncation

    outer_step = exported.OuterStep(problem, PAIRS, TRUNCATION, SIGMA)
    places = tf.nest.pack_sequence_as((before := (outer_step.start(problem.theta(0)), 0, 0)), range(len(tf.nest.flatten(before))))
    outputs = loaded(directory, "outer_digits_mlp32_bs128_mlp_pes.out")
    found, gradient, losses = tf.nest.map_structure(lambda i: outputs[i], places)
    assert losses.mean() == pytest.approx(estimate.loss, rel=1e-5)
    # Losses in float32 over 2 sigma^2: rounding is a hundred times larger here than in the losses.
    assert np.linalg.norm(gradient - estimate.gradient) < 2e-3 * np.linalg.norm(estimate.gradient)
    np.testing.assert_allclose(found["xi"], state["xi"], atol=1e-6)
    assert found["adam"]["t"] == 2
    np.testing.assert_allclose(found["adam"]["x"], x, atol=0.05 * exported.OUTER_RATE)
    for path, w in state["inner"]["params"].items():
        np.testing.assert_allclose(found["inner"]["params"][path], w, atol=1e-4)


@pytest.mark.elsewhere
def test_jax_computes_the_same(directory, entries, tmp_path):
    if not importlib.util.find_spec("jax"):
        pytest.skip("JAX is not installed: pip install '.[bench]'")
    copied = shutil.copytree(directory, tmp_path / "copied")
    # One program's expected losses are made wrong: the comparison must see it.
    wrong = "quadratic_100_4"
    outputs = loaded(copied, f"{wrong}.out")
    outputs[-1][-1, -1] *= 1.01
    np.savez(copied / f"{wrong}.out.npz", *outputs)
    lines = export.run_with_jax(copied, seconds=0)
    differences = {name: line["difference"] for name, line in lines.items()}
    assert list(differences) == [entry["name"] for entry in entries if entry["exported"]]
    assert differences.pop(wrong) == lines[wrong]["loss_difference"] > 10 * TOLERANCE
    assert max(differences.values()) < TOLERANCE, differences
    assert {line["platform"] for line in lines.values()} == {"cpu"}


def test_the_section_tells_what_is_measured_and_what_is_assumed(entries):
    text = export._section(
        {"draws_for": "GPU", "programs": [{**e, "tensorflow_cpu_s": 1e-3, "nudged_difference": 1e-6} for e in entries]}, {}, None
    )
    assert "Everything below was run on a CPU" in text and "filters of each copy's own" in text
    modes = {line.split(" | ")[0].strip("| "): line for line in export.modes().splitlines()}
    assert "`graph_loop`, measured | `xla_loop`, assumed | `xla_loop`, assumed" in modes["Convolutions 16-32-32"]
    assert "`xla_loop`, measured | `xla_loop`, assumed" in modes["LSTM 64"]


def test_whole_outer_steps_are_told_in_milliseconds(entries):
    name = "outer_digits_mlp32_bs128_mlp_pes"
    programs = [{**entry, "tensorflow_cpu_s": 1.5} for entry in entries]
    (outer,) = [entry for entry in entries if entry["name"] == name]
    said = export._whole_steps({"programs": programs}, {name: {"cpu_s": 0.25}})
    assert said.startswith(
        f"A whole outer step of `mlp`, {outer['copies'] // 2} pairs and {outer['steps']} steps, took 250 ms under"
    )
    assert "1,500 under TensorFlow" in said
    assert export._whole_steps({"programs": programs}, {}) == ""
