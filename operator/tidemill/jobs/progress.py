"""Progress of running Jobs: runners post it, reconciles show it; it lives in memory only.

The token in a Job's Secret is a MAC over the run's identity, so a pod can speak for its own run and
for no other, no API token has to be mounted where user code runs, and no API call is needed to
check it. Progress lost in a restart comes again with the next post.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tidemill.engine.key import Key

MAX_BODY = 4096
MAX_MESSAGE = 256
MAX_WORD = 64
MAX_ETA = 10 * 365 * 86400
MIN_WRITE_INTERVAL = 5.0


@dataclass(frozen=True, slots=True)
class Report:
    """How far a run says it is; `step` and `metric` are short texts, such as `accuracy=0.91`."""

    percent: int
    message: str
    eta_seconds: int | None
    step: str | None = None
    metric: str | None = None


class Tokens:
    """Makes and checks the tokens; the key is derived, so that it survives a restart."""

    def __init__(self, secret: str) -> None:
        """Derive the key from a secret that only the operator has."""
        self._key = hmac.digest(secret.encode(), b"tidemill progress v1", "sha256")

    def issue(self, key: Key, uid: str) -> str:
        """Make the token of one object."""
        identity = f"{key}/{uid}".encode()
        return hmac.new(self._key, identity, hashlib.sha256).hexdigest()

    def valid(self, token: str, key: Key, uid: str) -> bool:
        """Check a token in constant time."""
        return hmac.compare_digest(token, self.issue(key, uid))


class ProgressBoard:
    """The last report of every run; what is shown of it changes at most every five seconds.

    That holds whatever else wakes a reconcile: each change shown is a write of a status.
    """

    def __init__(
        self,
        tokens: Tokens,
        wake: Callable[[Key, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check with `tokens`; call `wake(key, delay)` when there is something new."""
        self.tokens = tokens
        self._wake = wake
        self._clock = clock
        self._reports: dict[Key, tuple[str, Report]] = {}
        self._shown: dict[Key, tuple[float, str, Report]] = {}

    def latest(self, key: Key, uid: str) -> Report | None:
        """Give what is to be shown of a run: its last report, or for a while the one before."""
        report = self._last(key, uid)
        if report is None:
            return None
        since, owner, shown = self._shown.get(key, (0.0, "", report))
        wait = since + MIN_WRITE_INTERVAL - self._clock()
        if owner == uid and shown != report and wait > 0:
            self._wake(key, wait)
            return shown
        if owner != uid or shown != report:
            self._shown[key] = self._clock(), uid, report
        return report

    def forget(self, key: Key) -> None:
        """Drop the report of a run that has ended, is gone or begins anew."""
        self._reports.pop(key, None)
        self._shown.pop(key, None)

    def _last(self, key: Key, uid: str) -> Report | None:
        owner, report = self._reports.get(key, ("", None))
        return report if owner == uid else None

    def routes(self) -> list[web.RouteDef]:
        """Give the HTTP route that runners post to."""
        return [web.post("/v1/progress", self._post)]

    async def _post(self, request: web.Request) -> web.Response:
        body = b""
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                return web.json_response({"error": "the body is too large"}, status=413)
        try:
            key, uid, report = _parse(json.loads(body))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return web.json_response({"error": "the body is not a progress report"}, status=400)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token.isascii() or not self.tokens.valid(token, key, uid):
            return web.json_response({"error": "the token is not that run's"}, status=403)
        before = self._last(key, uid)
        if before != report:
            self._reports[key] = uid, report
            self._wake(key, MIN_WRITE_INTERVAL if before else 0.0)
        return web.json_response({})


def _parse(body: Any) -> tuple[Key, str, Report]:  # noqa: ANN401 - untrusted JSON
    key = Key(str(body["kind"]), str(body["namespace"]), str(body["name"]))
    eta = body.get("etaSeconds")
    seconds = None if eta is None else min(MAX_ETA, max(0, int(eta)))
    percent = min(100, max(0, int(body["percent"])))
    message = _text(body.get("message"))[:MAX_MESSAGE]
    step, metric = (_text(body.get(name))[:MAX_WORD] or None for name in ("step", "metric"))
    return key, str(body["uid"]), Report(percent, message, seconds, step, metric)


def _text(value: Any) -> str:  # noqa: ANN401 - untrusted JSON
    # Half a surrogate pair is valid JSON, but no text that the API server would store as it is.
    return "" if value is None else str(value).encode(errors="replace").decode()


def format_eta(seconds: int | None) -> str | None:
    """Write a duration as people read it: 45s, 3m20s, 2h5m."""
    if seconds is None:
        return None
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes_left}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
