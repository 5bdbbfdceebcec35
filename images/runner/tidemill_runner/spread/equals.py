"""Rows of equal keys in one place: each part deals its keys to piles by a hash, a pile is compared.

What is dealt is the keys and the places of rows, as Parquet: all rows of one key fall on one pile.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tidemill_runner.checks import neighbours
from tidemill_runner.checks.outcome import Tally
from tidemill_runner.checks.rule import Repeats
from tidemill_runner.database import identifier, quoted
from tidemill_runner.rows import Local
from tidemill_runner.spread.room import Room
from tidemill_runner.staging import OBJECT, ROW, viewed

# The files of one part for one pile.
Deal = tuple[bytes, ...]


def deal(rows: Local, room: Room, rule: Repeats, parts: int, piles: int) -> list[Deal]:
    """The keys of the rows to be compared, one of `parts` of them, by pile."""
    folder = room.folder / "dealt"
    # The hash is a multiple of `parts` in a sample: another hash of it is not.
    rows.connection.execute(
        f"COPY (SELECT * EXCLUDE (h), hash(h) % {piles} AS pile "  # noqa: S608 - quoted
        f"FROM {neighbours.keyed(rule, parts)}) "
        f"TO {quoted(str(folder))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (pile))"
    )
    return [_files(folder / f"pile={pile}") for pile in range(piles)]


def _files(folder: Path) -> Deal:
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.parquet")))


def compare(dealt: Sequence[Deal], room: Room, rule: Repeats) -> Tally:
    """The rows of one pile whose keys an earlier row has."""
    paths = []
    for number, data in enumerate(data for one in dealt for data in one):
        path = room.folder / f"{number:05d}.parquet"
        path.write_bytes(data)
        paths.append(path)
    if not paths:
        return Tally(0, 0)
    names = ", ".join(quoted(str(path)) for path in paths)
    select = (
        f"SELECT o AS {identifier(OBJECT)}, r AS {identifier(ROW)}, * EXCLUDE (o, r) "  # noqa: S608
        f"FROM read_parquet([{names}])"
    )
    keys = tuple(f"k{place}" for place in range(len(rule.keys)))
    with viewed(select, room.folder, room.limits) as connection:
        return neighbours.repeats(connection, replace(rule, keys=keys, judged="TRUE"), 1)
