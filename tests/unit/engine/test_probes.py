"""Probes that prove progress, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from tidemill.engine.key import Key
from tidemill.engine.metrics import Metrics
from tidemill.engine.probes import Progress
from tidemill.engine.queue import Queue
from tidemill.engine.server import Server

KEY = Key("Dataset", "default", "d")


@pytest.mark.looptime
async def test_a_key_that_nobody_takes_is_a_stuck_process(queue: Queue) -> None:
    progress = Progress([("Dataset", queue)], stuck_seconds=60)
    queue.add(KEY)
    await asyncio.sleep(60)
    assert progress.stuck() is None
    await asyncio.sleep(1)
    assert "a Dataset has waited 61 s" in (progress.stuck() or "")


@pytest.mark.looptime
async def test_a_reconcile_that_never_ends_is_a_stuck_process(queue: Queue) -> None:
    progress = Progress([("Dataset", queue)], stuck_seconds=60)
    queue.add(KEY)
    await queue.get()
    await asyncio.sleep(61)
    assert "a Dataset is being reconciled for 61 s" in (progress.stuck() or "")
    queue.done(KEY)
    assert progress.stuck() is None


@pytest.mark.looptime
async def test_the_lateness_of_the_loop_is_measured() -> None:
    registry = CollectorRegistry()
    progress = Progress([], stuck_seconds=60)
    task = asyncio.create_task(progress.watch_loop(Metrics(registry)))
    await asyncio.sleep(3)
    assert registry.get_sample_value("tidemill_event_loop_lag_seconds") == 0
    task.cancel()


@dataclass
class Running:
    """A server under test."""

    url: str
    progress: Progress

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def running(queue: Queue) -> AsyncIterator[Running]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    registry = CollectorRegistry()
    Metrics(registry).queue("dataset").adds.inc()
    progress = Progress([("Dataset", queue)], stuck_seconds=60)
    server = Server(progress, registry, [web.get("/hello", hello)])
    port = await server.start("127.0.0.1", 0)
    yield Running(f"http://127.0.0.1:{port}", progress)
    await server.stop()


async def test_a_process_that_waits_for_the_lease_is_alive_and_not_ready(running: Running) -> None:
    assert await running.get("/healthz") == (200, "ok\n")
    assert await running.get("/readyz") == (
        503,
        "waits for the Lease\n",
    )


async def test_a_leader_is_ready_when_its_watches_run(running: Running) -> None:
    running.progress.waits_for = None
    assert await running.get("/readyz") == (200, "ok\n")


async def test_a_stuck_process_says_why(running: Running, queue: Queue) -> None:
    running.progress.stuck_seconds = -1
    running.progress.waits_for = None
    queue.add(KEY)
    for path in ("/healthz", "/readyz"):
        status, text = await running.get(path)
        assert (status, "a Dataset has waited" in text) == (503, True)


async def test_metrics_have_the_stock_names(running: Running) -> None:
    status, text = await running.get("/metrics")
    assert status == 200
    assert 'workqueue_adds_total{controller="dataset",name="dataset"} 1.0' in text
    for name in (
        "workqueue_depth",
        "workqueue_queue_duration_seconds",
        "workqueue_work_duration_seconds",
        "workqueue_retries_total",
        "controller_runtime_reconcile_total",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_terminal_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds",
        "controller_runtime_active_workers",
        "leader_election_master_status",
    ):
        assert f"# TYPE {name} " in text


async def test_routes_of_others_are_served(running: Running) -> None:
    assert await running.get("/hello") == (200, "hello")
