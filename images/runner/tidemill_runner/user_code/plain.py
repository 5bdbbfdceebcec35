"""Files of a folder that somebody else writes to at the same time: opened without following links.

Where a process with keys looks into the folder of one that has none, a name that was a folder a
moment ago may lead to those keys by the time that it is opened. So no part of a path is followed.
"""

import os
import stat
from io import BufferedReader
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A pipe that nobody writes to would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def opened(folder: Path, name: str) -> BufferedReader:
    """A plain file by its path below a folder; raises OSError where it is anything else."""
    *parents, last = PurePosixPath(name).parts
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parents:
            there = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = there
        found = os.open(last, _FILE, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(f"{name} is no plain file")
    return os.fdopen(found, "rb")
