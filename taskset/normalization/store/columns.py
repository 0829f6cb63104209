"""The columns of baselines: types, and what each means. The card, the machine-readable description and the checks read them."""

from collections.abc import Iterable

import pyarrow as pa

_NAME = pa.dictionary(pa.int32(), pa.string())
_BEFORE = [
    ("task", _NAME),
    ("optimizer", _NAME),
    ("seed", pa.int32()),
    ("step", pa.int32()),
    ("horizon", pa.int32()),
    ("train", pa.float32()),
    ("valid_inner", pa.float32()),
    ("valid_outer", pa.float32()),
    ("test", pa.float32()),
    ("diverged", pa.bool_()),
]
SCHEMA = pa.schema([*_BEFORE, ("seconds", pa.float32())])  # as a sweep makes them
STORED = pa.schema([*_BEFORE, ("seconds_per_step", pa.float32()), ("version", _NAME)])
LOADED = pa.schema([*SCHEMA, ("version", _NAME)])
COLUMNS = (*LOADED.names, "source", "family")  # that can be asked for

_INTS, _NAMES = pa.list_(pa.int32()), pa.list_(pa.string())

# {table: {column: (type, meaning)}}
TABLES = {
    "tasks": {
        "task": (pa.string(), "name"),
        "family": (pa.string(), "task family: its config is that of this family"),
        "seed": (pa.int32(), "seed that a sampled config was drawn from; empty for fixed tasks"),
        "config": (pa.string(), "the published config, as JSON text"),
        "dataset": (pa.string(), "data set; empty for tasks that need none"),
        "feasible": (pa.bool_(), "whether the config describes something that can run"),
        "reason": (pa.string(), "why it can't, naming the config's field; empty where it can"),
        "num_params": (pa.int64(), "number of parameters"),
        "ms_per_step": (
            pa.float64(),
            "milliseconds a training step: median over the runs of the task's sweep (the lowest, of several sweeps; of runs "
            "computed together, each its share: see copies in sweeps), else from a separate measurement; empty where not "
            "measured",
        ),
        "runs": (
            pa.int32(),
            "runs (optimizer, seed) with curves here, all sources, horizons and versions together; 0: the task wasn't swept",
        ),
    },
    "sweeps": {
        "task": (pa.string(), "task"),
        "family": (pa.string(), "its family"),
        "source": (pa.string(), "where the data came from: see curves"),
        "group": (
            pa.string(),
            "name of the curve file: the group of options; with -2, -3 .. where the curves were added later",
        ),
        "horizon": (pa.int32(), "training steps"),
        "evaluations": (pa.int32(), "intervals between evaluations: there is one evaluation more"),
        "batches": (pa.int32(), "batches of each split in an evaluation"),
        "seeds": (_INTS, "seeds, one run each under every optimizer"),
        "optimizers": (_NAMES, "optimizer names"),
        "rows": (pa.int32(), "rows in curves: optimizers x seeds x (evaluations + 1)"),
        "diverged_runs": (pa.int32(), "runs with a loss that is not finite"),
        "ms_per_step": (pa.float64(), "CPU milliseconds a training step, median over runs; empty where not known"),
        "copies": (pa.int32(), "runs computed together in one program, whose time is shared out; empty where not known"),
        "core_seconds": (pa.float64(), "processor time of the whole sweep of this task; empty where not known"),
        "mode": (pa.string(), "how the training loop was executed"),
        "data_origin": (
            pa.string(),
            "data set, version and checksum of what was read, as JSON text; empty for tasks without data",
        ),
        "data_note": (pa.string(), "what is particular about that copy of the data; empty where nothing is"),
        "machine": (pa.string(), "kind of machine"),
        "taskset_version": (pa.string(), "version of the package"),
        "git_commit": (pa.string(), "commit of the package; +changes: its files had been edited since"),
        "tensorflow_version": (pa.string(), "version of TensorFlow"),
        "created": (pa.string(), "when the sweep ended, UTC"),
    },
    "normalizers": {
        "task": (pa.string(), "task"),
        "source": (pa.string(), "source of the data"),
        "family": (pa.string(), "task family"),
        "horizon": (pa.int32(), "training steps of the runs"),
        "split": (pa.string(), "split: train, valid_inner, valid_outer, test"),
        "initial": (pa.float64(), "mean over seeds of the loss at step 0: becomes 1"),
        "best": (
            pa.float64(),
            "lowest point, over optimizers (merged baselines: `adam_lr_*` alone) and evaluations, of the mean curve: becomes 0",
        ),
        "best_optimizer": (pa.string(), "the optimizer that reached it first (at the same step: the first by name)"),
        "normalizable": (pa.bool_(), "whether both are finite and best is below initial"),
        "runs": (pa.int32(), "runs that they were computed from"),
        "diverged_share": (pa.float32(), "share of those runs that diverged"),
        "version": (pa.string(), "version of the package that computed the curves; the oldest, of several"),
    },
}
CURVES = {
    "task": "task",
    "optimizer": "optimizer",
    "seed": "fixes the start, the batches and every other draw: the same for all optimizers of a sweep",
    "step": "training steps taken before this evaluation",
    "horizon": "training steps of the whole run; optimizers with a schedule depend on it",
    "train": "mean loss over the evaluation's batches of the train split; nats where it is a likelihood; NaN once diverged",
    "valid_inner": "the same of the validation split for an optimizer that looks at validation loss",
    "valid_outer": "the same of the validation split for tuning hyperparameters or outer training",
    "test": "the same of the test split",
    "diverged": "whether the run had met a loss that is not finite, at this evaluation or before",
    "seconds_per_step": "CPU seconds of a training step, evaluation excluded: the mean over the run; of runs computed together, "
    "each its share; NaN where not known (source published). `taskset.load_curves` derives the column `seconds` from it, the "
    "training time so far: seconds_per_step x step, where a run that has diverged spends no more",
    "version": "version of the package that computed the curves; those of tasks that changed since are left out unless asked for",
    "source": "where the data came from: none (the task needs none), synthetic, tfds (the real set), published (curves "
    "of the 2020 release); part of the path",
    "family": "task family; part of the path",
}
OPTIMIZER = {"optimizer": "name", "family": "optimizer family"}
HYPERPARAMETER = "hyperparameter of that name; empty where the optimizer has none"


def schema(table: str) -> pa.Schema:
    """The Arrow schema of a table beside the curves ("tasks", "sweeps", "normalizers")."""
    return pa.schema([(name, kind) for name, (kind, _) in TABLES[table].items()])


def meanings(table: str, names: Iterable[str]) -> dict[str, str]:
    """{column: meaning} of a table with columns `names`."""
    if table == "curves":
        return CURVES
    if table == "optimizers":
        return {name: OPTIMIZER.get(name, HYPERPARAMETER) for name in names}
    return {name: meaning for name, (_, meaning) in TABLES[table].items()}


def curve_types() -> dict[str, pa.DataType]:
    """{column: Arrow type} of the curves as they are stored, the two columns of the path included."""
    return {**{field.name: field.type for field in STORED}, "source": pa.string(), "family": pa.string()}


def type_name(kind: pa.DataType) -> str:
    """The name of an Arrow type: a dictionary's is that of its values."""
    return str(kind.value_type if pa.types.is_dictionary(kind) else kind)
