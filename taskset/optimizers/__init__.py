"""Hand-designed optimizers as pure functions. `taskset.optimizers.base` says what an optimizer is and how to write one."""

from taskset.optimizers.adaptive import adam, adam6p, adam8p
from taskset.optimizers.base import Elementwise, Optimizer, from_functions
from taskset.optimizers.descent import adagrad, momentum, nesterov, rmsprop, sgd
from taskset.optimizers.muon import muon
from taskset.optimizers.nadamw import nadamw_corrected, nadamw_published
from taskset.optimizers.named import get_optimizer, make_optimizer, opt_list
from taskset.optimizers.one_run import lion, prodigy, schedule_free_adamw
from taskset.optimizers.relative_muon import relative_muon
from taskset.optimizers.relative_nadam import relative_nadam
from taskset.optimizers.soap import soap

__all__ = [
    "Elementwise",
    "Optimizer",
    "adagrad",
    "adam",
    "adam6p",
    "adam8p",
    "from_functions",
    "get_optimizer",
    "lion",
    "make_optimizer",
    "momentum",
    "muon",
    "nadamw_corrected",
    "nadamw_published",
    "nesterov",
    "opt_list",
    "prodigy",
    "relative_muon",
    "relative_nadam",
    "rmsprop",
    "schedule_free_adamw",
    "sgd",
    "soap",
]
