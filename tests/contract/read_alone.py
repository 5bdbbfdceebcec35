"""A process that reads one query and tells the most memory that it had, in bytes."""

import json
import resource
import sys
from pathlib import Path

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.database_addresses import DatabaseAddresses
from tidemill.store.objects import ObjectInfo
from tidemill.store.postgres import Login, Server
from tidemill.store.postgres_query import Query
from tidemill_runner.sources.sql import SqlOrigin

MEMORY = 192 * 1024 * 1024


def main() -> None:
    asked = json.loads(sys.stdin.read())
    allowed = AllowedNetworks.parse(["127.0.0.0/8"])
    server = Server(
        "localhost", asked["port"], asked["database"], "VerifyFull", DatabaseAddresses(allowed)
    )
    login = Login("keys", asked["username"], asked["password"], asked["ca.crt"])
    origin = SqlOrigin(Query(asked["query"], server, login), 1 << 40, MEMORY)
    seen: list[int] = []
    digest = origin.fetch(ObjectInfo("rows", 0, ""), Path(asked["path"]), seen.append)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"digest": digest, "peak": peak, "read": sum(seen)}))


if __name__ == "__main__":
    main()
