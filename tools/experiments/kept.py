"""Results of experiments that take hours, a small JSON file for each training: tools/experiments/results/EXPERIMENT/NAME.json.

A training is made once, on any machine, and whoever publishes the figure need not repeat those that are there. A file holds what
the training gave and the settings it was made with; settings that differ are an error, as two settings make no table.
"""

import json
from pathlib import Path

from taskset.files import write_text

FOLDER = Path(__file__).parent / "results"


class Results:
    """Results of one experiment, read from `tree` (those of the repository) or else from the folder of the trainings."""

    def __init__(self, experiment, runs, tree=FOLDER):
        self.tree, self.runs = tree / experiment, runs

    def find(self, name, settings):
        """The result called `name`, None where there is none. Raises `ValueError` where it was made with other settings."""
        for file in (self.tree / f"{name}.json", self.runs / name / "result.json"):
            if file.exists():
                found = json.loads(file.read_text())
                if found["settings"] != settings:
                    raise ValueError(f"{file} was made with {found['settings']}, and {settings} is asked for")
                return found["result"]
        return None

    def make(self, name, settings, train, *arguments):
        """The result called `name`, from `train(*arguments)` where there is none yet. It is what JSON can hold."""
        found = self.find(name, settings)
        if found is None:
            found = train(*arguments)
            text = json.dumps({"settings": settings, "result": found}, allow_nan=False)
            write_text(text + "\n", self.runs / name / "result.json")
        return found

    def publish(self):
        """Copy what the folder of the trainings has into the repository."""
        for file in sorted(self.runs.rglob("result.json")):
            write_text(file.read_text(), self.tree / f"{file.parent.relative_to(self.runs)}.json")
