"""What is queued together is predicted together; nothing waits; nobody spoils another's answer."""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.protocol.errors import ProtocolError

SHORT, LONG = Pace(0.0, 0.0), Pace(1.0, 0.0)


class Doubling:
    """Doubles; refuses negative numbers, fails on 13; notes the rows of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        self.calls.append(len(matrix))
        if (matrix < 0).any():
            raise ValueError("negative")
        if (matrix == 13).any():
            raise ZeroDivisionError
        return dict.fromkeys(wanted, matrix[:, 0] * 2)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(params=[SHORT, LONG], ids=["on-the-loop", "in-the-thread"])
def pace(request: pytest.FixtureRequest) -> Pace:
    found: Pace = request.param
    return found


def rows(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


async def test_what_arrives_together_is_one_call(pace: Pace, thread: ThreadPoolExecutor) -> None:
    model = Doubling()
    batcher = Batcher(model, pace, max_rows=100, thread=thread)
    asked = [batcher.predict(rows(i, i + 0.5), ("predict",)) for i in range(10)]
    answers = await asyncio.gather(*asked)
    assert [a["predict"].tolist() for a in answers] == [[2 * i, 2 * i + 1] for i in range(10)]
    assert model.calls == [20]


async def test_one_request_is_one_call(pace: Pace, thread: ThreadPoolExecutor) -> None:
    model = Doubling()
    batcher = Batcher(model, pace, max_rows=100, thread=thread)
    for i in range(3):
        await batcher.predict(rows(i), ("predict",))
    assert model.calls == [1, 1, 1]


async def test_batches_are_bounded(pace: Pace, thread: ThreadPoolExecutor) -> None:
    model = Doubling()
    batcher = Batcher(model, pace, max_rows=4, thread=thread)
    sizes = (3, 2, 2, 9, 1)
    await asyncio.gather(*(batcher.predict(rows(*range(n)), ("predict",)) for n in sizes))
    assert model.calls == [3, 4, 9, 1]


async def test_outputs_are_those_asked_for(pace: Pace, thread: ThreadPoolExecutor) -> None:
    batcher = Batcher(Doubling(), pace, max_rows=100, thread=thread)
    wanted = [("predict",), ("predict_proba", "predict"), ("predict_proba",)]
    answers = await asyncio.gather(*(batcher.predict(rows(1.0), names) for names in wanted))
    assert [tuple(answer) for answer in answers] == wanted


async def test_a_bad_row_spoils_only_its_own_request(
    pace: Pace, thread: ThreadPoolExecutor
) -> None:
    batcher = Batcher(Doubling(), pace, max_rows=100, thread=thread)
    asked = [batcher.predict(rows(value), ("predict",)) for value in (1.0, -1.0, 13.0, 2.0)]
    good, refused, failed, good_too = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(good, dict)
    assert isinstance(good_too, dict)
    assert isinstance(refused, ProtocolError)
    assert (refused.status, "negative" in refused.message) == (400, True)
    assert isinstance(failed, ProtocolError)
    assert (failed.status, "ZeroDivisionError" in failed.message) == (500, True)
    again = await batcher.predict(rows(4.0), ("predict",))
    assert again["predict"].tolist() == [8.0]


class Forgetful(Doubling):
    """Answers several without an output that they ask for."""

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        found = super().predict(matrix, wanted)
        return {} if len(matrix) > 1 else found


async def test_an_answer_that_lacks_an_output_keeps_nobody_waiting(
    pace: Pace, thread: ThreadPoolExecutor
) -> None:
    batcher = Batcher(Forgetful(), pace, max_rows=100, thread=thread)
    async with asyncio.timeout(10):
        asked = [batcher.predict(rows(i), ("predict",)) for i in range(3)]
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [one.status for one in failed if isinstance(one, ProtocolError)] == [500] * 3
        assert (await batcher.predict(rows(4), ("predict",)))["predict"].tolist() == [8]


async def test_a_client_that_left_is_not_predicted(pace: Pace, thread: ThreadPoolExecutor) -> None:
    model = Doubling()
    batcher = Batcher(model, pace, max_rows=100, thread=thread)
    gone = asyncio.ensure_future(batcher.predict(rows(1.0), ("predict",)))
    await asyncio.sleep(0)
    gone.cancel()
    answer = await batcher.predict(rows(2.0), ("predict",))
    assert answer["predict"].tolist() == [4.0]
    assert sum(model.calls) <= 2


async def test_what_is_predicted_waits_for_one_turn_at_most(
    pace: Pace, thread: ThreadPoolExecutor
) -> None:
    model, told = Doubling(), []
    batcher = Batcher(model, pace, max_rows=100, thread=thread)
    turns = [batcher.turn(lambda number=number: told.append(number)) for number in range(3)]
    await turns[0]
    after = batcher.predict(rows(2.0), ("predict",))
    after.add_done_callback(lambda _: told.append("predicted"))
    await asyncio.gather(*turns)
    assert told.index("predicted") <= 2
    assert sorted(map(str, told)) == ["0", "1", "2", "predicted"]


async def test_turns_are_taken_while_there_is_always_something_to_predict(
    pace: Pace, thread: ThreadPoolExecutor
) -> None:
    batcher = Batcher(Doubling(), pace, max_rows=1, thread=thread)
    asked = [batcher.predict(rows(value), ("predict",)) for value in range(100, 150)]
    turn = batcher.turn(lambda: sum(one.done() for one in asked))
    assert await turn <= 2
    await asyncio.gather(*asked)


async def test_a_turn_that_fails_is_its_own(pace: Pace, thread: ThreadPoolExecutor) -> None:
    batcher = Batcher(Doubling(), pace, max_rows=100, thread=thread)

    def fails() -> None:
        raise ValueError("not so")

    turn, after = batcher.turn(fails), batcher.predict(rows(1.0), ("predict",))
    with pytest.raises(ValueError, match="not so"):
        await turn
    assert (await after)["predict"].tolist() == [2.0]


async def test_a_turn_that_nobody_waits_for_is_not_taken(
    pace: Pace, thread: ThreadPoolExecutor
) -> None:
    model, taken = Doubling(), []
    batcher = Batcher(model, pace, max_rows=100, thread=thread)
    batcher.turn(lambda: taken.append(1)).cancel()
    assert (await batcher.predict(rows(1.0), ("predict",)))["predict"].tolist() == [2.0]
    assert not taken
