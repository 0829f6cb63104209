"""Tasks trained with a learned optimizer from a checkpoint; curves as `python -m taskset baseline` writes them.

    DIRECTORY/curves/source=SOURCE/family=FAMILY/TASK.parquet     `taskset.load_curves(root=DIRECTORY)` reads them
    DIRECTORY/sweep.json                                          what they were made with

The column `optimizer` holds the name given to the checkpoint. Start, batches and evaluations of a seed are those that the same
seed has in a baseline: comparisons are paired.
"""

import hashlib
import json
import re
from dataclasses import dataclass

import learned
from learned.deploy import pretrained
from learned.outer_training import checkpoint
from taskset import catalogue, plugins
from taskset.datasets.sharing import shared_arrays
from taskset.errors import ConfigError, StoreError, UnknownName, shown
from taskset.normalization import store
from taskset.normalization.sweep import workers
from taskset.normalization.sweep.resume import check_finished, remove_leftovers
from taskset.samplers.optimizers import get_optimizer_config

_NAME = re.compile(r"[A-Za-z0-9_.@+-]+")


@dataclass(frozen=True)
class Contestant:
    """A checkpoint under a name. digest: of its weights."""

    name: str
    path: str
    optimizer: str
    digest: str


def contestant(path, name=None):
    """The `Contestant` of a checkpoint file, or of a name of `learned.deploy.pretrained`; called by default OPTIMIZER_ESTIMATOR_STEP."""
    path = pretrained.find(path)
    found = checkpoint.load(path)
    name = name or f"{found.optimizer}_{found.value('options', str, 'estimator')}_{found.step}"
    if not isinstance(name, str) or len(name) > 200 or not _NAME.fullmatch(name):
        raise ConfigError(f"name {shown(name)}: allowed are at most 200 letters, digits and _ . @ + -")
    try:
        get_optimizer_config(name)
    except UnknownName:
        pass
    else:
        raise ConfigError(f"name {name!r} is that of a hand-designed optimizer: give another --name")
    weights = found.theta
    digest = hashlib.sha256(b"".join(key.encode() + weights[key].tobytes() for key in sorted(weights))).hexdigest()
    return Contestant(name, str(path), found.optimizer, digest[:16])


def optimizer_of(contestant):
    """The checkpoint as an optimizer of `taskset.execution.loop`."""
    from learned import optimizers
    from learned.optimizers.as_optimizer import with_weights

    found = checkpoint.load(contestant.path)
    return with_weights(optimizers.get(found.optimizer), found.theta, contestant.name)


def _claim(root, contestant, options):
    store.check_options(root, {**options.as_json(), "checkpoint": contestant.digest})


def plan(contestant, tasks, options, root):
    """The tasks that have no curves under `root` yet; claims `root` for this contestant and these options.

    options: `taskset.normalization.sweep.runner.SweepOptions`, whose only optimizer is the contestant's name.
    Raises StoreError where `root` holds other results, be it under a waiting task's name.
    """
    _claim(root, contestant, options)
    waiting = []
    for name in tasks:
        family, config = catalogue.resolve(name)
        facts = catalogue.facts(family, config)
        source = options.source if facts.data is not None and facts.data.needs_source else "none"
        path = store.curve_path(root, source, family, name)
        if not path.exists():
            waiting.append(name)
            continue
        told = store.read_metadata(path)
        check_finished(path, told, name, family, source, config, options.as_json())
        if told.get("checkpoint", _as_metadata(contestant)) != _as_metadata(contestant):
            raise StoreError(f"{path} has curves of another checkpoint: delete it to compute it anew, or use another --out")
    return waiting


def _as_metadata(contestant):
    return json.dumps({"optimizer": contestant.optimizer, "digest": contestant.digest})


def _job(name, contestant, options, root, data_dir, modules, report):
    plugins.load(modules)
    from taskset.catalogue import get_task
    from taskset.execution.loop import execution_mode
    from taskset.normalization.sweep.runner import Account, metadata, sweep

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        table = sweep(task, [optimizer_of(contestant)], options, report, account)
    told = metadata(task, options, execution_mode(task), {**account.seconds, **total.seconds})
    told["checkpoint"] = _as_metadata(contestant)
    path = store.curve_path(root, task.source, task.family, task.name)
    _claim(root, contestant, options)  # once more: another may have been first to have curves here
    store.write_curves(table, path, told)
    return str(path)


def run(contestant, waiting, options, root, data_dir=None, count=1, modules=(), report=lambda progress: None):
    """Train and evaluate the `waiting` tasks in `count` processes; returns their `taskset.normalization.sweep.workers.Progress`.

    A finished task is a file that appears whole: killed and started again, the rest is done.
    """
    remove_leftovers(root)
    arguments = (contestant, options, str(root), data_dir, (*modules, learned.__name__))
    with shared_arrays():
        return workers.run(waiting, _job, arguments, count, report)
