"""Text data: encodings, windows, splits, real sets read from TFDS directories, synthetic documents."""

import dataclasses
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from taskset import catalogue
from taskset.datasets import encoding, prepared, text_info, text_sources
from taskset.datasets.base import SPLITS
from taskset.datasets.corpus import Documents, concatenate, window_starts, windows
from taskset.datasets.synthetic import rendering, words
from taskset.datasets.synthetic import text as synthetic
from taskset.datasets.text import LanguageModelData, TextClassificationData, open_corpus
from taskset.errors import ConfigError, DataNotPrepared, StoreError, UnknownName

JOINED = "imdb_reviews/subwords8kimdb_reviews/bytes"
LINES = ["A film. A very good film!", "naïve café — 数学は楽しい 🎬", "\ttabs,  two spaces\n", "x"]


@pytest.fixture
def small(monkeypatch):
    """Synthetic text of a few documents."""
    for name, shape in list(synthetic._SHAPES.items()):
        monkeypatch.setitem(synthetic._SHAPES, name, dataclasses.replace(shape, train=3000, test=800))
    synthetic.open_synthetic.cache_clear()
    yield
    synthetic.open_synthetic.cache_clear()


def classification(**fields):
    given = {"name": JOINED, "batch_size": 16, "num_train": None, "patch_length": 20, "max_token": 8185, "valid_size": 300}
    return TextClassificationData(**{**given, **fields})


def language(name="lm1b/bytes", **fields):
    given = {"batch_size": 16, "num_train": None, "just_train": False, "patch_length": 30, "valid_size": 300}
    return LanguageModelData(name, **{**given, **fields})


# -- specifications --


def test_specifications_need_no_tensorflow():
    use = "t.LanguageModelData('lm1b/bytes', 8, None, False, 20).infeasible"
    code = f"import sys, taskset.datasets.text as t; {use}; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize(
    "family", ["char_rnn_language_model_family", "word_rnn_language_model_family", "rnn_text_classification_family"]
)
def test_every_name_that_configs_use_is_known(family):
    for seed in range(100):
        data = catalogue.facts(family, catalogue.sample(family, seed)).data
        assert data.reads in text_info.NAMES
        assert data.infeasible is None or "batch size" in data.infeasible or "valid_size" in data.infeasible


@pytest.mark.parametrize(
    "name, original",
    [
        ("imdb_reviews/subwords8k", "imdb_reviews/plain_text"),
        ("lm1b/bytes", "lm1b"),
        ("tokenized_wikipedia/20190301.zh_bytes", "wikipedia/20190301.zh"),
        ("tokenized_amazon_reviews/Books_v1_02_subwords8k", "amazon_us_reviews/Books_v1_02"),
    ],
)
def test_names_lead_to_plain_text(name, original):
    assert text_info.info(name).original == original


def test_unknown_name_offers_neighbours():
    with pytest.raises(UnknownName, match="'lm1b/byte'; did you mean 'lm1b/bytes'"):
        open_corpus("lm1b/byte", "synthetic")
    with pytest.raises(UnknownName, match="unknown source 'tfdz'"):
        open_corpus("lm1b/bytes", "tfdz")


@pytest.mark.parametrize("name", [JOINED, "tokenized_amazon_reviews/Home_v1_00_bytes"])
def test_classification_reads_movie_reviews_whatever_it_names(name):
    data = classification(name=name)
    assert (data.name, data.reads, data.num_classes) == (name, "imdb_reviews/subwords8k", 2)
    assert hash(data) == hash(classification(name=name))


def test_infeasible_names_the_field():
    assert classification().infeasible is None
    assert "batch of 8000" in language("imdb_reviews/bytes", batch_size=8000, valid_size=10000).infeasible
    assert "valid_size" in classification(valid_size=12_500).infeasible
    # The validation splits are not used by a language model with just_train, so that small ones don't matter.
    assert language(batch_size=400).infeasible and not language(batch_size=400, just_train=True).infeasible


# -- encodings --


@pytest.mark.parametrize("text", LINES)
def test_bytes_round_trip(text):
    (tokens,) = encoding.encode_bytes([text])
    assert tokens.tolist() == [byte + 1 for byte in text.encode()]
    assert encoding.decode_bytes(tokens) == text
    assert encoding.decode_bytes(np.append(tokens, [0, 0])) == text


@pytest.fixture(scope="module")
def learned():
    texts = [f"the movie number {i} was {'very ' * (i % 4)}{'good' if i % 3 else 'bad'}" for i in range(300)] + LINES
    return texts, *encoding.learn_subwords(texts)


def test_subwords_round_trip(learned):
    texts, vocabulary, encoded = learned
    unseen = [*LINES, "Ünseen wörds, 漢字 and \x00 bytes", "the goodest movie"]
    for text, tokens in zip(unseen, vocabulary.encode(unseen), strict=True):
        assert tokens.min() > 0 and tokens.max() < len(vocabulary)
        assert vocabulary.decode([*tokens, 0, 0]) == text
    assert all((a == b).all() for a, b in zip(vocabulary.encode(texts), encoded, strict=True))
    assert len(vocabulary.encode([texts[0]])[0]) < len(texts[0].split()) + 4


def test_subwords_are_numbered_by_frequency(learned):
    counts = np.bincount(np.concatenate(learned[2]), minlength=len(learned[1]))[1:]
    assert (np.diff(counts) <= 0).all() and counts[0] > counts[50] > 0
    assert learned[1].pieces[0] in ("Ġthe", "Ġmovie", "Ġnumber", "Ġwas", "Ġvery")


def test_subwords_are_learned_the_same_twice(learned):
    again, tokens = encoding.learn_subwords(learned[0])
    assert again.to_json() == learned[1].to_json()
    assert all((a == b).all() for a, b in zip(tokens, learned[2], strict=True))


def test_vocabulary_file(learned):
    text = learned[1].to_json()
    assert encoding.Subwords.from_json(text).pieces == learned[1].pieces
    with pytest.raises(ValueError, match="of version 7, this package reads version 1"):
        encoding.Subwords.from_json(json.dumps({**json.loads(text), "version": 7}))
    with pytest.raises(ValueError, match="no vocabulary file"):
        encoding.Subwords.from_json("the\nand\n")


def test_subwords_fill_the_ids_that_configs_allow_for():
    assert encoding.PIECES + 1 == text_info.VOCABULARY["subwords8k"] == 8185
    rng = np.random.default_rng(0)
    texts = [" ".join("".join(rng.choice(list("abcdefgh"), 6)) for _ in range(200)) for _ in range(150)]
    assert len(encoding.learn_subwords(texts)[0]) == 8185


# -- windows --

DOCUMENTS = concatenate([np.arange(1, 4), np.arange(100, 110), np.array([7]), np.arange(500, 505)])


def test_windows_pad_and_mask():
    tokens, mask = windows(DOCUMENTS, np.array([[0, 1], [2, 3]]), np.array([[0.9, 0.5], [0.0, 0.99]]), 5)
    assert tokens.dtype == np.int32 and mask.dtype == np.uint8
    assert tokens.tolist() == [[[1, 2, 3, 0, 0], [102, 103, 104, 105, 106]], [[7, 0, 0, 0, 0], [500, 501, 502, 503, 504]]]
    assert mask.tolist() == [[[1, 1, 1, 0, 0], [1] * 5], [[1, 0, 0, 0, 0], [1] * 5]]


def first_tokens(document, starts, length):
    tokens, mask = windows(DOCUMENTS, np.full(len(starts), document), starts, length)
    assert mask.all() and (tokens == tokens[:, :1] + np.arange(length)).all()
    return tokens[:, 0].tolist()


def test_every_window_is_as_likely_but_the_last_is_never_drawn():
    starts = (np.arange(6000) + 0.5) / 6000
    found, often = np.unique(first_tokens(1, starts, 5), return_counts=True)
    assert found.tolist() == [100, 101, 102, 103, 104] and often.tolist() == [1200] * 5  # 105 .. 109 would be the last
    ends = np.array([0.0, 0.5, np.nextafter(1, 0)])
    assert first_tokens(1, ends, 5) == [100, 102, 104]
    assert first_tokens(1, ends, 8) == [100, 101, 101]
    assert first_tokens(1, ends, 9) == first_tokens(1, ends, 10) == [100] * 3  # one token more than the window; as many


def test_window_starts_are_a_function_of_the_step():
    all_of_them = window_starts(3, "train", 0, 8, 4)
    assert (window_starts(3, "train", 5, 3, 4) == all_of_them[5:]).all()
    others = [window_starts(3, "test", 0, 8, 4), window_starts(4, "train", 0, 8, 4)]
    assert len(np.unique([all_of_them, *others])) == 96


def test_empty_documents_are_refused():
    with pytest.raises(ValueError, match="document 1 is empty"):
        concatenate([np.array([1]), np.array([], int)])


# -- batches --


def documents_of(batches, split, count):
    return batches._orders[split](0, split, 0, count)


@pytest.mark.parametrize("data", [classification(), language(), language("imdb_reviews/subwords8k", just_train=True)])
def test_batches_fit_the_specification(small, data):
    import tensorflow as tf

    batches = data.open("synthetic")
    for split in SPLITS:
        raw = batches(split, 1, 0, 3)
        batch = data.prepare({name: tf.constant(array[0]) for name, array in raw.items()}, tf.zeros(2, tf.int32))
        assert {name: (tuple(t.shape), t.dtype.name) for name, t in batch.items()} == data.batch
        tokens, mask = batch["tokens"].numpy(), batch["mask"].numpy()
        assert ((tokens > 0) == (mask == 1)).all() and set(np.unique(mask)) <= {0.0, 1.0}


def test_batches_restart_at_any_step(small):
    batches = classification().open("synthetic")
    whole, again = batches("train", 5, 0, 200), classification().open("synthetic")("train", 5, 187, 13)  # into the second epoch
    assert all((whole[name][187:] == again[name]).all() for name in whole)
    assert not (batches("train", 6, 0, 1)["tokens"] == whole["tokens"][:1]).all()


def test_splits_are_disjoint_and_num_train_counts(small):
    batches = language(num_train=1000).open("synthetic")
    seen = {split: set(documents_of(batches, split, {"train": 62}.get(split, 18)).ravel()) for split in SPLITS}
    assert batches._documents["test"] is not batches._documents["train"]
    train, inner, outer = (seen[split] for split in ("train", "valid_inner", "valid_outer"))
    assert (len(train), len(inner), len(outer)) == (992, 288, 288)  # whole batches of an epoch, without repetition
    assert inner <= set(range(300)) and outer <= set(range(300, 600)) and train <= set(range(600, 1600))


def test_just_train_makes_all_four_splits_the_train_split(small):
    batches = language(num_train=50, just_train=True).open("synthetic")
    for split in SPLITS:
        assert batches._documents[split] is batches._documents["train"]
        assert set(documents_of(batches, split, 3).ravel()) <= set(range(600, 650))
    assert not (batches("train", 0, 0, 1)["tokens"] == batches("test", 0, 0, 1)["tokens"]).all()


# -- synthetic documents --


@pytest.mark.parametrize("name", words.LANGUAGES)
def test_words_are_distinct_and_frequent_ones_short(name):
    spelled = words.spell(name)
    assert len(set(spelled)) == words.WORDS and "" not in spelled and words.spell(name) == spelled
    assert np.mean([len(w) for w in spelled[:100]]) < np.mean([len(w) for w in spelled[200:]])
    size = np.mean([len(w.encode()) / len(w) for w in spelled])
    assert {"en": size == 1, "hsb": 1 < size < 1.5, "ru": size == 2, "zh": size == 3, "ja": size == 3}[name]


def test_both_encodings_spell_the_same_documents(small):
    name = "tokenized_amazon_reviews/Video_v1_00_"
    pieces, written = (synthetic.make_documents(name + encoded, "test") for encoded in ("subwords8k", "bytes"))
    assert (pieces.labels == written.labels).all() and set(pieces.labels) == set(range(5))
    marks, spelled = [None, ".", ","], words.spell("en")
    for i in (0, 1, 799):
        text = encoding.decode_bytes(written[i])
        told = [marks[token] if token < 3 else spelled[token - 3] for token in pieces[i]]
        assert text.lower() == "".join(word if word in ".," else f" {word}" for word in told).lstrip()
        assert text[0].isupper() and text.endswith(".")
        assert all(sentence[:1].isupper() for sentence in text.rstrip(".").split(". "))


def test_many_byte_languages_decode(small):
    for name in ("zh", "ja", "ru", "hsb"):
        documents = synthetic.make_documents(f"tokenized_wikipedia/20190301.{name}_bytes", "test")
        assert documents.labels is None
        letters = set("".join(encoding.decode_bytes(documents[i]) for i in range(50)).lower()) - set(" ,.\uff0c、。")
        assert letters <= set(words.LANGUAGES[name].letters.lower()) and len(letters) > 20


def test_synthetic_documents_are_a_function_of_name_split_and_seed(small):
    made = [synthetic.make_documents(*given) for given in (
        ("lm1b/subwords8k", "test"), ("lm1b/subwords8k", "test"), ("lm1b/subwords8k", "test", 1), ("lm1b/subwords8k", "train"),
        ("imdb_reviews/subwords8k", "test"),
    )]  # fmt: skip
    same = [len(m.tokens) == len(made[0].tokens) and bool((m.tokens == made[0].tokens).all()) for m in made]
    assert same == [True, True, False, False, False]
    assert made[0].tokens.dtype == np.uint16 and made[0].tokens.min() == 1


def test_the_first_synthetic_document_of_this_version():
    # Other documents need another synthetic.VERSION.
    assert synthetic.VERSION == 1
    first = [191, 5, 15, 45, 25, 1517, 2428, 51, 4449, 1, 16, 4437]
    assert synthetic.make_documents("lm1b/subwords8k", "test")[0][:12].tolist() == first


def bayes(train, test):
    """Test accuracy of naive Bayes on the presence of pieces in a document."""

    def presence(documents):
        table = np.zeros((len(documents), 8200), bool)
        table[np.repeat(np.arange(len(documents)), np.diff(documents.offsets)), documents.tokens] = True
        return table

    seen, labels = presence(train), train.labels == 1
    odds = [np.log((seen[labels == k].sum(0) + 1) / (np.sum(labels == k) + 2)) for k in (False, True)]
    scores = presence(test) @ (odds[1] - odds[0])
    return np.mean((scores > np.median(scores)) == (test.labels == 1))


def test_opinions_can_be_learned_and_not_perfectly(small):
    train, test = (synthetic.make_documents("imdb_reviews/subwords8k", split) for split in ("train", "test"))
    assert 0.7 < bayes(train, test) < 0.93
    shuffled = np.random.default_rng(0).permutation(train.labels)
    assert abs(bayes(Documents(train.tokens, train.offsets, shuffled), test) - 0.5) < 0.07


def test_the_word_before_tells_about_the_next(small):
    tokens = synthetic.make_documents("lm1b/subwords8k", "train").tokens.astype(int)

    def pairs(first, second):
        """Share of pairs that occur more than once: followers repeat, words drawn one by one seldom do."""
        counts = np.unique(first * 10_000 + second, return_counts=True)[1]
        return counts[counts > 1].sum() / counts.sum()

    mixed = np.random.default_rng(0).permutation(tokens)
    assert pairs(tokens[:-1], tokens[1:]) > pairs(mixed[:-1], mixed[1:]) + 0.2


def test_marks_end_documents():
    marks = rendering.punctuate(np.random.default_rng(0), np.array([0, 5, 6, 2000]))
    assert marks[[4, 5, 1999]].tolist() == [rendering.STOP] * 3
    assert 0.02 < np.mean(marks == rendering.STOP) < 0.08 and 0.02 < np.mean(marks == rendering.COMMA) < 0.08


def test_processes_share_synthetic_documents(small, tmp_path, monkeypatch):
    alone = synthetic.open_synthetic("lm1b/bytes")
    synthetic.open_synthetic.cache_clear()
    monkeypatch.setenv("TASKSET_SHARED_ARRAYS", str(tmp_path))
    shared = synthetic.open_synthetic("lm1b/bytes")
    assert shared.origin == alone.origin and list(tmp_path.rglob("tokens.npy"))
    assert (shared.train.tokens == alone.train.tokens).all()


# -- real text --


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
    assert (before.prepared, before.download) == (False, 0) and "to be encoded" in before.note
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
    assert not status_of(name, data_dir).prepared and "withdrawn" in status_of(name, data_dir).note
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
