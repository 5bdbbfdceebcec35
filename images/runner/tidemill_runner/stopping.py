"""An end on SIGTERM, also while no Python code runs.

Python's own handlers wait for the main thread's next step of Python, which a long fit in C does not
take: without more, the kubelet would kill the pod, and 137 counts as a lack of memory. The number
of a signal is written to a pipe at once, though (`signal.set_wakeup_fd`), and a thread waits there.
Code that never lets go of the interpreter's lock holds that thread up, too, and is killed.
"""

import os
import signal
import threading
import time
from types import FrameType

# Half of what a pod is given to end: Python code that can tidy up has done so by then.
PATIENCE = 5.0
ENDED = 128 + signal.SIGTERM


def arm(patience: float = PATIENCE) -> None:
    """End this process on SIGTERM, by SystemExit or else after so many seconds; once, at first.

    As process 1 nothing else would end us; the Job starts another pod.
    """
    signal.signal(signal.SIGTERM, _end)
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    # A child shares the pipe: what ends it would end us.
    os.register_at_fork(after_in_child=_disarm)
    watch = threading.Thread(target=_watch, args=(told, patience), name="stopping", daemon=True)
    watch.start()


def _end(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(ENDED)


def _disarm() -> None:
    signal.set_wakeup_fd(-1)


def _watch(told: int, patience: float) -> None:
    while os.read(told, 1) != bytes([signal.SIGTERM]):
        pass
    time.sleep(patience)
    # Not sys.exit: the main thread is where no exception reaches it.
    os._exit(ENDED)
