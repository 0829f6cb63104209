"""Suites: lists of tasks with the scales of their losses, made by a rule, kept in files, found by name (`by_name`)."""

from taskset.scoring.suites.selection import is_small, joined, make, make_unmeasured, measured, scales
from taskset.scoring.suites.suite import Entry, Suite
from taskset.scoring.suites.suite_file import load, load_any, require_measured, save

__all__ = [
    "Entry",
    "Suite",
    "is_small",
    "joined",
    "load",
    "load_any",
    "make",
    "make_unmeasured",
    "measured",
    "require_measured",
    "save",
    "scales",
]
