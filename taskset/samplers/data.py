"""From a config's `dataset` entry to the data specification (`taskset.datasets`).

Specifications are imported inside the functions: sampling configs needs none of them.
"""


def image_data(dataset):
    """`ImageData` of `[name, options, augmentation]`.

    The option just_train is not passed on: the release read it for language models alone.
    """
    from taskset.datasets.images import ImageData

    name, options, augmentation = dataset
    valid_size = options.get("valid_size")
    return ImageData(name, options["bs"], num_train=options["num_train"], augmentation=augmentation, valid_size=valid_size)


def text_classification_data(dataset):
    """`TextClassificationData` of `[name, options]`."""
    from taskset.datasets.text import TextClassificationData

    name, options = dataset
    return TextClassificationData(name, options["bs"], options["num_train"], options["patch_length"], options["max_token"])


def language_model_data(dataset, valid_size):
    """`LanguageModelData` of `[name, options]` with validation splits of `valid_size` documents."""
    from taskset.datasets.text import LanguageModelData

    name, options = dataset
    return LanguageModelData(
        name, options["batch_size"], options["num_train"], options["just_train"], options["patch_length"], valid_size=valid_size
    )


def losg_data(kind, args, number):
    """The data of a synthetic problem `[kind, args, number]`, None where its loss reads none."""
    from taskset.datasets import losg

    return losg.data(kind, args, number)
