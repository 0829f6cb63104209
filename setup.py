"""What setup.cfg can't say: every package below taskset/ and learned/, and that data/ is installed as `taskset.data`.

In a checkout taskset/data is a link to data/. With it every package lies where its name says, and an editable install is the
checkout's directory on the path; without it setuptools would have to install a finder, which comes after any directory called
`taskset` in the working directory (the one that a clone makes, for instance). Source distributions and file systems without
links have no taskset/data: there, data/ is named.
"""

from pathlib import Path

from setuptools import find_packages, setup

found = find_packages(include=["taskset*", "learned*"])
if Path("taskset/data").is_dir():
    setup(packages=found, package_dir={"": "."})
else:
    setup(packages=[*found, "taskset.data"], package_dir={"taskset.data": "data"})
