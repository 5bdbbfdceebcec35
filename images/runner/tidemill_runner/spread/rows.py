"""The rows of a delivery, part by part in the order of its listing, asked as if they were in one.

Counts add up, and so do profiles, bit for bit. What compares rows with one another goes two ways:
rows of equal keys are brought together, by a hash of them; of an order only the ends are compared.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from tidemill_runner.checks import leakage, outcome
from tidemill_runner.checks import scan as scans
from tidemill_runner.checks.leakage import Cells
from tidemill_runner.checks.outcome import Tally
from tidemill_runner.checks.rule import Exists, Leakage, Order, Repeats
from tidemill_runner.checks.scan import Scan, Scanned
from tidemill_runner.profile import document
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.rows import Local
from tidemill_runner.schema import Schema
from tidemill_runner.spread import ends, equals
from tidemill_runner.spread.equals import Dealing
from tidemill_runner.spread.room import Room

T = TypeVar("T")
R = TypeVar("R")
# So many rows of equal keys a worker compares at a time: what a row is compared by is small.
EQUALS_AT_ONCE = 2_000_000


class Crowd(Protocol):
    """Those who have the parts. What they are asked must be of a kind that can be sent."""

    @property
    def workers(self) -> int:
        """How many work at a time."""

    def each(self, ask: Callable[[Local, Room], T]) -> list[T]:
        """The answers of all parts in their order."""

    def merged(self, ask: Callable[[Local, Room], T], merge: Callable[[Sequence[T]], T]) -> T:
        """The answers of all parts as one: `merge` takes them in any order, a few at once."""

    def dealt(
        self,
        deal: Callable[[Local, Room], list[T]],
        take: Callable[[Sequence[T], Room], R],
        piles: int,
    ) -> list[R]:
        """Each part deals to piles; each pile is taken with all that was dealt to it."""

    def here(self) -> AbstractContextManager[Room]:
        """Scratch space of whoever asks."""


@dataclass(frozen=True)
class Spread:
    """All rows, so many of them."""

    crowd: Crowd
    rows: int

    def scan(self, scan: Scan) -> Scanned:
        return self.crowd.merged(partial(_scan, scan=scan), scans.added)

    def repeats(self, rule: Repeats, parts: int) -> Tally:
        piles = max(self.crowd.workers, -(-self.rows // (parts * EQUALS_AT_ONCE)))
        how = Dealing(rule, parts, piles)
        compare = partial(equals.compare, rule=rule)
        if not rule.wide:
            deal = partial(equals.deal, how=how)
            return outcome.added(self.crowd.dealt(deal, compare, piles))
        hashes = partial(equals.deal_hashes, how=how)
        found = self.crowd.dealt(hashes, equals.seek_alike, piles)
        alike = np.concatenate([one.hashes for one in found])
        judged = sum(one.rows for one in found)
        if not len(alike):
            return Tally(judged, 0)
        deal = partial(equals.deal, how=how, alike=alike)
        tally = outcome.added(self.crowd.dealt(deal, compare, piles))
        return replace(tally, evaluated=judged)

    def order(self, rule: Order) -> Tally:
        inside = self.crowd.each(partial(ends.inside, rule=rule))
        found = self.crowd.each(partial(ends.of, rule=rule))
        with self.crowd.here() as room:
            return outcome.added([*inside, ends.compare(found, rule, room)])

    def missing(self, rule: Exists) -> Tally:
        return outcome.added(self.crowd.each(partial(_missing, rule=rule)))

    def cells(self, rule: Leakage, rows: int) -> Cells:
        return leakage.added(self.crowd.each(partial(_cells, rule=rule, total=rows)))

    def profile(self, schema: Schema, sensitive: frozenset[str], grouping: Grouping) -> Profile:
        ask = partial(_profile, schema=schema, sensitive=sensitive, grouping=grouping)
        return self.crowd.merged(ask, document.merge)


def _scan(rows: Local, _: Room, scan: Scan) -> Scanned:
    return rows.scan(scan)


def _missing(rows: Local, _: Room, rule: Exists) -> Tally:
    return rows.missing(rule)


def _cells(rows: Local, _: Room, rule: Leakage, total: int) -> Cells:
    return rows.cells(rule, total)


def _profile(
    rows: Local, _: Room, schema: Schema, sensitive: frozenset[str], grouping: Grouping
) -> Profile:
    return rows.profile(schema, sensitive, grouping)
