"""A server that records no traces does not pay for it."""

import subprocess
import sys

from tests.unit.server.servers import SOURCES

OFF = """
import sys
import tidemill_server.process, tidemill_server.rpc.front, tidemill_server.rpc.service
ours = ("opentelemetry", "tidemill_server.traces")
found = [name for name in sys.modules if name.startswith(ours)]
sys.exit(" ".join(found) or 0)
"""


def test_nothing_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF],
        env={"PYTHONPATH": SOURCES},
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
