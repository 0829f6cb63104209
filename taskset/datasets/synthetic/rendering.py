"""Made-up documents as token ids: from word numbers to bytes or to subwords."""

import functools

import numpy as np

from taskset.datasets.synthetic.words import LANGUAGES, WORDS, spell

STOP_SHARE, COMMA_SHARE = 0.045, 0.045  # of the words, which a stop or a comma follows
NOTHING, COMMA, STOP = 0, 1, 2
_AT_ONCE = 50_000  # pieces


def punctuate(rng: np.random.Generator, offsets: np.ndarray) -> np.ndarray:
    """What follows each word: int8 [words] of NOTHING, COMMA, STOP. Every document ends with a stop."""
    u = rng.random(offsets[-1])
    marks = np.where(u < STOP_SHARE, STOP, np.where(u < STOP_SHARE + COMMA_SHARE, COMMA, NOTHING)).astype(np.int8)
    marks[offsets[1:] - 1] = STOP
    return marks


def subword_tokens(words: np.ndarray, marks: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(tokens uint16, offsets): a stop is 1, a comma 2, the word of rank r is r + 3, so that frequent pieces have small ids."""
    tokens = np.stack([words + 3, np.array([0, 2, 1])[marks]], axis=1).astype(np.uint16).ravel()
    ends = np.concatenate([[0], np.cumsum(1 + (marks != NOTHING))])
    return tokens[tokens != 0], ends[offsets]


def byte_tokens(words: np.ndarray, marks: np.ndarray, offsets: np.ndarray, language: str) -> tuple[np.ndarray, np.ndarray]:
    """(tokens uint16, offsets): each byte of the UTF-8 text as its value + 1. Sentences begin with a capital letter."""
    flat, begin, size = _pieces(language)
    capital = np.zeros(len(words), bool)
    capital[1:] = marks[:-1] == STOP
    capital[offsets[:-1]] = True
    pieces = np.stack([words + WORDS * capital, 2 * WORDS + marks.astype(int)], axis=1).ravel()
    begins, sizes = begin[pieces], size[pieces]
    space = len(LANGUAGES[language].space.encode())
    first = 2 * offsets[:-1]
    begins[first] += space  # none before the first word
    sizes[first] -= space
    ends = np.concatenate([[0], np.cumsum(sizes)])
    shift = begins - ends[:-1]
    tokens = np.empty(ends[-1], np.uint16)
    for start in range(0, len(pieces), _AT_ONCE):  # parts that fit in the processor's cache
        part = slice(start, start + _AT_ONCE)
        first, last = ends[start], ends[min(start + _AT_ONCE, len(pieces))]
        tokens[first:last] = flat[np.arange(first, last) + np.repeat(shift[part], sizes[part])]
    return tokens, ends[2 * offsets]


@functools.cache
def _pieces(language: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pieces of text (words, capitalised words, marks) concatenated as uint16 tokens, where each begins, and its size."""
    written, words = LANGUAGES[language], spell(language)
    texts = [written.space + word for word in words] + [written.space + word[:1].upper() + word[1:] for word in words]
    encoded = [text.encode() for text in (*texts, "", written.comma, written.stop)]
    size = np.array([len(piece) for piece in encoded])
    flat = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint16) + np.uint16(1)
    return flat, np.cumsum(size) - size, size
