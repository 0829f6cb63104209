"""How long `make demo` takes once the package is installed: python -m benchmarks.demo"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from tools import report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.publish_option(parser)
    arguments = parser.parse_args()
    processes.compile_everything()
    with tempfile.TemporaryDirectory() as root:
        start = time.perf_counter()
        subprocess.run(["make", "demo", f"DEMO_OUT={root}"], check=True, cwd=Path(__file__).resolve().parents[1])
        seconds = time.perf_counter() - start
    text = f"""## Demo

`make demo`, after installation: {seconds:.0f} s (wanted: under 180 s). Five tasks of five families, 17 learning rates
x 2 seeds x 300 steps, curves, normalizers and the plot.

{report.conditions("tensorflow", "numpy")}"""
    report.show(arguments, "demo", text)


if __name__ == "__main__":
    main()
