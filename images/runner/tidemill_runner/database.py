"""DuckDB as the runner uses it: locked in, limited in memory, on files of its own scratch space.

Whatever a statement says, it reads from the folders named and from nowhere else: no other file, no
network, no extension, no variable of the process. It spills to disk where memory ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tidemill_runner.threads import CGROUP

# What the process needs beside the database: interpreter, libraries, the buffers of one file.
RESERVED_BYTES = 192 * 1024 * 1024
LEAST_BYTES = 64 * 1024 * 1024
SHARE = 0.7  # of the rest; DuckDB's own limit does not cover all that it allocates
WITHOUT_LIMIT = 2 * 1024 * 1024 * 1024
SPILL_BYTES = 10 * 1024 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What a database may use: bytes of memory, threads."""

    memory: int
    threads: int


def connect(readable: Sequence[Path], spill: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """Open an empty database in memory that can read the folders and spill into another."""
    connection = duckdb.connect(":memory:")
    folders = ", ".join(quoted(f"{path}/") for path in readable)
    for setting, value in (
        ("threads", limits.threads),
        ("memory_limit", quoted(f"{limits.memory}B")),
        ("temp_directory", quoted(str(spill))),
        ("max_temp_directory_size", quoted(f"{SPILL_BYTES}B")),
        ("TimeZone", "'UTC'"),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("python_enable_replacements", "false"),
        ("allowed_directories", f"[{folders}]"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"SET {setting} = {value}")
    return connection


def memory_for_database(cgroup: Path = CGROUP) -> int:
    """The bytes that a database may take of the container's limit (cgroup version 2 or 1)."""
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            limit = int(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if limit < 1 << 60:  # version 1 writes a number near 2**63 where there is none
            return max(int((limit - RESERVED_BYTES) * SHARE), LEAST_BYTES)
    return WITHOUT_LIMIT


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
