"""Suites that are written once: what is in them, what is not, and that nothing is written twice."""

import dataclasses
import sys

import pytest

from taskset.errors import ConfigError, StoreError, UnknownName
from taskset.normalization.store import load_normalizers
from taskset.scoring import named_suites, suites, tiers, written
from tests.normalization import made_up_sweeps as made
from tools import write_suites

FEW = {"heldout": 3, "heldout-valid": 2, "problems": 9, "small": 9, "mixed": 4}
WANTED = [dataclasses.replace(one, horizon=200, per_family=FEW[one.name], max_milliseconds=30) for one in written.WRITTEN]


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    """Made-up sweeps of 30 quadratics, 30 MLPs and all tasks of the tier of one minute."""
    root = tmp_path_factory.mktemp("baselines")
    tier = [entry.task for entry in tiers.load("1m").tasks]
    without = [task for task in tier if task.startswith(("quadratic", "losg"))]
    made.write(root, [*(f"quadratic_family_seed{seed}" for seed in range(30)), *without], steps=200)
    networks = [f"mlp_family_seed{seed}" for seed in range(32) if seed not in (11, 24)]
    made.write(root, [*networks, *(task for task in tier if task not in without)], source="synthetic", steps=200)
    return root


@pytest.fixture(scope="module")
def found(baselines):
    return {one.name: suite for one, suite in written.make_all(baselines, WANTED, fewest=3).items()}


def names(suite):
    return {entry.task for entry in suite.tasks}


def test_held_out_tasks_are_in_no_other_suite(found):
    assert {entry.split for entry in found["heldout"].tasks} == {"test"}
    assert {entry.split for entry in found["heldout-valid"].tasks} == {"valid"}
    training = names(found["small"]) | names(found["mixed"]) | names(found["problems"])
    held_out = names(found["heldout"]) | names(found["heldout-valid"])
    assert held_out and training and not held_out & training
    everything = {entry.task for tier in tiers.TIERS for entry in tiers.load(str(tier)).tasks}
    assert not everything & (held_out | training)


def test_families_and_their_shares(found, baselines):
    for name, most in FEW.items():
        families = [entry.family for entry in found[name].tasks]
        assert max(map(families.count, families)) <= most
    assert {entry.family for entry in found["heldout"].tasks} == {"mlp_family", "quadratic_family"}
    assert {entry.family for entry in found["problems"].tasks} == {"quadratic_family"}
    assert {entry.family for entry in found["small"].tasks} == {"mlp_family"}
    entry = found["heldout"].tasks[0]
    assert set(entry.scales) == {"train", "valid_outer", "test"}
    rule = found["heldout"].rule
    assert set(rule["costs"]) == names(found["heldout"]) and rule["core_hours"] >= 0 and rule["split"] == "test"
    ready = load_normalizers(baselines)
    row = ready[(ready["task"] == entry.task) & (ready["split"] == "test")].iloc[0]
    assert entry.scales["test"] == (row["initial"], row["best"])


def test_a_spread_reaches_from_cheap_to_dear():
    costs = {f"t{i}": float(i) for i in range(100)}
    chosen = written.spread(costs, costs, 10)
    assert [int(costs[task]) // 10 for task in chosen] == list(range(10))
    assert written.spread(costs, costs, 200) == sorted(costs, key=costs.get)


def test_too_few_baselines_are_refused(baselines):
    with pytest.raises(StoreError, match="tasks have a normalizer; .* at least 3300"):
        written.make_all(baselines)
    wanted = [dataclasses.replace(one, max_milliseconds=0) for one in WANTED]
    with pytest.raises(StoreError, match="heldout:1 has 0 tasks; wanted are 80"):
        written.make_all(baselines, wanted, fewest=3)


def test_files_are_written_once_and_found_by_name(baselines, found, tmp_path, monkeypatch):
    paths = written.write_all(baselines, tmp_path, WANTED, fewest=3)
    assert sorted(path.name for path in paths) == sorted(path.name for path in tmp_path.iterdir())
    assert suites.load(tmp_path / "heldout_valid_1.json") == found["heldout-valid"]
    (tmp_path / "heldout_1.json").unlink()
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match="heldout_valid_1.json is there, and a suite's version never changes"):
        written.write_all(baselines, tmp_path, WANTED, fewest=3)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == left
    monkeypatch.setattr(written.resources, "files", lambda package: tmp_path)
    assert named_suites.find("small") == named_suites.find("small:2") == found["small"]  # the newest, now that it is there
    assert named_suites.is_name("problems:2") and named_suites.rule("small:1").version == 1
    with pytest.raises(ConfigError, match="baselines with small:2: allowed with suites that are rules only"):
        named_suites.find("small:2", baselines)
    with pytest.raises(UnknownName, match="heldout"):
        named_suites.find("heldout")


def test_the_script(baselines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["write_suites", "--root", str(baselines), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="error: .* tasks have a normalizer"):
        write_suites.main()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(written, "write_all", lambda root, out: {out / "x": written.make_all(root, WANTED, 3)[WANTED[0]]})
    write_suites.main()
    assert "heldout:1: " in capsys.readouterr().out
