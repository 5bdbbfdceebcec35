"""Processes that end with the test run that started them, however it ends.

The kernel means the thread that started them: start them in one that lives as long as they should.
"""

import shutil


def with_parent(*command: str) -> list[str]:
    """Give the command so that the kernel ends it with its parent, where there is setpriv."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL", "--", *command] if program else list(command)
