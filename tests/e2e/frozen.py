"""A pod held still at a moment: what is done meanwhile meets it there, however fast the machine.

Its processes are stopped by a signal, which nobody in the cluster is told of.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.apiserver.kubectl import Body


@contextmanager
def frozen(pod: Body) -> Iterator[None]:
    """Stop the processes of a running pod of this machine's cluster, and let them go on."""
    processes = _processes(pod)
    assert processes, f"{pod['metadata']['name']} has no process: it has ended, or is elsewhere"
    _signal(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(processes, signal.SIGCONT)


def kill(pod: Body) -> None:
    """End the processes of a pod as a crash of its machine does: nobody is told."""
    _signal(_processes(pod), signal.SIGKILL)


def _processes(pod: Body) -> list[int]:
    statuses = pod["status"].get("containerStatuses") or ()
    ids = [status.get("containerID", "").rpartition("/")[2] for status in statuses]
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            groups = path.read_text()
            if any(one and one in groups for one in ids):
                found.append(int(path.parent.name))
    return found


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
