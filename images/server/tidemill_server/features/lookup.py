"""The stage of a request in which the features that it leaves out are looked up by key.

Each key is asked for once, all tables in one exchange. The answer tells of each table how many rows
were found, missing or stale, and whether the store was there at all.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tidemill.store.online import Table, Value
from tidemill_server.features.request import Asked, RequestReader
from tidemill_server.features.rows import MISSING, Found, Outcome, read_row
from tidemill_server.features.tables import FeatureTable
from tidemill_server.metrics.registry import Metrics
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.rows import assembled

if TYPE_CHECKING:  # imported only where traces are recorded
    from tidemill_server.traces.trace import Trace

RETRY_SECONDS = 1
NO_KEY = -1

Told = dict[str, dict[str, int | bool]]


class Unavailable(Exception):  # noqa: N818 - says what the store is
    """The store has not answered; the message says where it is and why not."""


class Store(Protocol):
    """What is needed of `tidemill_server.features.store.OnlineFeatures`."""

    async def connect(self, name: str) -> None:
        """Make the first connection, by a name that may be asked for."""

    async def rows(self, names: Sequence[Sequence[str]]) -> list[list[bytes | None]]:
        """The texts of the rows of each table, None where there is none; raises Unavailable."""


def microseconds_now() -> int:
    """The time of the machine, in microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Keys:
    """The different keys of a request in one table, and which of them each row has."""

    names: Sequence[str]
    places: Sequence[int]


@dataclass(frozen=True)
class Lookup:
    """Looks features up for one model; with `may_lack` a request is answered without the store."""

    reader: RequestReader
    store: Store
    namespace: str
    may_lack: bool
    metrics: Metrics
    clock: Callable[[], int] = microseconds_now

    async def connect(self) -> None:
        """Have the store ready, so that the first request need not wait for it."""
        await self.store.connect(Table(self.namespace, self.reader.tables[0].dataset).meta)

    async def rows(
        self, asked: Asked | np.ndarray, trace: "Trace | None" = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The rows of a request, and what the answer tells of them; raises ProtocolError."""
        if isinstance(asked, np.ndarray):
            return asked, {}
        wanted = [table for table in self.reader.tables if asked.lacks(table)]
        if trace is not None and wanted:
            trace.mark("read")
        told = await self._fill(asked, wanted) if wanted else {}
        matrix = assembled(asked.columns, asked.rows, self.reader.signature)
        if trace is not None and wanted:
            trace.mark("features")
        return matrix, {"features": told} if told else {}

    async def _fill(self, asked: Asked, wanted: Sequence[FeatureTable]) -> Told:
        started = time.perf_counter()
        keys = [self._keys(asked, table) for table in wanted]
        try:
            found = await self.store.rows([each.names for each in keys])
        except Unavailable as error:
            return self._without(asked, wanted, error)
        finally:
            self.metrics.looked_up(time.perf_counter() - started)
        now = self.clock()
        told: Told = {}
        for table, each, texts in zip(wanted, keys, found, strict=True):
            known = [read_row(text, table, now) for text in texts]
            rows = [MISSING if place == NO_KEY else known[place] for place in each.places]
            self._take(asked, table, rows)
            self._tell(told, table, Counter(row.outcome for row in rows))
        return told

    def _keys(self, asked: Asked, table: FeatureTable) -> Keys:
        """The names to ask for, each once; a row that lacks a part of its key has none."""
        rows = zip(*(asked.keys[part.name] for part in table.key), strict=True)
        seen: dict[tuple[Value, ...], int] = {}
        places = [NO_KEY if None in row else seen.setdefault(row, len(seen)) for row in rows]
        stored = Table(self.namespace, table.dataset)
        return Keys([stored.row(row) for row in seen], places)

    def _take(self, asked: Asked, table: FeatureTable, rows: Sequence[Found]) -> None:
        """Put what was found into the columns that were not sent."""
        as_objects = self.reader.signature.as_objects
        for place, column in enumerate(table.columns):
            if asked.columns[column.place] is None:
                missing = np.nan if as_objects and column.type != "String" else None
                values = [row.values[place] if row.values else None for row in rows]
                asked.columns[column.place] = [
                    missing if value is None else value for value in values
                ]

    def _without(self, asked: Asked, wanted: Sequence[FeatureTable], why: Unavailable) -> Told:
        told: Told = {}
        for table in wanted:
            self._tell(told, table, Counter({Outcome.UNAVAILABLE: asked.rows}))
            self._take(asked, table, [MISSING] * asked.rows)
        if not self.may_lack:
            raise ProtocolError(503, str(why), retry_after=RETRY_SECONDS)
        return told

    def _tell(self, told: Told, table: FeatureTable, counts: Counter[Outcome]) -> None:
        """Add the counts to those of the Dataset, which may be joined by more than one key."""
        for outcome, count in counts.items():
            self.metrics.features(outcome.value, count)
        one = told.setdefault(table.dataset, {"found": 0, "missing": 0, "stale": 0})
        for outcome, count in counts.items():
            name = outcome.value if outcome in (Outcome.FOUND, Outcome.STALE) else "missing"
            one[name] += count
        if Outcome.UNAVAILABLE in counts:
            one["unavailable"] = True
