"""Rows of equal keys in one place: each part deals its keys to piles by a hash, a pile is compared.

What is dealt is the keys and the places of rows, as Parquet: all rows of one key fall on one pile.
Where the keys are wide (all columns of a row, say) hashes alone are dealt first, and then only the
rows whose hash another row has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidemill_runner.checks import neighbours
from tidemill_runner.checks.outcome import Tally
from tidemill_runner.checks.rule import Repeats
from tidemill_runner.database import identifier, quoted
from tidemill_runner.rows import Local
from tidemill_runner.spread.room import Room
from tidemill_runner.staging import OBJECT, ROW, viewed

# The files of one part for one pile.
Deal = tuple[bytes, ...]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Alike:
    """How many rows a pile has, and the hashes that several of them have."""

    rows: int
    hashes: Hashes


@dataclass(frozen=True)
class Dealing:
    """What is dealt: of a rule's rows one of `parts`, to so many piles."""

    rule: Repeats
    parts: int
    piles: int


def deal(rows: Local, room: Room, how: Dealing, alike: Hashes | None = None) -> list[Deal]:
    """The keys of the rows to be compared by pile; only of those `alike` where that is known."""
    where = ""
    if alike is not None:
        path = room.folder / "alike.parquet"
        pq.write_table(pa.table({"h": alike}), path)
        where = f" WHERE h IN (SELECT h FROM read_parquet({quoted(str(path))}))"  # noqa: S608
    keyed = neighbours.keyed(how.rule, how.parts)
    return _dealt(rows, room, f"SELECT * FROM {keyed}{where}", how.piles)  # noqa: S608 - quoted


def deal_hashes(rows: Local, room: Room, how: Dealing) -> list[Deal]:
    """The hashes alone, of the rows that `deal` would deal."""
    keyed = neighbours.keyed(how.rule, how.parts)
    return _dealt(rows, room, f"SELECT h, h AS kept FROM {keyed}", how.piles)  # noqa: S608 - quoted


def _dealt(rows: Local, room: Room, select: str, piles: int) -> list[Deal]:
    folder = room.folder / "dealt"
    # The hash is a multiple of `parts` in a sample: another hash of it is not.
    rows.connection.execute(
        f"COPY (SELECT * EXCLUDE (h), hash(h) % {piles} AS pile FROM ({select})) "  # noqa: S608
        f"TO {quoted(str(folder))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (pile))"
    )
    return [_files(folder / f"pile={pile}") for pile in range(piles)]


def _files(folder: Path) -> Deal:
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.parquet")))


def compare(dealt: Sequence[Deal], room: Room, rule: Repeats) -> Tally:
    """The rows of one pile whose keys an earlier row has."""
    source = _source(dealt, room)
    if source is None:
        return Tally(0, 0)
    select = (
        f"SELECT o AS {identifier(OBJECT)}, r AS {identifier(ROW)}, * EXCLUDE (o, r) "  # noqa: S608
        f"FROM {source}"
    )
    keys = tuple(f"k{place}" for place in range(len(rule.keys)))
    with viewed(select, room.folder, room.limits) as connection:
        return neighbours.repeats(connection, replace(rule, keys=keys, judged="TRUE"), 1)


def seek_alike(dealt: Sequence[Deal], room: Room) -> Alike:
    """Which hashes of one pile stand there several times."""
    source = _source(dealt, room)
    if source is None:
        return Alike(0, np.zeros(0, np.uint64))
    with viewed(f"SELECT kept FROM {source}", room.folder, room.limits) as connection:  # noqa: S608
        [(count,)] = connection.execute("SELECT count(*) FROM rows").fetchall()
        found = connection.execute(
            "SELECT kept FROM rows GROUP BY kept HAVING count(*) > 1"
        ).fetchnumpy()
    return Alike(count, np.asarray(found["kept"], np.uint64))


def _source(dealt: Sequence[Deal], room: Room) -> str | None:
    """What was dealt as files, and how they are read; None for nothing."""
    paths = []
    for number, data in enumerate(data for one in dealt for data in one):
        path = room.folder / f"{number:05d}.parquet"
        path.write_bytes(data)
        paths.append(path)
    names = ", ".join(quoted(str(path)) for path in paths)
    return f"read_parquet([{names}])" if paths else None
