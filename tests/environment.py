"""Makes .venv with everything that development and tests need; at once when nothing changed."""

import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".made"
PYTHON = VENV / "bin" / "python"
EXTRAS = ".[operator,runner,server,boosting,cli,dev]"
ABOUT_SECONDS = 90
TICK_SECONDS = 10.0


def identity() -> str:
    content = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def is_made() -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == identity()


def make() -> None:
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--editable", EXTRAS], cwd=ROOT, check=True)
    STAMP.write_text(identity())


def main() -> int:
    if is_made():
        return 0
    began = time.monotonic()
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK_SECONDS):
            spent = time.monotonic() - began
            sys.stderr.write(f"install into .venv: {spent:.0f} s of about {ABOUT_SECONDS} s\n")

    threading.Thread(target=tick, daemon=True).start()
    try:
        make()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            f"error: `{' '.join(error.cmd)}` failed. A missing venv module comes with: make deps\n"
        )
        return 1
    finally:
        ended.set()
    sys.stderr.write(f".venv: made in {time.monotonic() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
