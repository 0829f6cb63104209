"""`python -m taskset report`, the Python side: packing, what the page is given, names of strangers. No browser."""

import base64
import functools
import hashlib
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import taskset
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, StoreError, UnknownName
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.normalization.release import ship
from taskset.scoring import alike, report, rivals, run_scores
from taskset.scoring.report import common, packing, page, results
from taskset.scoring.report.contents import contents
from tests.normalization import made_up_sweeps as made
from tests.scoring import unpacking
from tools import report_libraries

EVIL = "</script><script>document.title='run'//"


class Tags(HTMLParser):
    """The elements of a page: [(name, attributes, text)]."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        self.found.append(["", {}, ""])  # what follows is no text of the element's

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    root = tmp_path_factory.mktemp("sweep")
    return made.write(root, steps=120, evaluations=60)


# Packing.


def test_losses_come_back_to_the_stated_precision():
    rng = np.random.default_rng(0)
    losses = np.concatenate([2 + 10.0 ** rng.uniform(-9, 5, 5000), [2.0, np.nan, np.inf, 1e30]])
    lowest, scale = packing.scale_of(losses, 3.0)
    assert (lowest, scale) == (2.0, 1.0)
    codes = packing.encode_losses(losses, lowest, scale)
    back = unpacking.decode_losses(codes, lowest, scale)
    distances = losses[:5000] - lowest
    error = np.abs(back[:5000] - losses[:5000])
    assert (error <= distances * unpacking.RELATIVE_ERROR * (1 + 1e-6) + 1e-15).all() and unpacking.RELATIVE_ERROR < 0.0014
    assert back[5000] == 2.0 and np.isnan(back[5001:5003]).all() and back[5003] == pytest.approx(2 + 2**packing.OCTAVES_ABOVE)
    assert codes.dtype == np.uint16 and codes.max() == packing.LAST < 2**16


@pytest.mark.parametrize(
    "losses, initial, scale",
    [
        ([np.nan, np.inf], 1.0, (0.0, 1.0)),
        ([3.0, 5.0], 2.0, (3.0, 2.0)),
        ([3.0], np.nan, (3.0, 1.0)),
        ([-4.0, -1.0], -1.0, (-4.0, 3.0)),
    ],
)
def test_scales_of_losses_that_never_fall(losses, initial, scale):
    assert packing.scale_of(losses, initial) == scale
    back = unpacking.decode_losses(packing.encode_losses(losses, *scale), *scale)
    np.testing.assert_allclose(back, np.where(np.isfinite(losses), losses, np.nan), rtol=1e-2)


def test_scores_come_back_to_half_a_step():
    values = np.append(np.random.default_rng(0).uniform(-2, 2, 1000), [-2, 0, 2, np.nan])
    back = unpacking.decode_scores(packing.encode_scores(values))
    np.testing.assert_allclose(back, values, atol=packing.SCORE_STEP / 2 * (1 + 1e-6))
    assert back[-2] == 2 and np.isnan(back[-1])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(3, 4, 5), (7,), (2, 1)])
def test_codes_are_packed_exactly(kind, shape):
    codes = np.random.default_rng(0).integers(np.iinfo(kind).max + 1, size=shape).astype(kind)
    text = packing.pack(codes)
    assert text.isascii()
    np.testing.assert_array_equal(unpacking.unpack(text, shape, kind), codes)


# What the page is given.


@pytest.mark.smoke
def test_numbers_are_those_of_the_package(sweep):
    found = results.read([sweep])
    document, lines = contents(found, "a sweep")
    names = [one["name"] for one in document["optimizers"]]
    assert names == list(made.RATES) and document["optimizers"][0]["rate"] == pytest.approx(1e-3)
    assert document["settings"]["task"] == ["TwoD_Bowl10", "quadratic_family_seed2", "quadratic_family_seed11"]
    expected = taskset.load_normalizers(root=sweep).set_index(["task", "split"])
    curves = taskset.load_curves(root=sweep)
    means = mean_curves(curves).set_index(["task", "optimizer", "step"])
    scales = {key: (row["initial"], row["best"]) for key, row in expected.iterrows()}
    steps = document["grids"][document["grid"][0]]
    assert len(steps) == results.POINTS and (steps[0], steps[-1]) == (0, 120)
    table = run_scores.scores(curves, scales, sorted(curves["step"].unique()), run_scores.last)
    for split in SPLITS:
        packed = unpacking.decode_scores(unpacking.unpack(document["scores"][split], (3, 3), np.uint16))
        of_split = table[table["split"] == split].groupby(["task", "optimizer"])["score"].mean()
        for i, task in enumerate(document["settings"]["task"]):
            for column in ("initial", "best", "best_optimizer"):
                assert document["normalizers"][split][column][i] == expected.at[(task, split), column]
            np.testing.assert_allclose(packed[i], of_split[task][names], atol=packing.SCORE_STEP)
            codes = unpacking.unpack(lines[i], (4, 3, len(steps)), np.uint16)[SPLITS.index(split)]
            low, scale = (document["scales"][key][split][i] for key in ("lowest", "scale"))
            losses = np.array([means.loc[(task, name)].loc[steps, split] for name in names])
            np.testing.assert_allclose(unpacking.decode_losses(codes, low, scale), losses, atol=scale * unpacking.RELATIVE_ERROR)
    seeds, diverged = (unpacking.unpack(document[key], (3, 3), np.uint16) for key in ("seeds", "diverged"))
    assert (seeds == 2).all() and (diverged[:, names.index("adam_lr_1.00")] == 2).all() and diverged.sum() == 6


@pytest.mark.parametrize("view", list(run_scores.VIEWS))
def test_views_are_those_of_scores(sweep, view):
    found = results.read([sweep], view)
    normalizers = taskset.load_normalizers(root=sweep)
    curves = taskset.load_curves(root=sweep)
    scales = {(row["task"], row["split"]): (row["initial"], row["best"]) for row in normalizers.to_dict("records")}
    table = run_scores.scores(curves, scales, sorted(curves["step"].unique()), run_scores.view(view))
    means = table.groupby(["task", "optimizer", "split"])["score"].mean()
    assert len(found.runs) == len(curves[["task", "source", "horizon", "optimizer"]].drop_duplicates()) > 0
    for row in found.runs.to_dict("records"):
        task = found.settings["task"][row["setting"]]
        np.testing.assert_allclose(
            [row[split] for split in SPLITS], [means[task, row["optimizer"], s] for s in SPLITS], rtol=1e-12
        )


@pytest.mark.parametrize("split", list(rivals.TUNED_BY))
def test_of_optimizers_whose_losses_are_clipped_alike_the_lowest_is_chosen(sweep, split):
    """As `score` and `compare` choose; by clipped losses the first would be taken."""
    found = results.read([sweep])
    beyond = found.runs["optimizer"].map({"adam_lr_-3.00": 2.5, "adam_lr_-1.00": 2.25, "adam_lr_1.00": np.inf})
    tied = found.runs.assign(**dict.fromkeys(SPLITS, 2.0), **{f"unclipped {one}": beyond for one in rivals.TUNED_BY})
    document, _ = contents(replace(found, runs=tied), "ties")
    names = [one["name"] for one in document["optimizers"]]
    for setting in range(len(document["settings"]["task"])):
        assert names[unpacking.best(document, split, setting, range(3))] == "adam_lr_-1.00"
        assert names[unpacking.best(document, split, setting, [0, 2])] == "adam_lr_-3.00"
    untied, _ = contents(found, "as they are")
    lowest = found.runs.pivot(index="setting", columns="optimizer", values=split)[names].to_numpy().argmin(axis=1)
    assert [unpacking.best(untied, split, setting, range(3)) for setting in range(len(lowest))] == lowest.tolist()


def test_a_run_has_its_score_without_clipping(sweep):
    curves, normalizers = taskset.load_curves(root=sweep), taskset.load_normalizers(root=sweep)
    scales = {(row["task"], row["split"]): (row["initial"], row["best"]) for row in normalizers.to_dict("records")}
    table = run_scores.scores(curves, scales, sorted(curves["step"].unique()), run_scores.last)
    means = table.groupby(["task", "optimizer", "split"])["unclipped"].mean()
    found = results.read([sweep])
    for row in found.runs.to_dict("records"):
        task = found.settings["task"][row["setting"]]
        for split in rivals.TUNED_BY:
            np.testing.assert_allclose(row[f"unclipped {split}"], means[task, row["optimizer"], split], rtol=1e-12)


def without_tables(root):
    """A directory as `score` and `learned evaluate` leave it: curves, and options that say whose."""
    store.write_options(root, {**{k: v for k, v in store.read_options(root).items() if k != "crc32"}, "code": "of mine"})
    for path in root.glob("*.parquet"):
        path.unlink()
    return root


def test_scores_stand_beside_the_baselines_of_the_same_settings(tmp_path):
    kind = {"tasks": ["TwoD_Bowl10"], "optimizers": ["mine"], "steps": 2000, "evaluations": 10, "batches": 5}
    root = without_tables(made.write(tmp_path / "mine", **kind))
    found = results.read([root])
    assert found.settings[["task", "horizon"]].to_numpy().tolist() == [["TwoD_Bowl10", 2000]] and not found.notes
    assert set(found.runs["optimizer"]) > {"mine", "adam_lr_-3.00"}
    shipped = taskset.normalizer("TwoD_Bowl10", "none", 2000)
    train = found.normalizers[found.normalizers["split"] == "train"].iloc[0]
    assert (train["initial"], train["best"]) == (shipped.initial, shipped.best) and found.settings["num_params"][0] == 2
    document, _ = contents(found, "mine")
    assert [column["title"] for column in document["columns"]] == ["Adam, best of 17", "mine"]
    assert [rival["title"] for rival in document["sets"][0]["rivals"]][-1] == "mine"


def test_a_sweep_and_an_evaluation_of_its_tasks_are_one_page(sweep, tmp_path):
    """The sweep normalizes both, whichever is named first, and nothing of the package's baselines is added."""
    mine = without_tables(made.write(tmp_path / "mine", optimizers=["mine"], steps=120, evaluations=60))
    for roots in ([sweep, mine], [mine, sweep]):
        found = results.read(roots)
        assert set(found.runs["optimizer"]) == {*made.RATES, "mine"} and not found.notes
        train = found.normalizers[found.normalizers["split"] == "train"]
        best = taskset.load_normalizers(root=sweep).query("split == 'train'")["best"]
        assert sorted(train["best"].iloc[-3:]) == sorted(best) and found.runs["train"].notna().all()


def compared(curves, view, found):
    """{(task, optimizer, split): score, mean over seeds} of several directories' curves, as `score` compares them."""
    rows = found.normalizers.to_dict("records")
    scales = {(found.settings["task"][row["setting"]], row["split"]): (row["initial"], row["best"]) for row in rows}
    curves, _ = alike.of_common_seeds([store.with_text_names(frame) for frame in curves])
    steps = run_scores.common_steps(curves, int(curves[0]["horizon"].iloc[0]))
    table = run_scores.scores(pd.concat(curves, ignore_index=True), scales, steps, run_scores.view(view))
    return table.groupby(["task", "optimizer", "split"])["score"].mean()


def assert_compared(found, expected):
    rows, expected = found.runs.to_dict("records"), expected.sort_index()
    assert len(rows) * len(SPLITS) == len(expected) > 0
    for row in rows:
        of_run = expected[found.settings["task"][row["setting"]], row["optimizer"]]
        np.testing.assert_allclose([row[split] for split in SPLITS], of_run[list(SPLITS)], rtol=1e-12)


@pytest.mark.parametrize("view", list(run_scores.VIEWS))
def test_directories_are_compared_over_the_evaluations_and_seeds_that_all_have(sweep, tmp_path, view):
    """As `score` and `compare` do: a mean over 11 evaluations is no better or worse than one over 51."""
    mine = without_tables(
        made.write(tmp_path / "mine", tasks=made.TASKS[:2], optimizers=["mine"], steps=120, evaluations=10, seeds=[0, 1, 2])
    )
    roots = [mine, sweep]
    found = results.read(roots, view)
    assert set(found.runs["seeds"]) == {2}
    expected = compared([taskset.load_curves(root=root, task=list(made.TASKS[:2])) for root in roots], view, found)
    alone = compared([taskset.load_curves(root=sweep, task=made.TASKS[2])], view, found)  # as it was
    assert_compared(found, pd.concat([expected, alone]))
    said = "2 settings (task, source, horizon) compared over the "
    notes = ["seeds that all their directories have: runs of others are left out"]
    if view != "end":
        notes.insert(0, "evaluations that all their runs have: some have more, which curves show")
    assert found.notes == [said + note for note in notes]
    points = found.curves.groupby(["setting", "optimizer"]).size()
    assert set(points.xs("mine", level="optimizer")) == {11} and set(points.drop("mine", level="optimizer")) == {results.POINTS}
    means = mean_curves(taskset.load_curves(root=mine, seed=[0, 1])).set_index(["task", "step"])
    for row in found.curves[found.curves["optimizer"] == "mine"].to_dict("records"):
        assert row["train"] == means.at[(found.settings["task"][row["setting"]], row["step"]), "train"]


def test_an_evaluation_of_few_points_stands_beside_the_package_at_these(tmp_path):
    root = without_tables(made.write(tmp_path / "mine", tasks=["TwoD_Bowl10"], optimizers=["mine"], steps=2000, evaluations=10))
    found = results.read([root], "mean")
    package = taskset.load_curves(task="TwoD_Bowl10", source="none", horizon=2000)
    assert_compared(found, compared([taskset.load_curves(root=root), package], "mean", found))
    assert found.notes[0].startswith("1 setting (task, source, horizon) compared over the evaluations that all their runs have")
    assert found.notes[1].startswith(f"batches in an evaluation: {root} 2, baselines 5; over fewer, losses are noisier")


def test_directories_without_a_common_seed_are_compared_as_they_are(sweep, tmp_path):
    mine = without_tables(made.write(tmp_path / "mine", optimizers=["mine"], steps=120, evaluations=60, seeds=[7]))
    found = results.read([sweep, mine])
    assert dict(found.runs.groupby("optimizer")["seeds"].first()) == {"mine": 1, **dict.fromkeys(made.RATES, 2)}
    (note,) = found.notes
    assert (
        note == "3 settings (task, source, horizon) compared over runs of different seeds: their directories have none in common"
    )


def test_an_optimizer_without_a_run_of_the_common_seeds_is_left_out(tmp_path):
    """As in `score`. Nothing of it is on the page: a curve without a run would be taken for another one's."""
    kind = {"tasks": made.TASKS[:1], "steps": 120}
    parts = [made.write(tmp_path / "rates", **kind), made.write(tmp_path / "one", optimizers=["one"], seeds=[0], **kind)]
    sweep, mine = tmp_path / "both", without_tables(made.write(tmp_path / "mine", optimizers=["mine"], seeds=[1, 2], **kind))
    ship.ship(parts, sweep)
    found = results.read([sweep, mine])
    assert set(found.runs["optimizer"]) == set(found.curves["optimizer"]) == {*made.RATES, "mine"}
    assert set(found.runs["seeds"]) == {1} and found.notes[1] == "Left out of 1 setting, without a run of these seeds: one"
    assert set(results.read([sweep]).runs["optimizer"]) == {*made.RATES, "one"}


def test_runs_that_normalize_themselves_are_alike_as_well(tmp_path):
    given = [("one", {"evaluations": 20}), ("other", {"evaluations": 10, "seeds": [0]})]
    kind = {"tasks": ["TwoD_Bowl10"], "steps": 20_000}
    roots = [without_tables(made.write(tmp_path / name, optimizers=[name], **kind, **more)) for name, more in given]
    found = results.read(roots, "mean")
    assert found.runs["seeds"].tolist() == [1, 1] and "by the runs shown here alone" in found.notes[-1]
    assert_compared(found, compared([taskset.load_curves(root=root) for root in roots], "mean", found))
    lowest = [taskset.load_curves(root=root, seed=0).query("step % 2000 == 0")["train"].min() for root in roots]
    assert found.normalizers.query("split == 'train'")["best"].tolist() == [min(lowest)]


def test_runs_of_one_directory_are_alike_as_well(tmp_path):
    """`score` compares merged baselines so, whose sweeps may have had other numbers of evaluations."""
    kind = {"tasks": made.TASKS[:1], "steps": 120}
    parts = [
        made.write(tmp_path / "many", evaluations=12, **kind),
        made.write(tmp_path / "few", optimizers=["few"], evaluations=4, **kind),
    ]
    ship.ship(parts, tmp_path / "both")
    found = results.read([tmp_path / "both"], "mean")
    assert_compared(found, compared([taskset.load_curves(root=tmp_path / "both")], "mean", found))


def test_optimizers_of_one_directory_with_fewer_seeds_are_noted(tmp_path):
    parts = [
        made.write(tmp_path / "two", made.TASKS[:2], optimizers=["two"], seeds=[0, 1]),
        made.write(tmp_path / "one", made.TASKS[:1], optimizers=["one"], seeds=[0]),
    ]
    ship.ship(parts, tmp_path / "both")
    (note,) = [note for note in results.read([tmp_path / "both"]).notes if "fewer seeds" in note]
    assert note.startswith("1 setting (task, source, horizon) compared though some optimizers have fewer seeds than others")


def test_where_nothing_gets_below_the_start_nobody_is_the_best(sweep):
    found = results.read([sweep])
    of_train = (found.normalizers["split"] == "train") & (found.normalizers["setting"] == 0)
    assert found.normalizers.loc[of_train, "best_optimizer"].notna().all()
    changed = found.normalizers.assign(normalizable=found.normalizers["normalizable"].astype(bool) & ~of_train)
    before, after = (
        contents(replace(found, normalizers=table), "title")[0]["normalizers"] for table in (found.normalizers, changed)
    )
    for column in ("best", "best_optimizer"):
        assert after["train"][column] == [None, *before["train"][column][1:]] and after["test"] == before["test"]


@pytest.mark.parametrize("view", list(run_scores.VIEWS))
def test_directories_that_are_alike_are_read_once(sweep, tmp_path, monkeypatch, view):
    """And their numbers are what they are one by one."""
    mine = without_tables(made.write(tmp_path / "mine", optimizers=["mine"], steps=120, evaluations=60))
    read, by_family = [], results.curves_by_family
    monkeypatch.setattr(results, "curves_by_family", lambda root, *given: read.append(root) or by_family(root, *given))
    both = results.read([sweep, mine], view)
    assert read == [sweep, mine] and not both.notes
    alone = results.read([sweep], view)
    assert read == [sweep, mine, sweep] and not alone.notes
    there = both.runs[both.runs["optimizer"] != "mine"].reset_index(drop=True)
    pd.testing.assert_frame_equal(there, alone.runs, check_exact=True)


def test_runs_without_common_steps_are_refused():
    shown = common.Shown("mean")
    for root, steps in (("one", [0, 10, 20]), ("other", [0, 5, 15])):
        frame = pd.DataFrame({"task": "t", "source": "none", "horizon": 20, "optimizer": root, "seed": 0, "step": steps})
        shown.add(common.by_run(frame), root)
    with pytest.raises(ConfigError, match=r"no common steps up to 20 \(0 .. 15, 3 points; 0 .. 20, 3 points\): these are of 't'"):
        shown.alike()


def test_short_runs_are_normalized_by_longer_baselines_and_strange_ones_by_themselves(tmp_path):
    tasks = ["TwoD_Bowl10"]
    short = without_tables(made.write(tmp_path / "short", tasks=tasks, optimizers=["mine"], steps=100, evaluations=10))
    found = results.read([short])
    assert set(found.runs["optimizer"]) == {"mine"} and "shorter than their baselines" in found.notes[0]
    train = found.normalizers[found.normalizers["split"] == "train"]
    assert train["best"].tolist() == [taskset.normalizer("TwoD_Bowl10", "none", 2000).best]
    strange = without_tables(made.write(tmp_path / "strange", tasks=tasks, optimizers=["mine"], steps=20_000, evaluations=10))
    found = results.read([strange])
    assert "by the runs shown here alone" in found.notes[0] and found.runs["train"].notna().all()
    with pytest.raises(ConfigError, match="both have runs of 'mine'"):
        results.read([strange, without_tables(made.write(tmp_path / "again", tasks=tasks, optimizers=["mine"], steps=20_000))])


def test_a_sweep_that_has_not_ended_is_no_score(tmp_path):
    root = made.write(tmp_path / "mine", tasks=["TwoD_Bowl10"], optimizers=["adam_lr_-3.00"], steps=2000, evaluations=10)
    (root / "normalizers.parquet").unlink()
    with pytest.raises(StoreError, match="is a sweep that has not ended: .*taskset normalize"):
        results.read([root])


def test_a_directory_that_is_given_twice_is_refused(sweep, tmp_path):
    (tmp_path / "link").symlink_to(sweep)
    for again in (sweep, str(sweep), f"{sweep}/", sweep / ".." / sweep.name, tmp_path / "link"):
        with pytest.raises(ConfigError, match="is the same directory as .*: give each one once"):
            results.read([sweep, again])


def test_what_is_left_out_is_said():
    assert results.scales.left_out([None]).startswith("Left out: ") and "which changed since" in results.scales.left_out([None])


def test_optimizers_with_columns_of_their_own(sweep):
    document, _ = contents(results.read([sweep]), "a", ["adam_lr_-1.00", "adam_lr_*"])
    assert [column["members"] for column in document["columns"]] == [[1], [0], [2]]
    with pytest.raises(UnknownName, match=r"unknown optimizer 'adam_lr_-1.01'; did you mean 'adam_lr_-1.00'"):
        contents(results.read([sweep]), "a", ["adam_lr_-1.01"])


def test_sets_of_optimizers_that_settings_have_in_common():
    from taskset.scoring.report.contents import _sets

    names = ["adam_lr_-3.00", "adam_lr_-2.00", "mine"]
    there = np.array([[1, 1, 0]] * 5 + [[1, 1, 1]] * 3, bool)
    found = _sets(names, there)
    assert [one["members"] for one in found] == [[0, 1], [0, 1, 2]] and found[1]["title"] == "Adam x 2, mine"
    assert [(r["trials"], r["by"]) for r in found[1]["rivals"]] == [(1, "all"), (2, "train"), (2, "valid_outer"), (1, "")]


def test_trials_of_a_score_are_one_family(tmp_path):
    trials = [f"mine@{i}" for i in range(12)]
    root = made.write(tmp_path, tasks=made.TASKS[:1], optimizers=trials, seeds=[0])
    document, _ = contents(results.read([root]), "a")
    assert [one["name"] for one in document["optimizers"]] == trials  # 2 before 10
    assert [column["title"] for column in document["columns"]] == ["mine, best of 12"]
    assert [(r["title"], r["trials"]) for r in document["sets"][0]["rivals"]] == [
        ("mine, tuned per task by train loss", 12),
        ("mine, tuned per task by validation loss", 12),
    ]


def test_a_damaged_file_is_named(tmp_path):
    root = made.write(tmp_path, tasks=made.TASKS[:2], optimizers=["mine"])
    path = store.curve_path(root, "none", "losg_tasks_family", "TwoD_Bowl10")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="TwoD_Bowl10"):
        results.read([root])


# The page.


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    """The page of a directory in which every name is an attack."""
    root = made.write(tmp_path_factory.mktemp("evil"), tasks=made.TASKS[:1], optimizers=[EVIL, f"{EVIL}2"])
    found = results.read([root])
    settings = found.settings.assign(task=EVIL, family=EVIL, dataset=EVIL)
    return page.page(*contents(replace(found, settings=settings, notes=[EVIL, "&lt;script>"]), EVIL))


def test_names_of_strangers_are_text(evil_page):
    tags = Tags(evil_page).found
    scripts = [tag for tag in tags if tag[0] == "script"]
    assert len(scripts) == 2 + len(page.LIBRARIES) + len(page.SCRIPTS)
    document = json.loads(next(tag[2] for tag in scripts if tag[1].get("id") == "document"))
    assert document["title"] == document["settings"]["task"][0] == document["optimizers"][0]["name"] == EVIL
    assert next(tag[2] for tag in tags if tag[0] == "h1").strip() == EVIL
    assert EVIL not in evil_page and "<script>document" not in evil_page


def test_nothing_is_loaded_and_nothing_else_runs(evil_page):
    tags = Tags(evil_page).found
    assert not [tag for tag in tags if tag[1].get("src") or tag[1].get("href", "#").startswith(("http", "//"))]
    assert not [name for tag in tags for name in tag[1] if name.startswith("on")] and "sourceMappingURL" not in evil_page
    policy = next(tag[1]["content"] for tag in tags if tag[1].get("http-equiv") == "Content-Security-Policy")
    run = [tag[2] for tag in tags if tag[0] == "script" and "type" not in tag[1]]
    sums = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in run]
    assert policy.startswith("default-src 'none'; ") and f"script-src {' '.join(sums)};" in policy


def test_json_in_html():
    values = {"a": "</script><!--&\u2028", "b": [None, 1.5]}
    text = page.as_json(values)
    assert json.loads(text) == values and not set(text) & set("<>&\u2028")
    with pytest.raises(ValueError, match="Out of range"):
        page.as_json([float("nan")])


def test_files_that_cannot_be_written(sweep, tmp_path):
    with pytest.raises(StoreError, match=r"allowed endings are \.html and \.htm"):
        report.write([sweep], tmp_path / "page.pdf")
    with pytest.raises(UnknownName, match="view 'last'"):
        report.write([sweep], tmp_path / "page.html", view="last")
    size = report.write([sweep], tmp_path / "page.html", title="A & B")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text.encode()) == size and "<title>A &amp; B</title>" in text
    with pytest.raises(StoreError, match="there is no directory"):
        report.write([tmp_path / "nowhere"], tmp_path / "page.html")


def test_the_command(sweep, tmp_path, run_here):
    run = functools.partial(run_here, "taskset", "report")
    status, out, _ = run(sweep, "--out", tmp_path / "a.html", "--optimizer", "adam_lr_-1.00", "--view", "lowest")
    assert status == 0 and out.startswith(f"written: {tmp_path / 'a.html'} (") and "MB" in out
    status, _, err = run(sweep, tmp_path / "nowhere", "--out", tmp_path / "b.html")
    assert status == 2 and err.startswith("error: ") and err.count("\n") == 1 and not (tmp_path / "b.html").exists()


def test_libraries_are_those_of_the_table():
    for package, (version, _) in report_libraries.VERSIONS.items():
        (script,) = [name for name in report_libraries.FILES[package].values() if name.endswith(".js")]
        text = (report_libraries.VENDOR / script).read_text(encoding="utf-8")
        assert f"v{version}" in text[:200] or f'"{version}"' in text, package
    there = {name for files in report_libraries.FILES.values() for name in files.values()}
    assert {path.name for path in report_libraries.VENDOR.iterdir()} == there
    assert {*page.LIBRARIES, *page.LICENCES, "tabulator_simple.min.css"} == there


def test_all_curves_one_family_after_the_other(sweep):
    from taskset.normalization.store.reading import curves_by_family

    found = dict(curves_by_family(sweep, ["task", "train"]))
    assert list(found) == ["losg_tasks_family", "quadratic_family"]
    together = store.load_curves(root=sweep, columns=["task", "train"])
    assert sum(map(len, found.values())) == len(together) and found["quadratic_family"].column_names == ["task", "train"]
