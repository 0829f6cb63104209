"""Which tasks changed in which version: counts, and what loads of the curves from before."""

import json
import warnings
from collections import Counter

import pytest

import taskset
from taskset import catalogue, changes, registry, tabular
from taskset.errors import ConfigError, OutdatedBaselines, StoreError
from taskset.normalization import store
from taskset.normalization.release import ship
from taskset.normalization.release.check import check
from taskset.normalization.store import reading
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.options import SweepOptions
from taskset.scoring import suites
from taskset.scoring.suites import by_name
from taskset.scoring.suites.suite import Entry, Suite
from taskset.version import __version__
from tests.normalization import made_up_sweeps as made

OLD = "losg_tasks_family_seed63"  # sparse softmax regression with noise: changed in 0.2.0
SAME = ("TwoD_Bowl10", "quadratic_family_seed2")
A4 = [61, 82, 90, 148, 409, 417, 437, 559, 563, 611, 668, 707, 717, 789, 812, 843, 870, 970]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A sweep by version 0.1.0."""
    root = tmp_path_factory.mktemp("old")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutdatedBaselines)
        return made.write(root, [OLD, *SAME], version="0.1.0")


def test_counts_are_those_of_the_comparison_with_the_release():
    sampled = {f: [f"{f}_seed{s}" for s in range(1000)] for f in catalogue.families() if "rnn" in f or f.startswith("losg")}
    names = [*catalogue.fixed_tasks(), *(name for names in sampled.values() for name in names)]
    found = Counter()
    for name in names:
        group = "fixed" if name in catalogue.fixed_tasks() else registry.parse(name)[0]
        found.update((change.key, group) for change in changes.of_task(name))
    text, char, word = (f"{n}_family" for n in ("rnn_text_classification", "char_rnn_language_model", "word_rnn_language_model"))
    assert [found["vanilla RNN", group] for group in (text, char, word, "fixed")] == [348, 326, 325, 9]
    assert [found["LSTM", group] for group in (text, char, word, "fixed")] == [323, 354, 355, 17]
    assert found["GRU", "fixed"] == 9 and found["fixed starts", "fixed"] == 9 + 5 + 3 + 5 + 2
    losg = "losg_tasks_family"
    assert [found[key, losg] for key in ("losg starts", "losg noise", "losg batches")] == [18, 39, 118]
    assert all(found["text windows", group] == 1000 for group in (text, char, word))
    noisy = [n for n in catalogue.list_tasks("quadratic_family_seed*") if changes.changed_in(n)]
    assert len(noisy) == 268  # of all sizes: the two laws differ in every dimension (docs/fidelity.md)
    kept = [s for s in range(1000) if any(c.key == "losg starts" for c in changes.of_task(f"{losg}_seed{s}"))]
    assert kept == A4


def test_a_change_touches_no_other_families_than_it_names():
    named = [change for change in changes.CHANGES if change.families]
    assert len(named) == 4
    for family in catalogue.families():
        for seed in range(40):
            found = changes.of_task(f"{family}_seed{seed}")
            assert all(family in change.families for change in found if change in named)


def test_what_a_change_touches():
    assert changes.changed_in("quadratic_family_seed12") is None and changes.changed_in("TwoD_Bowl10") is None
    small = next(n for n in catalogue.list_tasks("quadratic_family_seed*") if changes.changed_in(n))
    config = catalogue.resolve(small)[1]
    assert config["noise"]["A_noise"][0].endswith("eigen")
    assert changes.changed_in("mlp_family_seed0") == "0.2.0"  # sun397, resized
    assert (
        changes.changed_in("mlp_family_seed0", "synthetic") is None and changes.changed_in("mlp_family_seed0", "tfds") == "0.2.0"
    )
    assert changes.changed_in(OLD, "published") is None and changes.changed_in("somebody_else_seed0") is None
    assert changes.outdated(OLD, "none", "0.1.0") and not changes.outdated(OLD, "none", "0.2.0.dev1")
    assert changes.is_of("0.1.0", "0.1") and not changes.is_of("0.10.0", "0.1")
    with pytest.raises(ConfigError, match="version 'old'"):
        changes.release("old")


def test_old_curves_of_changed_tasks_are_left_out_unless_asked_for(old):
    with pytest.warns(OutdatedBaselines, match=f'curves of {OLD} .0.1.0. left out.*version="0.1" gives them'):
        assert set(taskset.load_curves(root=old)["task"]) == set(SAME)
    assert set(taskset.load_curves(root=old, version="0.1")["task"]) == {OLD, *SAME}
    for use in (
        lambda: taskset.load_curves(task=[*SAME, OLD], root=old),
        lambda: taskset.normalizer(OLD, root=old),
        lambda: tabular.load(OLD, root=old),
    ):
        with pytest.raises(StoreError, match='version="0.1"|no normalizer'):
            use()
    assert set(tabular.load(OLD, root=old, version="0.1").optimizers) == set(made.RATES)
    with pytest.raises(StoreError, match=f"no curves of task '{SAME[0]}' of version '0.2': there are those of 0.1.0"):
        taskset.load_curves(task=SAME[0], root=old, version="0.2")


def test_a_task_of_another_version_is_not_dropped_silently(old, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: [OLD, *SAME])
    ship.ship([old, made.write(tmp_path / "new", ["TwoD_Bowl1"])], tmp_path / "all")
    asked = {"root": tmp_path / "all", "version": "0.1"}
    assert set(taskset.load_curves(task=[OLD, SAME[0]], **asked)["task"]) == {OLD, SAME[0]}
    with pytest.raises(StoreError, match=f"no curves of task 'TwoD_Bowl1' of version '0.1': there are those of {__version__}"):
        taskset.load_curves(task=[OLD, "TwoD_Bowl1"], **asked)


def test_tasks_that_are_out_of_date_are_looked_for_once(old, monkeypatch):
    """Not in the files of all other families as well: a glob of tasks has nearly always one that changed."""
    looked = []
    find = reading.find
    monkeypatch.setattr(reading, "find", lambda *given: looked.append(given) or find(*given))
    with pytest.warns(OutdatedBaselines, match=f"curves of {OLD} .0.1.0. left out"):
        found = taskset.load_curves(task=[f"{OLD[:-1]}?", *SAME], root=old)
    assert set(found["task"]) == set(SAME) and len(looked) == 1


def test_a_directory_of_which_everything_is_out_of_date(tmp_path):
    """As an interrupted sweep leaves it: no tables yet."""
    path = store.curve_path(tmp_path, "none", "losg_tasks_family", OLD)
    store.write_curves(made.rows(OLD, made.options()), path, {"taskset_version": "0.1.0"})
    with pytest.raises(StoreError, match=f'no curves of tasks as they are today: those of {OLD} .0.1.0. .*; pass version="0.1"'):
        taskset.load_curves(root=tmp_path)


def test_versions_of_which_there_is_nothing(old):
    for use, text in (
        (lambda: taskset.load_curves(root=old, version="0.0"), "no curves of version '0.0': there are those of 0.1.0"),
        (
            lambda: taskset.load_curves(family="losg_tasks_family", root=old, version="9.9"),
            "no curves for family='losg_tasks_family' of version '9.9': there are those of 0.1.0",
        ),
        (lambda: tabular.load(OLD, root=old, version="9"), f"no curves of task '{OLD}' of version '9': there are those of 0.1.0"),
        (
            lambda: taskset.load_normalizers(old, version="0.0"),
            "there are no normalizers of version '0.0': there are those of 0.1.0",
        ),
        (lambda: taskset.normalizer(OLD, root=old, version="0.0"), "there are no normalizers of version '0.0'"),
        (lambda: tabular.problems(old, version="0.0"), "there are no problems of version '0.0': there are those of 0.1.0"),
    ):
        with pytest.raises(StoreError, match=text):
            use()


def test_what_ships_keeps_the_old_ones_marked_until_there_are_new_ones(old, tmp_path, monkeypatch):
    listed = [OLD, *SAME]
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: listed)
    ship.ship([old], tmp_path / "old")
    assert check(tmp_path / "old") == []
    with pytest.warns(OutdatedBaselines, match="normalizers of losg"):
        assert set(taskset.load_normalizers(tmp_path / "old")["task"]) == set(SAME)
    assert set(taskset.load_normalizers(tmp_path / "old", version="0.1")["task"]) == {OLD, *SAME}
    assert taskset.normalizer(OLD, root=tmp_path / "old", version="0.1").task == OLD
    with pytest.raises(StoreError, match=f"normalizers of task '{OLD}' are of version 0.1.0.*losg noise"):
        taskset.normalizer(OLD, root=tmp_path / "old")
    card = (tmp_path / "old" / "README.md").read_text()
    assert "Some curves of 1 task were computed by an older version" in card and "losg_tasks_family 63" in card
    new = made.write(tmp_path / "sweep", [OLD], steps=40)
    ship.ship([new, tmp_path / "old"], tmp_path / "new")
    assert check(tmp_path / "new") == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(taskset.load_curves(task=OLD, root=tmp_path / "new")["horizon"]) == {40}


def test_curves_of_two_configs_of_a_task_are_not_merged(tmp_path):
    """A family of a user's own may change between two sweeps; what differs in writing alone is no other config."""
    one, other = made.write(tmp_path / "a", [SAME[0]]), made.write(tmp_path / "b", [SAME[0]], optimizers=["adagrad_lr_-1.00"])
    (path,) = store.curve_files(other)
    metadata = {name: value for name, value in store.read_metadata(path).items() if name != "rows"}
    config = json.loads(metadata["config"])
    for changed, is_another in ((json.dumps(config, indent=2), False), (json.dumps({"changed": config}), True)):
        store.write_table(store.read_table(path).replace_schema_metadata({**metadata, "config": changed}), path)
        if is_another:
            with pytest.raises(StoreError, match=f"curves of two configs of {SAME[0]}"):
                ship.ship([one, other], tmp_path / "both")
        else:
            ship.ship([one, other], tmp_path / "alike")


def test_tables_that_mix_versions_are_refused(old, tmp_path, monkeypatch):
    root = made.write(tmp_path / "mixed", [OLD], steps=40)
    metadata = {
        k: v for k, v in store.read_metadata(store.curve_path(old, "none", "losg_tasks_family", OLD)).items() if k != "rows"
    }
    rows = made.rows(OLD, made.options())
    store.write_curves(rows, store.curve_path(root, "none", "losg_tasks_family", f"{OLD}.old"), metadata)
    assert any(f"curves of versions 0.1.0, {__version__}, and the task changed in 0.2.0" in line for line in check(root))


def test_a_sweep_is_not_resumed_where_its_task_changed(old):
    options = SweepOptions(made.RATES, "synthetic", 20, (0, 1), 2, 4)
    with pytest.raises(StoreError, match="is of version 0.1.0, and the task changed in 0.2.0: delete it"):
        baseline.plan([OLD], options, old)


def test_scales_of_changed_tasks_are_refused(old, tmp_path):
    def suite(task, **changed):
        entry = {"task": task, "family": "losg_tasks_family", "split": "train"}
        scales = {"train": [2.0, 1.0], "valid_outer": [2.0, 1.0]}
        return {
            "name": "s",
            "version": 1,
            "source": "synthetic",
            "horizon": 20,
            "tasks": [{**entry, "scales": scales}],
            **changed,
        }

    path = tmp_path / "suite.json"
    for values, fine in (
        (suite(OLD), False),
        (suite(OLD, taskset_version="0.1.0"), False),
        (suite(OLD, taskset_version="0.2.0"), True),
        (suite("TwoD_Bowl10"), True),
    ):
        path.write_text(json.dumps(values))
        if fine:
            assert suites.load(path).tasks
        else:
            with pytest.raises(StoreError, match=f"scales of task '{OLD}' are of version 0.1.0, and the task changed"):
                suites.load(path)


def test_a_training_on_changed_tasks_is_not_resumed():
    from learned.outer_training.resuming import require_current

    def entries(*tasks):
        return tuple(Entry(task, "losg_tasks_family", "train", {}) for task in tasks)

    old, same = (Suite("s", 1, "synthetic", 20, entries(*tasks)) for tasks in ((*SAME, OLD), SAME))
    with pytest.raises(StoreError, match=f"is of version 0.1.0, and task '{OLD}' .1 in all. changed in 0.2.0: start again"):
        require_current("checkpoint.npz", old, "0.1.0")
    require_current("checkpoint.npz", old, "0.2.0")
    require_current("checkpoint.npz", same, "0.1.0")


def test_the_pretrained_weights_say_which_tasks_they_saw():
    from learned.deploy import export, pretrained

    assert "on the tasks of version 0.1.0" in pretrained.describe("mlp_pes")
    assert export.load_weights("mlp_pes").theta


def test_rules_leave_changed_tasks_out(tmp_path):
    names = [f"losg_tasks_family_seed{s}" for s in (63, 1, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutdatedBaselines)
        root = made.write(tmp_path, names, version="0.1.0")
        rule = by_name.SuiteRule("r", 1, "", ("losg_tasks_family_seed*",), 20)
        assert [e.task for e in rule.suite(root).tasks] == names[1:]
