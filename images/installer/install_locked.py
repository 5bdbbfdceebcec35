"""Installs locked wheels into a folder, leaves out what no program runs, and compiles the rest.

Bytecode is compiled here because the image is read-only and an interpreter that has to compile
scikit-learn needs six seconds instead of one to start; it is never checked against its source,
which cannot change in an image.
"""

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

SECRETS = Path("/run/secrets")  # pip's configuration and authorities, seen by the build alone
OPTIONS = (
    *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--no-cache-dir"),
    *("--disable-pip-version-check", "--root-user-action=ignore", "--progress-bar=off"),
)
UNUSED_FOLDERS = ("tests", "include")
UNUSED_SUFFIXES = (".pyx", ".pxd", ".pxi", ".c", ".cc", ".cpp", ".h", ".hpp", ".a")


def install(lock: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    configured = SECRETS / "pip.conf"
    environment = os.environ | ({"PIP_CONFIG_FILE": str(configured)} if configured.exists() else {})
    command = [sys.executable, "-m", "pip", "install", *OPTIONS]
    subprocess.run(
        [*command, "--target", str(target), "--requirement", str(lock)],
        env=environment,
        check=True,
    )


def leave_out(target: Path) -> None:
    """Tests, headers and sources in C would only be pulled and stored."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for folder in sorted(target.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name in UNUSED_FOLDERS and not folder.is_symlink():
            shutil.rmtree(folder)
    for path in target.rglob("*"):
        if path.suffix in UNUSED_SUFFIXES and path.is_file():
            path.unlink()


def compile_all(target: Path) -> None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(target, quiet=2, workers=0, invalidation_mode=mode)


if __name__ == "__main__":
    lock_file, site = Path(sys.argv[1]), Path(sys.argv[2])
    install(lock_file, site)
    leave_out(site)
    compile_all(site)
