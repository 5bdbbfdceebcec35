"""The runs of a namespace: their objects and pods by the user's own rights, their files by ours.

What a run has left lies under its uid and the name of its Job; where it took the result of another,
under that one's, which the address of its report names.
"""

import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tidemill.cli.cluster import Refused
from tidemill.cli.data import Broken, Data, failure_of
from tidemill.cli.failure import Exit, Failure

# Shorter than a connection may be silent.
WATCH_SECONDS = 50
GONE = 410  # the state to begin from is too old: it is read anew
MAX_LOG = 256 * 1024 * 1024
CONTAINER = "runner"
JOB_LABEL = "batch.kubernetes.io/job-name"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
_LEFT = re.compile(r"s3://[^/]+/runs/([^/]+)/([^/]+)/([^/]+)/[^/]+")
Body = dict[str, Any]


class _Files(Data):
    """The same door, other rooms: `name` is a uid, `tail` the Job and the file."""

    def _path(self, name: str, tail: str) -> str:
        return f"{self._proxy()}/runs/{quote(name, safe='')}{tail}"


@dataclass(frozen=True)
class Runs:
    """What can be asked about runs."""

    data: Data

    def list(self) -> list[Body]:
        """Read the runs of the namespace, as many as one completes by."""
        found: list[Body] = self._json(f"{self._place()}?limit=200")["items"]
        return found

    def run(self, name: str) -> Body:
        """Read a run; raises Failure."""
        try:
            return self.data.cluster.json("GET", f"{self._place()}/{quote(name, safe='')}")
        except Refused as refused:
            if refused.status == 404:
                raise self._absent(name) from None
            raise failure_of(refused) from None

    def states(self, name: str) -> Iterator[Body]:
        """Give a run as it is, and then again whenever it has changed; raises Failure."""
        while True:
            body = self.run(name)
            yield body
            yield from self._changes(name, body["metadata"]["resourceVersion"])

    def _changes(self, name: str, version: str) -> Iterator[Body]:
        """Follow a run until the API server ends the watch, which it does now and then."""
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": version,
            "timeoutSeconds": WATCH_SECONDS,
        }
        answer = self.data.cluster.open("GET", f"{self._place()}?{urlencode(query)}")
        if answer.status == GONE:
            answer.close()
            return
        if answer.status >= 400:
            raise failure_of(Refused(answer.status, answer.read(65536)))
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "DELETED":
                    raise self._absent(name)
                if event["type"] not in ("ADDED", "MODIFIED"):
                    return  # such as "too old": what it is now is read anew
                yield event["object"]
        finally:
            answer.close()

    def pod(self, job: str) -> Body | None:
        """Give the newest pod of a Job, if there is one; of several that of rank 0."""
        namespace = quote(self.data.namespace, safe="")
        query = urlencode({"labelSelector": f"{JOB_LABEL}={job}"})
        pods = self._json(f"/api/v1/namespaces/{namespace}/pods?{query}")["items"]
        first = [pod for pod in pods if _number(pod) == "0"]
        first.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
        return first[-1] if first else None

    def pod_log(self, pod: str, *, follow: bool) -> Iterator[str]:
        """Give the lines of a pod's log; with `follow`, those to come as well."""
        namespace = quote(self.data.namespace, safe="")
        query = urlencode({"container": CONTAINER, "follow": "true" if follow else "false"})
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod, safe='')}/log?{query}"
        # kubectl, too, takes whatever text it is.
        headers = {"Accept": "*/*"}
        answer = self.data.cluster.open("GET", path, headers=headers, patient=follow)
        if answer.status >= 400:
            raise failure_of(Refused(answer.status, answer.read(65536)))
        try:
            for line in _lines(answer):
                yield line.decode(errors="replace")
        finally:
            answer.close()

    def left(self, run: Mapping[str, Any], part: str) -> bytes:
        """Read what the run, or the one whose result it took, has left; raises Failure."""
        uid, job = self._where(run)
        files = _Files(self.data.cluster, self.data.place, self.data.pause, self.data.clock)
        return files.read(uid, f"/{quote(job, safe='')}/{part}")

    def log_left(self, run: Mapping[str, Any]) -> Iterator[str]:
        """Give the lines of the log in the store."""
        data = self.left(run, "log")
        try:
            with gzip.open(io.BytesIO(data)) as file:
                text = file.read(MAX_LOG)
        except (OSError, EOFError) as error:
            why = f"the log of {run['metadata']['name']} is damaged: {error}"
            raise Failure(Exit.REFUSED, why) from None
        yield from text.decode(errors="replace").splitlines()

    def _where(self, run: Mapping[str, Any]) -> tuple[str, str]:
        """Give uid and Job that the files lie under."""
        metadata, status = run["metadata"], run.get("status") or {}
        found = _LEFT.fullmatch(str(status.get("report", "")))
        if status.get("cachedFrom") and found and found[1] == self.data.namespace:
            return found[2], found[3]
        if not status.get("job"):
            why = f"run {metadata['name']} has no Job: see `kubectl describe tmrun`"
            raise Failure(Exit.REFUSED, why)
        return str(metadata["uid"]), str(status["job"])

    def _place(self) -> str:
        namespace = quote(self.data.namespace, safe="")
        return f"/apis/tidemill.dev/v1alpha1/namespaces/{namespace}/trainingruns"

    def _json(self, path: str) -> Body:
        try:
            return self.data.cluster.json("GET", path)
        except Refused as refused:
            raise failure_of(refused) from None

    def _absent(self, name: str) -> Failure:
        why = f"namespace {self.data.namespace} has no run {name}: see `kubectl get tmrun`"
        return Failure(Exit.REFUSED, why)


def _number(pod: Mapping[str, Any]) -> str:
    notes = pod["metadata"].get("annotations") or {}
    return str(notes.get(INDEX_ANNOTATION, "0"))


def _lines(answer: Any) -> Iterator[bytes]:  # noqa: ANN401 - as urllib3 gives it
    """Give whole lines as they come; what breaks off ends the reading."""
    import urllib3  # noqa: PLC0415

    rest = b""
    try:
        # What has no known end comes in pieces as they are sent, and is given as they come.
        for piece in answer.stream(65536, decode_content=False):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Broken(type(error).__name__) from None
    if rest:
        yield rest
