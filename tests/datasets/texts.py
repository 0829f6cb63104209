"""What tests of text share: specifications, lines, a classifier."""

import numpy as np

from taskset.datasets.text import LanguageModelData, TextClassificationData

JOINED = "imdb_reviews/subwords8kimdb_reviews/bytes"
LINES = ["A film. A very good film!", "naïve café — 数学は楽しい 🎬", "\ttabs,  two spaces\n", "x"]


def classification(**fields):
    given = {"name": JOINED, "batch_size": 16, "num_train": None, "patch_length": 20, "max_token": 8185, "valid_size": 300}
    return TextClassificationData(**{**given, **fields})


def language(name="lm1b/bytes", **fields):
    given = {"batch_size": 16, "num_train": None, "just_train": False, "patch_length": 30, "valid_size": 300}
    return LanguageModelData(name, **{**given, **fields})


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
