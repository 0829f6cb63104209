"""What the data card says of coverage: which tasks of each family have curves, and which don't."""

import pandas as pd

from taskset.files.markdown import table

FIRST, MOST_MS = 16, 50.0  # what is wanted first: this many tasks of each sampled family, those that cost more left out


def by_family(tasks: pd.DataFrame, sweeps: pd.DataFrame, normalizers: pd.DataFrame) -> str:
    """A table: how many tasks each family has, can run, has curves of by source, and can normalize; and what a step costs."""
    ready = set(normalizers.loc[normalizers["normalizable"] & (normalizers["split"] == "train"), "task"])
    sources = [s for s in ("none", "synthetic", "tfds", "published") if s in set(sweeps["source"])]
    rows = []
    for family, part in tasks.groupby("family", sort=True):
        swept = sweeps[sweeps["family"] == family]
        by_source = [f"{swept.loc[swept['source'] == s, 'task'].nunique()}" for s in sources]
        cost = part["ms_per_step"].median()
        rows.append(
            [
                family,
                f"{len(part):,}",
                f"{part['feasible'].sum():,}",
                *by_source,
                len(ready & set(part["task"])),
                "-" if pd.isna(cost) else f"{cost:.2f}",
            ]
        )
    header = [
        "family",
        "tasks",
        "feasible",
        *(f"swept, {s}" for s in sources),
        "with normalizer",
        "median ms a step where measured",
    ]
    return table(header, rows)


def missing(tasks: pd.DataFrame, sweeps: pd.DataFrame, normalizers: pd.DataFrame) -> str:
    """A list of what has no curves or no normalizer, and why."""
    feasible = tasks[tasks["feasible"]]
    left = feasible[feasible["runs"] == 0]
    none = sorted(set(feasible["family"]) - set(sweeps["family"]))
    lines = [
        f"- {len(tasks) - len(feasible):,} of {len(tasks):,} tasks can't run.",
        f"- {len(left):,} feasible tasks were not swept; of these, {left['ms_per_step'].notna().sum():,} have their cost "
        f"measured{_cost_range(left)}.",
    ]
    if none:
        lines.append(f"- Families without any curve: {', '.join(none)}.")
    fixed, left_fixed = tasks["seed"].isna(), left[left["seed"].isna()]
    if len(left_fixed):
        lines.append(f"- {len(left_fixed)} of the {fixed.sum()} fixed tasks were not swept{_cost_range(left_fixed)}.")
    lines += _gaps(feasible)
    without = normalizers.loc[~normalizers["normalizable"] & (normalizers["split"] == "train"), ["task", "source"]]
    if len(without):
        named = ", ".join(f"{task} ({source})" for task, source in without.itertuples(index=False))
        lines.append(f"- Swept, but without a normalizer, because no run got below the start or all diverged: {named}.")
    return "\n".join(lines)


def _cost_range(tasks: pd.DataFrame) -> str:
    known = tasks["ms_per_step"].dropna()
    return f", {known.min():.2f} to {known.max():.2f} ms a step" if len(known) else ""


def _gaps(feasible: pd.DataFrame) -> list[str]:
    """One line for each family of which at most a tenth of the seeds, up to the last one swept, are left out: these."""
    lines = []
    for family, part in feasible[feasible["seed"].notna()].groupby("family", sort=True):
        swept = part["runs"] > 0
        within = part[part["seed"] <= part.loc[swept, "seed"].max()] if swept.any() else part[:0]
        gaps = within[within["runs"] == 0]
        if 0 < 10 * len(gaps) <= len(within):
            seeds = ", ".join(str(int(seed)) for seed in gaps["seed"])
            last = int(within["seed"].max())
            lines.append(f"- {family}: of the seeds 0 .. {last} that can run, not swept: {seeds}{_cost_range(gaps)}.")
    return lines


def breadth(tasks: pd.DataFrame, sweeps: pd.DataFrame) -> str:
    """A table: which of the first feasible seeds of each family have curves on data that anyone can make (synthetic or none)."""
    swept = set(sweeps.loc[sweeps["source"].isin(("none", "synthetic")), "task"])
    rows = []
    for family, part in tasks[tasks["feasible"] & tasks["seed"].notna()].groupby("family", sort=True):
        first = part.sort_values("seed").head(FIRST)
        left = first[~first["task"].isin(swept)]
        dear = left["ms_per_step"] > MOST_MS
        seeds = ", ".join(str(int(seed)) for seed in left.loc[~dear, "seed"])
        rows.append([family, len(first) - len(left), int(dear.sum()), seeds or "-"])
    return table(["family", "swept", f"above {MOST_MS:g} ms a step", "left, seeds"], rows)
