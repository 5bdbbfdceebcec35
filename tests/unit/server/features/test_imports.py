"""A server that looks nothing up does not pay for it."""

import subprocess
import sys

from tests.unit.server.servers import SOURCES


def test_the_stores_client_is_imported_only_where_it_is_needed() -> None:
    lines = "import sys, tidemill_server.process; sys.exit('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", lines], env={"PYTHONPATH": SOURCES}, check=False, timeout=120
    )
    assert done.returncode == 0
