"""What several families draw: activations, initializers, data sets, recurrent cores.

Each function takes the `Draws` of the config and returns the config's entry. The order in which entries are drawn is part of the
published procedure; it is not always the order in which the config lists them.
"""

from collections.abc import Mapping
from typing import Any

from taskset.samplers.draws import Draws

ACTIVATIONS = {
    "relu": 6,
    "tanh": 3,
    "cos": 1,
    "elu": 1,
    "sigmoid": 1,
    "swish": 1,
    # The digit is the slope for negative inputs, in tenths.
    "leaky_relu4": 1,
    "leaky_relu2": 1,
    "leaky_relu1": 1,
}

# In this library's own families only: the published ones draw from the table above.
FURTHER_ACTIVATIONS = ("gelu",)

# Initializers without and with an argument.
PLAIN_INITIALIZERS = {"he_normal": 2, "he_uniform": 2, "glorot_normal": 2, "glorot_uniform": 2}
SCALED_INITIALIZERS = {"orthogonal": 1, "random_uniform": 1, "random_normal": 1, "truncated_normal": 1, "variance_scaling": 1}

MNIST_LIKE = ("fashion_mnist", "mnist")
CIFAR_LIKE = ("cifar10", "cifar100")
LARGE_IMAGES = (
    "coil100_32x32",
    "deep_weeds_32x32",
    "food101_32x32",
    "imagenet_resized/16x16",
    "imagenet_resized/32x32",
    "sun397_32x32",
)
IMAGE_DATASETS = tuple(sorted(MNIST_LIKE + CIFAR_LIKE + LARGE_IMAGES))
FIXED_IMAGES = ("colorectal_histology_32x32", "food101_64x64")  # never drawn: only fixed tasks read them

_AMAZON = ("Books_v1_02", "Camera_v1_00", "Home_v1_00", "Video_v1_00")
_WIKIPEDIA = ("zh", "ru", "ja", "hsb", "en")
# The first is one name: the release joined two by accident and published the result.
TEXT_CLASSIFICATION_DATASETS = (
    "imdb_reviews/subwords8kimdb_reviews/bytes",
    *(f"tokenized_amazon_reviews/{name}_{kind}" for name in _AMAZON for kind in ("bytes", "subwords8k")),
)
FIXED_TEXTS = ("imdb_reviews/subwords8k",)  # never drawn under its own name: only fixed tasks name it


def _language_model_datasets(kind):
    wikipedia = [f"tokenized_wikipedia/20190301.{language}_{kind}" for language in _WIKIPEDIA]
    amazon = [f"tokenized_amazon_reviews/{name}_{kind}" for name in _AMAZON]
    return tuple(sorted([f"lm1b/{kind}", f"imdb_reviews/{kind}", *wikipedia, *amazon]))


CHARACTER_DATASETS = _language_model_datasets("bytes")
WORD_DATASETS = _language_model_datasets("subwords8k")

GRU_MATRICES = ("wh", "wz", "wr", "uh", "uz", "ur")


def activation(draw: Draws) -> str:
    """The name of an activation function."""
    return draw.wchoice(ACTIVATIONS)


def initializer(draw: Draws) -> list[Any]:
    """[name, argument]; the argument is null for initializers without one."""
    name = draw.wchoice({**PLAIN_INITIALIZERS, **SCALED_INITIALIZERS})
    return [name, draw.log_float(0.1, 10) if name in SCALED_INITIALIZERS else None]


def initializer_among(draw: Draws, weights: Mapping[str, float], low: float, high: float) -> list[Any]:
    """[name, argument]: one of {name: weight}, with an argument of `low` .. `high` if it has one."""
    name, argument = draw.wchoice(weights), draw.log_float(low, high)
    return [name, argument if name in SCALED_INITIALIZERS else None]


def small_batches_of_images(draw: Draws, most: int) -> list[Any]:
    """[name, options, augmentation] as `image_dataset` draws it, but with a batch of 8 .. `most`, for models with dear steps."""
    dataset = image_dataset(draw)
    dataset[1]["bs"] = draw.log_int(8, most)
    return dataset


def image_dataset(draw: Draws) -> list[Any]:
    """[name, options, augmentation]; drawn name, augmentation, options."""
    name = draw.choice(*IMAGE_DATASETS)
    augmentation = _augmentation(draw) if draw.bernoulli(0.3) else None
    return [name, _image_options(draw, name), augmentation]


def _augmentation(draw):
    return {
        "crop_amount": draw.choice(0, 0, 0, 1, 2),
        "flip_left_right": draw.choice(False, True),
        "flip_up_down": draw.choice(False, True),
        "do_color_aug": draw.choice(False, True),
        "brightness": draw.log_float(0.001, 64 / 255),
        "saturation": draw.log_float(0.01, 1),
        "hue": draw.log_float(0.01, 0.5),
        "contrast": draw.log_float(0.01, 1),
    }


def _image_options(draw, name):
    if name in MNIST_LIKE:
        return {
            "bs": draw.log_int(8, 512),
            "num_train": draw.linear_int(1000, 55000),
            "num_classes": 10,
            "just_train": draw.bernoulli(0.1),
        }
    if name in CIFAR_LIKE:
        return {"bs": draw.log_int(8, 256), "num_train": draw.linear_int(1000, 50000), "just_train": draw.bernoulli(0.2)}
    return {"bs": draw.log_int(8, 256), "just_train": draw.bernoulli(0.2), "num_train": None}


def _num_train(draw):
    return draw.linear_int(1000, 50000) if draw.bernoulli(0.2) else None


def text_classification_dataset(draw: Draws) -> list[Any]:
    """[name, options]; the training size is drawn before the options written ahead of it."""
    name = draw.choice(*TEXT_CLASSIFICATION_DATASETS)
    num_train = _num_train(draw)
    return [
        name,
        {
            "bs": draw.log_int(8, 512),
            "num_train": num_train,
            "max_token": 8185,
            "just_train": draw.bernoulli(0.2),
            "patch_length": draw.log_int(8, 128),
        },
    ]


def character_dataset(draw: Draws) -> list[Any]:
    """[name, options] of a language model over bytes."""
    return _language_model_dataset(draw, CHARACTER_DATASETS, 160)


def word_dataset(draw: Draws) -> list[Any]:
    """[name, options] of a language model over pieces of words."""
    return _language_model_dataset(draw, WORD_DATASETS, 256)


def _language_model_dataset(draw, names, longest):
    name = draw.choice(*names)
    num_train = _num_train(draw)
    return [
        name,
        {
            "patch_length": draw.log_int(10, longest),
            "batch_size": draw.log_int(8, 512),
            "just_train": draw.bernoulli(0.2),
            "num_train": num_train,
        },
    ]


def recurrent_core(draw: Draws) -> list[Any]:
    """[kind, arguments] of a vanilla RNN, a GRU or an LSTM."""
    kind = draw.choice("vrnn", "gru", "lstm")
    # Whether the matrices share an initializer. Drawn for the LSTM, too, which has a single matrix.
    linked = draw.choice(True, True, True, True, False)
    if kind == "vrnn":
        matrices = _initializers(draw, ("hidden_to_hidden", "in_to_hidden"), linked)
        return [kind, {**matrices, "act_fn": activation(draw), "core_dim": draw.log_int(32, 128)}]
    if kind == "gru":
        return [kind, {"core_dim": draw.log_int(32, 128), **_initializers(draw, GRU_MATRICES, linked)}]
    return [kind, {"w_gates": initializer(draw), "core_dim": draw.log_int(32, 128)}]


def _initializers(draw, names, linked):
    if linked:
        shared = initializer(draw)
        return {name: list(shared) for name in names}
    return {name: initializer(draw) for name in names}
