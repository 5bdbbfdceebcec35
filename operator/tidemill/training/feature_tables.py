"""The feature tables that a run joins: which versions are meant, and what their records tell."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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

    async def document(self, join: Join, versions: Iterable[JoinedVersion]) -> dict[str, Any]:
        """Say for the input document what is joined; raises Passing or Stalled."""
        tables = []
        for place, (table, found) in enumerate(zip(join.tables, versions, strict=True)):
            field = f"spec.join.tables[{place}]"
            entity = await self._entity(found, f"{field}.dataset")
            _check_key(table, entity, f"{field}.key")
            tables.append(self._table(table, found, entity))
        return {"timestamp": join.timestamp, "tables": tables}

    def _table(
        self, table: JoinedTable, found: JoinedVersion, entity: Mapping[str, Any]
    ) -> dict[str, Any]:
        [manifest] = self.manifests([found])
        return {
            "dataset": {"name": found.name, "version": found.version, "manifest": manifest},
            "entity": {"key": entity["key"], "timestamp": entity["timestamp"]},
            "key": table.key or entity["key"],
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
            entity = {name: record["entity"][name] for name in ("key", "timestamp")}
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


def _check_key(table: JoinedTable, entity: Mapping[str, Any], field: str) -> None:
    if table.key and len(table.key) != len(entity["key"]):
        message = (
            f"{field}: {len(table.key)} columns for the {len(entity['key'])} of the key of "
            f"Dataset {table.dataset.name} ({', '.join(entity['key'])}): name one for each"
        )
        raise Stalled(Reason.SPEC_INVALID, message)


def _told(rejected: object) -> str:
    message = rejected.get("message") if isinstance(rejected, Mapping) else None
    return str(message or "no reason given")[:1000]
