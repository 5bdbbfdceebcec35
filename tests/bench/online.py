"""Materialising against plain pipelined SETs of the same texts to the same server.

Run from the root of the tree: `python -m tests.bench.online [--rows N] [--json FILE]`. A feature
table of one key and three features, in full, then again with every hundredth row changed. The ratio
is of rows a second: 1 is as fast as writing texts that are made already. Reading the version,
finding the newest rows and making their texts is in our time and not in theirs.
"""

import json
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tests.contract.online_table import TABLE, OnlineTable
from tests.contract.redis_server import RedisServer, redis_server

BATCH = 1000


def rows(count: int, changed: int = 0) -> str:
    lines = ["site,ts,a,b,c"]
    for n in range(count):
        value = n + 0.5 if changed and n % changed == 0 else n
        lines.append(f"site-{n},2026-01-01T00:00:00Z,{value / 8},{n % 7},word-{n % 100}")
    return "\n".join(lines) + "\n"


def plain(server: RedisServer, texts: dict[str, str]) -> float:
    """The seconds that SETs of the same texts take, a thousand at once."""
    client, items = server.client(), list(texts.items())
    began = time.monotonic()
    for start in range(0, len(items), BATCH):
        pipe = client.pipeline(transaction=False)
        for name, text in items[start : start + BATCH]:
            pipe.set(name, text)
        pipe.execute()
    return time.monotonic() - began


def measure(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, redis_server() as server:
        table = OnlineTable(Path(folder), server)
        first, second = table.version(rows(count)), table.version(rows(count, changed=100))
        full = table.fill(first)
        texts = table.texts
        server.client().flushall()
        bare = plain(server, texts)
        server.client().flushall()
        table.fill(first)
        incremental = table.fill(second)
        assert incremental["written"] == -(-count // 100)
        assert len(server.texts(TABLE.rows)) == count
        return {
            "rows": count,
            "fullRowsPerSecond": round(count / full["seconds"]),
            "plainRowsPerSecond": round(count / bare),
            "ratio": round(bare / full["seconds"], 3),
            "incrementalSeconds": incremental["seconds"],
            "fullSeconds": full["seconds"],
        }


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = measure(asked.rows)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
