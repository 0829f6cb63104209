"""How the four splits of a task are cut from the stored splits of a data set.

The rules are those of the TaskSet release: stored validation and test splits are used; splits that are missing are cut off the
front of train. Cuts are ranges of rows: no example is in two splits.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A range of rows of one stored split."""

    stored: str
    rows: range


def cut_names(stored: Collection[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The splits that are cut off the front of train, in order, and {split: stored split} of those that are not.

    stored: names of the stored splits, e.g. ("train", "test").
    """
    held_out = [name for name in ("validation", "test") if name in stored]
    if len(held_out) == 2:
        return ("valid_inner",), {"valid_outer": "validation", "test": "test"}
    if held_out:
        return ("valid_inner", "valid_outer"), {"test": held_out[0]}
    return ("valid_inner", "valid_outer", "test"), {}


def four_splits(sizes: Mapping[str, int], valid_size: int, num_train: int | None = None) -> dict[str, Cut]:
    """{split: Cut} of train, valid_inner, valid_outer and test.

    sizes: {stored split: number of examples}. valid_size: size of each cut. num_train: the largest number of rows taken from the
    rest of train; None takes all. The range of train is empty if the cuts leave nothing.
    """
    names, whole = cut_names(sizes)
    cuts = {name: Cut("train", range(i * valid_size, (i + 1) * valid_size)) for i, name in enumerate(names)}
    start = len(names) * valid_size
    left = max(0, sizes["train"] - start)
    cuts["train"] = Cut("train", range(start, start + (left if num_train is None else min(left, num_train))))
    for split, stored in whole.items():
        cuts[split] = Cut(stored, range(sizes[stored]))
    return {split: cuts[split] for split in ("train", "valid_inner", "valid_outer", "test")}


def shortage(cuts: Mapping[str, Cut], sizes: Mapping[str, int], batch_size: int) -> str | None:
    """Why batches can't be drawn from the cuts, naming the config's field; None if they can."""
    for split, cut in cuts.items():
        if split != "train" and cut.rows.stop > sizes[cut.stored]:
            return f"valid_size: {len(cut.rows)} examples can't be cut off {sizes[cut.stored]} for {split}"
    if not cuts["train"].rows:
        return f"valid_size: the cuts take all {sizes['train']} training examples"
    for split, cut in cuts.items():
        if len(cut.rows) < batch_size:
            return f"batch size: a batch of {batch_size} can't be drawn from the {len(cut.rows)} examples of {split}"
    return None
