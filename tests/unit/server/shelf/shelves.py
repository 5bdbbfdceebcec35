"""A server with several models: its list, and what is wanted of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.server.bucket import NAME, Bucket
from tests.unit.server.packages import Model, publish
from tests.unit.server.servers import Reply, Server, started

Entry = dict[str, Any]


@dataclass
class Shelf:
    """The list as it is mounted, and the bucket with the packages."""

    bucket: Bucket
    folder: Path
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "models.json"

    def put(self, name: str, model: Model, **more: Any) -> Entry:
        """Publish a package and want it by a name."""
        return self.want(name, model.files(), **more)

    def want(self, name: str, files: dict[str, bytes], **more: Any) -> Entry:
        prefix = f"models/team/{name}/{len(self.bucket.objects)}/"
        files = {**files, "card.md": prefix.encode()}  # so that its digest is no other's
        digest = publish(self.bucket, files, prefix)
        where = {"uri": f"s3://{NAME}/{prefix}", "digest": digest}
        self.entries[name] = {"name": name, **where, **more}
        self.write()
        return self.entries[name]

    def drop(self, name: str) -> None:
        del self.entries[name]
        self.write()

    def write(self, text: str | None = None) -> None:
        """As a mounted Secret changes: at once."""
        document = {"models": list(self.entries.values())}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(document) if text is None else text)
        new.rename(self.file)

    @contextmanager
    def serve(self, **env: str) -> Iterator[Server]:
        """The server's process; it listens."""
        store = self.bucket.write_config(self.folder / "store")
        of_one = {"TIDEMILL_MODEL_URI": "", "TIDEMILL_MODEL_DIGEST": "", "TIDEMILL_GRPC_PORT": "0"}
        variables = {"TIDEMILL_MODELS": str(self.file), "TIDEMILL_STORE": str(store)}
        with started(self.folder, "", **{**of_one, **variables, **env}) as server:
            yield server.listen()


def told(server: Server) -> dict[str, dict[str, str]]:
    """What it says of its models when it is asked whether it is ready."""
    return {one["name"]: one for one in server.get("/v2/health/ready").json["models"]}


def answers(server: Server, entry: Entry) -> bool:
    """Whether this very version answers."""
    one = told(server).get(entry["name"], {})
    return bool(one.get("digest") == entry["digest"])


def question(rows: int) -> bytes:
    """What asks for predictions of rows that all of these models take."""
    types = {"price": "FP64", "demand": "FP64", "day": "INT64", "peak": "BOOL"}
    values: dict[str, Any] = {"price": 0.5, "demand": 0.5, "day": 3, "peak": True}
    inputs = [
        {"name": column, "datatype": kind, "shape": [rows], "data": [values[column]] * rows}
        for column, kind in types.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


def ask(server: Server, name: str, rows: int = 1, **headers: str) -> Reply:
    """A prediction by the protocol."""
    return server.request("POST", f"/v2/models/{name}/infer", question(rows), headers)
