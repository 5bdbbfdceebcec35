"""The rules of the queue, on a clock that does not wait."""

import asyncio
from collections import Counter
from random import Random

import pytest

from tidemill.engine.key import Key
from tidemill.engine.queue import Backoff, Queue, Queues

pytestmark = pytest.mark.looptime

A = Key("TrainingRun", "default", "a")
B = Key("TrainingRun", "default", "b")
C = Key("TrainingRun", "other", "a")


def now() -> float:
    return asyncio.get_running_loop().time()


async def taken(queue: Queue) -> tuple[float, Key | None]:
    """Take a key; gives it with the time at which it came."""
    key = await queue.get()
    return now(), key


async def test_keys_come_in_the_order_of_their_arrival(queue: Queue) -> None:
    for key in (B, A, C):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == [B, A, C]


async def test_a_key_is_queued_once(queue: Queue) -> None:
    for _ in range(5):
        queue.add(A)
    assert await queue.get() == A
    assert len(queue) == 0


async def test_a_key_added_while_running_comes_again_when_done_and_not_before(
    queue: Queue,
) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A)
    queue.add(A)
    queue.add(B)
    assert await queue.get() == B
    assert len(queue) == 0
    queue.done(A)
    assert await queue.get() == A
    queue.done(A)
    assert len(queue) == 0


async def test_a_key_not_added_again_is_gone_when_done(queue: Queue) -> None:
    queue.add(A)
    await queue.get()
    queue.done(A)
    assert (len(queue), queue.running) == (0, 0)


async def test_get_waits_for_a_key(queue: Queue) -> None:
    asyncio.get_running_loop().call_later(3, queue.add, A)
    assert await taken(queue) == (3, A)


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        pytest.param([5], 5, id="one"),
        pytest.param([5, 9], 5, id="a later one changes nothing"),
        pytest.param([9, 5], 5, id="an earlier one wins"),
        pytest.param([9, 5, 7], 5, id="the earliest wins"),
        pytest.param([9, 0], 0, id="now wins"),
        pytest.param([-1], 0, id="the past is now"),
    ],
)
async def test_of_several_times_the_earliest_wins(
    queue: Queue, delays: list[float], expected: float
) -> None:
    for delay in delays:
        queue.add(A, delay)
    assert await taken(queue) == (expected, A)
    queue.done(A)
    await asyncio.sleep(100)
    assert len(queue) == 0, "the other times are void"


async def test_times_of_different_keys_are_kept_apart(queue: Queue) -> None:
    queue.add(A, 7)
    queue.add(B, 3)
    queue.add(C, 5)
    assert [await taken(queue) for _ in range(3)] == [(3, B), (5, C), (7, A)]


async def test_a_waiting_time_is_void_once_processing_starts_for_another_cause(
    queue: Queue,
) -> None:
    queue.add(A, 10)
    queue.add(A)
    assert await taken(queue) == (0, A)
    queue.add(A, 20)  # what the reconcile itself asked for
    queue.done(A)
    assert await taken(queue) == (20, A)


async def test_a_waiting_time_is_void_as_well_when_the_cause_came_while_running(
    queue: Queue,
) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A, 20)
    queue.add(A)
    queue.done(A)
    assert await taken(queue) == (0, A)
    queue.done(A)
    await asyncio.sleep(100)
    assert len(queue) == 0


async def test_a_void_time_does_not_hold_up_other_keys(queue: Queue) -> None:
    queue.add(A, 5)
    queue.add(B, 5)
    queue.add(A)
    assert await taken(queue) == (0, A)
    queue.done(A)
    assert await taken(queue) == (5, B)


async def test_a_time_asked_for_while_running_is_kept(queue: Queue) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A, 4)
    await asyncio.sleep(10)
    assert len(queue) == 0, "still running"
    queue.done(A)
    assert await taken(queue) == (10, A)


async def test_pauses_after_failures_double_up_to_the_limit(queue: Queue) -> None:
    pauses = [queue.retry(A) for _ in range(12)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


async def test_failures_are_counted_per_key_and_success_resets_them(queue: Queue) -> None:
    queue.retry(A)
    queue.retry(A)
    assert queue.retry(B) == 1
    queue.forget(A)
    assert queue.retry(A) == 1


async def test_a_failed_key_comes_back_after_its_pause(queue: Queue) -> None:
    queue.add(A)
    await queue.get()
    queue.retry(A, after=30)
    queue.done(A)
    assert await taken(queue) == (30, A)


async def test_an_event_does_not_wait_for_the_pause(queue: Queue) -> None:
    queue.retry(A, after=30)
    asyncio.get_running_loop().call_later(2, queue.add, A)
    assert await taken(queue) == (2, A)


def test_jitter_is_full_and_huge_counts_do_not_overflow() -> None:
    backoff = Backoff(random=Random(1))
    pauses = [backoff.pause(4) for _ in range(2000)]
    assert 0 <= min(pauses) < 0.1
    assert 7.9 < max(pauses) <= 8
    assert 3.7 < sum(pauses) / len(pauses) < 4.3
    assert backoff.pause(100_000) <= 300


async def test_close_ends_waiting_and_later_gets(queue: Queue) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.add(A, 50)
    queue.close()
    assert await asyncio.gather(*waiting) == [None] * 3
    queue.add(B)
    assert await queue.get() is None


async def test_a_cancelled_get_loses_no_key(queue: Queue) -> None:
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add(A)  # wakes the first ...
    first.cancel()  # ... which is cancelled before it runs
    assert await asyncio.wait_for(second, 1) == A


async def test_ages_tell_what_waits_and_what_runs(queue: Queue) -> None:
    assert (queue.oldest_seconds(), queue.longest_running_seconds()) == (0, 0)
    queue.add(A)
    await asyncio.sleep(3)
    queue.add(B)
    await asyncio.sleep(4)
    assert queue.oldest_seconds() == 7
    await queue.get()
    await asyncio.sleep(5)
    assert (queue.oldest_seconds(), queue.longest_running_seconds()) == (9, 5)


async def test_no_key_is_ever_processed_twice_at_once_and_none_is_lost(queue: Queue) -> None:
    """A storm: many adds of few keys at random times, many workers, some failures."""
    random = Random(7)
    keys = [Key("TrainingRun", "default", str(number)) for number in range(20)]
    running: Counter[Key] = Counter()
    latest: dict[Key, float] = {}
    seen: dict[Key, float] = {}

    async def work() -> None:
        while (key := await queue.get()) is not None:
            running[key] += 1
            assert running[key] == 1
            seen[key] = now()
            await asyncio.sleep(random.uniform(0, 2))
            running[key] -= 1
            if random.random() < 0.1:
                queue.retry(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for _ in range(2000):
        key = random.choice(keys)
        latest[key] = now()
        queue.add(key, random.choice([0, 0, 0, 1.5]))
        await asyncio.sleep(random.uniform(0, 0.2))
    await asyncio.sleep(2000)
    queue.close()
    await asyncio.gather(*workers)
    assert all(seen[key] >= latest[key] for key in keys)
    assert (len(queue), queue.running) == (0, 0)


async def test_queues_send_a_key_to_the_queue_of_its_kind() -> None:
    datasets, runs = Queue(), Queue()
    queues = Queues({"Dataset": datasets, "TrainingRun": runs})
    queues.add(A)
    queues.add(Key("Dataset", "default", "d"), 5)
    assert (len(datasets), len(runs)) == (0, 1)
    await asyncio.sleep(5)
    assert (len(datasets), len(runs)) == (1, 1)
    queues.close()
    assert await runs.get() is None
