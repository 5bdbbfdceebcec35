"""What the operator shows of the data sets of a namespace, asked for through the API server.

For this the API server makes a token of one of the namespace's ServiceAccounts, good for ten
minutes and for the operator's data alone. Neither the user's own credentials nor a key of the
bucket is part of it.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tidemill.cli.cluster import Cluster, Place, Refused
from tidemill.cli.failure import Exit, Failure

AUDIENCE = "tidemill.dev"
SERVICE = "http:tidemill-data:8082"
HEADER = "X-Tidemill-Token"
TOKEN_SECONDS = 600
# A download may last longer than a token.
RENEWED_SECONDS = 400.0
ATTEMPTS = 6
BROKEN_ATTEMPTS = 3
MAX_PAUSE = 10.0
MAX_DOCUMENT = 256 * 1024 * 1024
PAGE = 100


@dataclass
class Data:
    """The data sets of one namespace."""

    cluster: Cluster
    place: Place
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _since: float = 0.0

    @property
    def namespace(self) -> str:
        """The namespace that is read."""
        return self.cluster.namespace

    def dataset(self, name: str) -> dict[str, Any]:
        """Read the object itself, from the API server; raises Failure."""
        path = f"/apis/tidemill.dev/v1alpha1/namespaces/{quote(self.namespace, safe='')}/datasets"
        try:
            return self.cluster.json("GET", f"{path}/{quote(name, safe='')}")
        except Refused as refused:
            if refused.status == 404:
                why = f"namespace {self.namespace} has no data set {name}: see `kubectl get tmds`"
                raise Failure(Exit.REFUSED, why) from None
            raise failure_of(refused) from None

    def datasets(self) -> list[dict[str, Any]]:
        """Read the objects of the namespace, as many as one completes by."""
        path = f"/apis/tidemill.dev/v1alpha1/namespaces/{quote(self.namespace, safe='')}/datasets"
        try:
            found: list[dict[str, Any]] = self.cluster.json("GET", f"{path}?limit=200")["items"]
        except Refused as refused:
            raise failure_of(refused) from None
        return found

    def versions(self, name: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Give up to `limit` versions, newest first, and how many more there are."""
        items: list[dict[str, Any]] = []
        query: dict[str, Any] = {}
        while True:
            query["limit"] = min(PAGE, limit - len(items))
            page = json.loads(self.read(name, f"?{urlencode(query)}"))
            items += page["items"]
            if "continue" not in page or len(items) >= limit:
                return items, int(page["remaining"])
            query["continue"] = page["continue"]

    def document(self, name: str, version: str, part: str) -> bytes:
        """Read record, manifest, profile, schema or report of a version."""
        return self.read(name, f"/{quote(version, safe=':')}/{part}")

    def read(self, name: str, tail: str) -> bytes:
        """Read a whole answer that is not too large to be held."""
        for _ in range(BROKEN_ATTEMPTS):
            try:
                return self._whole(name, tail)
            except Broken:
                continue
        raise Failure(Exit.UNREACHABLE, "the connection broke again and again: try again later")

    def _whole(self, name: str, tail: str) -> bytes:
        data = bytearray()
        with self.opened(name, tail) as pieces:
            for piece in pieces:
                data += piece
                if len(data) > MAX_DOCUMENT:
                    why = f"what {name} has at {tail} is larger than {MAX_DOCUMENT} bytes"
                    raise Failure(Exit.REFUSED, why)
        return bytes(data)

    @contextmanager
    def opened(self, name: str, tail: str) -> Iterator[Iterator[bytes]]:
        """Give the pieces of an answer; raises Failure, Broken where it ends before its end."""
        answer = self._answer(name, tail)
        try:
            yield _pieces(answer)
        finally:
            answer.close()

    def _answer(self, name: str, tail: str) -> Any:  # noqa: ANN401 - as urllib3 gives it
        """Ask again where somebody is only busy."""
        for attempt in range(ATTEMPTS):
            headers = {HEADER: self._fresh_token(), "Accept": "*/*"}
            answer = self.cluster.open("GET", self._path(name, tail), headers=headers)
            if answer.status < 400:
                return answer
            refused = Refused(answer.status, answer.read(65536))
            answer.close()
            if refused.by_api_server or refused.status not in (429, 503) or attempt + 1 == ATTEMPTS:
                raise self._no_data(refused)
            after = answer.headers.get("Retry-After", "")
            self.pause(min(float(after) if after.isdigit() else 1.0, MAX_PAUSE))
        raise AssertionError

    def _path(self, name: str, tail: str) -> str:
        return f"{self._proxy()}/datasets/{quote(name, safe='')}/versions{tail}"

    def _proxy(self) -> str:
        system, own = (quote(part, safe="") for part in (self.place.system, self.namespace))
        return f"/api/v1/namespaces/{system}/services/{SERVICE}/proxy/v1/namespaces/{own}"

    def _fresh_token(self) -> str:
        if not self._token or self.clock() - self._since > RENEWED_SECONDS:
            self._token, self._since = self._new_token(), self.clock()
        return self._token

    def _new_token(self) -> str:
        account, namespace = self.place.account, self.namespace
        names = (quote(part, safe="") for part in (namespace, account))
        path = "/api/v1/namespaces/{}/serviceaccounts/{}/token".format(*names)
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [AUDIENCE], "expirationSeconds": TOKEN_SECONDS},
        }
        try:
            return str(self.cluster.json("POST", path, body)["status"]["token"])
        except Refused as refused:
            what = f"ServiceAccount {account} in namespace {namespace}"
            if refused.status == 404:
                why = f"there is no {what}: see --namespace and --service-account"
                raise Failure(Exit.REFUSED, why) from None
            if refused.status in (401, 403):
                why = f"you may not make a token of {what}: ask for the role `edit` there"
                raise Failure(Exit.FORBIDDEN, why) from None
            raise failure_of(refused) from None

    def _no_data(self, refused: Refused) -> Failure:
        system = self.place.system
        if refused.by_api_server and refused.status == 404:
            why = f"namespace {system} has no Service tidemill-data: see --tidemill-namespace"
            return Failure(Exit.UNREACHABLE, why)
        if refused.by_api_server and refused.status >= 500:
            why = f"the operator in namespace {system} does not answer: see `kubectl -n {system}"
            return Failure(Exit.UNREACHABLE, f"{why} get pods`")
        return failure_of(refused)


class Broken(Exception):  # noqa: N818 - what has happened to the answer
    """An answer ended before its end."""


def _pieces(answer: Any) -> Iterator[bytes]:  # noqa: ANN401 - as urllib3 gives it
    import urllib3  # noqa: PLC0415

    try:
        yield from answer.stream(256 * 1024, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Broken(type(error).__name__) from None


def failure_of(refused: Refused) -> Failure:
    """Say what a refusal means for the one who typed the command."""
    if refused.status in (401, 403):
        return Failure(Exit.FORBIDDEN, refused.message)
    unreachable = refused.status == 429 or refused.status >= 500
    return Failure(Exit.UNREACHABLE if unreachable else Exit.REFUSED, refused.message)
