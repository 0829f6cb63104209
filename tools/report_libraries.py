"""The libraries of the report's page, from npm: `python -m tools.report_libraries` compares, --publish replaces them.

Each package comes as its authors publish it: the archive is checked against the sum below, and files are taken from it as they
are. To move to another version, change VERSIONS (`npm view PACKAGE@VERSION dist.integrity`), run this with --publish, and then
`make browser`.
"""

import argparse
import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "taskset" / "scoring" / "report" / "vendor"
# {package: (version, sum of the archive)}
VERSIONS = {
    "echarts": (
        "6.1.0",
        "sha512-q0yaFPggC9FUdsWH4blavRWFmxdrIodbkoKNAjJudAI6CA9gNPxHtV2RcZNEepZVlk4yvBYkOkbk6HIVpIyHZA==",
    ),
    "tabulator-tables": (
        "6.5.3",
        "sha512-nJ2QaqZzQvd9B4rf4LBnRxfb6sSqA/BX2OsXnSJ2d8k21oXDSTtFtOUrDap04a/6BDGivC/MByCxy43ugadJIg==",
    ),
}
# {package: {file of the archive: file of vendor/}}
FILES = {
    "echarts": {
        "dist/echarts.min.js": "echarts.min.js",
        "LICENSE": "echarts.LICENSE.txt",
        "NOTICE": "echarts.NOTICE.txt",
        "licenses/LICENSE-d3": "echarts.LICENSE-d3.txt",
    },
    "tabulator-tables": {
        "dist/js/tabulator.min.js": "tabulator.min.js",
        "dist/css/tabulator_simple.min.css": "tabulator_simple.min.css",
        "LICENSE": "tabulator.LICENSE.txt",
    },
}


def archive(package):
    """The bytes of a package's archive. Exits where they are not those that VERSIONS names."""
    version, integrity = VERSIONS[package]
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        content = next(Path(place).glob("*.tgz")).read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != integrity:
        sys.exit(f"error: {package} {version} has the sum {found}; VERSIONS says {integrity}")
    return content


def files(package):
    """{name in vendor/: content} of a package."""
    with tarfile.open(fileobj=io.BytesIO(archive(package))) as content:
        return {name: content.extractfile(f"package/{place}").read() for place, name in FILES[package].items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--publish", action="store_true", help="Write the files; without this option they are compared.")
    arguments = parser.parse_args()
    different = []
    for package, (version, _) in VERSIONS.items():
        for name, content in files(package).items():
            path = VENDOR / name
            if arguments.publish:
                path.write_bytes(content)
            elif not path.exists() or path.read_bytes() != content:
                different.append(name)
        print(f"{package} {version}")
    if different:
        sys.exit(f"error: not as published: {', '.join(different)}")


if __name__ == "__main__":
    main()
