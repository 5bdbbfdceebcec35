"""A file on a web server as an ingest meets it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.web.faults import PATH
from tests.unit.web.site import Page, Site

from tidemill.store.addresses import AllowedNetworks
from tidemill.store.web import RemoteFile
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import HttpSource
from tidemill_runner.sources.web import Patience, WebOrigin
from tidemill_runner.sources.web_client import WebClient

BODY = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(20_000))
OPEN = AllowedNetworks.parse(["127.0.0.0/8"])


class Clock:
    """Moves by a step each time it is read."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def fingerprint(page: Page) -> str:
    return RemoteFile(page.etag, page.modified, len(page.body)).fingerprint


def origin(site: Site, path: str = PATH, **changes: Any) -> WebOrigin:
    """The file at a path as the operator has seen it; `pauses` tells how long was waited."""
    page = site.pages.get(path, Page())
    seen = changes.pop("fingerprint", None) or fingerprint(page)
    clock = changes.pop("clock", Clock())
    headers = changes.pop("headers", {})
    given = {
        "url": site.url(path),
        "format": "CSV",
        "checksum": None,
        "max_bytes": 1 << 30,
        "secret": "keys" if headers else None,
        "allowed": OPEN,
        **changes,
    }
    source = HttpSource(**given)
    client = WebClient(source.allowed, headers, source.secret)
    return WebOrigin(source, seen, client, Patience(lambda _: None, clock))


def fetch(found: WebOrigin, folder: Path) -> bytes:
    """Read the file as an ingest does; its bytes, which are those of the digest."""
    path = folder / "object"
    [info] = found.objects()
    digest = found.fetch(info, path, lambda _: None)
    assert digest == sha256(path.read_bytes())
    found.objects()
    return path.read_bytes()


def refuse(found: WebOrigin, folder: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        fetch(found, folder)
    return caught.value
