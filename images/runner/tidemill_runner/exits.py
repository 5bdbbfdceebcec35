"""Exit codes: whether the same again could end otherwise. The Job's failure policy reads them."""

from enum import IntEnum


class Exit(IntEnum):
    """Why the process ended."""

    OK = 0
    # The spec asks for what cannot be done: do not retry.
    USER = 10
    # The data is not what the spec says: do not retry.
    DATA = 20
    # Store or network failed, or the source moved: retry.
    INFRASTRUCTURE = 30
    # A fault of the runner itself: do not retry, report it.
    BUG = 70
