"""Asks the pods of a server of several models how each of them stands.

By the address that the API server has of a pod, and by its readiness, which bears no secret. A pod
that is slow, sends too much or anything else than what it should costs a moment, and is told.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import aiohttp
from yarl import URL

from tidemill.children.pods import is_over
from tidemill.deployment.said import Answer, NotToldError, read
from tidemill.store.addresses import unwrapped

PATH = "v2/health/ready"
SECONDS = 2.0
MAX_BYTES = 64 * 1024
MOST_PODS = 8  # of one Deployment
# So many of them at a time, and so many of all: pods of one that say nothing keep no other waiting.
OF_ONE = 4
AT_ONCE = 32
ONCE_MORE = 2  # any one may miss a question; that many do is no accident
_TOLD_WITH = (200, 503)
# As it is: what is compressed may be longer than it looks.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tidemill"}


def worth_asking(pods: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Choose the pods that are asked: those that run, the ready ones first."""
    running = [pod for pod in pods if _address(pod) and not _ends(pod)]
    running.sort(key=lambda pod: (not _is_ready(pod), str(pod["metadata"]["name"])))
    return running[:MOST_PODS]


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks pods, of all Deployments so many at a time."""

    seconds: float = SECONDS
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ask(
        self, pods: Sequence[Mapping[str, Any]], port: int, names: Collection[str]
    ) -> tuple[Answer, ...]:
        """Ask pods that are worth it about the models of these names.

        A pod that tells nothing of any, also when it is asked once more, has a fault.
        """
        if not pods:
            return ()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=OF_ONE, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
        ) as session:
            own = asyncio.Semaphore(OF_ONE)

            async def one(pod: Mapping[str, Any]) -> Answer:
                async with own, self._gate:
                    return await self._one(session, pod, port, names)

            told = await asyncio.gather(*map(one, pods))
            silent = [place for place, answer in enumerate(told) if answer.fault]
            if len(silent) <= ONCE_MORE:
                again = await asyncio.gather(*(one(pods[place]) for place in silent))
                told = [*told]
                for place, answer in zip(silent, again, strict=True):
                    told[place] = answer
            return tuple(told)

    async def _one(
        self,
        session: aiohttp.ClientSession,
        pod: Mapping[str, Any],
        port: int,
        names: Collection[str],
    ) -> Answer:
        name, host = str(pod["metadata"]["name"]), str(pod["status"]["podIP"])
        try:
            async with asyncio.timeout(self.seconds):
                body = await _body(session, URL.build(scheme="http", host=host, port=port))
            return read(name, body, names)
        except TimeoutError:
            return Answer(name, fault=f"no answer within {self.seconds:g} s")
        except NotToldError as error:
            return Answer(name, fault=str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Only its type: the text may hold whatever the pod has sent.
            return Answer(name, fault=f"it cannot be asked ({type(error).__name__})")


async def _body(session: aiohttp.ClientSession, server: URL) -> bytes:
    async with session.get(server / PATH, allow_redirects=False) as response:
        if response.status not in _TOLD_WITH:
            raise NotToldError(f"it answers with HTTP {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_chunked(MAX_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                response.close()  # the rest is not read
                raise NotToldError(f"its answer is longer than {MAX_BYTES // 1024} KiB")
        return bytes(body)


def _address(pod: Mapping[str, Any]) -> str:
    """Give the pod's address; none where it has none of its own, or one that leads elsewhere."""
    if pod.get("spec", {}).get("hostNetwork"):
        return ""  # no pod of ours
    try:
        address = ip_address(str(pod.get("status", {}).get("podIP", "")))
    except ValueError:
        return ""
    meant = unwrapped(address)
    elsewhere = meant.is_loopback or meant.is_link_local or meant.is_multicast
    return "" if elsewhere or meant.is_unspecified else str(address)


def _ends(pod: Mapping[str, Any]) -> bool:
    return is_over(pod) or "deletionTimestamp" in pod["metadata"]


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
