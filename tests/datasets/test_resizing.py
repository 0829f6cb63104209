"""Images resized by OpenCV's bicubic interpolation."""

import math

import numpy as np
import pytest

from taskset.datasets import resizing


def resized(rows, size):
    """One channel of a resized image."""
    return resizing.resize(np.array(rows, np.uint8)[..., None], size).numpy()[..., 0].tolist()


def test_resized_values_by_hand():
    # Four pixels to two: the new centres lie half way between 0 and 1, and between 2 and 3. The kernel with a = -3/4 is 19/32 at
    # distance 1/2 and -3/32 at 3/2; beyond the edge the pixel at the edge counts once more.
    assert resized([[0, 100, 200, 50]], (1, 2)) == [[41, 134]]  # 40.625 and 134.375
    assert resized([[0], [100], [200], [50]], (2, 1)) == [[41], [134]]
    assert resized([[0, 0, 0, 0], [32, 32, 32, 32], [0, 0, 0, 0], [0, 0, 0, 0]], (2, 2)) == [[19, 19], [0, 0]]  # 19, -3
    assert resized([[255, 255, 0, 0]], (1, 2)) == [[255, 0]]  # 278.9 and -23.9
    # Two to four: 1/4 and 3/4 of a pixel off, with weights 0.87890625, 0.26171875, -0.03515625, -0.10546875.
    assert resized([[0, 100]], (1, 4)) == [[0, 23, 77, 111]]  # -10.5, 22.7, 77.3, 110.5
    # Nothing is smoothed before: of eight pixels to one only the inner four count, and here they are dark.
    assert resized([[255, 255, 0, 0, 0, 0, 255, 255]], (1, 1)) == [[0]]
    assert resized([[7, 9], [11, 13]], (2, 2)) == [[7, 9], [11, 13]]


def cubic_twin(image, size):
    """Pixel by pixel, with the polynomials of OpenCV's source."""

    def places(old, new):
        for i in range(new):
            at = (i + 0.5) * old / new - 0.5
            x, a = at - math.floor(at), -0.75
            shares = [
                ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a,
                ((a + 2) * x - (a + 3)) * x * x + 1,
                ((a + 2) * (1 - x) - (a + 3)) * (1 - x) ** 2 + 1,
            ]
            shares.append(1 - sum(shares))
            yield [(min(max(math.floor(at) - 1 + k, 0), old - 1), share) for k, share in enumerate(shares)]

    result = np.zeros((*size, image.shape[2]))
    for i, rows in enumerate(places(image.shape[0], size[0])):
        for j, columns in enumerate(places(image.shape[1], size[1])):
            result[i, j] = sum(u * v * image[row, column].astype(float) for row, u in rows for column, v in columns)
    return result


@pytest.mark.parametrize("shape, size", [((40, 23, 3), (8, 8)), ((5, 70, 1), (9, 32)), ((7, 7, 3), (7, 7)), ((1, 2, 3), (4, 4))])
def test_resized_images_are_those_of_a_slow_twin(shape, size):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    twin = cubic_twin(image, size)
    assert np.abs(resizing.resize(image, size).numpy() - twin.clip(0, 255)).max() <= 0.5 + 1e-3
