"""Asking an online store which rows it has; and which key the rows of a version have."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.online_store import FilledStore
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import secret_values, trouble_of
from tidemill.dataset.online_plan import Goal
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS
from tidemill.store import layout
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses, api_server
from tidemill.store.errors import NotFound, StoreError, TooLarge
from tidemill.store.objects import ObjectStore
from tidemill.store.online import Meta, Table
from tidemill.store.online_client import connected
from tidemill.store.online_server import PASSWORD, OnlineLogin, OnlineServer

SECONDS = 10.0
# A record has the outcomes of all checks of its version.
MAX_RECORD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OnlineProbe:
    """Looks at the store of one Dataset."""

    client: Client
    bucket: ObjectStore
    table: Table
    networks: tuple[str, ...]

    async def goal(self, store: FilledStore, status: DatasetStatus) -> Goal:
        """Find what the store is to have of the version in use; raises Passing or Stalled."""
        version = status.version or ""
        key = layout.record_key(self.table.namespace, self.table.dataset, version)
        try:
            data = await self.bucket.get(key, max_bytes=MAX_RECORD_BYTES)
            record: Mapping[str, Any] = await asyncio.to_thread(json.loads, data)
            entity = record["entity"]
            found = Goal(store, version, tuple(entity["key"]), str(entity["timestamp"]))
        except (NotFound, TooLarge, ValueError, KeyError, TypeError):
            message = (
                f"version {status.short_version} was not judged as a feature table: waiting for "
                "one that spec.entity lets in"
            )
            raise Stalled(Reason.WAITING_FOR_DATASET, message) from None
        except StoreError as error:
            raise trouble_of(error) from error
        if record.get("rejected"):
            message = (
                f"version {status.short_version} was not let in when it was last judged: waiting "
                "for one that is"
            )
            raise Stalled(Reason.WAITING_FOR_DATASET, message)
        return found

    async def meta(self, store: FilledStore) -> Meta | None:
        """Ask the store; raises Stalled, or OnlineError."""
        login = await self._login(store)
        addresses = DatabaseAddresses(AllowedNetworks.parse(self.networks), api_server())
        server = OnlineServer(store.host, store.port, store.tls, addresses)
        secret = store.credentials_ref.name if store.credentials_ref else None
        async with connected(server, login, secret, SECONDS) as client:
            return await client.meta(self.table)

    async def _login(self, store: FilledStore) -> OnlineLogin:
        if store.credentials_ref is None:
            return OnlineLogin()
        name, namespace = store.credentials_ref.name, self.table.namespace
        secret = await self.client.get(SECRETS, namespace, name)
        if secret is None:
            message = (
                f"spec.online.credentialsRef names the Secret {name}, which does not exist in "
                f"namespace {namespace}: create it with the key {PASSWORD}"
            )
            raise Stalled(Reason.SECRET_MISSING, message)
        return OnlineLogin.of(secret_values(secret, (PASSWORD,)))
