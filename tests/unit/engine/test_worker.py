"""What comes of each sort of reconcile."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine import logs
from tidemill.engine.errors import Bug, Retry, Stalled
from tidemill.engine.key import Key
from tidemill.engine.metrics import Metrics
from tidemill.engine.queue import Queue
from tidemill.engine.result import Result
from tidemill.engine.worker import Controller, Limits, Reconcile

pytestmark = pytest.mark.looptime

FOREVER = 10_000.0


def raising(error: BaseException) -> Reconcile:
    async def reconcile(_: Key) -> Result:
        raise error

    return reconcile


def giving(result: Result) -> Reconcile:
    async def reconcile(_: Key) -> Result:
        return result

    return reconcile


async def hang(_: Key) -> Result:
    await asyncio.sleep(FOREVER)
    return Result.done()


class Run:
    """A controller at work, and what it counted."""

    def __init__(self, queue: Queue, reconcile: Reconcile, limits: Limits | None = None) -> None:
        self.queue = queue
        self.registry = CollectorRegistry()
        self.times: list[float] = []
        self._reconcile = reconcile
        metrics = Metrics(self.registry).controller("run")
        self.controller = Controller(queue, self._observed, metrics, limits or Limits())
        self.task = asyncio.create_task(self.controller.run())

    async def _observed(self, key: Key) -> Result:
        self.times.append(asyncio.get_running_loop().time())
        return await self._reconcile(key)

    def count(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(
            f"controller_runtime_{name}", {"controller": "run", **labels}
        )
        return value or 0.0

    async def stop(self) -> None:
        self.queue.close()
        await self.task


@pytest.mark.parametrize(
    ("reconcile", "times", "result"),
    [
        pytest.param(giving(Result.done()), [0], "success", id="done"),
        pytest.param(giving(Result.after(40)), [0, 40, 80], "requeue_after", id="after"),
        pytest.param(raising(Retry("x")), [0, 1, 3, 7, 15, 31, 63], "error", id="retry"),
        pytest.param(raising(Retry("x", after=30)), [0, 30, 60, 90], "error", id="retry after"),
        pytest.param(raising(Stalled(Reason.BUCKET_MISSING, "x")), [0], "terminal", id="stalled"),
        pytest.param(raising(Bug("x")), [0, 1, 3, 7, 15, 31, 63], "error", id="bug"),
        pytest.param(raising(KeyError("x")), [0, 1, 3, 7, 15, 31, 63], "error", id="unknown"),
        pytest.param(
            raising(asyncio.CancelledError()),
            [0, 1, 3, 7, 15, 31, 63],
            "error",
            id="something inside cancelled",
        ),
        pytest.param(raising(TimeoutError()), [0, 1, 3, 7, 15, 31, 63], "error", id="timeout"),
        pytest.param(hang, [0, 21, 43, 67], "error", id="too slow"),
    ],
)
async def test_when_a_key_comes_back(
    queue: Queue, key: Key, reconcile: Reconcile, times: list[float], result: str
) -> None:
    run = Run(queue, reconcile, Limits(seconds=20))
    queue.add(key)
    await asyncio.sleep(95)
    assert run.times == times
    finished = run.count("reconcile_total", result=result)
    assert finished == len(times) - queue.running
    assert run.count("reconcile_errors_total") == (finished if result == "error" else 0)
    run.task.cancel()


async def test_success_resets_the_backoff(queue: Queue, key: Key) -> None:
    outcomes = iter([Retry("x"), Retry("x"), None, Retry("x"), None])

    async def reconcile(_: Key) -> Result:
        error = next(outcomes)
        if error:
            raise error
        return Result.after(100)

    run = Run(queue, reconcile)
    queue.add(key)
    await asyncio.sleep(110)
    assert run.times == [0, 1, 3, 103, 104]
    await run.stop()


async def test_an_unknown_error_is_logged_with_its_traceback(
    queue: Queue, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(queue, raising(KeyError("the cause")))
    with caplog.at_level(logging.ERROR):
        queue.add(key)
        await asyncio.sleep(0.5)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]
    await run.stop()


async def test_a_retry_is_logged_in_one_line(
    queue: Queue, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(queue, raising(Retry("the store sleeps")))
    with caplog.at_level(logging.WARNING):
        queue.add(key)
        await asyncio.sleep(0.5)
    assert [(r.exc_info, "the store sleeps" in r.message) for r in caplog.records] == [(None, True)]
    await run.stop()


async def test_as_many_at_once_as_there_are_workers(queue: Queue) -> None:
    most = 0

    async def reconcile(_: Key) -> Result:
        nonlocal most
        most = max(most, queue.running)
        await asyncio.sleep(10)
        return Result.done()

    run = Run(queue, reconcile, Limits(workers=3))
    for number in range(10):
        queue.add(Key("TrainingRun", "default", str(number)))
    await asyncio.sleep(35)
    assert (most, run.times) == (3, [0, 0, 0, 10, 10, 10, 20, 20, 20, 30])
    assert run.count("max_concurrent_reconciles") == 3
    assert run.count("active_workers") == 1
    await run.stop()


async def test_closing_lets_running_reconciles_end(queue: Queue, key: Key) -> None:
    ended = []

    async def reconcile(ended_key: Key) -> Result:
        await asyncio.sleep(10)
        ended.append(ended_key)
        return Result.done()

    run = Run(queue, reconcile)
    queue.add(key)
    await asyncio.sleep(1)
    await run.stop()
    assert ended == [key]
    assert asyncio.get_running_loop().time() == 10


async def test_cancelling_the_controller_cancels_its_reconciles(queue: Queue, key: Key) -> None:
    run = Run(queue, hang)
    queue.add(key)
    await asyncio.sleep(1)
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert queue.running == 0


async def test_each_reconcile_has_an_id_of_its_own_in_the_logs(queue: Queue) -> None:
    bound = []

    async def reconcile(_: Key) -> Result:
        await asyncio.sleep(1)  # all of them at once
        bound.append(dict(logs._bound.get() or {}))
        return Result.done()

    run = Run(queue, reconcile)
    for name in "abc":
        queue.add(Key("Dataset", "default", name))
    await asyncio.sleep(2)
    assert sorted(fields["name"] for fields in bound) == ["a", "b", "c"]
    assert len({fields["reconcileID"] for fields in bound}) == 3
    await run.stop()
