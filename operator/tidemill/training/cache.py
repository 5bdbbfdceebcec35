"""Results that are taken instead of made again: noted by key, taken only where all of it is there.

An entry only points: to the result that a run has left, and to the digest of that. Whoever takes
it reads that result, proves it and looks for the package that it tells of, so that what somebody
deleted or changed is a miss. The entry is the operator's to write: the keys of a Job do not reach
it, and no run can plant a result for another.

Who takes a result leaves it under the run's own prefix too, as its Job would have: whatever happens
to status or operator in between, the run finds its own record.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.children.credentials import trouble_of
from tidemill.children.platform import Platform
from tidemill.jobs.launcher import MAX_RESULT_BYTES, RESULT_FILE
from tidemill.store import digests, layout, package, signed
from tidemill.store.errors import NotFound, PackageError, StoreError, TooLarge

FORMAT = "tidemill.dev/cached-run/v1"
MAX_ENTRY = 16 * 1024
logger = logging.getLogger(__name__)
# What reading a document that is not as it should be can raise.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Cache:
    """The results of one namespace."""

    platform: Platform
    namespace: str

    async def note(
        self, key: str, run: Mapping[str, Any], output: str, result: Mapping[str, Any]
    ) -> None:
        """Remember whose result this is; the newest stands. `run` is its metadata."""
        entry = {
            "format": FORMAT,
            "run": {"name": run["name"], "uid": run["uid"]},
            "output": output,
            "digest": await _digest(result),
        }
        place = layout.cached_run_key(self.namespace, key)
        try:
            await self.platform.store.put(place, digests.canonical_json(entry))
        except StoreError as error:
            # It costs a repetition one day; the run itself has ended well.
            logger.warning("The result of %s was not noted for later runs: %s", run["name"], error)

    async def take(
        self, key: str, version: str, output: str, now: datetime
    ) -> dict[str, Any] | None:
        """Give the result for a key, as a run's own under `output`; None where there is none.

        `version` is the data set's. Raises Passing or Stalled as the store does not answer.
        """
        try:
            found = await self._find(key, version)
            if found is None:
                return None
            result, run = found
            moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            source = {**run, "completedAt": result["completedAt"]}
            own = {**result, "cachedFrom": source, "startedAt": moment, "completedAt": moment}
            # Before it is told: a status that is lost is made again from here.
            place = f"{output}{RESULT_FILE}"
            data = await asyncio.to_thread(digests.canonical_json, own)
            await self.platform.store.put(place, data)
        except NotFound:
            return None
        except StoreError as error:
            raise trouble_of(error) from error
        return own

    async def _find(self, key: str, version: str) -> tuple[dict[str, Any], dict[str, str]] | None:
        """Read the entry and what it points to; raises StoreError."""
        entry = await self._read(layout.cached_run_key(self.namespace, key), MAX_ENTRY)
        try:
            output, run = str(entry["output"]), entry["run"]
            if not output.startswith(f"runs/{self.namespace}/"):
                return None
            result = await self._read(f"{output}{RESULT_FILE}", MAX_RESULT_BYTES)
            artifact = result["artifact"]
            bucket, prefix = layout.parse_uri(artifact["uri"])
            own = bucket == self.platform.store_config.bucket
            same = (result["datasetVersion"], await _digest(result)) == (version, entry["digest"])
            if not own or not same or not prefix.startswith(layout.models_prefix(self.namespace)):
                return None
            by = (artifact.get("signed") or {}).get("keyId")
            if not await self._whole(prefix, artifact["digest"], by):
                return None
            source = {"name": str(run["name"]), "uid": str(run["uid"])}
        except _UNREADABLE:
            return None
        return (result, source) if result["outcome"] == "Succeeded" else None

    async def _whole(self, prefix: str, digest: str, by: str | None) -> bool:
        """Tell whether a package has its own manifest and all files of it, by their sizes.

        Where it was signed, the signature must still be by the same key.
        """
        store = self.platform.store
        try:
            data = await store.get(
                f"{prefix}{package.MANIFEST}", max_bytes=package.MAX_MANIFEST_BYTES
            )
            named = package.parse_manifest(data, digest).files
            found = await store.list(prefix, limit=2 * len(package.ALLOWED_FILES))
        except (TooLarge, PackageError):
            return False
        sizes = {one.key: one.size for one in found}
        beside = sizes.pop(f"{prefix}{package.SIGNATURE}", None) is not None
        if by is not None and not (beside and await self._signed(prefix, by)):
            return False
        wanted = {f"{prefix}{one.path}": one.size for one in named}
        return sizes == {**wanted, f"{prefix}{package.MANIFEST}": len(data)}

    async def _signed(self, prefix: str, by: str) -> bool:
        """Tell whether a package's signature says that it is by this key."""
        key, limit = f"{prefix}{package.SIGNATURE}", signed.MAX_SIGNATURE_BYTES
        try:
            found = signed.parse(await self.platform.store.get(key, max_bytes=limit))
        except (TooLarge, PackageError):
            return False
        return f"{digests.PREFIX}{found.hint}" == by

    async def _read(self, key: str, limit: int) -> dict[str, Any]:
        """Read a document; what is none reads as an empty one."""
        try:
            data = await self.platform.store.get(key, max_bytes=limit)
            found = await asyncio.to_thread(json.loads, data)
        except (TooLarge, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


async def _digest(result: Mapping[str, Any]) -> str:
    """Digest a result, which may be large: the other runs are not held up."""
    return await asyncio.to_thread(lambda: digests.sha256_digest(digests.canonical_json(result)))
