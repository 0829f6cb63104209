"""Real text: read from TFDS directories, encoded and stored."""

import itertools
import json

import numpy as np
import pytest

from taskset.datasets import encoding, prepared, text_info, text_sources
from taskset.datasets.text import open_corpus
from taskset.errors import ConfigError, DataNotPrepared, StoreError
from tests.datasets.texts import bayes, classification, language


def store(data_dir, name, splits, features, config=None):
    """A TFDS data set of the test's own making; `splits` of {field: list}."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=features,
        split_datasets={split: tf.data.Dataset.from_tensor_slices(records) for split, records in splits.items()},
        config=config,
        data_dir=data_dir,
    )


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """An empty TFDS directory."""
    monkeypatch.delenv(prepared.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv(prepared.DATA_VARIABLE, str(tmp_path / "elsewhere"))
    return tmp_path / "tfds"


def sentences(data_dir, count=60):
    import tensorflow_datasets as tfds

    made = {split: {"text": [f"{split} sentence number {i} , of many ." for i in range(count)]} for split in ("train", "test")}
    store(data_dir, "lm1b", made, tfds.features.FeaturesDict({"text": tfds.features.Text()}))
    return made


def status_of(name, data_dir):
    return next(row for row in text_sources.text_status(data_dir) if row.name == name)


@pytest.mark.parametrize("encoded", ["bytes", "subwords8k"])
def test_lm1b(data_dir, encoded):
    made, name = sentences(data_dir), f"lm1b/{encoded}"
    before = status_of(name, data_dir)
    assert (before.prepared, before.download) == (False, 0) and "not encoded" in before.note
    text_sources.prepare_text(name, data_dir)
    after = status_of(name, data_dir)
    assert after.prepared and after.where == str(data_dir / "taskset" / name.replace("/", "_"))
    corpus = open_corpus(name, "tfds", data_dir)
    decode = encoding.decode_bytes if encoded == "bytes" else text_sources.read_vocabulary(name, data_dir).decode
    for split, documents in (("train", corpus.train), ("test", corpus.test)):
        assert sorted(decode(documents[i]) for i in range(len(documents))) == sorted(made[split]["text"])
    assert corpus.origin["source"] == "tfds" and corpus.origin["version"] == "lm1b 1.0.0"
    batch = language(name, valid_size=16, patch_length=200).open("tfds", data_dir)("train", 0, 0, 1)
    assert set(decode(row) for row in batch["tokens"][0]) <= set(made["train"]["text"])


def test_preparing_again_does_nothing_and_is_repeatable(data_dir, tmp_path, monkeypatch):
    sentences(data_dir)
    text_sources.prepare_text("lm1b/subwords8k", data_dir)
    place = data_dir / "taskset" / "lm1b_subwords8k"
    times = {file: file.stat().st_mtime_ns for file in place.iterdir()}
    text_sources.prepare_text("lm1b/subwords8k", data_dir)
    assert {file: file.stat().st_mtime_ns for file in place.iterdir()} == times
    monkeypatch.setenv(prepared.CACHE_VARIABLE, str(tmp_path / "cache"))
    text_sources.prepare_text("lm1b/subwords8k", data_dir)
    again = tmp_path / "cache" / "lm1b_subwords8k"
    built, rebuilt = ({file.name: file.read_bytes() for file in where.iterdir()} for where in (place, again))
    assert built == rebuilt and len(built) == 6
    assert not list(again.parent.glob(".*"))


def test_limits_keep_the_first_documents(data_dir, monkeypatch):
    sentences(data_dir)
    text_sources.prepare_text("lm1b/bytes", data_dir)
    whole = open_corpus("lm1b/bytes", "tfds", data_dir)
    monkeypatch.setattr(text_sources, "LIMITS", {"train": 10, "test": 4})
    monkeypatch.setenv(prepared.CACHE_VARIABLE, str(data_dir / "other"))
    text_sources.prepare_text("lm1b/bytes", data_dir)
    few = open_corpus("lm1b/bytes", "tfds", data_dir)
    assert (len(few.train), len(few.test)) == (10, 4)
    assert (few.train.tokens == whole.train.tokens[: len(few.train.tokens)]).all()


def test_wikipedia_lines(data_dir):
    import tensorflow_datasets as tfds

    titles = [f"Article {i}" for i in range(100)]
    texts = [f"{title}\n\nIts first line is of {title}.\nshort\nsix in\nLast line of {title}." for title in titles]
    texts[0] = "数学は楽しいです\n数学は楽\n" + texts[0]
    text = tfds.features.Text()
    features = tfds.features.FeaturesDict({"title": text, "text": text})
    store(data_dir, "wikipedia", {"train": {"title": titles, "text": texts}}, features, "20190301.hsb")
    name = "tokenized_wikipedia/20190301.hsb_bytes"
    text_sources.prepare_text(name, data_dir)
    corpus = open_corpus(name, "tfds", data_dir)
    lines = [[encoding.decode_bytes(documents[i]) for i in range(len(documents))] for documents in (corpus.train, corpus.test)]
    expected = [line for text in texts for line in text.split("\n") if len(line) > 5]
    assert sorted(itertools.chain(*lines)) == sorted(expected) and "数学は楽しいです" in expected
    articles = [{line.split(" of ")[-1].rstrip(".") for line in side if " of " in line} for side in lines]
    assert not articles[0] & articles[1] and 0.55 < len(articles[0]) / 100 < 0.85


def products(data_dir):
    import tensorflow_datasets as tfds

    text = tfds.features.Text()
    features = tfds.features.FeaturesDict({"data": {"review_id": text, "review_body": text, "star_rating": np.int32}})
    bodies = [f"A review of {1 + i % 5} stars, number {i}" for i in range(200)] + [""]
    records = {"review_id": [f"R{i}" for i in range(201)], "review_body": bodies, "star_rating": [1 + i % 5 for i in range(201)]}
    store(data_dir, "amazon_us_reviews", {"train": {"data": records}}, features, "Video_v1_00")


def test_a_prepared_copy_of_the_withdrawn_reviews_works(data_dir):
    name = "tokenized_amazon_reviews/Video_v1_00_subwords8k"
    assert not status_of(name, data_dir).prepared and "withdrawn" in status_of(name, data_dir).kind
    with pytest.raises(DataNotPrepared, match="withdrawn by its publisher"):
        text_sources.prepare_text(name, data_dir)
    with pytest.raises(DataNotPrepared, match="withdrawn by its publisher"):
        open_corpus(name, "tfds", data_dir)
    products(data_dir)
    text_sources.prepare_text(name, data_dir)
    corpus, vocabulary = open_corpus(name, "tfds", data_dir), text_sources.read_vocabulary(name, data_dir)
    assert len(corpus.train) + len(corpus.test) == 200  # the review without a text is left out
    assert 0.55 < len(corpus.train) / 200 < 0.85
    for i in range(20):
        assert f" of {corpus.train.labels[i] + 1} stars" in vocabulary.decode(corpus.train[i])


@pytest.mark.parametrize("name", ["imdb_reviews/subwords8k", "lm1b/bytes", "tokenized_wikipedia/20190301.en_bytes"])
def test_not_prepared(data_dir, name):
    with pytest.raises(DataNotPrepared) as caught:
        open_corpus(name, "tfds", data_dir)
    line = str(caught.value)
    assert f"data prepare {name} --data-dir {data_dir}" in line and "--source synthetic" in line and "\n" not in line
    assert prepared.megabytes(text_info.info(name).download) in line


def test_a_failed_download_is_one_line(data_dir, monkeypatch):
    import tensorflow_datasets as tfds

    def refuse(self, **options):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(StoreError, match="ConnectionError: no route") as caught:
        text_sources.prepare_text("lm1b/bytes", data_dir)
    assert "\n" not in str(caught.value)


def test_plain_text_that_is_not_encoded_yet(data_dir):
    sentences(data_dir)
    with pytest.raises(DataNotPrepared, match="not encoded yet.*data prepare lm1b/bytes.*no download"):
        open_corpus("lm1b/bytes", "tfds", data_dir)


@pytest.mark.parametrize("file", ["vocabulary.json", "info.json"])
def test_another_version_says_what_to_do(data_dir, file):
    sentences(data_dir)
    text_sources.prepare_text("lm1b/subwords8k", data_dir)
    place = data_dir / "taskset" / "lm1b_subwords8k" / file
    place.write_text(json.dumps({**json.loads(place.read_text()), "version": 9}))
    command = "data prepare lm1b/subwords8k --data-dir .*no download"
    with pytest.raises(DataNotPrepared, match=f"version 9.*this package reads version .*{command}"):
        open_corpus("lm1b/subwords8k", "tfds", data_dir)
    assert not status_of("lm1b/subwords8k", data_dir).prepared and "version 9" in status_of("lm1b/subwords8k", data_dir).note
    if file == "vocabulary.json":
        with pytest.raises(DataNotPrepared, match="of version 9"):
            text_sources.read_vocabulary("lm1b/subwords8k", data_dir)
    text_sources.prepare_text("lm1b/subwords8k", data_dir)  # what the line says
    assert len(open_corpus("lm1b/subwords8k", "tfds", data_dir).train) == 60


@pytest.mark.parametrize("damage", ["tokens", "records"])
def test_damaged_files(data_dir, damage):
    sentences(data_dir)
    if damage == "records":
        file = next(data_dir.rglob("lm1b-train.tfrecord*"))
        file.write_bytes(file.read_bytes()[:-7])
        with pytest.raises(DataNotPrepared, match="is damaged .*delete"):
            text_sources.prepare_text("lm1b/bytes", data_dir)
        return
    text_sources.prepare_text("lm1b/bytes", data_dir)
    file = data_dir / "taskset" / "lm1b_bytes" / "train_tokens.npy"
    np.save(file, np.load(file)[:-1])
    with pytest.raises(DataNotPrepared, match=r"encoded again \(damaged: train_tokens.npy has \d+ of \d+ bytes\)"):
        open_corpus("lm1b/bytes", "tfds", data_dir)
    text_sources.prepare_text("lm1b/bytes", data_dir)  # what the line says
    assert len(open_corpus("lm1b/bytes", "tfds", data_dir).train) == 60


def test_a_directory_that_cannot_be_written(data_dir, monkeypatch, tmp_path):
    sentences(data_dir)
    (tmp_path / "file").touch()
    monkeypatch.setenv(prepared.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(StoreError, match="can't write .*--data-dir.*TASKSET_CACHE_DIR"):
        text_sources.prepare_text("lm1b/bytes", data_dir)


def test_a_directory_marked_read_only_is_left_alone(data_dir):
    """Also by root, whom permissions don't stop."""
    sentences(data_dir)
    before = sorted(data_dir.rglob("*"))
    data_dir.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="marked read-only.*TASKSET_CACHE_DIR"):
            text_sources.prepare_text("lm1b/bytes", data_dir)
        assert sorted(data_dir.rglob("*")) == before
    finally:
        data_dir.chmod(0o755)


def test_prepared_data_with_too_few_documents(data_dir):
    sentences(data_dir)
    text_sources.prepare_text("lm1b/bytes", data_dir)
    with pytest.raises(ConfigError, match="lm1b/bytes: valid_size"):
        language(valid_size=40).open("tfds", data_dir)


@pytest.fixture
def imdb(real_data_dir, tmp_path, monkeypatch):
    """A function that prepares the first documents of the real movie reviews, built files in a directory of their own."""

    def prepare(name, limits):
        monkeypatch.setenv(prepared.CACHE_VARIABLE, str(tmp_path))
        monkeypatch.setattr(text_sources, "LIMITS", limits)
        text_sources.prepare_text(name, real_data_dir)
        return open_corpus(name, "tfds", real_data_dir)

    return prepare


def test_real_reviews_as_bytes(imdb, real_data_dir):
    import tensorflow_datasets as tfds

    corpus = imdb("imdb_reviews/bytes", {"train": 2000, "test": 700})
    direct = tfds.load("imdb_reviews/plain_text", data_dir=real_data_dir, download=False, split="train", shuffle_files=False)
    for i, record in enumerate(direct.take(2000).as_numpy_iterator()):
        assert encoding.decode_bytes(corpus.train[i]).encode() == record["text"]
        assert corpus.train.labels[i] == record["label"]
    assert len(corpus.test) == 700


def test_real_reviews_as_subwords(imdb, real_data_dir):
    corpus = imdb("imdb_reviews/subwords8k", {"train": 2000, "test": 700})
    vocabulary = text_sources.read_vocabulary("imdb_reviews/subwords8k", real_data_dir)
    assert len(vocabulary) == 8185 and {"Ġthe", ",", "."} <= set(vocabulary.pieces[:6])
    assert "movie" in vocabulary.decode(corpus.train[0])
    assert 0.7 < bayes(corpus.train, corpus.test) < 0.93
    batches = classification(patch_length=32).open("tfds", real_data_dir)
    raw = batches("train", 0, 0, 20)
    assert raw["tokens"].max() < 8185 and 0.9 < raw["mask"].mean() <= 1 and 0.3 < raw["label"].mean() < 0.7


@pytest.mark.slow
def test_all_real_reviews(imdb):
    corpus = imdb("imdb_reviews/subwords8k", {"train": 500_000, "test": 50_000})
    assert (len(corpus.train), len(corpus.test)) == (25_000, 25_000)
    assert corpus.train.labels.sum() == corpus.test.labels.sum() == 12_500
    assert 300 < len(corpus.train.tokens) / 25_000 < 360
