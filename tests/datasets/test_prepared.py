"""Prepared data that is damaged, half there or forged: one line of `DataNotPrepared`, or the right values."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskset.datasets import built, prepared, text_sources, tfds_source
from taskset.datasets.corpus import concatenate
from taskset.datasets.images import ImageData
from taskset.errors import DataNotPrepared, StoreError
from tests.datasets.prepared_sets import IMAGES, tfds_version

TEXT, SUBWORDS = "lm1b/bytes", "lm1b/subwords8k"


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A directory with what is built from a resized image set and from two encodings of a text set."""
    monkeypatch.delenv(prepared.CACHE_VARIABLE, raising=False)
    rng = np.random.default_rng(0)
    arrays = {"train_image": rng.integers(0, 256, (3, 32, 32, 3), np.uint8), "train_label": np.arange(3, dtype=np.int32)}
    record = {**tfds_source.RESIZED, "name": IMAGES, "made_from": "deep_weeds 3.0.0", "sizes": {"train": 3}}
    built.write(prepared.built_dir(IMAGES, tmp_path), arrays, {}, record)
    text = {split: concatenate([rng.integers(1, 200, n) for n in (5, 1, 7)]) for split in ("train", "test")}
    arrays = {f"{split}_{part}": array for split in text for part, array in text[split].arrays().items()}
    for name, files in ((TEXT, {}), (SUBWORDS, {"vocabulary.json": json.dumps({"version": 1, "pieces": [], "merges": []})})):
        record = {"version": text_sources.VERSION, "name": name, "made_from": "lm1b 1.1.0", "checksum": "none"}
        built.write(prepared.built_dir(name, tmp_path), arrays, files, record)
    return str(tmp_path)


def read(name, data_dir):
    """All that is read of a data set, to be compared."""
    if name == IMAGES:
        images, labels = tfds_source.read_images(name, data_dir)["train"]
        return [tfds_source.version(name, data_dir), images.shape, images.tobytes(), labels.tobytes()]
    text_sources._read.cache_clear()
    corpus = text_sources.read_corpus(name, data_dir)
    arrays = [array for documents in (corpus.train, corpus.test) for array in documents.arrays().values()]
    return [corpus.origin, *((array.dtype, array.tobytes()) for array in arrays)]


def one_line(name, data_dir):
    """The error of reading, which must be one short line."""
    with pytest.raises(DataNotPrepared) as caught:
        read(name, data_dir)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 600 and f"data prepare {name}" in line
    return line


@pytest.mark.parametrize("name", [IMAGES, TEXT])
def test_flipped_bits_never_read_as_right(data_dir, name):
    rng, right, refusals = np.random.default_rng(1), read(name, data_dir), []
    files = sorted(prepared.built_dir(name, data_dir).iterdir())
    for flip in range(200):
        file = files[flip % len(files)]
        whole = file.read_bytes()
        damaged, bit = bytearray(whole), rng.integers(8 * len(whole))
        damaged[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(damaged)
        try:
            found = read(name, data_dir)
        except DataNotPrepared as error:
            refusals.append(str(error))
        else:
            assert found == right and file.name == built.RECORD  # a bit of white space
        file.write_bytes(whole)
    assert len(refusals) > 150 and read(name, data_dir) == right
    assert all("\n" not in line and f"data prepare {name}" in line for line in refusals)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"version": 2}', "[" * 100_000, "\x00"])
@pytest.mark.parametrize("name", [IMAGES, TEXT])
def test_a_record_that_is_none(data_dir, name, content):
    (prepared.built_dir(name, data_dir) / built.RECORD).write_text(content)
    one_line(name, data_dir)
    rows = [*tfds_source.status(data_dir), *text_sources.text_status(data_dir)]
    assert not next(row for row in rows if row.name == name).prepared


@pytest.mark.parametrize("name, file", [(IMAGES, "train_image.npy"), (TEXT, "test_offsets.npy"), (SUBWORDS, "vocabulary.json")])
@pytest.mark.parametrize("damage", ["empty", "gone", "longer"])
def test_files_that_are_not_whole_show_before_they_are_read(data_dir, name, file, damage):
    path = prepared.built_dir(name, data_dir) / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes() + b" ")
    assert file in one_line(name, data_dir)
    rows = [*tfds_source.status(data_dir), *text_sources.text_status(data_dir)]
    row = next(row for row in rows if row.name == name)
    assert not row.prepared and file in row.note


def forge(name, data_dir, file, content):
    """Another file with sums that fit."""
    place = prepared.built_dir(name, data_dir)
    (place / file).write_bytes(content)
    record = json.loads((place / built.RECORD).read_text())
    record["files"][file] = {"bytes": len(content), "crc32": built._crc32(place / file)}
    record.pop("crc32")
    (place / built.RECORD).write_text(json.dumps({**record, "crc32": built._own_sum(record)}))


@pytest.mark.parametrize(
    "shape, dtype",
    [("(140737488355328,)", "|u1"), ("(3, 32, 32, 4611686018427387904)", "|u1"), ("(3, 32, 32, -3)", "|u1"), ("(1,)", "<f8"),
     ("(3, 32, 32, 3)", "|O"), ("(3, 32, 32, 2)", "|u1"), ("(" * 500, "|u1")],
)  # fmt: skip
def test_forged_headers_take_no_memory(data_dir, shape, dtype):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(3 * 32 * 32 * 3)
    forge(IMAGES, data_dir, "train_image.npy", content)
    assert "train_image.npy" in one_line(IMAGES, data_dir)
    forge(TEXT, data_dir, "train_tokens.npy", content)
    assert "train_tokens.npy" in one_line(TEXT, data_dir)


@pytest.mark.parametrize("name, other", [(IMAGES, "food101_32x32"), (TEXT, "imdb_reviews/bytes")])
def test_files_of_another_set_are_not_read(data_dir, name, other):
    """Directories that were moved or copied, as into a TASKSET_CACHE_DIR."""
    prepared.built_dir(name, data_dir).rename(prepared.built_dir(other, data_dir))
    require = tfds_source.require if name == IMAGES else text_sources.require_corpus
    with pytest.raises(DataNotPrepared, match=f"'{other}' .*'{name}'.*data prepare {other}") as error:
        require(other, data_dir)
    assert "\n" not in str(error.value)
    rows = [*tfds_source.status(data_dir), *text_sources.text_status(data_dir)]
    row = next(row for row in rows if row.name == other)
    assert not row.prepared and repr(name) in row.note


# TFDS's own directories


def test_half_prepared_versions_are_not_preferred(tmp_path):
    whole = tfds_version(tmp_path, "3.0.1")
    tfds_version(tmp_path, "3.0.1.incompleteABCDEF")
    tfds_version(tmp_path, "3.0.2.incomplete.1")
    assert prepared.stored_version("mnist", tmp_path) == whole
    newer = tfds_version(tmp_path, "3.0.10")
    assert prepared.stored_version("mnist", tmp_path) == newer
    (newer / "mnist-train.tfrecord-00001-of-00002").unlink()
    assert prepared.stored_version("mnist", tmp_path) == whole and prepared.damage("mnist", tmp_path) is None
    says = "3.0.10 is damaged (train has 1 of 2 files); 3.0.1 is read"
    row = tfds_source.status(str(tmp_path))[0]
    assert (row.prepared, row.where, row.note) == (True, str(whole), says)


@pytest.mark.parametrize("name, original", [(IMAGES, "deep_weeds"), (TEXT, "lm1b")])
def test_files_built_from_an_older_version_say_so_where_the_newest_is_damaged(data_dir, name, original):
    def note():
        rows = [*tfds_source.status(data_dir), *text_sources.text_status(data_dir)]
        return next(row.note for row in rows if row.name == name)

    whole = {IMAGES: "3.0.0", TEXT: "1.1.0"}[name]  # what the built files are made from
    tfds_version(Path(data_dir), whole, original)
    newer = tfds_version(Path(data_dir), "9.0.0", original)
    assert note() == ""
    (newer / "features.json").unlink()
    assert note() == f"9.0.0 is damaged (features.json: no such file or directory); {whole} is read"
    (prepared.built_dir(name, data_dir) / built.RECORD).unlink()
    assert note().startswith("the ") and note().endswith(f"; {whole} is read")


def test_files_built_from_a_version_that_was_whole_need_no_older_one(data_dir):
    tfds_version(Path(data_dir), "2.0.0", "deep_weeds")
    (tfds_version(Path(data_dir), "3.0.0", "deep_weeds") / "features.json").unlink()
    assert next(row.note for row in tfds_source.status(data_dir) if row.name == IMAGES) == ""


DAMAGES = {
    "info cut": ("dataset_info.json", lambda file: file.write_text(file.read_text()[:40])),
    "info empty": ("dataset_info.json", lambda file: file.write_text("")),
    "info []": ("dataset_info.json", lambda file: file.write_text("[]")),
    "info gone": ("dataset_info.json", lambda file: file.unlink()),
    "features cut": ("features.json", lambda file: file.write_text("{")),
    "records gone": ("mnist-test.tfrecord-00000-of-00002", lambda file: file.unlink()),
    "records cut": ("mnist-test.tfrecord-00000-of-00002", lambda file: file.write_bytes(b"")),
}


@pytest.mark.parametrize("damage", [*DAMAGES])
def test_a_damaged_version_is_one_line(tmp_path, damage):
    place = tfds_version(tmp_path, "3.0.1")
    file, do = DAMAGES[damage]
    if damage == "records cut":
        for other in place.glob("mnist-test*"):
            do(other)
    do(place / file)
    for failing in (tfds_source.require, tfds_source.prepare):
        with pytest.raises(DataNotPrepared, match=f"is damaged .*delete '{place}' first.*data prepare mnist") as caught:
            failing("mnist", str(tmp_path))
        assert "\n" not in str(caught.value)
    row = tfds_source.status(str(tmp_path))[0]
    assert not row.prepared and "is damaged" in row.note


def test_real_sets_look_whole(real_data_dir):
    for name in ("mnist", "cifar10", "fashion_mnist", "imdb_reviews/plain_text"):
        assert prepared.stored_version(name, real_data_dir) is not None


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("offsets", [[0, 9, 5, 13], [0, 5, 5, 13], [3, 5, 6, 13], [-1, 5, 6, 13], []])
def test_forged_offsets(data_dir, offsets):
    """The three documents have 5, 1 and 7 tokens."""
    forge(TEXT, data_dir, "train_offsets.npy", npy(np.array(offsets, np.int64)))
    assert "train_offsets.npy doesn't ascend from 0" in one_line(TEXT, data_dir)
    forge(TEXT, data_dir, "train_offsets.npy", npy(np.array([0, 5, 6, 13])))
    forge(TEXT, data_dir, "train_labels.npy", npy(np.zeros(2, np.int32)))
    assert "train has 2 labels of 3 documents" in one_line(TEXT, data_dir)


@pytest.mark.parametrize("name, change", [
    (IMAGES, {"made_from": None}), (IMAGES, {"sizes": {"train": None}}), (TEXT, {"checksum": 3}),
    (TEXT, {"files": {"train_tokens.npy": 3}}), (TEXT, {"files": {"../x": {"bytes": 0, "crc32": ""}}}),
])  # fmt: skip
def test_forged_records(data_dir, name, change):
    place = prepared.built_dir(name, data_dir) / built.RECORD
    record = {**json.loads(place.read_text()), **change}
    record.pop("crc32")
    place.write_text(json.dumps({**record, "crc32": built._own_sum(record)}))
    one_line(name, data_dir)


@pytest.mark.parametrize("features", [
    {"pythonClassName": "evil.Feature"}, {"python_class_name": "evil.Feature"}, {"type": "evil.Feature"},
    {"pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict", "featuresDict": {"features": {
        "image": {"pythonClassName": "tensorflow_datasets.core.features.image_feature.Image"},
        "label": {"jsonFeature": {"json": '{"x": [{"type": "evil.Feature"}]}'}}}}},
])  # fmt: skip
def test_a_file_never_causes_an_import(tmp_path, monkeypatch, features):
    place = tfds_version(tmp_path, "3.0.1")
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    (place / "features.json").write_text(json.dumps(features))
    with pytest.raises(DataNotPrepared, match="features.json names 'evil.Feature', a class that isn't of TFDS"):
        tfds_source.read_images("mnist", str(tmp_path))


def test_more_examples_than_bytes_take_no_memory(tmp_path):
    place = tfds_version(tmp_path, "3.0.1")
    info = json.loads((place / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["2", str(10**12)]
    (place / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(DataNotPrepared, match="train claims 1000000000002 examples in 104 bytes"):
        tfds_source.read_images("mnist", str(tmp_path))


# No home directory


@pytest.mark.parametrize("variables", [{}, {"TASKSET_CACHE_DIR": "~/cache", "TFDS_DATA_DIR": "/somewhere"}])
def test_without_a_home_directory_a_line_names_the_option(monkeypatch, variables):
    monkeypatch.delenv(prepared.DATA_VARIABLE, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what Python does without HOME and without an account
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for look in (ImageData(IMAGES, 8).check, lambda *_: tfds_source.status(), lambda *_: text_sources.text_status()):
        with pytest.raises(DataNotPrepared, match="no home directory is known.*--data-dir"):
            look("tfds")
    assert prepared.data_dir_or_default("/data").as_posix() == "/data"


def test_without_a_home_directory_keras_writes_no_folder(tmp_path):
    """The one inside TensorFlow would make ./~/.keras; `pwd` is replaced, as there is an account of this user here."""
    code = "import pwd; pwd.getpwuid = lambda uid: {}[uid]\nimport taskset, tensorflow, learned.keras"
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "KERAS_HOME")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=tmp_path, env=environment)
    assert not list(tmp_path.iterdir())


def test_data_that_can_not_be_replaced_stays(data_dir, monkeypatch):
    place = prepared.built_dir(IMAGES, data_dir)
    before = {file.name: file.read_bytes() for file in place.iterdir()}

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", str(place))

    def interrupted():
        raise KeyboardInterrupt

    def holds_other(directory):
        return (directory / "other.npy").exists()

    with monkeypatch.context() as patched:
        patched.setattr(built, "write_directory", full)
        with pytest.raises(StoreError, match=r"^can.t write '[^']*' \(no space left on device\): free .*TASKSET_CACHE_DIR"):
            built.write(place, {}, {}, {})
    rename = os.rename
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", lambda old, new: full() if new == place and holds_other(old) else rename(old, new))
        with pytest.raises(StoreError, match="can.t write .*no space.*TASKSET_CACHE_DIR"):
            built.write(place, {"other": np.zeros(3)}, {}, {})
    assert {file.name: file.read_bytes() for file in place.iterdir()} == before
    assert [file.name for file in place.parent.iterdir() if file.name.startswith(".")] == []
    with monkeypatch.context() as patched:  # Ctrl-C between the two
        patched.setattr(os, "rename", lambda old, new: interrupted() if new == place and holds_other(old) else rename(old, new))
        with pytest.raises(KeyboardInterrupt):
            built.write(place, {"other": np.zeros(3)}, {}, {})
    assert {file.name: file.read_bytes() for file in place.iterdir()} == before
    built.write(place, {"other": np.zeros(3)}, {}, {})
    assert {file.name for file in place.iterdir()} == {"other.npy", built.RECORD}


def test_what_a_killed_process_left_is_removed(tmp_path):
    """Preparing data that is killed leaves a hidden directory of its size, which no name leads to."""
    place = tmp_path / "set"
    writing = f"""if True:
        import os, signal
        from pathlib import Path
        import numpy as np
        from taskset.datasets import built
        np.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        built.write(Path({str(place)!r}), {{"a": np.zeros(3)}}, {{}}, {{}})"""
    subprocess.run([sys.executable, "-c", writing], check=False, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    (left,) = tmp_path.iterdir()
    (tmp_path / ".set.mine.tmp").mkdir()  # not one of ours
    built.write(place, {"a": np.zeros(3)}, {}, {})
    assert left.exists()  # young enough that a process of another machine may be writing it
    os.utime(left, (0, 0))
    built.write(place, {"a": np.zeros(3)}, {}, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == [".set.mine.tmp", "set"]
