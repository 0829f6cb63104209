"""Which tasks each quirk of docs/quirks.md touches: prints its section "touched", and with --publish writes it.

    python -m tools.quirks [--publish] [--list "just_train ignored"]

With --list it prints the names of all tasks that one quirk touches instead.
"""

import argparse

from taskset import catalogue, registry
from taskset.datasets.info import IMAGES
from taskset.datasets.text_info import VOCABULARY
from taskset.samplers import PUBLISHED_FAMILIES
from taskset.samplers.parts import TEXT_CLASSIFICATION_DATASETS
from tools import report

DOCUMENT = report.DOCS / "quirks.md"
FEW = 6  # names listed; of more, the first three
TEXT = "rnn_text_classification_family"
LANGUAGE = ("char_rnn_language_model_family", "word_rnn_language_model_family")


def parts(value):
    """A JSON value and everything in it."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(item)


def has_option(config, option):
    """Whether an option of the config's data set is true."""
    return isinstance(config, dict) and "dataset" in config and bool(config["dataset"][1].get(option))


def embedded(family, config):
    """Rows of the embedding matrix, 0 where there is none."""
    rows = config.get("vocab_size", 0) if isinstance(config, dict) else 0
    return min(rows, config["dataset"][1]["max_token"]) if family == TEXT else rows


def base(config):
    """The kind of the problem inside a losg problem, None where it has none."""
    return config[1]["base"][0] if isinstance(config, list) and "base" in config[1] else None


def noisy_base(config):
    """Whether the problem inside has gradient noise of its own, which has no effect."""
    return base(config) is not None and bool(config[1]["base"][1].get("noise_stdev"))


def augmentation(config):
    """The augmentation of the config's images, None where there is none."""
    dataset = config.get("dataset", ()) if isinstance(config, dict) else ()
    return dataset[2] if len(dataset) == 3 else None


def colours_of_grey(config):
    """Whether colours of an image set without colours are to be augmented."""
    return bool(augmentation(config)) and augmentation(config)["do_color_aug"] and config["dataset"][0].endswith("mnist")


def few_batches(family, config):
    """Whether a task reads a set of less than four batches, in the release's order (`taskset.datasets.losg.FEW`)."""
    from taskset.datasets.losg import FEW

    data = catalogue.facts(family, config).data if family == "losg_tasks_family" else None
    return data is not None and data.num_rows < FEW * data.batch_size


def resized(family, config):
    """Whether the task reads images that are resized."""
    data = catalogue.facts(family, config).data
    return getattr(data, "name", None) in IMAGES and IMAGES[data.name].resized


# (quirk, (family, config) -> whether it touches the task)
QUIRKS = (
    ("joined data set name", lambda f, c: f == TEXT and c["dataset"][0] == TEXT_CLASSIFICATION_DATASETS[0]),
    ("names another text than it reads", lambda f, c: f == TEXT and c["dataset"][0] != "imdb_reviews/subwords8k"),
    ("vocabulary cut at max_token", lambda f, c: f == TEXT and c["vocab_size"] > c["dataset"][1]["max_token"]),
    ("more embeddings than token ids", lambda f, c: embedded(f, c) > VOCABULARY["subwords8k"]),
    ("just_train ignored", lambda f, c: f not in LANGUAGE and has_option(c, "just_train")),
    ("just_train in effect", lambda f, c: f in LANGUAGE and has_option(c, "just_train")),
    ("padding counts", lambda f, c: f in (*LANGUAGE, TEXT)),
    ("last window never drawn", lambda f, c: hasattr(catalogue.facts(f, c).data, "patch_length")),
    ("sets of few batches", few_batches),
    ("resized images", resized),
    ("truncated_normal is normal", lambda f, c: any(isinstance(v, list) and v[:1] == ["truncated_normal"] for v in parts(c))),
    ("augmented in all four splits", lambda f, c: bool(augmentation(c))),
    ("colours of grey images not augmented", lambda f, c: colours_of_grey(c)),
    ("published MAF masks", lambda f, c: f == "maf_family"),
    ("data of dependency_chain never read", lambda f, c: isinstance(c, list) and "dependency_chain" in (c[0], base(c))),
    ("noise of the problem inside has no effect", lambda f, c: noisy_base(c)),
    (
        "logarithm of a loss that can be negative",
        lambda f, c: isinstance(c, list) and c[0] == "log_objective" and base(c) in ("outward_snake", "sum_of_quadratics"),
    ),
)


def published():
    """{name: (family, config)} of the published families' seeds 0 .. 999 and the fixed tasks."""
    seeds = [f"{family}_seed{seed}" for family in PUBLISHED_FAMILIES for seed in range(registry.SEEDS)]
    published = {*catalogue.fixed_tasks()[:109], *seeds}  # what other modules register stands behind the 109
    names = [name for name in catalogue.list_tasks() if name in published]
    return {name: catalogue.resolve(name) for name in names}


def line(quirk, names):
    """A row of the table: the quirk, how many tasks of which families, and names."""
    families = {}
    for name in names:
        group = registry.parse(name)[0] if registry.parse(name) else "fixed tasks"
        families[group] = families.get(group, 0) + 1
    counted = ", ".join(f"{group} {count}" for group, count in sorted(families.items()))
    shown = names if len(names) <= FEW else [*names[:3], ".."]
    return [quirk, counted, len(names), ", ".join(shown)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--list", choices=[quirk for quirk, _ in QUIRKS], metavar="QUIRK", help="Print the tasks of one quirk only."
    )
    report.publish_option(parser, "the section of docs/quirks.md")
    arguments, tasks = parser.parse_args(), published()
    if arguments.list:
        print("\n".join(name for name in tasks if dict(QUIRKS)[arguments.list](*tasks[name])))
        return
    rows = [line(quirk, [name for name in tasks if touches(*tasks[name])]) for quirk, touches in QUIRKS]
    text = report.table(["quirk", "of which family", "tasks", "names"], rows)
    report.show(arguments, "touched", text, DOCUMENT)


if __name__ == "__main__":
    main()
