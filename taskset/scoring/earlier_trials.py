"""A directory that holds results of other hyperparameters: the error says how to keep both."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from taskset.errors import StoreError, argument, cut
from taskset.normalization import store
from taskset.normalization.store import layout
from taskset.scoring.trial_sets import Hyperparameters

LONGEST = 40  # letters of what is added to a name


def check_same(root: str | Path, name: str, sets: Sequence[Hyperparameters]) -> None:
    """Raise `StoreError` where `root` has curves of a score with other hyperparameters than `sets`, those of each trial.

    name: what the new results are to be called.
    """
    if not Path(root, layout.SWEEP).exists() or not store.has_curves(root):
        return
    there = store.read_options(root).get("hyperparameters")
    if not isinstance(there, list) or there == list(sets):  # not a list: no score's, which `store.check_options` says
        return
    new = _suffix(root, sets)
    alike = len(there) == len(sets) > 1
    held = f"{len(there)} other sets of hyperparameters" if alike else f"{_words(there)}, not with {_words(sets)}"
    both = f"--name {name[:100]}-{new} --out {argument(f'{root}-{new}')}"
    raise StoreError(f"{root} holds results with {held}: to keep both, add {both}")


def _words(sets: Sequence[Hyperparameters]) -> str:
    """What the trials have, in words."""
    if len(sets) > 1:
        return f"{len(sets)} sets of hyperparameters"
    return f"hyperparameters {cut(json.dumps(sets[0]), 80)}" if sets and sets[0] else "the default hyperparameters"


def _suffix(root: str | Path, sets: Sequence[Hyperparameters]) -> str:
    """What tells `sets` from others in a name: their values where they are one short set, else a number that is free."""
    if len(sets) == 1:
        text = "-".join(f"{key}-{value}" for key, value in sets[0].items()) or "default"
        if len(text) <= LONGEST and re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
            return text
    number = 2
    while Path(f"{root}-{number}").exists():
        number += 1
    return str(number)
