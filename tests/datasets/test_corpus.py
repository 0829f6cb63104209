"""Random windows of documents."""

import numpy as np
import pytest

from taskset.datasets.corpus import concatenate, window_starts, windows

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
