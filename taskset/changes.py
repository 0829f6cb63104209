"""Which tasks changed in which version of the package, and why: older curves are of another task. No TensorFlow.

A name means what it meant in the release of 2020. A task changes in the version that corrects a deviation from the release.
Results computed from tasks (curves, normalizers, scales) carry the version that computed them, and are out of date if that is
older than the task's last change.
"""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from taskset import catalogue, registry
from taskset.errors import ConfigError, StoreError, shown
from taskset.registry import Config
from taskset.version import __version__

FIRST = "0.1.0"  # of results that carry no version

RESIZED = frozenset(
    ["food101_32x32", "food101_64x64", "coil100_32x32", "deep_weeds_32x32", "sun397_32x32", "colorectal_histology_32x32"]
)
_OTHER_STARTS = ("fully_connected", "optimization_test_problems")  # the other bases start from N(0, 1) by themselves
_EIGEN = ("linspace_eigen", "logspace_eigen")
_DECOMPOSED = 24  # dimensions up to which the noise of quadratics is made by a decomposition (taskset.tasks.matrix_noise)
_TEXT = (
    "char_rnn_language_model_family",
    "word_rnn_language_model_family",
    "rnn_text_classification_family",
    "masked_language_model",
)
_WIKIPEDIA = (*_TEXT, "transformer_lm_family")
_IMAGES = (
    *("mlp_family", "mlp_ae_family", "mlp_vae_family", "conv_fc_family", "conv_pooling_family"),
    *("nvp_family", "maf_family", "made_family"),
    *("fixed_mlp", "fixed_mlp_ae", "fixed_mlp_vae", "fixed_conv", "fixed_conv_ae", "fixed_conv_vae"),
)
_RECURRENT = (*_TEXT, "associative", "copy")


@dataclass(frozen=True)
class Change:
    """One change made in `version`.

    key: its short name. about: what changed.
    touches: `(family, config, fixed) -> bool`, whether it changed a task of these families; fixed: whether that is a fixed task.
    sources: those of the data for which it did; () stands for all.
    since: the first version whose results it makes out of date; those of older versions are as today's.
    families: all that it can touch; () for any. Sampled tasks of others need no config drawn for an answer.
    """

    version: str
    key: str
    about: str
    touches: Callable[[str, Config, bool], bool]
    sources: tuple[str, ...] = ()
    since: str = "0"
    families: tuple[str, ...] = ()

    def may_touch(self, family: str) -> bool:
        """Whether it can touch tasks of a family."""
        return not self.families or family in self.families

    def concerns(self, source: str | None) -> bool:
        """Whether it changed tasks with data of a source; None for any."""
        return not self.sources or source is None or source in self.sources


def _core(*kinds):
    return lambda family, config, fixed: family in _RECURRENT and config["core"][0] in kinds


def _own_starts(family, config, fixed):
    """Fixed tasks with layers that do not start by Sonnet's defaults."""
    if not fixed or not isinstance(config, dict):
        return False
    if "linear_w_init" in config or config.get("w_init", [None])[0] == "contrib_variance_scaling":
        return True
    return family in ("nvp_family", "maf_family") or _core("gru")(family, config, fixed)


def _losg(family, config, *kinds):
    return family == "losg_tasks_family" and config[0] in kinds


def _normal_start(family, config, fixed):
    wrapped = _losg(family, config, "log_objective", "sparse_problems")
    return wrapped and config[1]["base"][0] in _OTHER_STARTS


def _dense_noise(family, config, fixed):
    return _losg(family, config, "sparse_softmax_regression") and config[1]["noise_stdev"] > 0


def _more_than_there_are(family, config, fixed):
    if family != "losg_tasks_family":
        return False
    arguments = config[1]["base"][1] if "base" in config[1] else config[1]
    return arguments.get("bs", 0) > arguments.get("n_samples", 0)


def _few_batches(family, config, fixed):
    """Sets of one to four batches (`taskset.datasets.losg.FEW`)."""
    kind, arguments = config[1]["base"] if "base" in config[1] else config[:2]
    if kind not in ("fully_connected", "sparse_softmax_regression", "outward_snake", "sum_of_quadratics", "projection_quadratic"):
        return False
    even = kind in ("sum_of_quadratics", "projection_quadratic")  # rows in pairs of opposite signs
    rows = arguments["n_samples"] // 2 * 2 if even else arguments["n_samples"]
    return arguments["bs"] <= rows < 4 * arguments["bs"]


def _reads_text(family, config, fixed):
    """Tasks that read windows of documents. Any of them may have a document that is longer than its window."""
    return family in _TEXT


def _resized(family, config, fixed):
    return family in _IMAGES and config["dataset"][0] in RESIZED


def _sorbian(family, config, fixed):
    return ".hsb_" in config["dataset"][0]


def _eigen_noise(family, config, fixed):
    return config["noise"] is not None and config["noise"]["A_noise"][0] in _EIGEN


def _small_eigen_noise(family, config, fixed):
    return _eigen_noise(family, config, fixed) and config["dims"] <= _DECOMPOSED


def _large_eigen_noise(family, config, fixed):
    return _eigen_noise(family, config, fixed) and config["dims"] > _DECOMPOSED


CHANGES = (
    Change("0.2.0", "vanilla RNN", "two linear layers with a bias each, where there was one bias", _core("vrnn")),
    Change("0.2.0", "LSTM", "gate biases start from a truncated normal, where they started at 0", _core("lstm")),
    Change("0.2.0", "GRU", "biases start from glorot uniform, where they started at 0", _core("gru")),
    Change("0.2.0", "fixed starts", "layers start by the default of the module that the release used", _own_starts),
    Change(
        "0.2.0", "losg starts", "every parameter starts from N(0, 1), where the base problem's start was taken", _normal_start
    ),
    Change(
        "0.2.0", "losg noise", "noise on every entry of the gradient, where embeddings that weren't read had none", _dense_noise
    ),
    Change(
        "0.2.0", "losg batches", "examples by a shuffled stream, where they were drawn with replacement", _more_than_there_are
    ),
    Change("0.2.0", "text windows", "the last window of a document is never drawn, where all were", _reads_text),
    Change("0.2.0", "resized images", "OpenCV's cubic kernel, a = -.75, where a was -.5", _resized, ("tfds",)),
    Change(
        "0.2.1", "losg sets of few batches", "examples by a shuffled stream, where epochs had each once", _few_batches,
        families=("losg_tasks_family",),
    ),
    Change(
        "0.2.1", "quadratic noise", "eigenvectors from the QR of a matrix U(-1, 1), where 0.2.0 had U(0, 1), and 0.1 Haar's",
        _small_eigen_noise, families=("quadratic_family",),
    ),
    Change(
        "0.2.1", "large quadratic noise", "eigenvectors are Haar's, as in 0.1; 0.2.0 had those of a matrix with a mean",
        _large_eigen_noise, since="0.2.0", families=("quadratic_family",),
    ),
    Change(
        "0.2.2", "Sorbian letters", "the letter ć stands once in the alphabet, where it stood three times", _sorbian,
        ("synthetic",), families=_WIKIPEDIA,
    ),
)  # fmt: skip


def release(version: str) -> tuple[int, ...]:
    """A version's numbers as a tuple: "0.2.0" and "0.2.0.dev1" -> (0, 2, 0). Raises `ConfigError`."""
    numbers = _numbers(str(version))
    if numbers is None:
        raise ConfigError(f"version {shown(version)}: allowed are version numbers of the package, such as {FIRST!r}")
    return numbers


def oldest(versions: Iterable[str]) -> str:
    """The first of some versions, of which there is one at least. Raises `ConfigError`."""
    return min(versions, key=release)


@functools.lru_cache(maxsize=256)
def _numbers(version: str) -> tuple[int, ...] | None:
    match = re.match(r"[0-9]{1,9}(\.[0-9]{1,9})*", version)
    return tuple(map(int, match[0].split("."))) if match else None


def is_of(version: str, wanted: str) -> bool:
    """Whether `version` ("0.1.0") is part of the release `wanted` ("0.1" or "0.1.0")."""
    numbers = release(wanted)
    return release(version)[: len(numbers)] == numbers


def asked_by(version: str) -> str:
    """What to give for `version` to ask for it: "0.1" for "0.1.0"; the whole of it where it is of today's minor version."""
    minor = ".".join(version.split(".")[:2])
    return version if is_of(__version__, minor) else minor


def of_release(wanted: str, versions: Iterable[str], what: str) -> list[bool]:
    """Which of the `versions` are part of the release `wanted`. what: of these versions, for the error.

    Raises `ConfigError` for what is no version, `StoreError` where none of them is.
    """
    release(wanted)
    versions = list(versions)
    found = [is_of(version, wanted) for version in versions]
    if not any(found):
        raise StoreError(f"there are no {what} of version {shown(wanted)}: there are those of {', '.join(sorted(set(versions)))}")
    return found


@functools.cache
def of_task(name: str) -> tuple[Change, ...]:
    """The `Change`s of a task, oldest first; () for a user's own task."""
    parsed = registry.parse(name)
    fixed = parsed is None and name in catalogue.fixed_tasks()
    if not fixed and (parsed is None or parsed[0] not in catalogue.families()):
        return ()
    family, config = catalogue.resolve(name)
    return tuple(change for change in CHANGES if change.may_touch(family) and change.touches(family, config, fixed))


def changed_in(name: str, source: str | None = None) -> str | None:
    """The last version in which a task changed, None if it never did.

    source: of its data ("none", "synthetic", "tfds"); None for any. Curves of the release (source "published") never change.
    """
    if source == "published":
        return None
    return max((change.version for change in [c for c in of_task(name) if c.concerns(source)]), key=release, default=None)


def made_before(name: str, source: str | None, *versions: str) -> str:
    """In words, that results of these versions are older than the task: "of version 0.1.0, and the task changed in 0.2.0"."""
    several = "s" if len(versions) > 1 else ""
    return f"of version{several} {', '.join(versions)}, and the task changed in {changed_in(name, source)}"


def outdated(name: str, source: str | None, version: str | None) -> bool:
    """Whether results that `version` (None: unknown) computed on a task are out of date, since the task changed later."""
    return version is not None and bool(changes_since(name, source, version))


def changes_since(name: str, source: str | None, version: str) -> list[Change]:
    """The changes of a task that make results of `version` out of date, oldest first."""
    made_by = release(version)
    if source == "published" or made_by >= _LAST:
        return []
    parsed = registry.parse(name)
    possible = [
        c
        for c in CHANGES
        if release(c.since) <= made_by < release(c.version) and c.concerns(source) and (parsed is None or c.may_touch(parsed[0]))
    ]
    return [c for c in possible if c in of_task(name)] if possible else []


_LAST = max(release(change.version) for change in CHANGES)
