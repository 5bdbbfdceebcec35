"""The API server, as the kubeconfig describes it: reached with whatever rights the user has.

The official client reads the kubeconfig (certificates, exec plugins, OIDC); requests go over the
connections that it sets up, as plain HTTP, so that an object is streamed and never held whole.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from tidemill.cli.failure import Exit, Failure

CONNECT_SECONDS = 10.0
READ_SECONDS = 75.0
MAX_JSON = 32 * 1024 * 1024
MAX_ERROR = 64 * 1024
FALLBACK_NAMESPACE = "default"


@dataclass(frozen=True)
class Place:
    """Where a command works: the flags that all commands have."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    account: str = "default"
    system: str = "tidemill-system"


class Cluster:
    """One API server. Nothing is sent before the first request."""

    def __init__(self, place: Place) -> None:
        """Read the kubeconfig; raises Failure."""
        # Slow to import, and not needed for help and completion.
        from kubernetes import config  # noqa: PLC0415

        file = os.path.expanduser(place.kubeconfig) if place.kubeconfig else None  # noqa: PTH111
        try:
            client = config.new_client_from_config(file, place.context, persist_config=False)
            contexts, active = config.list_kube_config_contexts(file)
        except Exception as error:
            why = f"the kubeconfig cannot be used: {error}: see --kubeconfig and --context"
            raise Failure(Exit.UNREACHABLE, why) from None
        chosen = next((one for one in contexts if one["name"] == place.context), active)
        own = (chosen.get("context") or {}).get("namespace")
        self.namespace: str = place.namespace or own or FALLBACK_NAMESPACE
        self._configuration = client.configuration
        self._pool = client.rest_client.pool_manager

    def json(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the API server itself; raises Refused for an answer that is not a success."""
        answer = self.open(method, path, body)
        try:
            data = answer.read(MAX_JSON)
        finally:
            answer.release_conn()
        if answer.status >= 400:
            raise Refused(answer.status, data)
        found: dict[str, Any] = json.loads(data)
        return found

    def open(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        *,
        patient: bool = False,
    ) -> Any:  # noqa: ANN401 - the answer as urllib3 gives it: status, headers, stream
        """Send a request; gives an answer whose body is still to be read.

        With `patient`, what comes may come at any time: the log of a pod that works in silence.
        """
        import urllib3  # noqa: PLC0415

        sent = {"User-Agent": "kubectl-tidemill", "Accept": "application/json", **(headers or {})}
        try:
            if token := self._configuration.get_api_key_with_prefix("BearerToken", "authorization"):
                sent["Authorization"] = token
            if body is not None:
                sent["Content-Type"] = "application/json"
            return self._pool.request(
                method,
                self._configuration.host.rstrip("/") + path,
                headers=sent,
                body=None if body is None else json.dumps(body).encode(),
                timeout=urllib3.Timeout(
                    connect=CONNECT_SECONDS, read=None if patient else READ_SECONDS
                ),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            where = self._configuration.host
            why = f"the API server at {where} does not answer ({_cause(error)}): see --context"
            raise Failure(Exit.UNREACHABLE, why) from None


class Refused(Exception):  # noqa: N818 - what the server has done
    """An answer of 400 or more, and what it says; `by_api_server` unless the operator said it."""

    def __init__(self, status: int, data: bytes) -> None:
        """Read the message out of a Status object, or out of what the operator answers."""
        try:
            found = json.loads(data[:MAX_ERROR])
        except ValueError:
            found = None
        body = found if isinstance(found, dict) else {}
        self.status = status
        self.by_api_server = "error" not in body
        self.message = str(body.get("error") or body.get("message") or f"HTTP status {status}")
        super().__init__(self.message)


def _cause(error: Exception) -> str:
    """Say in few words why there was no answer."""
    text = str(getattr(error, "reason", None) or error)
    known = ("refused", "timed out", "certificate", "Name or service not known", "resolve", "reset")
    return next((word for word in known if word in text), type(error).__name__)
