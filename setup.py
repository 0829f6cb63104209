"""What setup.cfg can't say: every package below taskset/ and learned/, and that data/ is installed as `taskset.data`.

An editable install is another matter. In a checkout taskset/data is a link to data/, so every package lies where its name says,
and the checkout's directory on the path is all that is needed. With `package_dir` setuptools would install a finder instead,
which comes after any directory called `taskset` in the working directory: the parent of a clone has one.
"""

import sys
from pathlib import Path

from setuptools import find_packages, setup

packages = {*find_packages(include=["taskset*", "learned*"]), "taskset.data"}
linked = "editable_wheel" in sys.argv and Path("taskset/data").is_dir()  # file systems without links have a text file there
setup(packages=sorted(packages), package_dir={"": "."} if linked else {"taskset.data": "data"})
