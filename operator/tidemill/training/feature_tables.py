"""The feature tables that a run joins: which versions are meant, and what their records tell."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.entity import Entity
from tidemill.api.v1alpha1.join import Join, JoinedTable, JoinedVersion
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import trouble_of
from tidemill.engine.errors import Stalled
from tidemill.store import layout
from tidemill.store.errors import NotFound, StoreError, TooLarge
from tidemill.store.objects import ObjectStore

# A record has the outcomes of all checks of its version.
MAX_RECORD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FeatureTables:
    """Reads the records of a namespace's versions."""

    store: ObjectStore
    namespace: str

    def manifests(self, versions: Iterable[JoinedVersion]) -> list[str]:
        """Give the keys of the manifests that a run's Job reads."""
        return [layout.manifest_key(self.namespace, one.name, one.version) for one in versions]

    async def pinned(
        self, join: Join, versions: Iterable[JoinedVersion]
    ) -> tuple[JoinedVersion, ...]:
        """Note by which columns each is joined; raises Passing or Stalled where one may not be.

        A version's record can change while its digest stays: what was noted once stands.
        """
        tables = []
        for place, (table, found) in enumerate(zip(join.tables, versions, strict=True)):
            field = f"spec.join.tables[{place}]"
            entity = await self._entity(found, f"{field}.dataset")
            one = found if found.key else found.model_copy(update=entity)
            _check_key(table, one, f"{field}.key")
            tables.append(one)
        return tuple(tables)

    async def document(self, join: Join, versions: Iterable[JoinedVersion]) -> dict[str, Any]:
        """Say for the input document what is joined; raises Passing or Stalled."""
        known = tuple(versions)
        if not all(one.key for one in known):
            known = await self.pinned(join, known)
        tables = [self._table(*pair) for pair in zip(join.tables, known, strict=True)]
        return {"timestamp": join.timestamp, "tables": tables}

    def _table(self, table: JoinedTable, found: JoinedVersion) -> dict[str, Any]:
        [manifest] = self.manifests([found])
        return {
            "dataset": {"name": found.name, "version": found.version, "manifest": manifest},
            "entity": {"key": found.key, "timestamp": found.timestamp},
            "key": table.key or found.key,
            "columns": table.columns,
            "maxAge": table.max_age,
            "prefix": table.prefix,
        }

    async def _entity(self, found: JoinedVersion, field: str) -> dict[str, Any]:
        which = f"version {found.version[7:19]} of Dataset {found.name}"
        key = layout.record_key(self.namespace, found.name, found.version)
        try:
            data = await self.store.get(key, max_bytes=MAX_RECORD_BYTES)
            record = await asyncio.to_thread(json.loads, data)
            told = {name: record["entity"][name] for name in ("key", "timestamp")}
            entity = Entity.model_validate(told).model_dump()
        except (NotFound, TooLarge, ValueError, KeyError, TypeError):
            message = f"{field}: {which} is no feature table: set spec.entity there"
            raise Stalled(Reason.SPEC_INVALID, message) from None
        except StoreError as error:
            raise trouble_of(error) from error
        # Its rows may have been judged again, as a feature table, and found to be none.
        if rejected := record.get("rejected"):
            message = (
                f"{field}: {which} was not let in as it was last judged "
                f"({_told(rejected)}): correct it there, or name another version"
            )
            raise Stalled(Reason.SPEC_INVALID, message)
        return entity


def _check_key(table: JoinedTable, found: JoinedVersion, field: str) -> None:
    key = found.key or []
    if table.key and len(table.key) != len(key):
        message = (
            f"{field}: {len(table.key)} columns for the {len(key)} of the key of "
            f"Dataset {table.dataset.name} ({', '.join(key)}): name one for each"
        )
        raise Stalled(Reason.SPEC_INVALID, message)


def _told(rejected: object) -> str:
    message = rejected.get("message") if isinstance(rejected, Mapping) else None
    return str(message or "no reason given")[:1000]
