"""A directory of outer training whose files were damaged: one line each, and never wrong numbers."""

import json
import zlib

import numpy as np
import pytest

from learned.outer_training import checkpoint, log
from learned.outer_training import trainer as outer
from taskset.errors import StoreError, TasksetError
from tests.learned.trainings import NAMES, opened


@pytest.fixture
def trained(tmp_path):
    opened(tmp_path).train(6, save_every=3)
    return tmp_path


def refused(function, *messages):
    with pytest.raises(TasksetError) as error:
        function()
    text = str(error.value)
    assert "\n" not in text and len(text) < 500 and all(message in text for message in messages), text


def flips(path, count, tail=None):
    """The file's content with one bit turned over, `count` times; only in its last `tail` bytes where given."""
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(count):
        changed, bit = bytearray(content), int(rng.integers(8 * (tail or len(content))))
        changed[-1 - bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        yield
    path.write_bytes(content)


@pytest.mark.parametrize("tail", [None, 2000])
def test_no_flipped_bit_of_a_checkpoint_is_read_as_right(trained, tail):
    path, errors = trained / outer.LATEST, []
    right = checkpoint.load(path)
    for _ in flips(path, 200, tail):
        try:
            found = checkpoint.load(path)
        except StoreError as error:
            errors.append(str(error))
            continue
        assert found.meta == right.meta and found.arrays.keys() == right.arrays.keys()
        assert all(np.array_equal(found.arrays[name], array) for name, array in right.arrays.items())
    assert len(errors) > 100 and all("\n" not in error and "give another one" in error for error in errors)


def test_no_flipped_bit_of_a_log_is_read_as_right(trained):
    path = trained / outer.LOG
    right = log.read(path, 6)
    for _ in flips(path, 400):
        refused(lambda: log.read(path, 6), "steps.jsonl")
    assert log.read(path) == right and [line["step"] for line in right] == [1, 2, 3, 4, 5, 6]


def test_a_line_of_the_log_is_json_with_its_sum(trained):
    line = (trained / outer.LOG).read_text().splitlines()[2]
    values = json.loads(line)
    checksum = values.pop("crc32")
    assert checksum == f"{zlib.crc32(json.dumps(values).encode()):08x}" and values == log.read(trained / outer.LOG)[2]
    assert tuple(values) == log.KEYS


def test_logs_without_sums_are_read_and_resumed(trained, tmp_path):
    path = trained / outer.LOG
    values = log.read(path)
    old = "".join(json.dumps(line) + "\n" for line in values)
    path.write_text(old)
    opened(trained).train(8)
    assert log.read(path)[:6] == values and path.read_text().startswith(old)
    assert [line["step"] for line in log.read(path, 8)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_a_killed_training_leaves_behind(trained):
    """Lines behind the checkpoint, the last one cut short; then a log that was removed."""
    path = trained / outer.LOG
    whole = path.read_text()
    path.write_text(whole + log.as_line({"step": 7}) + "garbage\n" + '{"step": 8, "lo')
    opened(trained).train(8)
    assert path.read_text().startswith(whole) and [line["step"] for line in log.read(path, 8)][-2:] == [7, 8]
    path.write_text(whole[:-20])
    assert len(log.read(path)) == 5
    path.unlink()
    for steps in (10, 12):
        opened(trained).train(steps)
    assert [line["step"] for line in log.read(path)] == [9, 10, 11, 12]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: ["garbage", *lines[1:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [*lines[:2], *lines[1:]],
        lambda lines: lines[:4],
        lambda lines: ["", *lines],
        lambda lines: ["[" * 10**5, *lines],
        lambda lines: [log.as_line({"step": -5})[:-1], *lines[1:]],
        lambda lines: [lines[0].replace('"step": 1', '"step": -5'), *lines[1:]],
        lambda lines: [lines[0].replace('"step": 1', '"step": 1e9'), *lines[1:]],
        lambda lines: ["\udcff", *lines[1:]],
        lambda lines: ["[]", *lines[1:]],
        lambda lines: [lines[0][:20], *lines[1:]],
    ],
)
def test_a_log_that_is_wrong(trained, change):
    path = trained / outer.LOG
    lines = change(path.read_text().splitlines())
    path.write_text("".join(f"{line}\n" for line in lines), errors="surrogateescape")
    refused(lambda: opened(trained).train(8), "steps.jsonl", "remove")
    path.unlink()  # the way out that the line names
    opened(trained).train(8)


def change_meta(**changes):
    return lambda meta, arrays: meta.update(changes)


def change_array(name, change):
    return lambda meta, arrays: arrays.update({name: change(arrays[name])})


def with_entry(name, i, value):
    def change(array):
        array[i] = value
        return array

    return change_array(name, change)


SLOT = {"task": NAMES[0], "life": 2}


@pytest.mark.parametrize(
    "change, message",
    [
        (change_meta(step=-5), "step is -5"),
        (change_meta(step=1e9), "step is 1000000000.0"),
        (change_meta(step=True), "step is True"),
        (change_meta(step="6"), "step is '6'"),
        (change_meta(step=None), "step is missing"),
        (change_meta(step=10**30), "allowed is an integer 0 <= step < 2**31"),
        (change_meta(step=10**9), "ends at outer step 6, the checkpoint beside it is at 1000000000"),
        (change_meta(options=3), "options is 3"),
        (change_meta(suite=["x" * 10**6]), "its suite is ['x"),
        (change_meta(options={}), "other options"),
        (change_meta(format=True), "format True"),
        (change_meta(slots=[1]), "slots is [1]"),
        (change_meta(slots={"99": SLOT}), "place 99 of"),
        (change_meta(slots={"-1": SLOT}), "place -1 of"),
        (change_meta(slots={"x": SLOT}), "'x'"),
        (change_meta(slots={"0": {**SLOT, "task": "mlp_family_seed0"}}), "'mlp_family_seed0'"),
        (change_meta(slots={"0": {**SLOT, "life": 0}}), "task number 0"),
        (change_meta(slots={"0": {"life": 1}}), "slots.0.task is missing"),
        (change_meta(slots={"0": 3}), "slots.0.task is missing"),
        (change_array("adam/m", lambda m: m[1:]), "adam/m is float64 (3,); expected is float64 (4,)"),
        (change_array("adam/x", lambda x: x.astype(np.float32)), "adam/x is float32"),
        (change_array("adam/v", lambda v: -v - 1), "squares below 0"),
        (with_entry("adam/m", 0, np.nan), "adam/m has entries that are not finite"),
        (with_entry("adam/x", 0, 7.0), "theta is not what adam/x says"),
        (change_array("theta/log_epsilon", lambda w: np.full_like(w, np.nan)), "'log_epsilon' has entries that are not finite"),
        (change_array("theta/log_epsilon", lambda w: w.astype(str)), "'log_epsilon' is of type"),
        (change_array("theta/log_epsilon", lambda w: w[None]), "theta is not what"),
        (change_array("slot/0/state|m", lambda m: m[1:]), "another shape"),
        (lambda meta, arrays: arrays.pop("adam/v"), "adam/v"),
        (lambda meta, arrays: arrays.pop("slot/0/state|m"), "state|m"),
        (lambda meta, arrays: arrays.pop("theta/log_epsilon"), "theta is not what"),
    ],
)
def test_a_checkpoint_that_is_wrong(trained, change, message):
    path = trained / outer.LATEST
    found = checkpoint.load(path)
    change(found.meta, found.arrays)
    checkpoint.save(path, found.meta, found.arrays)
    refused(lambda: opened(trained).train(8), message)


@pytest.mark.parametrize("meta", ["3", "[]", "null", '"x"', "{", "[" * 10**5, "{}"])
def test_a_checkpoint_without_an_object_inside(trained, meta):
    np.savez(trained / outer.LATEST, meta=np.array(meta))
    refused(lambda: opened(trained), "checkpoint.npz")
