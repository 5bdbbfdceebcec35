"""Asking a database whether the rows of a query have changed, without reading them.

The query is parsed by the server each time, so that what is wrong with it is told before a Job
starts; with a watermark, its greatest value and the number of rows are asked for.
"""

import asyncio
from dataclasses import dataclass

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import SqlSource
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.dataset.plan import ingest_key
from tidemill.dataset.references import beside_source
from tidemill.store import postgres
from tidemill.store import postgres_errors as errors
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses, api_server
from tidemill.store.postgres import Login, Server
from tidemill.store.postgres_errors import DatabaseError, DatabaseReason
from tidemill.store.postgres_query import Query

STATEMENT_SECONDS = 20
SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class DatabaseProbe:
    """One question, with what opens the database."""

    allowed: AllowedNetworks
    login: Login
    seconds: float = SECONDS

    async def ask(self, sql: SqlSource) -> Listing | SourceProblem:
        """Give what tells one state of the rows from another, or why they cannot be had."""
        addresses = DatabaseAddresses(self.allowed, api_server())
        server = Server(sql.host, sql.port, sql.database, sql.tls, addresses)
        try:
            async with asyncio.timeout(self.seconds):
                fingerprint = await self._fingerprint(server, sql)
        except TimeoutError:
            return _problem(errors.unavailable(server.where, f"no answer in {self.seconds:g} s"))
        except DatabaseError as error:
            return _problem(error)
        return Listing(fingerprint, 1, 0, weak=sql.watermark is None, snapshot=True)

    async def _fingerprint(self, server: Server, sql: SqlSource) -> str:
        query = Query(sql.query, server, self.login)
        async with postgres.transaction(server, self.login, STATEMENT_SECONDS) as connection:
            columns = await query.columns(connection)
            return await query.fingerprint(connection, columns, sql.watermark)


def read_already(spec: DatasetSpec, status: DatasetStatus) -> Listing | None:
    """Give the state that a Job reads now: rows that come meanwhile are for the next one.

    Else a table that is always written to would end every Job before it is done.
    """
    ingest, source = status.ingest, status.source
    if source is None or ingest is None or ingest.outcome or ingest.last_failure_time:
        return None
    # Where other Datasets are read beside it, their versions are in the key and not known here.
    if not beside_source(spec) and ingest.key != ingest_key(spec, source.fingerprint):
        return None
    # Weak: nobody has looked whether it is still so.
    return Listing(source.fingerprint, source.objects, source.bytes, weak=True, snapshot=True)


def _problem(error: DatabaseError) -> SourceProblem:
    reason = Reason.named(error.reason.value) or Reason.SOURCE_UNAVAILABLE
    return SourceProblem(reason, error.message, error.reason is DatabaseReason.UNAVAILABLE)
