"""Text as token ids and back: bytes, and subwords."""

import json

import numpy as np
import pytest

from taskset.datasets import encoding, text_info
from tests.datasets.texts import LINES


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


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"pieces": None}, "different texts"),
        ({"pieces": ["a", "a"]}, "different texts"),
        ({"pieces": ["a", "\ud800"]}, "different texts"),
        ({"pieces": [str(i) for i in range(2**16)]}, "at most 65535"),
        ({"merges": [["a"]]}, "pairs of pieces"),
        ({"merges": 3}, "pairs of pieces"),
        ({"merges": [["a", "z"]]}, "what are no pieces"),
        ({"merges": [["b", "a"]]}, "what are no pieces"),
    ],
)
def test_a_vocabulary_that_is_none(changes, says):
    right = {"version": encoding.VERSION, "pieces": ["a", "b", "ab"], "merges": [["a", "b"]]}
    assert encoding.Subwords.from_json(json.dumps(right)).encode(["abab"])[0].tolist() == [3, 3]
    with pytest.raises(ValueError, match=says):
        encoding.Subwords.from_json(json.dumps({**right, **changes}))
