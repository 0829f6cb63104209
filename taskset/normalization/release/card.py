"""The data card: README.md of a directory of baselines, its numbers read from the files it describes."""

import json
from importlib.resources import files
from pathlib import Path
from string import Template

from taskset import changes, registry
from taskset.errors import counted
from taskset.files import write_text
from taskset.files.markdown import table
from taskset.normalization import store
from taskset.normalization.release import card_coverage as coverage
from taskset.normalization.store import columns, layout
from taskset.samplers.optimizers import adam_rates, opt_list_names

RATES = adam_rates()
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"), (1e8, "10M<n<100M"))


def write(root: str | Path) -> None:
    """Write the card of the baselines under `root` from their tables (tasks, sweeps, optimizers, normalizers) and curve files."""
    template = (files("taskset.normalization.release") / "card.md").read_text(encoding="utf-8")
    write_text(Template(template).substitute(sections(root)), Path(root, "README.md"))


def sections(root: str | Path) -> dict[str, str]:
    """{placeholder of the template: markdown}."""
    tasks, sweeps, (normalizers, _) = store.load_tasks(root), store.load_sweeps(root), store.normalizers_of(root)
    optimizers = store.load_optimizers(root)
    sweeps["runs"] = sweeps["seeds"].map(len) * sweeps["optimizers"].map(len)
    sweeps["group"] = sweeps["group"].map(layout.group_of)
    rows = int(sweeps["rows"].sum())
    example = normalizers.iloc[0] if len(normalizers) else sweeps.iloc[0]
    return {
        "size_category": next((name for bound, name in _SIZES if rows < bound), "100M<n<1B"),
        "configs": _configs(),
        "summary": _summary(root, sweeps, normalizers),
        "example_task": example["task"],
        "example_family": example["family"],
        "example_optimizer": example["best_optimizer"] if len(normalizers) else example["optimizers"][0],
        "example_source": example["source"],
        "example_horizon": example["horizon"],
        "columns": _columns(optimizers),
        "groups": _groups(sweeps),
        "commands": "\n".join(dict.fromkeys(_command(row) for row in _first_of_groups(sweeps))),
        "coverage": coverage.by_family(tasks, sweeps, normalizers),
        "data": _data(sweeps),
        "outdated": _outdated(sweeps),
        "missing": coverage.missing(tasks, sweeps, normalizers),
        "first": str(coverage.FIRST),
        "most_ms": f"{coverage.MOST_MS:g}",
        "breadth": coverage.breadth(tasks, sweeps),
    }


def _configs():
    names = ["curves/*/*/*.parquet", *(f"{name}.parquet" for name in (*columns.TABLES, "optimizers"))]
    return "\n".join(f"- config_name: {name.split('/')[0].removesuffix('.parquet')}\n  data_files: {name}" for name in names)


def _summary(root, sweeps, normalizers):
    size = sum(path.stat().st_size for path in store.curve_files(root))
    runs, ready = int(sweeps["runs"].sum()), normalizers[(normalizers["split"] == "train") & normalizers["normalizable"]]
    known = sweeps["core_seconds"].dropna()
    old = int(sweeps["runs"][_is_outdated(sweeps)].sum())
    of_old = f" ({old:,} of them of tasks that have changed since, see below)" if old else ""
    return (
        f"{sweeps['task'].nunique():,} tasks of {sweeps['family'].nunique()} families; {runs:,} runs{of_old}, "
        f"{int(sweeps['rows'].sum()):,} evaluations in "
        f"{size / 1e6:.1f} MB ({size / max(runs, 1):,.0f} bytes a run); {ready['task'].nunique():,} tasks, as they are today, "
        f"with a normalizer. Computed in {_hours(known.sum())} core-hours."
    )


def _hours(seconds):
    return f"{seconds / 3600:.1f}" if seconds >= 360 else f"{seconds / 3600:.3f}"


def _columns(optimizers):
    tables = {"curves": columns.CURVES, **{name: columns.meanings(name, ()) for name in columns.TABLES}}
    tables["optimizers"] = columns.meanings("optimizers", list(optimizers))
    parts = []
    for name, described in tables.items():
        types = _types(name, optimizers)
        title = "curves" if name == "curves" else f"{name}.parquet"
        parts.append(
            f"### {title}\n\n"
            + table(["column", "type", "meaning"], [[f"`{c}`", types[c], meaning] for c, meaning in described.items()])
        )
    return "\n\n".join(parts)


def _types(name, optimizers):
    if name == "optimizers":
        return {c: "string" if c in columns.OPTIMIZER else "double" for c in optimizers}
    kinds = columns.curve_types() if name == "curves" else {f.name: f.type for f in columns.schema(name)}
    return {c: columns.type_name(kind) for c, kind in kinds.items()}


def _first_of_groups(sweeps):
    return [part.iloc[0] for _, part in sweeps.groupby(["source", "group"], sort=True)]


def _groups(sweeps):
    rows = []
    for (source, group), part in sweeps.groupby(["source", "group"], sort=True):
        first, known = part.iloc[0], part["core_seconds"].dropna()
        rows.append(
            [
                source,
                f"`{group}`",
                _optimizers(list(first["optimizers"])),
                f"{first['horizon']:,}",
                len(first["seeds"]),
                first["batches"],
                first["evaluations"] + 1,
                part["task"].nunique(),
                f"{part['runs'].sum():,}",
                f"{part['diverged_runs'].sum() / part['runs'].sum():.1%}",
                _hours(known.sum()) if len(known) else "-",
                _each(part, "taskset_version") + " / " + _each(part, "tensorflow_version"),
                _each(part, "machine"),
            ]
        )
    header = [
        "source",
        "group",
        "optimizers",
        "steps",
        "seeds",
        "batches",
        "evaluations (intervals + 1)",
        "tasks",
        "runs",
        "diverged",
        "core-hours",
    ]
    return table([*header, "taskset / TensorFlow", "machine"], rows)


def _each(part, column):
    return "; ".join(sorted(part[column].dropna().unique())) or "-"


def _optimizers(names):
    if names == RATES:
        return "Adam, 17 learning rates 1e-7 .. 10"
    listed = opt_list_names(min(len(names), 100))
    if names == listed:
        return f"the learned list, first {len(names)}"
    return f"{names[0]} .. {names[-1]} ({len(names)})" if len(names) > 1 else names[0]


def _command(row):
    if row["source"] == "published":
        return "python -m taskset data import-npz FILES --out DIR"
    names, count = list(row["optimizers"]), len(row["optimizers"])
    source = "" if row["source"] == "none" else f" --source {row['source']}"
    chosen = (
        ""
        if names == RATES
        else f" --optimizer opt_list:{count}"
        if names == opt_list_names(min(count, 100))
        else _each_named(names)
    )
    evaluations = "" if row["evaluations"] == 50 else f" --evaluations {row['evaluations']}"
    options = f"--steps {row['horizon']} --seeds {len(row['seeds'])} --batches {row['batches']}"
    return f"python -m taskset baseline TASKS{source} {options}{evaluations}{chosen} --out DIR"


def _each_named(names):
    return "".join(f" --optimizer {name}" for name in names)


def _data(sweeps):
    read = sweeps[sweeps["data_origin"].notna()]
    rows = {}
    for row in read.to_dict("records"):
        origin = json.loads(row["data_origin"])
        key = (
            row["source"],
            origin.get("name", ""),
            str(origin.get("version", "")),
            row["data_note"] if isinstance(row["data_note"], str) else "",
        )
        rows.setdefault(key, set()).add(row["task"])
    if not rows:
        return "No task here reads data."
    return table(
        ["source", "data set", "version", "tasks", "note"],
        [[*key[:3], len(names), key[3]] for key, names in sorted(rows.items())],
    )


def _is_outdated(sweeps):
    return [changes.outdated(*key) for key in zip(sweeps["task"], sweeps["source"], sweeps["taskset_version"])]


def _outdated(sweeps):
    """Tasks that changed since their curves were computed: one line per change."""
    found, keys = {}, list(zip(sweeps["task"], sweeps["source"], sweeps["group"], sweeps["taskset_version"]))
    renewed = {key[:3] for key in keys if not changes.outdated(key[0], key[1], key[3])}
    for task, source, version in sorted({(key[0], key[1], key[3]) for key in keys if key[:3] not in renewed}):
        for change in changes.changes_since(task, source, version):
            found.setdefault((version, change.version, change.key, change.about), []).append(task)
    if not found:
        return "All curves are of today's tasks."
    count = len({task for names in found.values() for task in names})
    asked = " or ".join(f'`version="{one}"`' for one in sorted({changes.asked_by(key[0]) for key in found}))
    header = ["curves of", "changed in", "what", "how", "tasks", "names"]
    rows = [[*key, len(set(names)), _names(sorted(set(names)))] for key, names in sorted(found.items())]
    return (
        f"Some curves of {counted(count, 'task')} were computed by an older version of the package, and these tasks changed "
        "since, most of them to what the release means by their names. They stay here until they are recomputed, and are loaded "
        f"only with {asked}:\n\n" + table(header, rows)
    )


def _names(tasks):
    """Task names, seeds of one family together."""
    seeds, fixed = {}, []
    for task in tasks:
        parsed = registry.parse(task)
        if parsed:
            seeds.setdefault(parsed[0], []).append(parsed[1])
        else:
            fixed.append(task)
    return "; ".join([*(f"{family} {' '.join(map(str, sorted(found)))}" for family, found in sorted(seeds.items())), *fixed])
