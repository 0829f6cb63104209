"""Where the time of an outer training goes: on the shipped suite, and measured on a few tasks of it."""

import dataclasses

import pytest

from benchmarks import outer_speed
from learned.outer_training.options import Options
from learned.unrolling.unroll import Unroll

STEPS = 3


@pytest.fixture(scope="module")
def measured():
    """A training on two MLPs of one program, and the same without the rule."""
    whole = outer_speed.suite()
    tasks = [one for one in whole.of_split("train") if one.task.startswith("Tiny_mlp_coil100_32x32_bs32")]
    chosen = dataclasses.replace(whole, tasks=tuple(tasks[:2]))
    # The rules that the script times take ten times as long to compile.
    options = Options("learnable_sgd", pairs=2, steps=4, slots=2, tasks_per_step=1, lengths="log_uniform:8:16")
    return [outer_speed.measure(chosen, options, None, STEPS, without) for without in (False, True)]


@pytest.mark.parametrize("rule", outer_speed.RULES)
def test_each_rule_can_be_trained_on_the_shipped_suite(rule):
    chosen, (options, start) = outer_speed.suite(), outer_speed.setting(rule)
    options.check(chosen)
    assert options.optimizer == rule and start
    assert len(chosen.of_split("train")) > 100 and all(one.scales for one in chosen.of_split("train"))


def test_the_parts_sum_to_the_whole(measured):
    real, without = measured
    rows = outer_speed.rows(real, without)
    assert sum(seconds for _, seconds in rows) == pytest.approx(real.step) == pytest.approx(sum(real.parts.values()) / STEPS)
    assert real.parts["program"] > 0 and real.parts["draw"] > 0 and real.parts["rest"] > 0
    assert 0 <= real.idle <= real.wall / STEPS


def test_a_program_is_compiled_once_and_apart_from_its_first_run(measured):
    for one in measured:
        assert one.compiled == (1, 0) and one.parts["compile"] < one.start["compile"]
        assert 0 < one.start["program"] < one.start["compile"]
        assert one.in_first_hour() < one.first + outer_speed.HOUR / one.step
    assert Unroll._compiled.__module__ == Unroll.__module__  # as it was before


def test_the_section_has_the_parts_and_the_hour(measured):
    text = outer_speed.section({"anchored": measured})
    for row in (
        "task, in the program",
        "optimizer, in the program",
        "tracing and compiling",
        "wall-clock ms of an outer step",
    ):
        assert f"| {row} | " in text
    assert "| all | " in text and "100%" in text


def test_a_clock_counts_nested_parts_once():
    clock = outer_speed.Clock()
    inner = clock.wrapped("draw", lambda: sum(range(200_000)))
    clock.wrapped("program", lambda: [inner() for _ in range(5)])()
    parts = clock.result()
    assert parts["draw"][0] > 10 * parts["program"][0] >= 0
