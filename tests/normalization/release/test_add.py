"""Adding to merged baselines: new files beside the old ones, and every reader finds what one merge would have given."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import taskset
from taskset import catalogue, changes, tabular
from taskset.errors import OutdatedBaselines, StoreError
from taskset.normalization import store
from taskset.normalization.release import card, croissant, merged, ship
from taskset.normalization.release.add import add
from taskset.normalization.release.check import check
from taskset.normalization.store import layout, sha256_sums
from taskset.normalization.tables import write_tables
from tests.normalization import made_up_sweeps as made

KEY = ["task", "source", "horizon", "optimizer", "seed", "step"]
LIST = ("nadamw_grid_seed251", "nadamw_grid_seed611")
RENEWED = "losg_tasks_family_seed63"  # changed in 0.2.0
GROUP = "adam_lr3_steps20_seeds2_batches2"


@pytest.fixture(scope="module", autouse=True)
def few_tasks():
    """The registry's list cut to a few tasks."""
    listed = [*catalogue.fixed_tasks(), *(f"{f}_seed{s}" for f in catalogue.families() for s in range(20))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "list_tasks", lambda pattern=None: listed)
        yield


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """Directories of sweeps: the first task, all tasks with the same options, a longer horizon, the learned list."""
    root = tmp_path_factory.mktemp("sweeps")
    return [
        made.write(root / "first", made.TASKS[:2]),
        made.write(root / "all"),
        made.write(root / "long", made.TASKS[1:], steps=40, batches=3),
        made.write(root / "list", made.TASKS[1:], optimizers=list(LIST)),
    ]


@pytest.fixture(scope="module")
def at_once(sweeps, tmp_path_factory):
    root = tmp_path_factory.mktemp("once")
    ship.ship(sweeps, root, {"mlp_family_seed7": 12.5})
    return root


@pytest.fixture(scope="module")
def first(sweeps, tmp_path_factory):
    root = tmp_path_factory.mktemp("first")
    ship.ship([sweeps[0], sweeps[3]], root, {"mlp_family_seed7": 12.5})
    return root


@pytest.fixture
def base(first, tmp_path):
    return Path(shutil.copytree(first, tmp_path / "base"))


def sort(frame):
    frame = frame.astype({"task": str, "optimizer": str, "source": str, "family": str})
    return frame.sort_values(KEY).reset_index(drop=True)


def bytes_of(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in store.curve_files(root)}


def test_two_steps_give_what_one_gives_to_every_reader(sweeps, at_once, base):
    before = bytes_of(base)
    assert add(sweeps[1:3], base) == (2, 6 + 2 * 6)  # TASKS[2], and two at the longer horizon
    after = bytes_of(base)
    assert before.items() <= after.items()
    assert {Path(name).stem for name in set(after) - set(before)} == {f"{GROUP}-2", "adam_lr3_steps40_seeds2_batches3"}
    assert check(base) == []
    for filters in ({}, {"task": made.TASKS[2]}, {"family": "quadratic_family"}, {"optimizer": LIST[0]}, {"horizon": 40}):
        both = [sort(taskset.load_curves(root=root, **filters)) for root in (base, at_once)]
        pd.testing.assert_frame_equal(*both, check_exact=True)
    for table in (taskset.load_tasks, taskset.load_optimizers, taskset.load_normalizers, tabular.problems):
        pd.testing.assert_frame_equal(table(root=base), table(root=at_once), check_exact=True)
    told = [taskset.load_sweeps(root) for root in (base, at_once)]
    told[0]["group"] = told[0]["group"].map(layout.group_of)
    pd.testing.assert_frame_equal(*told, check_exact=True)
    cards = [(root / "README.md").read_text().splitlines() for root in (base, at_once)]
    assert [line for line in cards[0] if " bytes a run" not in line] == [line for line in cards[1] if " bytes a run" not in line]
    ship.ship([base], base.parent / "packed")  # all in one file again
    assert {Path(name).stem for name in bytes_of(base.parent / "packed")} == {Path(name).stem for name in bytes_of(at_once)}


def test_a_growing_sweep_is_added_again_and_again(sweeps, base):
    add([sweeps[1]], base)
    files = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    assert add([sweeps[1]], base) == (0, 0)
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == files


def test_one_task_is_read_from_one_row_group(sweeps, base):
    add([sweeps[1]], base)
    from taskset.normalization.store import asked, reading, row_groups

    dataset = reading.curves_dataset(base)
    what = asked.Asked(None, task=made.TASKS[2], horizon=20, optimizer="adam_lr_-1.00")
    found = row_groups.find(dataset, what.wanted, None, what.likely)
    ((part,),) = found.parts.values()
    assert len(part.row_groups) == 1 and Path(part.path).stem == f"{GROUP}-2"


def test_a_doubled_task_is_refused(sweeps, base, monkeypatch, tmp_path):
    plain = made.curve
    monkeypatch.setattr(made, "curve", lambda *given: plain(*given) + np.float32(0.5))
    other = made.write(tmp_path / "other", made.TASKS[1:])
    more = made.write(tmp_path / "more", made.TASKS[1:2], seeds=[1, 2])
    files = bytes_of(base)
    for root in (other, more):
        with pytest.raises(StoreError, match="quadratic_family_seed2, source none, horizon 20, .* seed 1? ?.*pass one of them"):
            add([root], base)
    assert bytes_of(base) == files and check(base) == []


def test_what_cannot_be_added_to(sweeps, base, tmp_path):
    with pytest.raises(StoreError, match="holds no merged baselines"):
        add([sweeps[1]], sweeps[0])
    path = store.curve_files(base)[0]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StoreError, match=f"{path.stem}.*is not the one in"):
        add([sweeps[1]], base)


def test_an_interrupted_addition_is_made_up_for(sweeps, base):
    old = bytes_of(base)
    add([sweeps[1]], base)
    new = bytes_of(base)
    for path in base.rglob("*.parquet"):  # as it is left after the curve files, before the tables
        if path.relative_to(base).as_posix() in old:
            path.write_bytes(old[path.relative_to(base).as_posix()])
    listed = "\n".join(line for line in (base / sha256_sums.NAME).read_text().splitlines() if f"{GROUP}-2" not in line)
    (base / sha256_sums.NAME).write_text(listed + "\n")
    rows = store.read_table(base / "sweeps.parquet")
    store.write_table(rows.filter([f"{GROUP}-2" != group for group in rows["group"].to_pylist()]), base / "sweeps.parquet")
    assert add([sweeps[1]], base) == (1, 6)
    assert bytes_of(base) == new and check(base) == []


class Stopped(BaseException):
    """In the place of a signal: no code expects it."""


def stop_at(monkeypatch, number):
    """Have the number-th file, table or text, never be written; returns the list of those that were."""
    written = []

    def stopping(write):
        def call(content, path):
            if len(written) == number:
                raise Stopped
            written.append(Path(path).name)
            return write(content, path)

        return call

    monkeypatch.setattr(store, "write_table", stopping(store.write_table))
    for module in (card, croissant, ship, sha256_sums):
        monkeypatch.setattr(module, "write_text", stopping(module.write_text))
    return written


FILES = [
    "tasks.parquet",
    "optimizers.parquet",
    "normalizers.parquet",
    "sweeps.parquet",
    "README.md",
    "croissant.json",
    sha256_sums.NAME,
]


@pytest.mark.parametrize("number", range(len(FILES)))
def test_an_addition_interrupted_anywhere_is_made_up_for(sweeps, base, monkeypatch, tmp_path, number):
    whole = Path(shutil.copytree(base, tmp_path / "whole"))
    add(sweeps[1:3], whole)
    with monkeypatch.context() as patch:
        written = stop_at(patch, number)
        with pytest.raises(Stopped):
            add(sweeps[1:3], base)
    assert written == FILES[:number]
    other = Path(shutil.copytree(base, tmp_path / "other"))
    add(sweeps[1:3], base)
    assert contents(base) == contents(whole) and check(base) == []
    add([made.write(tmp_path / "more", ["quadratic_family_seed3"])], other)  # what was interrupted isn't given again
    assert check(other) == []


def test_what_is_left_of_an_addition_is_removed_where_another_family_has_a_file_of_that_name(sweeps, base, monkeypatch, tmp_path):
    add([sweeps[1]], base)
    whole = contents(base)
    other = made.write(tmp_path / "other", ["TwoD_Bowl1"])
    with monkeypatch.context() as patch:
        stop_at(patch, 0)
        with pytest.raises(Stopped):
            add([other], base)
    left = [path for path in store.curve_files(base) if path.relative_to(base).as_posix() not in whole]
    assert [(path.parent.name, path.stem) for path in left] == [("family=losg_tasks_family", f"{GROUP}-2")]
    assert add([sweeps[1]], base) == (0, 0)
    assert contents(base) == whole and check(base) == []
    assert add([other], base) == (1, 6) and left[0].exists() and check(base) == []


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_two_additions_or_merges_at_once_are_refused(sweeps, base, monkeypatch):
    began, waiting = contents(base), [lambda: add([sweeps[1]], base), lambda: ship.ship(sweeps[:1] + sweeps[3:], base)]
    with merged.alone(base):
        for second in waiting:
            with pytest.raises(StoreError, match=f"another data add or ship is at work on {base}"):
                second()
    assert contents(base) == began and check(base) == []
    assert add([sweeps[1]], base) == (1, 6)


def test_what_killed_additions_left_half_written_is_removed(sweeps, base):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    places = base / "sweeps.parquet", base / "README.md", store.curve_files(base)[0]
    left = [path.with_name(f".{path.name}.{dead.pid}.{'0a' * 8}.tmp") for path in places]
    for path in left:
        path.write_text("half")
    (base / ".claims").mkdir()
    (base / ".claims" / "merge").touch()  # the lock of one that was killed
    add([sweeps[1]], base)
    assert not any(path.exists() for path in (*left, base / ".claims"))


def test_curves_of_an_interrupted_merge_are_not_added_to(sweeps, base, monkeypatch, tmp_path):
    plain = made.curve
    with monkeypatch.context() as patch:
        patch.setattr(made, "curve", lambda *given: plain(*given) * np.float32(2))
        tasks = made.TASKS[:2], made.TASKS[1:]
        other = [made.write(tmp_path / "adam", tasks[0]), made.write(tmp_path / "list", tasks[1], optimizers=list(LIST))]
    with monkeypatch.context() as patch:
        stop_at(patch, 1)  # the second: the first is the empty list of sums
        with pytest.raises(Stopped):
            ship.ship(other, base)
    before = contents(base)
    for use in (lambda: add([sweeps[1]], base), lambda: ship.ship([base], tmp_path / "again")):
        with pytest.raises(StoreError, match=f"a merge into {base} was interrupted: repeat .*data ship"):
            use()
    assert contents(base) == before
    ship.ship(other, base)
    assert check(base) == []


def test_a_first_merge_that_was_interrupted_is_no_sweep(sweeps, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        stop_at(patch, 1)
        with pytest.raises(Stopped):
            ship.ship(sweeps[:1], tmp_path / "out")
    uses = lambda: add([sweeps[1]], tmp_path / "out"), lambda: ship.ship([tmp_path / "out"], tmp_path / "again")
    for use in uses:
        with pytest.raises(StoreError, match="was interrupted: repeat"):
            use()
    with pytest.raises(StoreError, match="holds merged baselines"):
        write_tables(tmp_path / "out")
    ship.ship(sweeps[:1], tmp_path / "out")
    assert check(tmp_path / "out") == []


def test_outdated_curves_are_not_added_beside_those_of_today(tmp_path, monkeypatch):
    base, plain = tmp_path / "base", made.curve
    ship.ship([made.write(tmp_path / "old", [RENEWED, made.TASKS[0]], version="0.1.0")], base)
    monkeypatch.setattr(made, "curve", lambda *given: plain(*given) * np.float32(1.001))
    other = made.write(tmp_path / "other", [RENEWED, "TwoD_Bowl1"], version="0.1.0")
    with pytest.raises(StoreError, match=f"{RENEWED}, source none, .*pass one of them"):
        add([other], base)
    add([made.write(tmp_path / "new", [RENEWED])], base)
    lines = []
    assert add([other], base, report=lines.append) == (1, 6)  # TwoD_Bowl1, which hasn't changed
    assert lines[0].startswith("1 sweep of tasks that changed since")
    found = taskset.load_curves(task=RENEWED, root=base, version="0.1")
    assert len(found) == 30 and not found.duplicated(KEY).any() and check(base) == []


def test_renewed_curves_are_found_in_the_newer_file(tmp_path):
    old = made.write(tmp_path / "old", [RENEWED, made.TASKS[0]], version="0.1.0")
    base, renewed = tmp_path / "base", made.write(tmp_path / "new", [RENEWED])
    ship.ship([old], base)
    before = bytes_of(base)
    with pytest.warns(OutdatedBaselines):
        assert set(taskset.load_curves(root=base)["task"]) == {made.TASKS[0]}
    add([renewed], base)
    assert before.items() <= bytes_of(base).items() and len(bytes_of(base)) == len(before) + 1
    assert check(base) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(taskset.load_curves(root=base)["task"]) == {RENEWED, made.TASKS[0]}
        found = taskset.load_curves(task=RENEWED, root=base)
        assert set(found["version"]) == {taskset.__version__} and len(found) == 30
        assert set(taskset.load_normalizers(root=base)["version"]) == {"0.1.0", taskset.__version__}
        assert set(tabular.problems(base)["task"]) == {RENEWED, made.TASKS[0]}
    assert len(taskset.load_curves(task=RENEWED, root=base, version="0.1")) == 30
    other = made.write(tmp_path / "other", [RENEWED], batches=3)
    with pytest.raises(StoreError, match="pass one of them"):  # once more, of the same version
        add([other], base)


def test_add_by_command(sweeps, base, run_here):
    status, out, _ = run_here("taskset", "data", "add", sweeps[1], "--to", base)
    assert status == 0 and out.splitlines()[-1] == f"1 task, 6 runs added: {base}" and f"{GROUP}-2.parquet" in out


def test_curves_that_a_correction_makes_valid_again_have_their_normalizers(tmp_path, monkeypatch):
    """Noise of many dimensions: 0.2.0 drew it otherwise, and 0.2.1 as 0.1 did."""
    task, other = "quadratic_family_seed20", "quadratic_family_seed2"
    assert [changes.outdated(task, "none", version) for version in ("0.1.0", "0.2.0", "0.2.1")] == [False, True, False]
    small = "quadratic_family_seed11"
    assert [changes.outdated(small, "none", version) for version in ("0.1.0", "0.2.0", "0.2.1")] == [True, True, False]
    old = made.write(tmp_path / "old", [task], version="0.1.0")
    with monkeypatch.context() as patch, warnings.catch_warnings():  # as 0.2.0 saw it
        warnings.simplefilter("ignore", OutdatedBaselines)
        taken_back = changes.Change("0.2.0", "noise", "as it was for a while", lambda *_: True)
        found = {(task, "0.1.0"): [taken_back]}
        patch.setattr(changes, "changes_since", lambda name, source, version: found.get((name, version), []))
        ship.ship([old], tmp_path / "base")
        add([made.write(tmp_path / "new", [task], version="0.2.0", steps=40)], tmp_path / "base")
        assert {row.horizon for row in rows_of(tmp_path / "base", task)} == {40}
    add([made.write(tmp_path / "third", [other])], tmp_path / "base")
    assert {(row.horizon, row.version) for row in rows_of(tmp_path / "base", task)} == {(20, "0.1.0")}
    assert check(tmp_path / "base") == []


def rows_of(root, task):
    """The normalizers of a task."""
    table = store.read_table(root / "normalizers.parquet").to_pandas()
    return list(table[table["task"] == task].itertuples())
