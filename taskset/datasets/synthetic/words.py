"""The words of made-up languages: 8000 distinct spellings from a chain of letters."""

from dataclasses import dataclass

import numpy as np

from taskset.random import seeds

WORDS = 8000


@dataclass(frozen=True)
class Language:
    """How the words of a language are written.

    letters: from the most to the least frequent.
    vowels: those of the letters that are vowels: two in a row are rare, as are two consonants; "" for no such rule.
    length: the length of words, as a multiple of that of English words.
    space, comma, stop: what separates words, clauses and sentences.
    version: of the documents written in it, part of the metadata of every result.
    """

    letters: str
    vowels: str
    length: float
    space: str
    comma: str
    stop: str
    version: int = 1


LANGUAGES = {
    "en": Language("etaoinshrdlcumwfgypbvkjxqz", "aeiou", 1.0, " ", ",", "."),
    "hsb": Language("aeionwjsrkpdytmćlchzšběučóřłgžńf", "aeioyěuó", 0.95, " ", ",", ".", version=2),  # 1 had ć three times
    "ru": Language("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", "оеаиуяыюэё", 1.1, " ", ",", "."),
    # Blocks of the writing systems, 3 bytes per character: only the number of characters matters.
    "zh": Language("".join(map(chr, range(0x4E00, 0x4E00 + 1500))), "", 0.32, "", "\uff0c", "。"),
    "ja": Language("".join(map(chr, (*range(0x3042, 0x3094), *range(0x4E00, 0x4E00 + 700)))), "", 0.45, "", "、", "。"),
}


def _chain(language, rng):
    """Cumulative probabilities of the next letter, [previous letter or start, letter].

    The letter of rank k has the frequency ln((n + 1) / k) / n of Gusein-Zade (1988); each pair is then e^N times as likely.
    """
    n = len(language.letters)
    table = np.log((n + 1) / np.arange(1, n + 1)) * np.exp(rng.standard_normal((n + 1, n)))
    if language.vowels:
        vowel = np.array([letter in language.vowels for letter in language.letters])
        table[:n] *= np.where(vowel[:, None] & vowel, 0.15, np.where(~vowel[:, None] & ~vowel, 0.22, 1.0))
    return np.cumsum(table / table.sum(1, keepdims=True), axis=1)


def _draw(table, rows, u):
    """A column drawn from each of `rows` of a table of cumulative probabilities, by inversion of `u`."""
    flat = (table + np.arange(len(table))[:, None]).ravel()
    return np.clip(np.searchsorted(flat, rows + u) - rows * table.shape[1], 0, table.shape[1] - 1)


def _lengths(language, rng):
    """The number of letters of each word: frequent words are short."""
    rank = np.arange(WORDS)
    z = rng.standard_normal(WORDS)
    letters = np.where(rank < 200, 1.1 + 0.95 * np.log(rank + 2) + 1.3 * z, 6.2 + 2.0 * z)
    return np.maximum(1, np.rint(language.length * letters)).astype(int)


def spell(name: str) -> list[str]:
    """`WORDS` distinct words of the language `name`, the most frequent first; the same at every call."""
    language = LANGUAGES[name]
    rng = seeds.generator(0, "synthetic words", name)
    chain, lengths = _chain(language, rng), _lengths(language, rng)
    words, taken, missing = [""] * WORDS, set(), np.arange(WORDS)
    while len(missing):
        letters = np.full(len(missing), len(language.letters))
        spelled = np.empty((len(missing), lengths[missing].max()), int)
        for i in range(spelled.shape[1]):
            letters = spelled[:, i] = _draw(chain, letters, rng.random(len(missing)))
        for word, row in zip(missing, spelled, strict=True):
            candidate = "".join(language.letters[k] for k in row[: lengths[word]])
            if candidate not in taken:
                words[word] = candidate
                taken.add(candidate)
        missing = np.array([word for word in missing if not words[word]], int)
        # Short spellings run out: words still without one may become a letter longer.
        lengths[missing] += rng.random(len(missing)) < 0.3
    return words
