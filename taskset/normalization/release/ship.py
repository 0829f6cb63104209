"""`python -m taskset data ship`: outputs of several sweeps become one directory of baselines, described and summed.

    curves/source=SOURCE/family=FAMILY/GROUP.parquet   a file for each group of options, one task a row group
    tasks.parquet        every task there is, swept or not        optimizers.parquet   those that have curves
    sweeps.parquet       how the curves of each task were made    normalizers.parquet  from Adam's fixed learning rates
    README.md, croissant.json, SHA256SUMS

A group is a set of equal options (optimizers, horizon, seeds, batches, evaluations): the tasks of a family may have several.
The same input gives the same files, byte for byte.
"""

import json
import math
import re
import zlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from taskset import catalogue, changes, registry
from taskset.errors import StoreError, UnknownName
from taskset.execution.costs import measured_milliseconds
from taskset.normalization import store
from taskset.normalization.normalizer import fit
from taskset.normalization.release import card, croissant, merged
from taskset.normalization.store import packing, sums
from taskset.normalization.store.columns import schema
from taskset.normalization.sweep.provenance import git_commit
from taskset.normalization.tables import milliseconds, optimizer_table, task_row
from taskset.version import __version__

_ONCE = ("task", "family", "source", "config", "options")  # what no curve file can be without


@dataclass(frozen=True)
class Curves:
    """The curves of one task in a sweep's output: where they are, and what was stored with them ({name: text})."""

    path: Path
    row_group: int
    task: str
    told: dict

    @property
    def options(self):
        return json.loads(self.told["options"])

    @property
    def version(self):
        """The version of the package that computed them."""
        return self.told.get("taskset_version") or changes.FIRST


def find(roots):
    """All `Curves` under directories made by `baseline`, `data import-npz` or `data ship`, in the order of tasks and groups.

    Curves that are in two places, equal in all that they say, are taken once. Curves of a task that changed since they were
    computed are left out where there are some of today's task. Raises StoreError: a directory without curves, a file that is
    broken or doesn't say how it was made, one run found twice.
    """
    found = []
    for root in map(Path, roots):
        found += _of_merged(root) if merged.is_merged(root) else _of_sweep(root)
    found = _without_outdated(_without_copies(found))
    no_run_twice(found)
    return sorted(found, key=lambda c: (c.told["source"], c.told["family"], natural(c.task), group_key(c.options)))


def _without_copies(found):
    kept = {}
    for curves in found:
        alike = kept.setdefault((curves.task, curves.told["source"], group_key(curves.options)), [])
        if not any(_same(curves, other) for other in alike):
            alike.append(curves)
    return [curves for alike in kept.values() for curves in alike]


def _same(one, other):
    tables = (packing.in_order(packing.read_part(c.path, c.row_group)) for c in (one, other))
    left, right = (table.to_pandas() for table in tables)
    names = [name for name in left if name not in ("task", "optimizer", "version")]
    return (
        len(left) == len(right)
        and (left["optimizer"].astype(str).to_numpy() == right["optimizer"].astype(str).to_numpy()).all()
        and one.version == other.version
        and all(np.array_equal(left[n], right[n], equal_nan=left[n].dtype.kind == "f") for n in names)
    )


def _without_outdated(found):
    old = [c for c in found if changes.outdated(c.task, c.told["source"], c.version)]
    places = {id(c) for c in old}
    renewed = {(c.task, c.told["source"]) for c in found if id(c) not in places}
    return [c for c in found if id(c) not in places or (c.task, c.told["source"]) not in renewed]


def _of_sweep(root):
    found = []
    for path in store.curve_files(root):
        told = store.read_metadata(path)
        lacking = [name for name in _ONCE if name not in told]
        if lacking:
            raise StoreError(
                f"{path} doesn't say its {lacking[0]}: pass the --out of `baseline`, `data import-npz` or `data ship`"
            )
        found += [Curves(path, group, task, told) for task, group in packing.parts(path)]
    return found


def _of_merged(root):
    stored, found = merged.stored(root), []
    for path in store.curve_files(root):
        source = path.parent.parent.name.removeprefix("source=")
        for task, group in packing.parts(path):
            if (told := stored.get((task, source, path.stem))) is None:
                raise StoreError(f"{path} has curves of {task} that {root / 'sweeps.parquet'} hasn't: merge the sweeps again")
            found.append(Curves(path, group, task, told))
    if len(found) < len(stored):  # curves that were lost must not go unnoticed
        raise StoreError(f"{root / 'sweeps.parquet'} has {len(stored)} parts, the curves {len(found)}: merge the sweeps again")
    return found


def natural(task):
    """A sorting key of task names: seeds as numbers."""
    parsed = registry.parse(task)
    return (parsed[0], parsed[1]) if parsed else (task, -1)


def no_run_twice(found):
    """Raise StoreError if one run stands in two places: one of them would count twice."""
    owner = {}
    for curves in found:
        options = curves.options
        for optimizer in options["optimizers"]:
            for seed in options["seeds"]:
                run = curves.task, curves.told["source"], options["steps"], optimizer, seed
                if run in owner:
                    where = f"{owner[run]} and {curves.path}"
                    raise StoreError(
                        f"{run[0]}, source {run[1]}, horizon {run[2]}, {run[3]}, seed {run[4]} is in {where}: pass one of them"
                    )
                owner[run] = curves.path


def group_key(options):
    """Options as text; the source is no part of them, it has a directory of its own."""
    return json.dumps({k: v for k, v in options.items() if k != "source"}, sort_keys=True)


def _readable(options):
    families = sorted({name.rpartition("_")[0] or name for name in options["optimizers"]})
    shown = re.sub(r"[^A-Za-z0-9_.@+-]", "-", families[0]) if len(families) == 1 else "mixed"
    return f"{shown}{len(options['optimizers'])}_steps{options['steps']}_seeds{len(options['seeds'])}_batches{options['batches']}"


def group_names(found):
    """{options as text: name of the group}: readable, with a checksum where two groups would have one name."""
    options = {group_key(c.options): c.options for c in found}
    taken = defaultdict(list)
    for key in sorted(options):
        taken[_readable(options[key])].append(key)
    return {
        key: name if len(keys) == 1 else f"{name}_{zlib.crc32(key.encode()):08x}" for name, keys in taken.items() for key in keys
    }


def ship(roots, out, costs=None, data_notes=None, report=lambda text: None):
    """Merge the outputs of sweeps under `roots` into the directory `out`; returns the number of tasks and of curves.

    A root may be a directory merged before: new sweeps are added to it by merging it and them into another one.
    costs: {task: milliseconds a step} of tasks not swept, beside those of `taskset.execution.costs` and of merged roots.
    data_notes: {data set: what is particular about the copy of the real data that was read}; a merged root brings its own.
    report: called with one line a step. Raises StoreError: see `find`; an `out` that holds something else.
    """
    out = Path(out)
    found = find(roots)
    names = group_names(found)
    rows = [_sweep_row(c, names[group_key(c.options)], data_notes or {}) for c in found]
    tables = _tables(found, rows, {**measured_milliseconds(), **merged.costs(roots), **(costs or {})})
    report("tables")
    _claim(out, roots)  # all that can be refused was: from here on files are written
    kept = _write_curves(found, names, out, report)
    for old in (out / "curves").rglob("*.parquet"):
        if old not in kept:
            old.unlink()
    report(f"{len(kept)} curve files")
    for name, table in tables.items():
        store.write_table(table, out / f"{name}.parquet")
    card.write(out)
    croissant.write(out)
    sums.write(out)
    return len({c.task for c in found}), sum(len(row["seeds"]) * len(row["optimizers"]) for row in rows)


def _claim(out, roots):
    if out.resolve() in {Path(root).resolve() for root in roots} or (out / "sweep.json").exists():
        raise StoreError(f"{out} is one of those merged, or the output of a sweep: give the result a directory of its own")
    if (out / "curves").exists() and not (out / sums.NAME).exists():
        raise StoreError(f"{out} has curves and no {sums.NAME}, so nothing merged before: choose another --out")
    store.write_text("", out / sums.NAME)  # a merge that is interrupted doesn't pass for a whole one, and can be done again


def _write_curves(found, names, out, report):
    files = defaultdict(list)
    for curves in found:
        name = names[group_key(curves.options)]
        files[store.curve_path(out, curves.told["source"], curves.told["family"], name)].append(curves)
    for path, members in files.items():
        tables = (packing.in_order(packing.read_part(c.path, c.row_group)) for c in members)
        packing.write_packed(path, tables, _file_metadata(path.stem, members))
        report(f"{path.relative_to(out)}: {len(members)} tasks, {path.stat().st_size / 1e6:.2f} MB")
    return set(files)


def _core_seconds(told):
    spent = json.loads(told.get("core_seconds", "null"))
    return spent.get("total") if isinstance(spent, dict) else spent


def _all_of(members, name):
    """What was stored with several tasks under one name: each value once."""
    return ", ".join(sorted({c.told[name] for c in members if c.told.get(name)}))


def _file_metadata(group, members):
    first = members[0]
    options = {**first.options, "source": first.told["source"]}
    same = ("source", "family", "taskset_version", "git_commit", "tensorflow_version", "mode", "machine")
    seconds = [s for s in map(lambda c: _core_seconds(c.told), members) if s is not None]
    return {
        **{name: _all_of(members, name) for name in same},
        "group": group,
        "options": json.dumps(options),
        "batches_per_evaluation": str(options["batches"]),
        "data_origin": f"[{', '.join(sorted({c.told.get('data_origin', 'null') for c in members}))}]",
        "tasks": str(len(members)),
        "core_seconds": f"{sum(seconds):.1f}" if seconds else "",
        "created": max(c.told.get("created", "") for c in members),
    }


def _sweep_row(curves, group, notes):
    told, options = curves.told, curves.options
    table = packing.read_part(curves.path, curves.row_group)
    frame = table.select(["optimizer", "seed", "step", "diverged", "seconds_per_step"]).to_pandas()
    cost = json.loads(told["ms_per_step"]) if "ms_per_step" in told else milliseconds(frame)  # as it was when it was merged first
    origin = json.loads(told.get("data_origin", "null"))
    note = notes.get((origin or {}).get("name"), told.get("data_note")) if told["source"] == "tfds" else None
    return {
        "task": curves.task,
        "family": told["family"],
        "source": told["source"],
        "group": group,
        "horizon": options["steps"],
        **{name: options[name] for name in ("evaluations", "batches", "seeds", "optimizers")},
        "rows": len(table),
        "diverged_runs": int(frame.groupby(["optimizer", "seed"], observed=True)["diverged"].max().sum()),
        "ms_per_step": None if math.isnan(cost) else cost,
        "copies": int(told["copies"]) if "copies" in told else None,
        "core_seconds": _core_seconds(told),
        "data_origin": None if origin is None else json.dumps(origin),
        "data_note": note,
        **{
            name: told.get(name) or None
            for name in ("mode", "machine", "taskset_version", "git_commit", "tensorflow_version", "created")
        },
    }


def _task_rows(found, sweeps, costs):
    """Every task there is, and those of families registered elsewhere that were swept."""
    swept = defaultdict(list)
    for row in sweeps:
        swept[row["task"]].append(row)
    stored = {c.task: c.told for c in found}
    rows = []
    for name in dict.fromkeys([*catalogue.list_tasks(), *sorted(stored, key=natural)]):
        try:
            family, config = catalogue.resolve(name)
            facts = catalogue.facts(family, config)
        except UnknownName:
            family, config, facts = stored[name]["family"], json.loads(stored[name]["config"]), registry.Facts()
        row = task_row(name, family, config, facts)
        if name in stored and stored[name].get("num_params"):
            row["num_params"] = int(stored[name]["num_params"])
        measured = [r["ms_per_step"] for r in swept[name] if r["ms_per_step"] is not None]
        row["ms_per_step"] = min(measured) if measured else costs.get(name)
        row["runs"] = sum(len(r["seeds"]) * len(r["optimizers"]) for r in swept[name])
        rows.append(row)
    return rows


def fit_adam(curves):
    """Normalizers from the runs of Adam's fixed learning rates alone, None where there are none.

    Which other optimizers a task was swept with differs from task to task, and must not move its normalizer.
    """
    adam = curves[curves["optimizer"].astype(str).str.startswith("adam_lr_")]
    return fit(adam) if len(adam) else None


def _batches_of_tasks(found, rows=500_000):
    """The curves as DataFrames of many whole tasks each, about `rows` rows at a time."""
    places = defaultdict(list)
    for c in found:
        places[c.told["source"], c.told["family"], c.task].append(c)
    waiting, count = [], 0
    for (source, family, _), members in places.items():
        for c in members:
            table = packing.read_part(c.path, c.row_group)
            for name, value in (("source", source), ("family", family)):
                table = table.append_column(name, pa.array([value] * len(table)).dictionary_encode())
            waiting.append(table)
            count += len(table)
        if count >= rows:
            yield pa.concat_tables(waiting).unify_dictionaries().to_pandas()
            waiting, count = [], 0
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries().to_pandas()


def normalizers(found, rule):
    """The normalizers of all tasks as an Arrow table, some tasks in memory at a time; rule: `fit` or `fit_adam`."""
    tables, kinds = [schema("normalizers").empty_table()], schema("normalizers")
    for frame in map(rule, _batches_of_tasks(found)):
        if frame is not None:
            tables.append(pa.Table.from_pandas(frame[kinds.names], preserve_index=False).cast(kinds))
    return pa.concat_tables(tables)


def _tables(found, sweeps, costs):
    """{name: Arrow table with its metadata} of what stands beside the curves."""
    told = {"taskset_version": __version__, "git_commit": git_commit(), "created": max(c.told.get("created", "") for c in found)}
    order = packing.optimizer_order()
    used = sorted({o for row in sweeps for o in row["optimizers"]}, key=lambda o: (order.get(o, len(order)), o))
    tables = {
        "tasks": pa.Table.from_pylist(_task_rows(found, sweeps, costs), schema("tasks")),
        "sweeps": pa.Table.from_pylist(sweeps, schema("sweeps")),
        "optimizers": optimizer_table(used),
        "normalizers": normalizers(found, fit_adam).replace_schema_metadata({"computed_from": "adam_lr_*"}),
    }
    return {name: _told(table, told) for name, table in tables.items()}


def _told(table, told):
    mine = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"}
    return table.replace_schema_metadata({**mine, **told})
