"""Augmentation agrees with tf.image per example, and with itself however it is executed."""

import numpy as np
import pytest
import tensorflow as tf

from taskset.datasets import augmentation
from taskset.datasets.images import ImageData
from taskset.random import stateless

NOTHING = {
    "crop_amount": 0, "flip_left_right": False, "flip_up_down": False, "do_color_aug": False,
    "brightness": 0.2, "saturation": 0.7, "hue": 0.3, "contrast": 0.6,
}  # fmt: skip
DELTAS = np.array([-0.5, -0.31, 0.0, 0.013, 0.37, 0.5], np.float32)


def pixels(seed=0, shape=(6, 8, 8, 3)):
    """Floats in and beyond [0, 1]: greys, ties between channels, pixels below 0."""
    x = np.random.default_rng(seed).uniform(-0.3, 1.4, shape).astype(np.float32)
    x[0] = np.round(2 * x[0]) / 2
    x[1, ..., 1] = x[1, ..., 0]
    x[2, :3] -= 2
    x[3, :2] = x[3, :2, :, :1]
    return x


@pytest.mark.parametrize(
    "ours, theirs, values",
    [
        (augmentation.adjust_brightness, tf.image.adjust_brightness, DELTAS),
        (augmentation.adjust_saturation, tf.image.adjust_saturation, 2 * DELTAS + 1),
        (augmentation.adjust_hue, tf.image.adjust_hue, DELTAS),
        (augmentation.adjust_contrast, tf.image.adjust_contrast, DELTAS + 1),
    ],
    ids=["brightness", "saturation", "hue", "contrast"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_colour_mathematics_is_that_of_tf_image(ours, theirs, values, compiled):
    x = pixels()
    wanted = np.stack([theirs(image, float(value)) for image, value in zip(x, values, strict=True)])
    compiled_ours = tf.function(ours, jit_compile=True, autograph=False)
    got = compiled_ours(x, values) if compiled else ours(tf.constant(x), tf.constant(values))
    np.testing.assert_allclose(got, wanted, atol=3e-6)
    assert np.abs(wanted - x).max() > 0.1


@pytest.mark.parametrize("colour", [False, True])
def test_same_in_eager_graph_and_xla(colour):
    options = {**NOTHING, "crop_amount": 2, "flip_left_right": True, "flip_up_down": True, "do_color_aug": colour}
    spec = ImageData("cifar10", 16, augmentation=options)
    raw = {
        "image": np.random.default_rng(1).integers(0, 256, (16, 32, 32, 3), np.uint8),
        "label": np.arange(16, dtype=np.int32),
    }
    raw = {name: tf.constant(value) for name, value in raw.items()}
    eager = spec.prepare(raw, stateless.as_key(5))
    for compiled in (False, True):
        batch = tf.function(spec.prepare, jit_compile=compiled, autograph=False)(raw, stateless.as_key(5))
        np.testing.assert_allclose(batch["image"], eager["image"], atol=2e-6)
        np.testing.assert_array_equal(batch["label"], eager["label"])
    for name, (shape, dtype) in spec.batch.items():
        assert (eager[name].shape, eager[name].dtype) == (shape, dtype)
    other = spec.prepare(raw, stateless.as_key(6))
    assert np.abs(other["image"] - eager["image"]).max() > 0.1


def numbered(batch, height, width):
    """Images whose pixels say where they are: 100 row + column."""
    grid = 100.0 * np.arange(height)[:, None] + np.arange(width)
    return tf.constant(np.broadcast_to(grid[None, :, :, None], (batch, height, width, 1)).astype(np.float32))


def test_crops_are_windows_at_every_offset():
    cropped = augmentation.augment(numbered(200, 6, 7), stateless.as_key(0), {**NOTHING, "crop_amount": 2}).numpy()[..., 0]
    assert cropped.shape == (200, 4, 5)
    corners = cropped[:, 0, 0]
    np.testing.assert_array_equal(cropped, corners[:, None, None] + 100.0 * np.arange(4)[:, None] + np.arange(5))
    assert set(corners) == {100.0 * i + j for i in range(3) for j in range(3)}


@pytest.mark.parametrize("option, axis", [("flip_up_down", 1), ("flip_left_right", 2)])
def test_flips_reverse_about_half_the_images(option, axis):
    images = numbered(400, 5, 6)
    flipped = augmentation.augment(images, stateless.as_key(3), {**NOTHING, option: True}).numpy()
    turned = np.array([np.array_equal(a, np.flip(b, axis - 1)) for a, b in zip(flipped, images, strict=True)])
    kept = np.array([np.array_equal(a, b) for a, b in zip(flipped, images, strict=True)])
    assert (turned ^ kept).all()
    assert 150 < turned.sum() < 250


def test_up_down_and_left_right_are_drawn_apart():
    both = {**NOTHING, "flip_up_down": True, "flip_left_right": True}
    flipped = augmentation.augment(numbered(400, 4, 4), stateless.as_key(3), both)
    corners, counts = np.unique(flipped.numpy()[:, 0, 0, 0], return_counts=True)
    assert set(corners) == {0.0, 3.0, 300.0, 303.0}
    assert counts.min() > 60


def test_off_is_identity():
    x = pixels()
    assert augmentation.augment(x, stateless.as_key(0), None) is x
    np.testing.assert_array_equal(augmentation.augment(tf.constant(x), stateless.as_key(0), NOTHING), x)


def test_colour_only_where_there_are_three_channels():
    colour = {**NOTHING, "do_color_aug": True}
    grey = pixels(shape=(6, 8, 8, 3))[..., :1]
    np.testing.assert_array_equal(augmentation.augment(tf.constant(grey), stateless.as_key(0), colour), grey)
    assert np.abs(augmentation.augment(tf.constant(pixels()), stateless.as_key(0), colour) - pixels()).max() > 0.05


def test_deltas_are_per_example_and_within_their_limits():
    x = tf.fill([300, 2, 2, 3], 0.5)
    only_brightness = {**NOTHING, "do_color_aug": True, "saturation": 0.0, "hue": 0.0, "contrast": 0.0}
    deltas = augmentation.augment(x, stateless.as_key(1), only_brightness).numpy()[:, 0, 0, 0] - 0.5
    assert len(np.unique(deltas)) > 290
    assert -0.2 <= deltas.min() < -0.19
    assert 0.19 < deltas.max() <= 0.2


def test_brightened_pixels_are_not_clipped():
    bright = augmentation.augment(tf.ones([50, 2, 2, 3]), stateless.as_key(1), {**NOTHING, "do_color_aug": True})
    assert bright.numpy().max() > 1.1


def test_colours_change_in_the_published_order_within_their_own_limits():
    """Brightness, saturation, hue, contrast, by tf.image; the factors are drawn from the keys after those of crops and flips."""
    limits = {"brightness": 0.1, "saturation": 0.7, "hue": 0.3, "contrast": 0.5}
    images, key = tf.constant(pixels()), stateless.as_key(7)
    ours = augmentation.augment(images, key, {**NOTHING, **limits, "do_color_aug": True})
    steps = (
        ("brightness", tf.image.adjust_brightness, 0.0),
        ("saturation", tf.image.adjust_saturation, 1.0),
        ("hue", tf.image.adjust_hue, 0.0),
        ("contrast", tf.image.adjust_contrast, 1.0),
    )
    theirs = list(images)
    for (name, adjust, middle), drawn in zip(steps, stateless.split(key, 8)[4:]):
        factors = middle + stateless.uniform(drawn, [len(theirs)], minval=-limits[name], maxval=limits[name])
        theirs = [adjust(image, factor) for image, factor in zip(theirs, factors)]
    np.testing.assert_allclose(ours, tf.stack(theirs), rtol=1e-4, atol=1e-5)
