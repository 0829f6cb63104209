"""The text data sets: their names in configs, where their text comes from, and their sizes. No TensorFlow."""

from dataclasses import dataclass

from taskset.errors import unknown

ENCODINGS = ("bytes", "subwords8k")
VOCABULARY = {"bytes": 257, "subwords8k": 8185}  # token ids 0 .. n - 1; 0 is the padding


@dataclass(frozen=True)
class TextInfo:
    """A collection of documents, before it is encoded.

    original: the TFDS data set and config with the plain text.
    reader: the function of `text_sources` that turns its records into documents.
    language: of the text.
    num_classes: of the label; None for text without labels.
    train, test: documents in the real splits; None if the number was never published.
    download: size of the download in bytes; None for a data set that its publisher withdrew.
    """

    original: str
    reader: str
    language: str
    num_classes: int | None
    train: int | None
    test: int | None
    download: int | None


# Sizes are those of TFDS 4.9. The last two groups have one stored split, which is divided 70 : 30 here.
_AMAZON = {"Books_v1_02": 3_105_520, "Camera_v1_00": 1_801_974, "Home_v1_00": 6_221_559, "Video_v1_00": 380_604}
_WIKIPEDIA = {"zh": 1_832_951_231, "ru": 3_766_537_109, "ja": 2_945_047_502, "hsb": 10_886_879, "en": 16_873_900_397}

CORPORA = {
    "imdb_reviews": TextInfo("imdb_reviews/plain_text", "reviews", "en", 2, 25_000, 25_000, 84_125_825),
    "lm1b": TextInfo("lm1b", "sentences", "en", None, 30_301_028, 306_688, 1_792_209_805),
    **{
        f"tokenized_wikipedia/20190301.{language}": TextInfo(
            f"wikipedia/20190301.{language}", "articles", language, None, None, None, size
        )
        for language, size in _WIKIPEDIA.items()
    },
    **{
        f"tokenized_amazon_reviews/{config}": TextInfo(
            f"amazon_us_reviews/{config}", "products", "en", 5, int(rows * 0.7), rows - int(rows * 0.7), None
        )
        for config, rows in _AMAZON.items()
    },
}


def _name(corpus: str, encoding: str) -> str:
    return f"{corpus}_{encoding}" if corpus.startswith("tokenized_") else f"{corpus}/{encoding}"


NAMES = {_name(corpus, encoding): (corpus, encoding) for corpus in CORPORA for encoding in ENCODINGS}


def parse(name: str) -> tuple[str, str]:
    """`"tokenized_wikipedia/20190301.zh_bytes"` -> `("tokenized_wikipedia/20190301.zh", "bytes")`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in NAMES:
        raise unknown("text data set", name, list(NAMES), "python -m taskset data status shows all.")
    return NAMES[name]


def info(name: str) -> TextInfo:
    """The `TextInfo` of an encoded text data set. Raises `UnknownName`."""
    return CORPORA[parse(name)[0]]
