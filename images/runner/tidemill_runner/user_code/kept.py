"""Rows that the first of ours has read, kept for the last: no one reads the version twice."""

import json
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from tidemill_runner.dataset import Rows

TABLE, STARTS = "rows.arrow", "starts.json"


def keep(rows: Rows, folder: Path) -> None:
    """Write rows into a folder that the user's code never sees."""
    with ipc.new_file(folder / TABLE, rows.table.schema) as writer:
        writer.write_table(rows.table)
    (folder / STARTS).write_text(json.dumps(rows.starts), encoding="utf-8")


def restore(folder: Path) -> Rows:
    """Read them back, as they were."""
    with pa.memory_map(str(folder / TABLE)) as source:
        table = ipc.open_file(source).read_all()
    starts = json.loads((folder / STARTS).read_text(encoding="utf-8"))
    return Rows(table, tuple((str(key), int(row)) for key, row in starts))
