"""The rows of a delivery as they are judged: what is asked of them, and those that lie here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from tidemill_runner import inputs
from tidemill_runner.checks import leakage, neighbours, referential
from tidemill_runner.checks.leakage import Cells
from tidemill_runner.checks.outcome import Tally
from tidemill_runner.checks.rule import Exists, Leakage, Order, Repeats
from tidemill_runner.checks.run import Asked
from tidemill_runner.checks.scan import Scan, Scanned
from tidemill_runner.database import Limits
from tidemill_runner.profile import measure
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.referenced import Referenced
from tidemill_runner.schema import Schema
from tidemill_runner.staging import staged, viewed
from tidemill_runner.storage import Storage

Lookup = Callable[[Exists], str]
REFERENCED = "referenced"


class Rows(Asked, Protocol):
    """All rows of a delivery: checks are asked of them, and what they look like."""

    def profile(self, schema: Schema, sensitive: frozenset[str], grouping: Grouping) -> Profile:
        """The profile; raises Failure."""


@dataclass(frozen=True)
class Local:
    """The view `rows` of a database; `lookup` gives the query for keys of another Dataset."""

    connection: duckdb.DuckDBPyConnection
    lookup: Lookup

    def scan(self, scan: Scan) -> Scanned:
        return scan.look(self.connection)

    def repeats(self, rule: Repeats, parts: int) -> Tally:
        return neighbours.repeats(self.connection, rule, parts)

    def order(self, rule: Order) -> Tally:
        return neighbours.order(self.connection, rule)

    def missing(self, rule: Exists) -> Tally:
        return referential.missing(self.connection, rule, self.lookup(rule))

    def cells(self, rule: Leakage, rows: int) -> Cells:
        return leakage.look(self.connection, rule, rows)

    def profile(self, schema: Schema, sensitive: frozenset[str], grouping: Grouping) -> Profile:
        return measure.measure(self.connection, schema, sensitive, grouping)


@dataclass(frozen=True)
class OtherKeys:
    """Looks into versions of other Datasets, which lie below a folder of their own then."""

    others: Referenced
    cas: str

    @classmethod
    def of(cls, store: Storage, folder: Path, cas: str) -> "OtherKeys":
        return cls(Referenced(store, folder / REFERENCED), cas)

    def __call__(self, rule: Exists) -> str:
        """The query for the keys that a rule looks into; raises Failure."""
        wanted = inputs.version(rule.source, self.cas)
        columns = referential.theirs(rule, self.others.schema(wanted))
        files = self.others.rows(wanted, [column.name for column in columns])
        return referential.keys(columns, files)


@contextmanager
def opened(files: Sequence[Path], lookup: Lookup, limits: Limits) -> Iterator[Local]:
    """The rows of staged files, in a database that reads and writes in their folder only."""
    with viewed(staged(files), files[0].parent, limits) as connection:
        yield Local(connection, lookup)
