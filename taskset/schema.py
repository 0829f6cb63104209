"""What is wrong with a config, in one line.

A family's configs are described by a JSON schema (draft 2020-12, checked by the jsonschema library) with two differences: a float
with an integer value is not an integer, and a number must be finite. One keyword is added, `"sameLength": [fields]`: these
fields of an object are lists of the same length.
"""

import math
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from taskset.errors import cut, nearest, shown


def _is_integer(checker, value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker, value):
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


def _same_length(validator, names, config, schema):
    lists = [name for name in names if isinstance(config, dict) and isinstance(config.get(name), list)]
    if len({len(config[name]) for name in lists}) > 1:
        yield ValidationError(", ".join(f"{name} has {len(config[name])}" for name in lists))


_Validator = validators.extend(
    Draft202012Validator,
    {"sameLength": _same_length},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer).redefine("number", _is_number),
)

# An unknown field is often a misspelt one: it is reported before the field that is missing in its place.
_FIRST = ("additionalProperties", "required")
_TYPES = {
    "integer": "an integer",
    "number": "a finite number",
    "boolean": "True or False",
    "array": "a list",
    "object": "a dict",
    "null": "None (null in JSON)",
    "string": "a string",
}
_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "greater than", "exclusiveMaximum": "less than"}


def explain(schema: dict[str, Any], config: Any) -> str | None:
    """The first thing in `config` that `schema` does not allow, in one line; None if there is none.

    The line names the field by its path (`layer_sizes[1]`), its value, and what is allowed there.
    """
    errors = list(_Validator(schema).iter_errors(config))
    if not errors:
        return None
    rank = {keyword: i for i, keyword in enumerate(_FIRST)}
    return _line(min(errors, key=lambda error: rank.get(error.validator, len(rank))))


def _path(keys: Iterable[str | int]) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return path.lstrip(".")


def _text(value):
    return shown(value, 60)


def _line(error):
    path = _path(error.absolute_path)
    if error.validator == "additionalProperties":
        return _unknown_field(path, error)
    if error.validator == "required":
        return _missing_field(path, error)
    if error.validator == "sameLength":
        return f"{', '.join(error.validator_value)} must be lists of the same length; {error.message}"
    return f"{path or 'the config'} = {_text(error.instance)}: {_allowed(error)}"


def _inside(path):
    return f" in {path}" if path else ""


def _nearest(value, names):
    near = nearest(value, names, 1)
    return f"did you mean {near[0]!r}? " if near else ""


def _unknown_field(path, error):
    allowed = list(error.schema["properties"])
    field = next(field for field in error.instance if field not in allowed)
    return f"unknown field {shown(field)}{_inside(path)}; {_nearest(field, allowed)}allowed are {', '.join(allowed)}"


def _missing_field(path, error):
    # jsonschema reports every missing field as a separate error and names it only in the message.
    field = next(field for field in error.validator_value if field not in error.instance)
    return f"missing field {field!r}{_inside(path)}; needed are {', '.join(error.validator_value)}"


def _allowed(error):
    keyword, value = error.validator, error.validator_value
    if keyword == "enum":
        names = [v for v in value if isinstance(v, str)]
        return f"{_nearest(error.instance, names)}allowed are {', '.join(_text(v) for v in value)}"
    if keyword == "type":
        types = [value] if isinstance(value, str) else value
        return f"must be {' or '.join(_TYPES[t] for t in types)}"
    if keyword in _BOUNDS:
        return f"must be {_BOUNDS[keyword]} {value}"
    if keyword in ("minItems", "maxItems"):
        return f"a list of {len(error.instance)}; must have {'at least' if keyword == 'minItems' else 'at most'} {value} items"
    return cut(error.message.splitlines()[0], 200)
