"""Asking pods over real sockets: what is asked, what is believed, what a bad pod costs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.unit.deployment.scene import digest

from tidemill.deployment.asking import (
    AT_ONCE,
    MAX_BYTES,
    MOST_PODS,
    OF_ONE,
    ONCE_MORE,
    Asking,
    worth_asking,
)
from tidemill.deployment.said import Answer, Said

Reply = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MODELS = {
    "models": [{"name": "a", "wanted": digest("a"), "digest": digest("a"), "reason": "Ready"}]
}
GOOD = json.dumps(MODELS).encode()
TOLD = {"a": Said(digest("a"), digest("a"), "Ready")}
QUICK = Asking(seconds=0.3)


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@asynccontextmanager
async def pods_that(reply: Reply) -> AsyncIterator[int]:
    """Have something listen on every loopback address; each stands for a pod. Gives the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reply(writer.get_extra_info("sockname")[0], reader, writer)
            await writer.drain()
        except ConnectionError:
            pass  # who asked has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "0.0.0.0", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def always(data: bytes) -> Reply:
    async def reply(_: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)

    return reply


def here(number: int = 1) -> dict[str, Any]:
    """Give a pod on this machine."""
    return {"metadata": {"name": f"p{number}"}, "status": {"podIP": f"127.0.0.{number}"}}


async def asked(reply: Reply, *pods: dict[str, Any], asking: Asking = QUICK) -> list[Answer]:
    async with pods_that(reply) as port:
        return list(await asking.ask(pods or (here(),), port, {"a"}))


async def test_it_asks_for_the_readiness_and_nothing_else() -> None:
    heads: list[bytes] = []

    async def reply(_: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(GOOD))

    assert await asked(reply) == [Answer("p1", TOLD)]
    [head] = heads
    line, *headers = head.decode().strip().split("\r\n")
    assert line == "GET /v2/health/ready HTTP/1.1"
    names = {header.split(":")[0].lower() for header in headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert "Accept-Encoding: identity" in headers


async def test_a_pod_that_is_not_ready_tells_as_well() -> None:
    assert await asked(always(http(GOOD, "503 Service Unavailable"))) == [Answer("p1", TOLD)]


async def test_an_answer_of_the_largest_size_is_read() -> None:
    assert await asked(always(http(GOOD.ljust(MAX_BYTES)))) == [Answer("p1", TOLD)]


async def test_nobody_is_asked_where_there_is_none() -> None:
    assert await Asking().ask((), 1, {"a"}) == ()


LIES: dict[str, tuple[bytes, str]] = {
    "another status": (http(GOOD, "404 Not Found"), "it answers with HTTP 404"),
    "elsewhere": (http(GOOD, "302 Found", "Location: /other"), "it answers with HTTP 302"),
    "too much": (http(GOOD.ljust(MAX_BYTES + 1)), "its answer is longer than 64 KiB"),
    "too much, in parts": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"8000\r\n" + b" " * 0x8000 + b"\r\n8001\r\n" + b" " * 0x8001 + b"\r\n0\r\n\r\n",
        "its answer is longer than 64 KiB",
    ),
    "less than it says": (http(GOOD, length=len(GOOD) + 1), "it cannot be asked (ClientPayload"),
    "no HTTP": (b"hello\r\n\r\n", "it cannot be asked (ClientResponseError)"),
    "long headers": (
        http(GOOD, "200 OK", "X: " + "x" * 100_000),
        "it cannot be asked (",
    ),
    "nothing at all": (b"", "it cannot be asked (ServerDisconnected"),
    "compressed": (http(b"\x1f\x8b\x08", "200 OK", "Content-Encoding: gzip"), "it is no JSON"),
    "no JSON": (http(b"<html>"), "it is no JSON"),
    "another JSON": (http(b'{"ready": true}'), "it lists no models"),
}


@pytest.mark.parametrize("case", LIES)
async def test_what_a_bad_pod_sends_is_a_fault_of_it_alone(case: str) -> None:
    data, says = LIES[case]

    async def reply(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await always(data if host == "127.0.0.2" else http(GOOD))(host, reader, writer)

    first, bad, last = await asked(reply, here(1), here(2), here(3))
    assert (first, last) == (Answer("p1", TOLD), Answer("p3", TOLD))
    assert bad.models == {}
    assert bad.fault is not None
    assert bad.fault.startswith(says)


async def drips(_: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(http(b"", length=1000))
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(_: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take all and say nothing until who asks is gone."""
    del writer
    while await reader.read(1024):
        pass


@pytest.mark.parametrize("reply", [drips, silent])
async def test_a_slow_pod_is_not_waited_for(reply: Reply) -> None:
    [answer] = await asyncio.wait_for(asked(reply), 10)
    assert answer == Answer("p1", fault="no answer within 0.3 s")


async def test_a_pod_that_listens_no_more_is_told() -> None:
    async with pods_that(always(b"")) as port:
        pass
    [answer] = await QUICK.ask((here(),), port, {"a"})
    assert answer.fault == "it cannot be asked (ClientConnectorError)"


async def test_of_all_deployments_together_so_many_pods_are_asked_at_a_time() -> None:
    now, most, full = 0, 0, asyncio.Event()

    async def reply(_: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await reader.readuntil(b"\r\n\r\n")
        if now == AT_ONCE:
            full.set()
        await full.wait()
        writer.write(http(GOOD))
        await writer.drain()
        now -= 1

    asking = Asking(seconds=10)
    pods = [here(number) for number in range(1, MOST_PODS + 1)]
    async with pods_that(reply) as port:
        passes = 2 * AT_ONCE // OF_ONE
        found = await asyncio.gather(*(asking.ask(pods, port, {"a"}) for _ in range(passes)))
    assert most == AT_ONCE
    assert all(answer.models == TOLD for answers in found for answer in answers)


async def test_pods_of_one_that_say_nothing_keep_no_other_waiting() -> None:
    """Those of another are answered while as many as can be of the first hang."""
    hung, everyone, go = 0, asyncio.Event(), asyncio.Event()

    async def reply(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hung
        await reader.readuntil(b"\r\n\r\n")
        if host != "127.0.0.99":
            hung += 1
            if hung == (AT_ONCE // OF_ONE - 1) * OF_ONE:
                everyone.set()
            await go.wait()
        writer.write(http(GOOD))

    asking = Asking(seconds=10)
    pods = [here(number) for number in range(1, MOST_PODS + 1)]
    async with pods_that(reply) as port:
        passes = [
            asyncio.create_task(asking.ask(pods, port, {"a"})) for _ in range(AT_ONCE // OF_ONE - 1)
        ]
        await asyncio.wait_for(everyone.wait(), 10)
        answers = await asyncio.wait_for(asking.ask([here(99)] * OF_ONE, port, {"a"}), 10)
        assert all(answer.models == TOLD for answer in answers)
        assert hung == (AT_ONCE // OF_ONE - 1) * OF_ONE, "of one no more than so many at a time"
        go.set()
        await asyncio.gather(*passes)


@pytest.mark.parametrize("missing", range(1, ONCE_MORE + 3))
async def test_one_missed_answer_is_asked_for_once_more(missing: int) -> None:
    asked_of: list[str] = []

    async def reply(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked_of.append(host)
        await reader.readuntil(b"\r\n\r\n")
        misses = int(host.rpartition(".")[2]) <= missing and asked_of.count(host) == 1
        writer.write(http(GOOD, "500 Internal Server Error" if misses else "200 OK"))

    answers = await asked(reply, *(here(number) for number in range(1, MOST_PODS + 1)))
    again = missing if missing <= ONCE_MORE else 0
    assert len(asked_of) == MOST_PODS + again
    assert sum(answer.fault is None for answer in answers) == MOST_PODS - missing + again
    assert [answer.pod for answer in answers] == [f"p{n}" for n in range(1, MOST_PODS + 1)]


def pod(name: str, address: str = "10.0.0.1", *, ready: bool = True, **more: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    status = {"phase": "Running", "podIP": address, "conditions": [condition], **more}
    return {"metadata": {"name": name}, "spec": {}, "status": status}


def test_ready_pods_are_asked_first_and_of_many_some() -> None:
    pods = [pod(f"p{number}", ready=number > 5) for number in range(1, 10)]
    chosen = [one["metadata"]["name"] for one in worth_asking(reversed(pods))]
    assert chosen == ["p6", "p7", "p8", "p9", "p1", "p2", "p3", "p4"]
    assert len(chosen) == MOST_PODS


NOT_ASKED: dict[str, dict[str, Any]] = {
    "over": pod("p", phase="Failed"),
    "no address yet": pod("p", ""),
    "no status": {"metadata": {"name": "p"}},
    "on its way out": {**pod("p"), "metadata": {"name": "p", "deletionTimestamp": "x"}},
    "of the node's network": {**pod("p"), "spec": {"hostNetwork": True}},
    "our own loopback": pod("p", "127.0.0.1"),
    "loopback as IPv6": pod("p", "::1"),
    "loopback, wrapped": pod("p", "::ffff:127.0.0.1"),
    "a cloud's metadata": pod("p", "169.254.169.254"),
    "link-local": pod("p", "fe80::1%eth0"),
    "anything": pod("p", "0.0.0.0"),
    "multicast": pod("p", "224.0.0.1"),
    "a name": pod("p", "example.org"),
    "an address and more": pod("p", "10.0.0.1/x"),
}


@pytest.mark.parametrize("case", NOT_ASKED)
def test_a_pod_that_is_none_of_ours_or_has_nothing_to_say_is_not_asked(case: str) -> None:
    assert worth_asking([NOT_ASKED[case]]) == []


@pytest.mark.parametrize("address", ["10.244.1.7", "fd00:10:244::7", "203.0.113.9"])
def test_addresses_of_pods(address: str) -> None:
    assert len(worth_asking([pod("p", address)])) == 1


async def test_a_pod_by_an_address_of_version_6() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await always(http(GOOD))("", reader, writer)
        writer.close()

    try:
        server = await asyncio.start_server(connected, "::1", 0)
    except OSError:
        pytest.skip("there is no IPv6 here")
    async with server:
        port = server.sockets[0].getsockname()[1]
        one = {"metadata": {"name": "p"}, "status": {"podIP": "::1"}}
        assert await QUICK.ask((one,), port, {"a"}) == (Answer("p", TOLD),)
