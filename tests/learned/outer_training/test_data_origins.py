"""A training goes on with the data that it began with: what it read is in its checkpoints."""

import dataclasses
import shutil
from types import MappingProxyType

import numpy as np
import pytest

from learned.evaluation import choice
from learned.outer_training import checkpoint, identity, session
from learned.outer_training import trainer as outer
from taskset.catalogue import get_task
from taskset.datasets import built, encoding, prepared, text_sources
from taskset.datasets.base import Computed
from taskset.datasets.corpus import checksum, concatenate
from taskset.errors import ConfigError, StoreError
from taskset.tasks.base import Task
from tests.learned.trainings import NAMES, MadeUpPlaces, arrays_of, check_equal, options, suite, trainer

MNIST = {"source": "tfds", "name": "mnist", "version": "mnist 3.0.1", "checksum": "0a1b2c3d"}
CORPUS, DOCUMENTS = "lm1b/bytes", 8000
ONE, OTHER = "mlp_family_seed182", "Tiny_mlp_mnist_bs32_start1.0"  # both on mnist


class Reading(MadeUpPlaces):
    """Made-up places whose tasks read a data set each, all of one checksum; that of the first task is read at once."""

    def __init__(self, checksum):
        self.origins = {f"data of task{number}": {**MNIST, "checksum": checksum} for number in range(3)}

    def estimates(self, numbers, outer_step, theta):
        found = super().estimates(numbers, outer_step, theta)
        names = [f"data of task{number}" for number in numbers]
        return [dataclasses.replace(one, data_origins={name: self.origins[name]}) for one, name in zip(found, names)]

    def restore(self, dumped):
        return {"data of task0": self.origins["data of task0"]}


def made(directory, pool):
    return trainer(directory, suite(), options(tasks_per_step=1), pool)


def test_other_data_are_refused_when_a_training_is_resumed(tmp_path):
    made(tmp_path / "a", Reading("0a1b")).train(9)
    kept = arrays_of(tmp_path / "a")[0]["data_origins"]
    assert kept == Reading("0a1b").origins
    made(tmp_path / "b", Reading("0a1b")).train(5)
    made(tmp_path / "b", Reading("0a1b")).train(9)  # the same data
    check_equal(tmp_path / "a", tmp_path / "b")
    with pytest.raises(
        StoreError,
        match="/a was made with other data .data of task0: .'checksum': '0a1b'., not .'checksum': 'ffff'..: rest",
    ) as error:
        made(tmp_path / "a", Reading("ffff"))  # before any step
    assert "\n" not in str(error.value)


def test_data_that_changed_are_noticed_when_they_are_read(tmp_path):
    """Those of a task that is in no slot as the training is resumed."""
    made(tmp_path, Reading("0a1b")).train(9)
    changed = Reading("ffff")
    changed.origins["data of task0"] = {**MNIST, "checksum": "0a1b"}
    resumed = made(tmp_path, changed)
    with pytest.raises(StoreError, match="was made with other data .*0a1b.*, not .*ffff"):
        resumed.train(40, save_every=40)
    assert checkpoint.load(tmp_path / outer.LATEST).step == 9


def test_data_that_differ_from_machine_to_machine(tmp_path):
    """Two tasks of one step that read one data set, each on its own machine."""

    class OnTwoMachines(Reading):
        def estimates(self, numbers, outer_step, theta):
            found = super().estimates(numbers, outer_step, theta)
            origins = [{"mnist": {**MNIST, "checksum": checksum}} for checksum in ("0a1b", "ffff")]
            return [dataclasses.replace(one, data_origins=origin) for one, origin in zip(found, origins)]

    made = trainer(tmp_path, suite(), options(tasks_per_step=2), OnTwoMachines("0a1b"))
    with pytest.raises(StoreError, match="a task of this step was made with other data .mnist: .*: give all machines the same"):
        made.train(1)


def test_a_number_that_is_none_is_no_other_origin():
    origins = {"a": {"mean": float("nan"), "count": 3}}
    identity.require_same_data("x", origins, {"a": {"count": 3, "mean": float("nan")}}, "")
    with pytest.raises(StoreError, match="x was made with other data .a: .'count': 3., not .'count': 4.."):
        identity.require_same_data("x", {"a": {"count": 3}}, {"a": {"count": 4}}, "y")


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path):
    made(tmp_path, MadeUpPlaces()).train(2)
    assert "data_origins" not in arrays_of(tmp_path)[0]
    made(tmp_path, Reading("0a1b")).train(9)
    assert arrays_of(tmp_path)[0]["data_origins"] == Reading("0a1b").origins


def test_kept_weights_of_other_data_are_of_another_training(tmp_path):
    made(tmp_path, Reading("0a1b")).train(9, keep_every=5)
    paths = choice.kept_weights(tmp_path)
    assert choice._first_of_one_training(paths).step == 5
    found = checkpoint.load(paths[1])
    checkpoint.save(paths[1], {**found.meta, "data_origins": Reading("ffff").origins}, found.arrays)
    with pytest.raises(StoreError, match="weights-0000009.npz was made with other data .*: restore them, or move the files"):
        choice._first_of_one_training(paths)


def write_corpus(data_dir, letter):
    """Prepared text as `text_sources` leaves it, of so many documents that all splits have a batch."""
    documents = concatenate(encoding.encode_bytes([f"{letter} document number {i} of many" for i in range(DOCUMENTS)]), None)
    arrays = {f"{split}_{part}": array for split in text_sources.LIMITS for part, array in documents.arrays().items()}
    both = dict.fromkeys(text_sources.LIMITS, documents)
    values = {"version": text_sources.VERSION, "name": CORPUS, "made_from": "made up 1.0.0", "checksum": checksum(**both)}
    shutil.rmtree(prepared.built_dir(CORPUS, data_dir), ignore_errors=True)
    built.write(prepared.built_dir(CORPUS, data_dir), arrays, {}, values | {"documents": dict.fromkeys(both, DOCUMENTS)})
    text_sources._read.cache_clear()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_files_that_changed_on_disk(tmp_path, workers):
    """In this process, and in workers, which read them there."""
    whole = dataclasses.replace(suite(("Tiny_rnn_lm1b_start1.0",)), source="tfds")
    chosen = options(optimizer="learnable_sgd", pairs=1, steps=1, lengths="4", slots=2, tasks_per_step=2)

    def train(steps):
        given = {"workers": workers, "data_dir": str(tmp_path / "data")}
        return session.train(whole, chosen, tmp_path / "out", steps, **given)

    write_corpus(tmp_path / "data", "a")
    train(1)
    train(2)
    assert list(arrays_of(tmp_path / "out")[0]["data_origins"]) == [CORPUS]
    write_corpus(tmp_path / "data", "b")
    said = r"out was made with other data \(lm1b/bytes: {'checksum': '(\w+)'}, not {'checksum': '(?!\1)\w+'}"
    with pytest.raises(StoreError, match=said):
        train(3)


def test_what_data_are_known_by():
    """Data sets of the package by their names: all tasks have to agree about them."""
    one, other = (get_task(name, "synthetic") for name in (ONE, OTHER))
    assert identity.data_origins(one) == identity.data_origins(get_task(NAMES[1])) == {}
    for task in (one, other):
        task.source = "tfds"
        task.__dict__["_open"] = type("Opened", (), {"origin": MNIST})
        assert identity.data_origins(task) == {"mnist": MNIST}


class Own(Computed):
    batch = MappingProxyType({"x": ((4,), "float32")})

    def __init__(self, origin):
        self.origin = origin

    def open(self, source=None, data_dir=None):
        draw = lambda split, seed, start, count: {"x": np.ones([count, 4], np.float32)}  # noqa: E731
        draw.origin = self.origin
        return draw


@pytest.mark.parametrize("origin", [{"a": (1, 2)}, {"a": object()}])
def test_own_data_are_known_by_their_task(origin):
    import tensorflow as tf

    from taskset.tasks.base import Model
    from taskset.tasks.starts import normal, parameter

    def loss(batch, key):
        return tf.reduce_sum((parameter("x", [4], normal()) - batch["x"]) ** 2)

    task = Task("mine", "own", {}, Model(loss, Own(origin)), "none")
    if origin == {"a": (1, 2)}:
        assert identity.data_origins(task) == {"data of mine": {"a": [1, 2]}}  # as a checkpoint has it
    else:
        with pytest.raises(ConfigError, match="the data of 'mine' have the origin .*: allowed are texts, numbers, and lists and"):
            identity.data_origins(task)
