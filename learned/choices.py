"""What may be chosen in an outer training beside the names of `learned.registry`, and what estimators allow. No TensorFlow."""

DIFFERENCES = ("value", "sign", "rms")
FIRST_LENGTHS = ("together", "spread")
CLIPPING = ("entries", "norm")
SCHEDULES = ("constant", "cosine")
AUGMENTATIONS = ("none", "global", "tensor", "parameter", "mixed")

# {attribute of an estimator's class (`learned.estimators.base.Estimator`): the package's estimators that have it}
TRAITS = {
    "takes_differences": ("es_full", "es_truncated", "pes", "es_single"),
    "takes_groups": ("pes", "es_single"),
}
