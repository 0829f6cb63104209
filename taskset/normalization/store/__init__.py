"""Results on disk as Parquet: the schema, writing without half-finished files, reading only what is asked for.

A root directory holds

    curves/source=SOURCE/family=FAMILY/*.parquet   one row per evaluation
    tasks.parquet, optimizers.parquet, normalizers.parquet
    sweep.json                                     the options that all curves of a sweep were made with
    sweeps.parquet                                 where several sweeps were merged (`data ship`): the options of each

`root=None` in the loading functions means the baselines that come with the package.
"""

from taskset.normalization.store.asked import sources_of
from taskset.normalization.store.columns import SCHEMA
from taskset.normalization.store.files import (
    broken,
    check_options,
    curve_files,
    curve_path,
    curves_directory,
    finished_files,
    has_curves,
    is_judged,
    is_merged,
    packaged_root,
    read_metadata,
    read_options,
    read_table,
    require_whole,
    table_metadata,
    write_curves,
    write_options,
    write_table,
)
from taskset.normalization.store.loading import (
    all_normalizers,
    load_curves,
    load_normalizers,
    load_optimizers,
    load_sweeps,
    load_tasks,
    normalizers_of,
    with_text_names,
)
from taskset.normalization.store.reading import curves_table

__all__ = [
    "SCHEMA",
    "all_normalizers",
    "broken",
    "check_options",
    "curve_files",
    "curve_path",
    "curves_directory",
    "curves_table",
    "finished_files",
    "has_curves",
    "is_judged",
    "is_merged",
    "load_curves",
    "load_normalizers",
    "load_optimizers",
    "load_sweeps",
    "load_tasks",
    "normalizers_of",
    "packaged_root",
    "read_metadata",
    "read_options",
    "read_table",
    "require_whole",
    "sources_of",
    "table_metadata",
    "with_text_names",
    "write_curves",
    "write_options",
    "write_table",
]
