"""Recipes: a tiny one to its end, resumed, and what doesn't go with a directory."""

import dataclasses
import json
import os

import pytest
from typer.testing import CliRunner

from learned import recipes
from learned.cli import main
from learned.outer_training import checkpoint
from learned.recipes import budget, judgement, publish, screening, steps
from taskset.errors import ConfigError, StoreError, TasksetError, UnknownName
from taskset.normalization import store
from tests.learned.recipes.tiny_recipe import TINY

HOURS = 1e-4


@pytest.mark.long
def test_a_tiny_recipe_comes_to_its_end(tmp_path, monkeypatch):
    said = []

    def make(**options):
        steps.run(TINY, tmp_path, hours=HOURS, workers=1, say=said.append, **options)

    make(until="screening")
    costs = json.loads((tmp_path / "screening.json").read_text())
    assert len(costs) == 2 and all(cost["first"] > 0 and cost["step"] > 0 for cost in costs.values())
    make(until="training")
    kept = [budget.read_kept(tmp_path / "training", part) for part in range(3)]
    assert [part for part, _, _ in kept] == [0, 1, 2] and kept[0][1] == 0 < kept[1][1] < kept[2][1]
    assert kept[1][2] >= HOURS * 1800 and kept[2][2] >= HOURS * 3600
    assert checkpoint.load(tmp_path / "training" / "checkpoint.npz").step == kept[2][1]

    monkeypatch.setattr(screening, "screen", None)  # what is there is not made again
    monkeypatch.setattr(publish, "check", lambda: None)
    published = []
    monkeypatch.setattr(publish, "publish", lambda *given: published.append(given) or [])
    make(publishing=True, note="A note.")
    report = (tmp_path / "report.md").read_text()
    assert "tiny_step0_part0" in report and f"tiny_step{kept[2][1]}_part2" in report
    assert "quadratic_family | 2 |" in report and "A note." in report and "Adam, tuned per task" in report
    assert (tmp_path / "tiny_mean.png").exists() and (tmp_path / "tiny_end.png").exists()
    assert len(published) == 1 and published[0][3] == tmp_path / "training" / "part-2.npz"
    assert len(list((tmp_path / "evaluation").rglob("quadratic*.parquet"))) == 6  # three kept weights, two held-out tasks

    for hours, recipe, expected in (
        (2 * HOURS, TINY, "hours was 0.0001"),
        (HOURS, dataclasses.replace(TINY, seeds=2), "seeds was 1"),
    ):
        with pytest.raises(
            StoreError, match=f"begun with another recipe or budget .{expected}.*: use the same, or another --out"
        ):
            steps.run(recipe, tmp_path, hours=hours)


def test_what_is_not_allowed(tmp_path):
    for options, error, expected in (
        ({"until": "trainin"}, UnknownName, "did you mean 'training'"),
        ({"hours": 0.0}, ConfigError, "allowed is a number above 0, at most 1,000,000"),
    ):
        with pytest.raises(error, match=expected):
            steps.run(TINY, tmp_path / "out", **options)
    with pytest.raises(ConfigError, match="none at 30: take another length"):
        judgement.grid(dataclasses.replace(TINY, length=30), None)
    with pytest.raises(ConfigError, match="run from a checkout"):
        publish.check(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_directory_goes_on_with_the_baselines_that_it_began_with(tmp_path):
    """Its suite is made of them once; the judgement would be by others."""
    packaged, other = tmp_path / "a", tmp_path / "b"
    root = store.packaged_root().resolve()
    steps.run(TINY, packaged, hours=HOURS, until="suite")
    steps.run(TINY, other, hours=HOURS, until="suite", baselines=root)
    for out, baselines, was in ((packaged, root, "the package's"), (other, None, str(root)), (other, tmp_path, str(root))):
        with pytest.raises(StoreError, match=f"begun with another choice of baselines .*{was}.*: use the same, or another --out"):
            steps.run(TINY, out, hours=HOURS, until="suite", baselines=baselines)
    steps.run(TINY, other, hours=HOURS, until="suite", baselines=os.path.relpath(root))  # the same, named otherwise
    (other / steps.BASELINES).unlink()  # as earlier versions left it: nobody knows what it was begun with
    steps.run(TINY, other, hours=HOURS, until="suite", baselines=root)
    assert not (other / steps.BASELINES).exists()


def test_baselines_that_could_not_be_read_are_none_that_a_directory_began_with(tmp_path):
    with pytest.raises(StoreError):
        steps.run(TINY, tmp_path, hours=HOURS, until="suite", baselines=tmp_path / "misspelt")
    steps.run(TINY, tmp_path, hours=HOURS, until="suite", baselines=store.packaged_root())


@pytest.mark.parametrize("given", [{"publishing": True}, {"note": "A note."}, {"judged_by": "runs/judge"}])
def test_options_of_a_judgement_that_is_not_asked_for(tmp_path, given):
    with pytest.raises(ConfigError, match="with --until training: allowed where a recipe is judged; leave out --until, or these"):
        steps.run(TINY, tmp_path / "out", until="training", **given)
    assert not (tmp_path / "out").exists()


def test_costly_and_failing_tasks_are_screened_out():
    suite = screening.proposed(TINY)
    first, second = (entry.task for entry in suite.of_split("train"))
    cheap = {"first": 1.0, "step": 0.1}
    for cost in ({"failed": "ValueError: why"}, {**cheap, "step": 2.6}, {**cheap, "first": 91.0}):
        kept = screening.screened(TINY, suite, {first: cheap, second: cost})
        assert [entry.task for entry in kept.of_split("train")] == [first]
        assert kept.of_split("test") == suite.of_split("test")


@pytest.mark.parametrize("seconds", [None, "1", 1, True, -1.0, float("nan")])
def test_kept_weights_without_their_time_are_one_line(tmp_path, seconds):
    meta, path = {"optimizer": "mlp", "step": 3}, budget.weights_path(tmp_path, 2)
    checkpoint.save(path, {**meta, "seconds": seconds}, {})
    with pytest.raises(StoreError, match="part-2.npz.*seconds is .*another"):
        budget.read_kept(tmp_path, 2)
    checkpoint.save(path, {**meta, "seconds": 2.5}, {})
    assert budget.read_kept(tmp_path, 2) == (2, 3, 2.5)


def test_a_directory_of_an_earlier_version_is_refused(tmp_path):
    """It counted the time beside its checkpoint, which would begin again at 0."""
    values = {**TINY.as_json(), "hours": HOURS}
    values["phases"] = values.pop("parts")
    (tmp_path / steps.RECORD).write_text(json.dumps(values))
    with pytest.raises(StoreError, match="begun with another recipe or budget .parts was None, phases was 2.: .*another --out"):
        steps.run(TINY, tmp_path, hours=HOURS)


@pytest.mark.parametrize("costs", [[], {"a": {}}, {"a": {"first": 1.0}}, {"a": {"first": True, "step": 1.0}}, {"a": 3}])
def test_a_screening_without_costs_is_one_line(tmp_path, costs):
    path = tmp_path / "screening.json"
    path.write_text(json.dumps(costs))
    with pytest.raises(StoreError, match="can't be read .*remove it, and its tasks are screened again"):
        screening.read_costs(path)
    right = {"a": {"first": 1.0, "step": 0.5}, "b": {"failed": "ValueError: why"}}
    path.write_text(json.dumps(right))
    assert screening.read_costs(path) == right


def test_publishing_writes_section_pictures_and_weights(tmp_path):
    for folder in ("docs/pictures", "learned/deploy/pretrained", "made"):
        (tmp_path / folder).mkdir(parents=True)
    document = tmp_path / "docs" / "learned.md"
    document.write_text("# Learned\n\n<!-- tiny -->\nold\n<!-- /tiny -->\n\nmore\n")
    (tmp_path / "made" / "tiny_mean.png").write_bytes(b"picture")
    (tmp_path / "made" / "weights.npz").write_bytes(b"weights")
    made = tmp_path / "made"
    written = publish.publish(TINY, "new", [made / "tiny_mean.png"], made / "weights.npz", tmp_path)
    assert document.read_text() == "# Learned\n\n<!-- tiny -->\nnew\n<!-- /tiny -->\n\nmore\n"
    assert [path.read_bytes() for path in written[1:]] == [b"picture", b"weights"]
    assert written[2] == tmp_path / "learned" / "deploy" / "pretrained" / "tiny.npz"


def test_the_command_lists_them_and_says_what_it_needs():
    result = CliRunner().invoke(main.app, ["recipe"])
    assert result.exit_code == 0 and all(f"{name}: " in result.output for name in recipes.names())
    refused = CliRunner().invoke(main.app, ["recipe", "--hours", "1", "--out", "x"]).exception
    assert str(refused) == "recipe without a name takes nothing else: leave out --out, --hours"
    for given, expected in ((["mlp_pes"], "--hours H --out DIR"), (["mlp_pse", "--out", "x"], "did you mean 'mlp_pes'")):
        assert expected in str(CliRunner().invoke(main.app, ["recipe", *given]).exception)


@pytest.mark.parametrize("name", recipes.names())
def test_recipes_fit_the_baselines_of_the_package(name):
    recipe = recipes.get(name)
    assert recipe.name == name and recipe.options.lengths
    evaluations, batches = judgement.grid(recipe, None)
    assert recipe.length % evaluations == 0 and batches >= 1
    sweeps = store.load_sweeps()
    assert recipe.horizon in set(sweeps["horizon"])


def test_a_failed_evaluation_is_an_error(tmp_path, monkeypatch):
    from learned.evaluation import runs
    from taskset.jobs.pool import Progress

    monkeypatch.setattr(runs, "evaluate", lambda *given, **options: Progress(failed={"a": "why"}))
    with pytest.raises(TasksetError, match="tiny_step0_part0 failed on a .1 in all.: why; the same command tries again"):
        judgement.evaluate(TINY, screening.proposed(TINY), [(0, 0, 0.0)], tmp_path, None, print)
