"""What each family of tasks and of optimizers is, in a few words: for lists and docs/families.md. No TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskset import registry


@dataclass(frozen=True)
class About:
    """What a family is.

    what: in at most 41 characters, which a list of 80 columns has room for; data: what it reads; parameters: the fewest and the
    most of the tasks that can run and are listed, None where that isn't known.
    """

    what: str
    data: str = ""
    parameters: tuple[int, int] | None = None


_IMAGES = "ten image sets of 16x16 to 32x32 pixels"
_TWELVE = "twelve image sets of 16x16 to 64x64 pixels"
_TEXT = "reviews, news, Wikipedia in five languages"
_BYTES, _PIECES = f"{_TEXT}, as bytes", f"{_TEXT}, as pieces of words"

ABOUT = {
    "associative": About("recurrent nets that recall pairs", "generated sequences", (30_004, 393_830)),
    "char_rnn_language_model_family": About("recurrent language models over bytes", _BYTES, (6_902, 181_792)),
    "conv_fc_family": About("conv nets with dense layers, classifiers", _TWELVE, (4_424, 52_202_566)),
    "conv_pooling_family": About("conv nets that pool, classifiers", _IMAGES, (238, 389_706)),
    "copy": About("recurrent nets that copy sequences", "generated sequences", (19_724, 329_780)),
    "fixed_conv": About("conv nets with batch norm, classifiers", "five image sets", (57_130, 292_397)),
    "fixed_conv_ae": About("convolutional autoencoders", "mnist and cifar10", (95_017, 226_433)),
    "fixed_conv_vae": About("convolutional variational autoencoders", "mnist and cifar10", (180_290, 1_993_570)),
    "fixed_mlp": About("dense classifiers: mse, dropout, norms", "three image sets", (134_794, 439_397)),
    "fixed_mlp_vae": About("dense VAEs of centred images", "three image sets", (322_480, 1_231_424)),
    # losg: "Learned Optimizers that Scale and Generalize"
    "losg_tasks_family": About("small problems of Wichrowska et al. 2017", "none, or small generated sets", (2, 4_386)),
    "made_family": About("flows: MAF with the masks of MADE", _IMAGES, (40_721, 4_706_812)),
    "maf_family": About("flows: masked autoregressive (MAF)", _IMAGES, (40_721, 31_481_856)),
    "masked_language_model": About("recurrent language models with padding", "news (lm1b), as bytes", (57_856, 411_392)),
    "mlp_ae_family": About("dense autoencoders", _IMAGES, (53_104, 797_984)),
    "mlp_family": About("dense classifiers", _IMAGES, (13_525, 514_198)),
    "mlp_vae_family": About("dense variational autoencoders (VAEs)", _IMAGES, (91_380, 1_567_359)),
    "nvp_family": About("flows: Real NVP", _IMAGES, (24_324, 33_038_160)),
    "quadratic_family": About("quadratic forms with random matrices", "none", (2, 2_997)),
    "resnet_family": About("residual nets, classifiers", _IMAGES, (1_218, 665_536)),
    "rnn_text_classification_family": About(
        "recurrent classifiers of text", "film reviews (imdb_reviews), as pieces of words", (2_720, 1_412_098)
    ),
    "transformer_lm_family": About("transformers, language models", f"{_TEXT}, as bytes or pieces of words", (5_744, 1_981_987)),
    "vit_family": About("vision transformers, classifiers", _IMAGES, (2_410, 1_601_418)),
    "word_rnn_language_model_family": About("recurrent language models, word pieces", _PIECES, (57_036, 6_828_514)),
}

OPTIMIZERS = {  # {pattern of names: what it is}; X: log10 of the learning rate; N: a seed, which draws the hyperparameters
    "lion": "the sign of an average of gradients",
    "muon": "momentum, orthogonal for matrices",
    "prodigy": "Adam that finds its rate",
    "relative_muon": "Muon, steps relative to the parameters",
    "relative_nadam": "NAdam, steps relative to the parameters",
    "schedule_free_adamw": "AdamW without a schedule",
    "soap": "Adam in Shampoo's eigenbasis",
    "adam_lr_X": "Adam; X: log10 of the rate, -7.00 .. 1.00",
    "adagrad_lr_X": "Adagrad; X as above",
    "adam1p_wide_grid_seedN": "Adam; N draws the rate",
    "adam4p_wide_grid_seedN": "Adam; N draws rate, betas and epsilon",
    "adam6p_wide_grid_seedN": "the same with decays of the rate",
    "adam8p_wide_grid_seedN": "the same with decays, l1 and l2",
    "adagrad_wide_grid_seedN": "Adagrad; N draws rate and start",
    "nadamw_grid_seedN": "NAdamW as the release ran it",
    "nadamw_corrected_seedN": "NAdamW with its mistakes mended",
    "opt_list:N": "the best N of nadamw_grid, N to 100",
}


def family(name: str) -> About:
    """What a family is; of one of a user's own, the first line of its functions' docstrings that there is."""
    if name in ABOUT:
        return ABOUT[name]
    known = registry.known_families()[name]
    return About(next(filter(None, map(_first_line, (known.sample, known.build, known.facts))), ""))


def _first_line(function: Callable[..., Any] | None) -> str:
    text = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    return re.sub(rf"^{re.escape(getattr(function, '__name__', ''))}: ", "", text).rstrip(".")
