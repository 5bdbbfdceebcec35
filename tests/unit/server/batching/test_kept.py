"""What is predicted is kept by batches: as it was computed, of whoever was answered."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.unit.server.batching.test_batcher import LONG, SHORT, Doubling, rows
from tests.unit.server.protocol.test_fuzz import SIGNATURE

from tidemill_server.batching.batcher import Batcher, Pace
from tidemill_server.capture.ring import Batch, Captured, Ring
from tidemill_server.explain.explainer import Explanation
from tidemill_server.inference import Inference
from tidemill_server.lifecycle.state import Served
from tidemill_server.package.signature import parse_signature
from tidemill_server.protocol.infer import InferRequest, Stamp
from tidemill_server.settings import Limits

MANY = 1 << 30
Told = tuple[str, list[float], dict[str, list[float]]]
ONE, BOTH = ("predict",), ("predict_proba", "predict")


class Held(Doubling):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.free = threading.Event(), threading.Event()

    def predict(self, matrix: np.ndarray, wanted: Iterable[str]) -> dict[str, np.ndarray]:
        self.began.set()
        assert self.free.wait(60)
        return super().predict(matrix, wanted)


class Explainer:
    """Says that every value added nothing."""

    def explain(self, asked: np.ndarray) -> Explanation:
        return Explanation(("a",), np.zeros((len(asked), 1, 1)), np.zeros(1), "score", "exact")


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(params=[SHORT, LONG], ids=["on-the-loop", "in-the-thread"])
def pace(request: pytest.FixtureRequest) -> Pace:
    found: Pace = request.param
    return found


def keeping(model: Doubling, pace: Pace, thread: ThreadPoolExecutor) -> tuple[Batcher, Ring]:
    batcher, ring = Batcher(model, pace, max_rows=100, thread=thread), Ring(1000, MANY)
    batcher.keeper = ring
    return batcher, ring


def told(batches: list[Batch]) -> list[list[Told]]:
    return [[_told(one) for one in batch.requests()] for batch in batches]


def _told(one: Captured) -> Told:
    outputs = {name: values.tolist() for name, values in one.outputs.items()}
    return one.prediction, one.rows[:, 0].tolist(), outputs


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        pytest.param(
            [("a", [1.0], ONE)],
            [[("a", [1.0], {"predict": [2.0]})]],
            id="one request",
        ),
        pytest.param(
            [("a", [1.0], ONE), ("b", [2.0, 3.0], ONE), ("c", [4.0], ONE)],
            [
                [
                    ("a", [1.0], {"predict": [2.0]}),
                    ("b", [2.0, 3.0], {"predict": [4.0, 6.0]}),
                    ("c", [4.0], {"predict": [8.0]}),
                ]
            ],
            id="one batch",
        ),
        pytest.param(
            [("a", [1.0], ONE), ("b", [2.0], BOTH)],
            [
                [
                    ("a", [1.0], {"predict": [2.0]}),
                    ("b", [2.0], {"predict_proba": [4.0], "predict": [4.0]}),
                ]
            ],
            id="each has the outputs that it wanted",
        ),
        pytest.param(
            [("a", [1.0], ONE), ("b", [-1.0], ONE), ("c", [13.0], ONE), ("d", [2.0, 3.0], ONE)],
            [
                [("a", [1.0], {"predict": [2.0]})],
                [("d", [2.0, 3.0], {"predict": [4.0, 6.0]})],
            ],
            id="asked one by one, and some of them refused",
        ),
        pytest.param(
            [("a", [1.0], ONE), ("", [2.0], ONE), ("c", [3.0], ONE)],
            [[("a", [1.0], {"predict": [2.0]}), ("c", [3.0], {"predict": [6.0]})]],
            id="without an id nothing is kept",
        ),
        pytest.param([("a", [-1.0], ONE)], [], id="a failure"),
    ],
)
async def test_what_was_answered_is_kept(
    pace: Pace,
    thread: ThreadPoolExecutor,
    asked: list[tuple[str, list[float], tuple[str, ...]]],
    kept: list[list[Told]],
) -> None:
    batcher, ring = keeping(Doubling(), pace, thread)
    answers = [batcher.predict(rows(*of), wanted, None, name) for name, of, wanted in asked]
    await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 30)
    assert ring.captured == ring.rows == sum(len(of) for batch in kept for _, of, _ in batch)
    assert told(ring.take(MANY)) == kept


async def test_nothing_is_copied_for_it(pace: Pace, thread: ThreadPoolExecutor) -> None:
    batcher, ring = keeping(Doubling(), pace, thread)
    alone = rows(1.0)
    answer = await batcher.predict(alone, ONE, None, "a")
    answers = await asyncio.gather(*(batcher.predict(rows(i), ONE, None, "b") for i in range(3)))
    one, three = ring.take(MANY)
    assert one.matrix is alone
    assert one.outputs is answer
    assert all(np.shares_memory(each["predict"], three.outputs["predict"]) for each in answers)


async def test_who_has_gone_meanwhile_is_not_kept_and_moves_nobody_elses_rows(
    thread: ThreadPoolExecutor,
) -> None:
    model = Held()
    batcher, ring = keeping(model, LONG, thread)
    asked = [batcher.predict(rows(i, i + 0.5), ONE, None, f"{i}") for i in range(3)]
    await asyncio.to_thread(model.began.wait, 60)
    asked[1].cancel()
    model.free.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert model.calls == [6]
    assert ring.captured == 4
    assert told(ring.take(MANY)) == [
        [("0", [0.0, 0.5], {"predict": [0.0, 1.0]}), ("2", [2.0, 2.5], {"predict": [4.0, 5.0]})]
    ]


async def test_of_what_is_explained_the_models_answer_is_kept(thread: ThreadPoolExecutor) -> None:
    batcher, ring = keeping(Doubling(), SHORT, thread)
    signature = parse_signature({**SIGNATURE, "inputs": SIGNATURE["inputs"][:1]})
    served = Served(signature, batcher, explainer=Explainer())  # type: ignore[arg-type]
    inference = Inference(Stamp("m", "1", "sha256:0"), Limits(explained_rows=5))
    request = InferRequest(None, rows(1.0, 2.0), ONE, explain=True)
    answer, _ = await inference.answered(served, request, "a")
    assert "explanation" in "".join(answer)
    assert told(ring.take(MANY)) == [[("a", [1.0, 2.0], {"predict": [2.0, 4.0]})]]


async def test_a_keeper_that_fails_holds_up_nobody(pace: Pace, thread: ThreadPoolExecutor) -> None:
    batcher, ring = keeping(Doubling(), pace, thread)
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(str(context["exception"]))
    )

    def fails(*_: object) -> None:
        raise MemoryError("no room")

    ring.add = fails  # type: ignore[method-assign]
    for value in (1.0, 2.0):
        asked = [batcher.predict(rows(value), ONE, None, "a") for _ in range(2)]
        answers = await asyncio.wait_for(asyncio.gather(*asked), 30)
        assert [answer["predict"].tolist() for answer in answers] == [[2 * value]] * 2
    assert failures == ["no room"] * 2
