"""The baselines described to machines: croissant.json (MLCommons Croissant 1.0; Akhtar et al. 2024, arXiv 2403.19546)."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taskset.files import write_text
from taskset.normalization.store import columns, layout, sha256_sums
from taskset.version import __version__

_VOCABULARY = "http://mlcommons.org/croissant/"
_SHORT = [
    "citeAs",
    "column",
    "dataType",
    "equivalentProperty",
    "extract",
    "field",
    "fileProperty",
    "fileObject",
    "fileSet",
    "format",
    "includes",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
]
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": _VOCABULARY,
    "rai": _VOCABULARY + "RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _SHORT},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "float": "cr:Float32",
    "double": "cr:Float64",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
}
_PARQUET = "application/x-parquet"
_CITE = (
    "Luke Metz, Niru Maheswaranathan, Ruoxi Sun, C. Daniel Freeman, Ben Poole, Jascha Sohl-Dickstein: Using a thousand "
    "optimization tasks to learn hyperparameter search strategies. arXiv 2002.11887, 2020."
)


def write(root: str | Path) -> None:
    """Write croissant.json for the tables and curves under `root`."""
    write_text(json.dumps(describe(root), indent=1) + "\n", Path(root, "croissant.json"))


def describe(root: str | Path) -> dict[str, Any]:
    """The description as JSON values: a file object with its sum for each file, a record set for each table."""
    files = [name for name in sha256_sums.described_files(root) if name.endswith(".parquet")]
    tables = [name for name in files if not name.startswith("curves/")]
    created = pq.read_metadata(Path(root, layout.TASKS)).metadata[b"created"].decode()
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _VOCABULARY + "1.0",
        "name": "taskset_baselines",
        "description": "Learning curves of hand-designed optimizers on TaskSet's tasks, and normalizers; README.md is the card.",
        "license": "https://www.apache.org/licenses/LICENSE-2.0",
        "url": "https://arxiv.org/abs/2002.11887",
        "citeAs": _CITE,
        "version": __version__,
        "datePublished": created,
        "isLiveDataset": False,
        "distribution": [*(_file(root, name) for name in files), _all_curves()],
        "recordSet": [_curves(), *(_table(root, name) for name in tables)],
    }


def _file(root, name):
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{Path(root, name).stat().st_size} B",
        "encodingFormat": _PARQUET,
        "sha256": sha256_sums.digest(Path(root, name)),
    }


def _all_curves():
    return {
        "@type": "cr:FileSet",
        "@id": "curves",
        "name": "curves",
        "description": "All curves: one file for each source, family and group of options.",
        "encodingFormat": _PARQUET,
        "includes": "curves/*/*/*.parquet",
    }


def _field(record_set, column, kind, meaning, source):
    item = kind.value_type if pa.types.is_list(kind) else kind
    field = {"@type": "cr:Field", "@id": f"{record_set}/{column}", "name": column, "description": meaning}
    return {
        **field,
        "dataType": _TYPES[columns.type_name(item)],
        **({"repeated": True} if item is not kind else {}),
        "source": source,
    }


def _curves():
    fields = []
    for column, kind in columns.curve_types().items():
        source = {"fileSet": {"@id": "curves"}, "extract": {"column": column}}
        if column in ("source", "family"):
            source = {
                "fileSet": {"@id": "curves"},
                "extract": {"fileProperty": "fullpath"},
                "transform": {"regex": rf"^.*{column}=([^/]+)/.*$"},
            }
        fields.append(_field("evaluations", column, kind, columns.CURVES[column], source))
    return {
        "@type": "cr:RecordSet",
        "@id": "evaluations",
        "name": "evaluations",
        "description": "One row per evaluation of a run.",
        "field": fields,
    }


def _table(root, name):
    schema, title = pq.read_schema(Path(root, name)), name.removesuffix(".parquet")
    meanings = columns.meanings(title, schema.names)
    fields = []
    for column in schema:
        source = {"fileObject": {"@id": name}, "extract": {"column": column.name}}
        fields.append(_field(title, column.name, column.type, meanings[column.name], source))
    return {"@type": "cr:RecordSet", "@id": title, "name": title, "field": fields}
