"""Curves of the release become Parquet, and files that are none are refused."""

import numpy as np
import pytest

import taskset
from taskset.datasets.base import SPLITS
from taskset.errors import UnknownName
from taskset.normalization.release import published

XS = np.arange(51) * 200


def released(root, task="quadratic_family_seed12", family="adam8p_wide_grid", name=None, **changes):
    """A file as the release has them: three configurations, five replicas, 51 evaluations, four splits."""
    ys = np.random.default_rng(0).uniform(1, 2, (3, 5, 51, 4)).astype(np.float32)
    ys[1, 2, 7, 3] = np.inf
    ys[2, 4, 50] = np.nan
    arrays = {"optimizers": np.array([f"{family}_seed{i}" for i in (10, 2, 30)]), "xs": XS, "ys": ys, **changes}
    path = root / task / (name or f"{family}_1k_10000_replica5.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_published_curves_become_the_schema(run, tmp_path):
    files = [released(tmp_path), released(tmp_path, family="nadamw_grid"), released(tmp_path, task="TwoD_Bowl10")]
    status, out, _ = run("import-npz", *files, "--out", tmp_path / "out")
    assert status == 0 and "3 files" in out and "175 finite losses after divergence left out" in out
    frame = taskset.load_curves(task="quadratic_family_seed12", root=tmp_path / "out")
    assert set(frame["source"]) == {"published"} and set(frame["family"]) == {"quadratic_family"} and len(frame) == 2 * 3 * 5 * 51
    ys = np.load(files[0])["ys"]
    one = frame[(frame["optimizer"] == "adam8p_wide_grid_seed2") & (frame["seed"] == 2)].sort_values("step")
    assert one["step"].tolist() == XS.tolist() and (one["horizon"] == 10000).all() and one["seconds"].isna().all()
    for i, split in enumerate(SPLITS):  # the order of the last axis: train, valid_inner, valid_outer, test
        assert one[split].tolist()[:7] == ys[1, 2, :7, i].tolist() and one[split][7:].isna().all()
    assert one["diverged"].tolist() == [False] * 7 + [True] * 44
    last = frame[(frame["optimizer"] == "adam8p_wide_grid_seed30") & (frame["seed"] == 4) & (frame["step"] == 10000)]
    assert last["diverged"].all() and frame["diverged"].sum() == 2 * 45
    optimizers = taskset.load_optimizers(tmp_path / "out").set_index("optimizer")
    assert (
        optimizers.loc["adam8p_wide_grid_seed10", "learning_rate"]
        == taskset.get_optimizer_config("adam8p_wide_grid_seed10")[0]["learning_rate"]
    )
    assert taskset.load_tasks(tmp_path / "out")["task"].tolist() == ["TwoD_Bowl10", "quadratic_family_seed12"]
    n = taskset.normalizer("TwoD_Bowl10", root=tmp_path / "out", split="test")
    assert (n.source, n.horizon) == ("published", 10000)
    assert run("check", tmp_path / "out")[0] == 0


def test_published_files_that_are_not(run, tmp_path):
    ys = np.ones((3, 5, 51, 4), np.float32)
    objects = tmp_path / "TwoD_Bowl10" / "objects.npz"
    objects.parent.mkdir()
    np.savez(objects, optimizers=np.array([{}], object), xs=XS, ys=ys)
    text = tmp_path / "TwoD_Bowl10" / "text.npz"
    text.write_text("no archive")
    torn = released(tmp_path, name="torn.npz")
    torn.write_bytes(torn.read_bytes()[:-300])
    single = tmp_path / "TwoD_Bowl10" / "single.npz"
    with open(single, "wb") as file:
        np.save(file, np.zeros(3))
    cases = {
        "no file": tmp_path / "none.npz",
        "no complete .npz file": objects,
        "no complete .npz file of plain": text,
        "single.npz is no complete": single,
        "torn.npz is no complete .npz": torn,
        "no array 'xs'": released(tmp_path, name="a.npz", xs=None),
        "shape [3, 5, 51, 3]": released(tmp_path, name="b.npz", ys=ys[..., :3]),
        "shape [2, 5, 51, 4]": released(tmp_path, name="c.npz", ys=ys[:2]),
        "equal distances from 0": released(tmp_path, name="d.npz", xs=XS + 200),
        "ys holds int64": released(tmp_path, name="e.npz", ys=ys.astype(int)),
        "named twice": released(tmp_path, name="f.npz", optimizers=np.array(["adam8p_wide_grid_seed1"] * 3)),
        "unknown optimizer 'adam9p_seed0'": released(tmp_path, name="g.npz", optimizers=np.array(["adam9p_seed0", "a", "b"])),
        "is of the family nadamw_grid": released(
            tmp_path, name="adam8p_wide_grid_1k.npz", optimizers=np.array([f"nadamw_grid_seed{i}" for i in range(3)])
        ),
        "xs goes to 10000000000; steps are stored as 32-bit": released(tmp_path, name="h.npz", xs=XS.astype(float) * 10**6),
        "unknown task 'no_such_task'": released(tmp_path, task="no_such_task"),
    }
    for message, path in cases.items():
        status, _, err = run("import-npz", path, "--out", tmp_path / "out")
        assert status == 2 and message in err and path.name in err and err.count("\n") == 1, err
    good = released(tmp_path)
    status, _, err = run("import-npz", good, good.parent / ".." / good.parent.name / good.name, "--out", tmp_path / "out")
    assert status == 2 and "same task" in err
    assert not (tmp_path / "out").exists()


def test_published_curves_are_not_written_among_others(run, copy, sweeps, tmp_path):
    file = released(tmp_path)
    for root, what in ((copy, "merged baselines"), (sweeps[0], "the output of a sweep")):
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        status, _, err = run("import-npz", file, "--out", root)
        assert status == 2 and f"{root} holds {what}: give published curves a directory of their own" in err
        assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert run("import-npz", file, "--out", tmp_path / "out")[0] == run("add", tmp_path / "out", "--to", copy)[0] == 0
    assert run("check", copy)[0] == 0


def test_the_names_of_a_released_file_may_be_bytes(tmp_path):
    content = published.read(
        released(tmp_path, optimizers=np.array([b"adam8p_wide_grid_seed1", b"adam8p_wide_grid_seed2", b"adam8p_wide_grid_seed3"]))
    )
    assert content.optimizers[0] == "adam8p_wide_grid_seed1" and content.task == "quadratic_family_seed12"
    with pytest.raises(UnknownName, match="directory has to be the task's name"):
        published.read(released(tmp_path, task="somewhere"))
