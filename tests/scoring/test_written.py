"""Suites that are written once: what is in them, what is not, and that nothing is written twice."""

import dataclasses
import hashlib
import sys

import pytest

from taskset.errors import ConfigError, StoreError, UnknownName
from taskset.normalization.store import load_normalizers
from taskset.scoring import suites
from taskset.scoring.suites import by_name, selection, shipped, tiers, written
from taskset.scoring.suites.suite import Entry
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


DIGESTS = {
    "heldout:1": "c647530be697d4db2f478a634a6b71cb92dccc3f52075baf9b1ef2110103e26c",
    "heldout-valid:1": "f97d424dcb397cfafa2943478e7a9d5e469d958999d0426aa9b2eb95cb9439ad",
    "problems:2": "cf2861188239b766eec13b43bb402805af67cb9d4b306c4b78d720378718a611",
    "small:2": "10147766ed5d6c9077a1fd9d7cd3afe28c29e648da043a85f01601c021a64b93",
    "mixed:2": "0fe14666b91c320dbfd9c8a5333cef2abc595a76678ffa8a9fc6b563e4ea69c4",
}


def names(suite):
    return {entry.task for entry in suite.tasks}


@pytest.mark.parametrize("one", written.WRITTEN, ids=str)
def test_a_file_of_the_package_never_changes(one):
    assert hashlib.sha256(one.path.read_bytes()).hexdigest() == DIGESTS[str(one)], "a change needs another version"
    suite = by_name.get_suite(str(one))
    assert (suite.name, suite.version, suite.horizon, suite.source) == (one.name, one.version, one.horizon, one.source)
    assert set(suite.rule["costs"]) == names(suite) and all(set(entry.scales) >= {"train"} for entry in suite.tasks)
    for entry in suite.tasks:
        assert one.split in (None, entry.split)


def test_held_out_tasks_of_the_package():
    found = {one.name: suites.load(str(one.path)) for one in written.WRITTEN}
    held_out = names(found["heldout"]) | names(found["heldout-valid"])
    assert not held_out & (names(found["problems"]) | names(found["small"]) | names(found["mixed"]))
    for name in ("heldout", "heldout-valid"):
        families = [entry.family for entry in found[name].tasks]
        assert len(families) >= written.FEWEST_HELD_OUT and max(map(families.count, families)) <= 10


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
    wanted = write_suites.makers_of_written(WANTED, fewest=3)
    paths = write_suites.write(wanted, baselines, tmp_path)
    assert sorted(path.name for path in paths) == sorted(path.name for path in tmp_path.iterdir())
    assert suites.load(tmp_path / "heldout_valid_1.json") == found["heldout-valid"]
    (tmp_path / "heldout_1.json").unlink()
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match="heldout_valid_1.json is there, and a suite's version never changes"):
        write_suites.write(wanted, baselines, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == left
    monkeypatch.setattr(shipped.resources, "files", lambda package: tmp_path)
    assert by_name.get_suite("small") == by_name.get_suite("small:2") == found["small"]  # the newest, now that it is there
    assert by_name.is_name("problems:2") and by_name.rule("small:1").version == 1
    with pytest.raises(ConfigError, match="baselines with small:2: allowed with the name of a rule only"):
        by_name.get_suite("small:2", baselines)
    with pytest.raises(UnknownName, match="heldout"):
        by_name.get_suite("heldout")


def test_the_script(baselines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["write_suites", "heldout:1", "--root", str(baselines), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="error: .* tasks have a normalizer"):
        write_suites.main()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(write_suites, "makers", lambda: write_suites.makers_of_written(WANTED, fewest=3))
    write_suites.main()
    assert "heldout:1: " in capsys.readouterr().out and [path.name for path in tmp_path.iterdir()] == ["heldout_1.json"]
    monkeypatch.setattr(sys, "argv", ["write_suites", "heldout:2"])
    with pytest.raises(SystemExit, match="unknown suite .heldout:2.*Allowed are heldout:1, "):
        write_suites.main()


def test_every_suite_that_ships_has_a_maker_and_its_file():
    known = write_suites.makers()
    assert all(one.path.is_file() for one in known)
    assert set(map(str, known)) >= {*tiers.names(), *map(str, written.WRITTEN), "tiny:1"}


def test_the_tenth_is_made_again_byte_for_byte(tmp_path):
    (path,) = write_suites.write(write_suites.chosen(["rivals:1"], write_suites.makers()), None, tmp_path)
    assert path.read_bytes() == tiers.TENTH.path.read_bytes()


def test_families_take_turns():
    def entries(family, *tasks):
        return [Entry(task, family, "train", {}) for task in tasks]

    queues = {"b": entries("b", "b1", "b2", "b3", "b4"), "a": entries("a", "a1", "a2")}
    order = selection.taking_turns(queues, lambda entry, chosen: entry.task != "b2")
    assert [entry.task for entry in order] == ["a1", "b1", "a2", "b3", "b4"]
    few = selection.taking_turns(queues, lambda entry, chosen: len(chosen) < 3)
    assert [entry.task for entry in few] == ["a1", "b1", "a2"]
