"""Materialising against plain pipelined SETs of the same texts to the same server.

Run from the root of the tree: `python -m tests.bench.online [--rows N] [--json FILE]`. A feature
table of one key and three features, in full, then again with every hundredth row changed. The ratio
is of rows a second: 1 is as fast as writing texts that are made already. Reading the version,
finding the newest rows and making their texts is in our time and not in theirs.
"""

import tempfile
import time
from pathlib import Path

from tests.bench import table
from tests.contract.online_table import OnlineTable
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


def measured(count: int) -> table.Figures:
    with tempfile.TemporaryDirectory() as folder, redis_server() as server:
        online = OnlineTable(Path(folder), server)
        first, second = online.version(rows(count)), online.version(rows(count, changed=100))
        full = online.fill(first)["seconds"]
        texts = online.texts
        server.client().flushall()
        bare = plain(server, texts)
        server.client().flushall()
        online.fill(first)
        incremental = online.fill(second)
        if incremental["written"] != -(-count // 100):
            raise SystemExit("not what differs was written")
        return {
            "all rows, s": full,
            "all rows, rows/s": count / full,
            "plain SETs, s": bare,
            "all rows, of plain SETs' speed": bare / full,
            "one row in a hundred, s": incremental["seconds"],
        }


def main() -> None:
    options = table.options(__doc__, "rows", whole=200_000, quick=5_000)
    figures = measured(options.size)
    table.show(f"{options.size:,} rows of one key and three features", figures)
    table.write(options.json, {"machine": table.machine(), "rows": options.size, **figures})


if __name__ == "__main__":
    main()
