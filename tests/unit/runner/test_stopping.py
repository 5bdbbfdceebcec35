"""SIGTERM ends the runner with 143, which is worth another try, whatever it is doing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import hashlib, os, signal, subprocess, sys, time
from tidemill_runner import stopping
stopping.arm({patience})
"""
# It lets go of the interpreter's lock and takes hours: no handler of Python's is run meanwhile.
IN_C = """
print("ready", flush=True)
hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)
"""
IN_PYTHON = """
try:
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
finally:
    print("tidied up", flush=True)
"""
FORKED = """
print("ready", flush=True)
hear, say = os.pipe()
child = os.fork()
if child == 0:
    os.write(say, b"x")
    time.sleep(3600)
os.read(hear, 1)
os.kill(child, signal.SIGTERM)
os.waitpid(child, 0)
time.sleep(1)
print("goes on", flush=True)
"""
OTHERS = """
print("ready", flush=True)
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(1)
print("goes on", flush=True)
"""


def begun(code: str, patience: float) -> subprocess.Popen[str]:
    program = BEGIN.format(patience=patience) + code
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("code", "patience", "told"), [(IN_C, 0.1, ""), (IN_PYTHON, 3600, "tidied up\n")]
)
def test_it_ends_as_stopped(code: str, patience: float, told: str) -> None:
    with begun(code, patience) as process:
        try:
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (143, told)


@pytest.mark.parametrize("code", [FORKED, OTHERS], ids=["of a child", "another one"])
def test_a_signal_that_is_not_its_own_end_ends_nothing(code: str) -> None:
    with begun(code, 0) as process:
        try:
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "goes on\n")


def test_the_entry_point_is_armed() -> None:
    entry = Path(__file__).parents[3] / "images/runner/tidemill_runner/__main__.py"
    assert "stopping.arm()" in entry.read_text()
