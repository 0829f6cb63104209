"""The whole way on real images: name -> config -> task -> sweep -> normalizer. Needs TFDS_DATA_DIR."""

import json

import numpy as np
import pytest

import taskset
from taskset.normalization import store
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import sweep_to_file
from taskset.normalization.tables import write_tables

TASKS = {"mnist": "mlp_family_seed182", "fashion_mnist": "conv_pooling_family_seed109", "cifar10": "mlp_ae_family_seed28"}


@pytest.fixture(scope="module")
def root(real_data_dir, tmp_path_factory):
    """A directory with a small sweep of one task on each of the three real image sets."""
    root = tmp_path_factory.mktemp("real")
    options = SweepOptions(("adam_lr_-4.00", "adam_lr_-2.50"), "tfds", 60, (0, 1), 2, 6)
    for name in TASKS.values():
        sweep_to_file(name, options, root, real_data_dir)
    write_tables(root)
    return root


@pytest.mark.long
@pytest.mark.parametrize("data", TASKS)
def test_sweep_on_real_images(root, data):
    name = TASKS[data]
    curves = taskset.load_curves(task=name, root=root)
    assert set(curves["source"]) == {"tfds"} and len(curves) == 2 * 2 * 7
    assert np.isfinite(curves[["train", "valid_inner", "valid_outer", "test"]]).all().all()
    normalizer = taskset.normalizer(name, root=root)
    assert normalizer.best < normalizer.initial
    path = store.curve_path(root, "tfds", name.rpartition("_seed")[0], name)
    origin = json.loads(store.read_metadata(path)["data_origin"])
    assert origin["name"] == data and origin["source"] == "tfds" and origin["checksum"]


@pytest.mark.long
def test_training_on_real_digits_learns_them(real_data_dir):
    task = taskset.get_task(TASKS["mnist"], "tfds", real_data_dir)
    from taskset.execution.loop import train

    params, _ = train(task, taskset.get_optimizer("adam_lr_-3.00"), 400)
    batches = task.batches("test", 0)
    accuracy = np.mean([float(task.loss_and_metrics(params, next(batches), 0)[1]["accuracy"]) for _ in range(40)])
    assert accuracy > 0.7, accuracy


@pytest.mark.long
def test_an_outer_training_reads_real_images(real_data_dir, tmp_path):
    import learned
    from taskset.scoring.suites.suite import Entry, Suite

    scales = {"train": (2.3, 0.1), "valid_outer": (2.3, 0.4)}
    suite = Suite("real", 1, "tfds", 20, (Entry("Tiny_mlp_fashion_mnist_bs32_start1.0", "tiny_mlp", "train", scales),))
    options = learned.Options("learnable_sgdm", estimator="pes", steps=5, pairs=2, lengths="20", slots=1, tasks_per_step=1)
    with learned.open_trainer(suite, options, tmp_path, data_dir=real_data_dir) as trainer:
        trainer.train(2, 1)
    assert (tmp_path / "checkpoint.npz").exists()
