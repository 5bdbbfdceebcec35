"""What loading has freed goes back to the system at once: the container is charged for it.

To read a model takes several times what it is then: a forest's file, its numbers one by one, and
its texts. The allocator keeps all of it for later, and a server has no later use for so much.
"""

import ctypes


def give_back() -> None:
    """Return freed memory, where the C library is one that can be asked to (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
