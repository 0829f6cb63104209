"""What setup.cfg can't say: every package below taskset/ and learned/, and that data/ is installed as `taskset.data`.

An editable install is another matter. In a checkout taskset/data is a link to data/, so every package lies where its name says,
and the checkout's directory on the path is all that is needed. With `package_dir` setuptools would install a finder instead,
which comes after any directory called `taskset` in the working directory: the parent of a clone has one.

The package index shows README.md away from the files that it links to: its links are made absolute, once setup.cfg has the
repository's address, as `Source` of its project_urls.
"""

import configparser
import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def absolute_links(text, address):
    """Markdown whose relative links lead to the main branch of the repository at `address`; None leaves them as they are."""
    if address is None:
        return text
    target = r"(?!https?:|mailto:|#)(?P<path>[^)\s]+)"
    text = re.sub(rf"!\[(?P<text>[^\]]*)\]\({target}\)", rf"![\g<text>]({address}/raw/main/\g<path>)", text)
    return re.sub(rf"(?<!!)\[(?P<text>[^\]]*)\]\({target}\)", rf"[\g<text>]({address}/blob/main/\g<path>)", text)


def source_address():
    """The `Source` of setup.cfg's project_urls, or None."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    entries = settings.get("metadata", "project_urls", fallback="").splitlines()
    urls = dict(map(str.strip, entry.split("=", 1)) for entry in entries if "=" in entry)
    return urls.get("Source", "").rstrip("/") or None


def main():
    packages = {*find_packages(include=["taskset*", "learned*"]), "taskset.data"}
    linked = "editable_wheel" in sys.argv and Path("taskset/data").is_dir()  # a text file on file systems without links
    setup(
        packages=sorted(packages),
        package_dir={"": "."} if linked else {"taskset.data": "data"},
        long_description=absolute_links((ROOT / "README.md").read_text(encoding="utf-8"), source_address()),
        long_description_content_type="text/markdown",
    )


if __name__ == "__main__":
    main()
