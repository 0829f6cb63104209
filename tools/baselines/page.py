"""The baselines of data/ and data-extra/ in tables and pictures: `python -m tools.baselines.page (--out DIR | --publish)`."""

import argparse
import textwrap
from pathlib import Path

import pandas as pd

import taskset
from taskset import changes
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError
from taskset.normalization.normalizer import mean_curves, normalize
from taskset.normalization.store import load_curves, load_normalizers, load_sweeps
from taskset.samplers.optimizers import LOG10_LEARNING_RATES, adam_rates
from tools import report
from tools.baselines import pictures, tables
from tools.baselines.pictures import FEW, MANY, SETTING, SPLIT, counts, keys, shown, with_all_rates

ADAM_RATES = adam_rates()
RATE = dict(zip(ADAM_RATES, LOG10_LEARNING_RATES))


def prepare(roots):
    """(mean curves over seeds with columns `normalized`, `rate`, `best_rate`; runs with `diverged` and `rate`) of Adam's rates.

    roots: of baselines; None: the package's. Settings (task, source, horizon) without a normalizer are left out of the curves,
    not of the runs. Read family by family: all curves at once take gigabytes. Raises `StoreError` where two roots have a setting.
    """
    parts = [part for root in roots for part in _of_root(root)]
    settings = pd.concat([runs[SETTING].drop_duplicates() for _, runs in parts])
    if (twice := settings[settings.duplicated()]).size:
        raise StoreError(f"{twice['task'].iloc[0]} is in two of the baselines: give another --root")
    means, runs = (pd.concat(frames, ignore_index=True) for frames in zip(*parts))
    kinds = dict.fromkeys(("family", "task", "source"), "category")
    return means.astype(kinds), runs.astype(kinds)


def _of_root(root):
    """The two frames of `prepare` of each family of a root."""
    normalizers = load_normalizers(root)
    normalizers = normalizers[normalizers["normalizable"] & (normalizers["split"] == SPLIT)]
    normalizers = normalizers.assign(best_rate=normalizers["best_optimizer"].map(RATE))
    swept = [row for row in load_sweeps(root).itertuples() if set(ADAM_RATES) & set(row.optimizers)]
    families = sorted({r.family for r in swept if not changes.outdated(r.task, r.source, r.taskset_version)})
    if not families:
        raise StoreError("no task has curves of Adam's learning rates: pass --root")
    return [_of_family(root, family, normalizers) for family in families]


def _of_family(root, family, normalizers):
    """The two frames of `prepare` of one family."""
    columns = [*SETTING, "optimizer", "seed", "step", *SPLITS, "diverged"]
    curves = load_curves(family=family, optimizer=ADAM_RATES, root=root, columns=columns)
    runs = curves.groupby([*SETTING, "optimizer", "seed"], observed=True)["diverged"].max().reset_index()
    runs["rate"] = runs.pop("optimizer").astype(str).map(RATE)
    scales = normalizers[normalizers["family"] == family]
    means = mean_curves(curves).astype({"task": str, "optimizer": str})
    means = means.merge(scales[[*SETTING, "initial", "best", "best_rate"]], on=SETTING)
    means["normalized"] = normalize(means[SPLIT], means["initial"], means["best"])
    means["rate"] = means["optimizer"].map(RATE)
    return means[[*SETTING, "step", "rate", "normalized", "best_rate"]], runs.astype({"task": str})


def left_out(means, runs):
    """A sentence about the settings that no picture shows; "" where they show all."""
    complete, ready = with_all_rates(runs), set(keys(means.drop_duplicates(SETTING)))
    whole = set(keys(complete.drop_duplicates(SETTING)))
    fewer = runs[[key not in whole for key in keys(runs)]]
    bare = complete[[key not in ready for key in keys(complete)]]
    parts = []
    if len(fewer):
        parts.append(f"{_listed(fewer)} were swept with fewer rates")
    if len(bare):
        share = f"{bare['diverged'].mean():.1%}"
        parts.append(f"{_listed(bare)} have no normalizer, and {share} of their runs diverge, whatever the rate")
    return f"Left out: {'; '.join(parts)}." if parts else ""


def _listed(runs):
    """How many settings, of which families."""
    number = counts(runs)
    return f"{sum(number.values())} ({', '.join(f'{family} {count}' for family, count in number.items() if count)})"


def text(means, runs, told_in_tables):
    """docs/baselines.md."""
    settings, ready = len(runs.drop_duplicates(SETTING)), len(means.drop_duplicates(SETTING))
    drawn = sum(counts(shown(means, runs)[0]).values())
    told = f"All four pictures show the same {drawn:,} settings, those with all 17 rates and a normalizer; the number beside a "
    told += f"family is that of its settings. {left_out(means, runs)}"
    return f"""# The baselines at a glance

How Adam's 17 fixed learning rates do on the tasks of the baselines in data/ and data-extra/: {len(runs):,} runs on
{settings:,} settings (a task with a source and a horizon), {ready:,} of them with a normalizer. A normalized loss is 1 at the
start and 0 at the lowest loss that any of the rates reached; 2 is the worst there is, and stands for diverged runs. What the
curves are, and how they may be read wrongly: `data/README.md` in the repository. The site that `make docs` builds shows every
curve of every task [in a browser](report.html).

Three counts follow from the same data. The pictures show every setting with a normalizer and all 17 rates. The tables have each
task once, in its setting of 2,000 steps with synthetic data or none. Networks are all tasks but the quadratic and losg ones.

{told_in_tables}
## In pictures

{textwrap.fill(told, 127)}

![learning-rate profiles](pictures/learning_rates.png)

The normalized loss at the end of the horizon, by learning rate. The black line is the median over settings. Each thin line is a
setting; where a family has {MANY} or more, bands hold the middle 50% and the middle 90% of them at each rate.

![best learning rates](pictures/best_learning_rates.png)

On how many of a family's settings, in per cent, each learning rate reached the lowest {SPLIT} loss at any evaluation. A family
with fewer than {FEW} settings has a grey row, with numbers of settings instead of per cent.

![diverged runs](pictures/diverged.png)

How many of a family's runs at a learning rate (as a rule two for each setting) diverged, in per cent: they met a loss that is not
finite. Grey rows as above. A run may end far above its start without having diverged.

![normalized curves](pictures/normalized_curves.png)

{textwrap.fill(f"The curves: the median over a family's settings at each point, a line for each rate. {_late(means)}", 127)}

Made by `python -m tools.baselines.page`. {report.conditions("taskset", "matplotlib", "pandas")}
"""


def _late(means):
    """Why one line comes down late, where it is drawn: it looks like a mistake. (Looked at step by step, up to 3,000 steps.)"""
    if "maf_family" not in counts(means):
        return ""
    return (
        "In `maf_family` the line of 10^0.5 comes down at the end, as the runs of most settings do. An example is "
        "maf_family_seed712: the first step multiplies the loss by 2,000, the first six steps carry all log-scales over their "
        "bound of 3, and the first forty carry them to 14. Gradients pass the bound unchanged, but they are small beside those "
        "of step 2, which Adam remembers for 1 / (1 - 0.999) = 1,000 steps. The last log-scale is below the bound again by step "
        "1,400, and the loss is where it began by about step 1,950, whatever the horizon."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=tables.EXTRA, help="Baselines beside the package's.")
    report.folder_options(parser)
    arguments = parser.parse_args()
    folder = report.folder(arguments)
    with report.errors_of_one_line():
        means, runs = prepare([None, arguments.root])
    drawings = folder / "pictures"
    drawn, drawn_runs = shown(means, runs)
    pictures.profiles(drawn, drawings / "learning_rates.png")
    pictures.best_rates(drawn, drawings / "best_learning_rates.png")
    pictures.diverged(drawn_runs, drawings / "diverged.png")
    pictures.curves(drawn, drawings / "normalized_curves.png")
    scores = tables.collect(means, runs)
    (folder / "baselines.md").write_text(
        text(means, runs, tables.text(scores, tables.without_normalizer(scores, runs))), encoding="utf-8"
    )
    print(f"written: {folder / 'baselines.md'} and 4 pictures, taskset {taskset.__version__}")


if __name__ == "__main__":
    main()
