"""JSON schemas (draft 2020-12) of what several families' configs have in common, and the few forms they are made of.

The schemas allow whatever has a meaning, not only what the samplers draw. They are written so that every violation is reported at
its field: a choice between forms is an `if .. then` on the form's name, never an `anyOf`.
`taskset.schema` reads them, and adds the keyword `sameLength`.
"""

from typing import Any, TypeAlias

from taskset.samplers import parts

Schema: TypeAlias = dict[str, Any]

MOST_LAYERS = 1000  # of any kind; so many take minutes to trace
MOST_MATRIX = 40_000  # rows of a square matrix: 6 GB of float32


def integer(minimum: int, maximum: int | None = None) -> Schema:
    """An integer (not a float of the same value) with inclusive bounds."""
    return {"type": "integer", "minimum": minimum, **({} if maximum is None else {"maximum": maximum})}


def number(**bounds: float) -> Schema:
    """A finite number; bounds as in JSON schema (`minimum=0`, `exclusiveMinimum=0`, ..)."""
    return {"type": "number", **bounds}


def one_of(*values: object) -> Schema:
    """One of the values."""
    return {"enum": list(values)}


def listed(items: Schema, least: int = 0) -> Schema:
    """A list of `least` .. MOST_LAYERS items of one schema."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": MOST_LAYERS}


def tupled(*items: Schema | bool) -> Schema:
    """A list of exactly these items."""
    return {"type": "array", "prefixItems": list(items), "minItems": len(items), "maxItems": len(items)}


def fields(**properties: Schema) -> Schema:
    """A dict with exactly these fields."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    """What `schema` (of one type) allows, or null. By the rules of JSON schema, its other keywords don't apply to null."""
    return {**schema, "type": [schema["type"], "null"]}


def with_optional(schema: Schema, **properties: Schema) -> Schema:
    """A `schema` made by `fields`, with further fields that may be left out."""
    return {**schema, "properties": {**schema["properties"], **properties}}


def tagged(forms: dict[str, Schema], *others: Schema) -> Schema:
    """`[name, arguments, *others]`, where `forms` is {name: schema of the arguments}."""
    cases = [{"if": {"prefixItems": [one_of(name)]}, "then": {"prefixItems": [True, form]}} for name, form in forms.items()]
    return {**tupled(one_of(*forms), True, *others), "allOf": cases}


SIZE = integer(1)
LAYERS = integer(1, MOST_LAYERS)
MATRIX_SIZE = integer(1, MOST_MATRIX)
SIZES = listed(SIZE)
HIDDEN_SIZES = listed(SIZE, least=1)
BOOLEAN: Schema = {"type": "boolean"}
SEED = integer(0, 2**31 - 1)
NUM_TRAIN = nullable(SIZE)
ACTIVATION = one_of(*parts.ACTIVATIONS)
ANY_ACTIVATION = one_of(*parts.ACTIVATIONS, *parts.FURTHER_ACTIVATIONS)
# No family draws the first two: Sonnet's default and that of TensorFlow 1's contrib, which fixed tasks start from.
_INITIALIZERS: dict[str, Schema] = {
    "lecun_normal": {"type": "null"},
    "contrib_variance_scaling": number(exclusiveMinimum=0),
    **{name: {"type": "null"} for name in parts.PLAIN_INITIALIZERS},
    **{name: number(exclusiveMinimum=0) for name in parts.SCALED_INITIALIZERS},
}
INITIALIZER = tagged(_INITIALIZERS)
# Square matrices may start as the identity, too: fixed tasks have such cores.
SQUARE_INITIALIZER = tagged({**_INITIALIZERS, "identity": {"type": "null"}})

# The smallest images have 16 x 16 pixels. Hue turns by at most half the circle; saturation and contrast are multiplied by
# 1 - x .. 1 + x.
AUGMENTATION = nullable(
    fields(
        crop_amount=integer(0, 15),
        flip_left_right=BOOLEAN,
        flip_up_down=BOOLEAN,
        do_color_aug=BOOLEAN,
        brightness=number(minimum=0),
        saturation=number(minimum=0, maximum=1),
        hue=number(minimum=0, maximum=0.5),
        contrast=number(minimum=0, maximum=1),
    )
)
# No family draws valid_size: fixed tasks cut other validation splits than the data set's own.
_IMAGE_OPTIONS = with_optional(fields(bs=SIZE, num_train=NUM_TRAIN, just_train=BOOLEAN), valid_size=SIZE)
_MNIST_OPTIONS = with_optional(fields(bs=SIZE, num_train=NUM_TRAIN, num_classes=one_of(10), just_train=BOOLEAN), valid_size=SIZE)
IMAGE_DATASET = tagged(
    {
        **dict.fromkeys((*parts.IMAGE_DATASETS, *parts.FIXED_IMAGES), _IMAGE_OPTIONS),
        **dict.fromkeys(parts.MNIST_LIKE, _MNIST_OPTIONS),
    },
    AUGMENTATION,
)

_TEXT_OPTIONS = fields(bs=SIZE, num_train=NUM_TRAIN, max_token=SIZE, just_train=BOOLEAN, patch_length=SIZE)
# The loss predicts the next token, which has to be in the window.
_LANGUAGE_OPTIONS = fields(patch_length=integer(2), batch_size=SIZE, just_train=BOOLEAN, num_train=NUM_TRAIN)
TEXT_CLASSIFICATION_DATASET = tagged(dict.fromkeys((*parts.TEXT_CLASSIFICATION_DATASETS, *parts.FIXED_TEXTS), _TEXT_OPTIONS))
CHARACTER_DATASET = tagged(dict.fromkeys(parts.CHARACTER_DATASETS, _LANGUAGE_OPTIONS))
WORD_DATASET = tagged(dict.fromkeys(parts.WORD_DATASETS, _LANGUAGE_OPTIONS))
TEXT_DATASET = tagged(dict.fromkeys((*parts.CHARACTER_DATASETS, *parts.WORD_DATASETS), _LANGUAGE_OPTIONS))

RECURRENT_CORE = tagged(
    {
        "vrnn": fields(hidden_to_hidden=SQUARE_INITIALIZER, in_to_hidden=INITIALIZER, act_fn=ACTIVATION, core_dim=SIZE),
        "gru": fields(core_dim=SIZE, **dict.fromkeys(parts.GRU_MATRICES, INITIALIZER)),
        "lstm": fields(w_gates=INITIALIZER, core_dim=SIZE),
    }
)
