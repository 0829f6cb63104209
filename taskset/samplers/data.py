"""From a config's `dataset` entry to the data specification (`taskset.datasets`).

Specifications are imported inside the functions: sampling configs needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskset.datasets.base import DataSpec
    from taskset.datasets.images import ImageData
    from taskset.datasets.text import LanguageModelData, TextClassificationData


def image_data(dataset: list[Any]) -> ImageData:
    """`ImageData` of `[name, options, augmentation]`.

    The option just_train is not passed on: the release read it only for language models.
    """
    from taskset.datasets.images import ImageData

    name, options, augmentation = dataset
    valid_size = options.get("valid_size")
    return ImageData(name, options["bs"], num_train=options["num_train"], augmentation=augmentation, valid_size=valid_size)


def text_classification_data(dataset: list[Any]) -> TextClassificationData:
    """`TextClassificationData` of `[name, options]`."""
    from taskset.datasets.text import TextClassificationData

    name, options = dataset
    return TextClassificationData(name, options["bs"], options["num_train"], options["patch_length"], options["max_token"])


def language_model_data(dataset: list[Any], valid_size: int) -> LanguageModelData:
    """`LanguageModelData` of `[name, options]` with validation splits of `valid_size` documents."""
    from taskset.datasets.text import LanguageModelData

    name, options = dataset
    return LanguageModelData(
        name, options["batch_size"], options["num_train"], options["just_train"], options["patch_length"], valid_size=valid_size
    )


def losg_data(kind: str, args: dict[str, Any], number: int) -> DataSpec | None:
    """The data of a synthetic problem `[kind, args, number]`; None if its loss reads none."""
    from taskset.datasets import losg

    return losg.data(kind, args, number)
