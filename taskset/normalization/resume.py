"""What a directory of results holds already: finished tasks, and what killed processes left."""

import contextlib
import json
import os
import re
import stat
from pathlib import Path

from taskset.errors import StoreError
from taskset.normalization.claims import claim

# Names that `store.whole_file` gives: .TASK.parquet.PROCESS.tmp, with random digits before .tmp in later versions.
_TEMPORARY = re.compile(r"\.(.+)\.parquet\.(\d+)(?:\.[0-9a-f]{16})?\.tmp")


def check_finished(path, told, task, family, source, config, options):
    """`StoreError` unless a curve file with metadata `told` is what a sweep of this task with these options makes.

    config: of the task, JSON values; options: `Options.as_json()`. Older files lack some of the metadata: what isn't told
    contradicts nothing.
    """
    expected = {"task": task, "family": family, "source": source}
    for key, value in expected.items():
        if told.get(key, value) != value:
            raise StoreError(f"{path} has curves of {key} {told[key]!r}, not {value!r}: {_WAY_OUT}")
    if "config" in told and _json(path, told, "config") != json.loads(json.dumps(config)):
        raise StoreError(f"{path} has curves of another config of {task} than it has now: {_WAY_OUT}")
    if "options" in told:
        there = _json(path, told, "options")
        for key in sorted({*there, *options}):
            if there.get(key) != options.get(key):
                raise StoreError(f"{path} was made with {key} {there.get(key)}, not {options.get(key)}: {_WAY_OUT}")


_WAY_OUT = "delete it to compute it anew, or use another --out"


def _json(path, told, key):
    try:
        return json.loads(told[key])
    except ValueError as error:
        raise StoreError(f"{path}: its {key} is no valid JSON: {_WAY_OUT}") from error


def remove_leftovers(root):
    """Delete the half-written curve files of dead processes below ROOT/curves; nothing else.

    Each is a regular file of this user's, named as `store.whole_file` names its own, by a process that isn't alive on this
    machine, of a task that nobody on any machine has claimed.
    """
    for path in Path(root, "curves").rglob(".*.parquet.*.tmp"):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or _alive(int(match[2])):
            continue
        with contextlib.suppress(OSError):
            there = path.lstat()
            if stat.S_ISREG(there.st_mode) and there.st_uid == os.getuid():
                with claim(root, match[1]) as free:
                    if free:
                        path.unlink()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
