"""Synthetic documents."""

import numpy as np
import pytest

from taskset.datasets import encoding
from taskset.datasets.corpus import Documents
from taskset.datasets.synthetic import rendering, words
from taskset.datasets.synthetic import text as synthetic
from tests.datasets.texts import bayes


@pytest.mark.parametrize("name", words.LANGUAGES)
def test_words_are_distinct_and_frequent_ones_short(name):
    spelled = words.spell(name)
    assert len(set(spelled)) == words.WORDS and "" not in spelled and words.spell(name) == spelled
    assert np.mean([len(w) for w in spelled[:100]]) < np.mean([len(w) for w in spelled[200:]])
    letters = words.LANGUAGES[name].letters
    assert len(set(letters)) == len(letters) and set(words.LANGUAGES[name].vowels) <= set(letters)
    size = np.mean([len(w.encode()) / len(w) for w in spelled])
    assert {"en": size == 1, "hsb": 1 < size < 1.5, "ru": size == 2, "zh": size == 3, "ja": size == 3}[name]


def test_both_encodings_spell_the_same_documents(small):
    name = "tokenized_amazon_reviews/Video_v1_00_"
    pieces, written = (synthetic.make_documents(name + encoded, "test") for encoded in ("subwords8k", "bytes"))
    assert (pieces.labels == written.labels).all() and set(pieces.labels) == set(range(5))
    marks, spelled = [None, ".", ","], words.spell("en")
    for i in (0, 1, 799):
        text = encoding.decode_bytes(written[i])
        pieced = [marks[token] if token < 3 else spelled[token - 3] for token in pieces[i]]
        assert text.lower() == "".join(word if word in ".," else f" {word}" for word in pieced).lstrip()
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
    # Other documents need another Language.version.
    assert synthetic.open_synthetic("lm1b/subwords8k").origin["version"] == "1" == str(words.LANGUAGES["en"].version)
    first = [191, 5, 15, 45, 25, 1517, 2428, 51, 4449, 1, 16, 4437]
    assert synthetic.make_documents("lm1b/subwords8k", "test")[0][:12].tolist() == first


def test_the_first_sorbian_document_of_this_version():
    name = "tokenized_wikipedia/20190301.hsb_bytes"
    assert synthetic.open_synthetic(name).origin["version"] == "2" == str(words.LANGUAGES["hsb"].version)
    assert encoding.decode_bytes(synthetic.make_documents(name, "test")[0]).startswith("Tspprti, nč nćikejeńi oidopri ")


def test_opinions_can_be_learned_and_not_perfectly(small):
    train, test = (synthetic.make_documents("imdb_reviews/subwords8k", split) for split in ("train", "test"))
    assert 0.7 < bayes(train, test) < 0.93
    shuffled = np.random.default_rng(0).permutation(train.labels)
    assert abs(bayes(Documents(train.tokens, train.offsets, shuffled), test) - 0.5) < 0.07


def test_the_word_before_predicts_the_next(small):
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
