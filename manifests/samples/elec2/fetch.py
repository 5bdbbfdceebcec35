"""Fetches Elec2 (electricity market of New South Wales, 1996-98; 45 312 half hours) for the sample.

The file travels inside a wheel of scikit-multiflow 0.4.1, which is opened as an archive and never
installed. Its bytes are proved by sha256; the licence (BSD 3-Clause) is written beside it.

    python3 fetch.py elec.csv
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "scikit-multiflow==0.4.1"
PYTHON = "3.7"  # only wheels for this version hold the data
MEMBER = "skmultiflow/data/datasets/elec.csv"
SHA256 = "ebdfe5480ae25a43a7d054286135e3a9484697a2850d5158a333b1578c28bb97"
LICENCE = "scikit_multiflow-0.4.1.dist-info/LICENSE"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="where to write the CSV file")
    output: Path = parser.parse_args().output
    if output.exists() and digest(output.read_bytes()) == SHA256:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        data, licence = extract(download(Path(folder)))
    if digest(data) != SHA256:
        sys.stderr.write(f"{MEMBER} has sha256 {digest(data)}, not {SHA256}: nothing is written\n")
        return 1
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_name(f"{output.name}.LICENSE").write_bytes(licence)
    # Whole or not at all: an interrupted run must not leave half a file.
    partial = output.with_name(f"{output.name}.part")
    partial.write_bytes(data)
    partial.replace(output)
    return 0


def download(folder: Path) -> Path:
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--python-version", PYTHON),
        *("--implementation", "cp", "--platform", "manylinux1_x86_64"),
        *("--dest", str(folder), REQUIREMENT),
    )
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def extract(wheel: Path) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER), archive.read(LICENCE)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
