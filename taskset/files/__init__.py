"""Files of any kind: written whole or not at all, read checked; .npz, Markdown sections and tables."""

from taskset.files.reading import different_keys, read_json, readable, settle
from taskset.files.writing import (
    abandoned,
    copy_file,
    is_utf8,
    make_directory,
    remove_temporaries,
    remove_temporary_directories,
    temporary_beside,
    temporary_owner,
    unwritable,
    whole_file,
    writable,
    write_picture,
    write_text,
)

__all__ = [
    "abandoned",
    "copy_file",
    "different_keys",
    "is_utf8",
    "make_directory",
    "read_json",
    "readable",
    "remove_temporaries",
    "remove_temporary_directories",
    "settle",
    "temporary_beside",
    "temporary_owner",
    "unwritable",
    "whole_file",
    "writable",
    "write_picture",
    "write_text",
]
