"""Where an experiment's figure and table go: a picture, and a section of experiments.md."""

from taskset.normalization.release import documents

TITLE = "# Experiments\n"


def write(name, picture, draw, text, out):
    """Draw OUT/pictures/PICTURE by `draw(path)`, and write the section `name` of OUT/experiments.md."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    draw(out / "pictures" / picture)
    documents.write_section(name, text, out / "experiments.md", TITLE)
