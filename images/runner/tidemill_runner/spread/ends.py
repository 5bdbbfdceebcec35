"""An order over objects: each by itself, then the last row of one and the first of the next.

Objects are in the order of their names, whichever part they are in.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill_runner.checks import neighbours
from tidemill_runner.checks.outcome import MAX_PLACES, Tally
from tidemill_runner.checks.rule import Order
from tidemill_runner.database import identifier, quoted
from tidemill_runner.rows import Local
from tidemill_runner.spread.room import Room
from tidemill_runner.staging import OBJECT, ROW, VIEW, viewed

_O, _R = identifier(OBJECT), identifier(ROW)


def inside(rows: Local, _: Room, rule: Order) -> Tally:
    """What is wrong within the objects of a part."""
    return neighbours.order(rows.connection, rule, within=True)


def of(rows: Local, _: Room, rule: Order) -> pa.Table:
    """Of each object the first and the last row that have a value; none where no row has."""
    ends = (
        f"SELECT {_O}::VARCHAR AS o, {pick}({_R}) AS r, "  # noqa: S608 - quoted
        f"arg_{pick}(({rule.value}), {_R}) AS v, {side} AS side "
        f"FROM {VIEW} WHERE {rule.judged} GROUP BY {_O}"
        for side, pick in enumerate(("min", "max"))
    )
    return rows.connection.sql(" UNION ALL ".join(ends)).to_arrow_table()


def compare(found: Sequence[pa.Table], rule: Order, room: Room) -> Tally:
    """What is wrong between objects: only their first rows are judged."""
    path = room.folder / "ends.parquet"
    pq.write_table(pa.concat_tables(found), path)
    pairs = "SELECT *, lag(v) OVER (ORDER BY o, r, side) AS before FROM rows"
    select = f"SELECT * FROM read_parquet({quoted(str(path))})"  # noqa: S608 - quoted
    with viewed(select, room.folder, room.limits) as connection:
        [(evaluated, wrong, places)] = connection.execute(
            f"SELECT count(before), count(CASE WHEN {rule.wrong} THEN 1 END), "  # noqa: S608
            f"min(CASE WHEN {rule.wrong} THEN {{'o': o, 'r': r}} END, {MAX_PLACES}) "
            f"FROM ({pairs}) WHERE side = 0"
        ).fetchall()
    return Tally(evaluated, wrong, tuple((place["o"], place["r"]) for place in places or ()))
