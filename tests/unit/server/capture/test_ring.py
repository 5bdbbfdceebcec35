"""The ring keeps the newest within its bounds, counts what it drops, and copies nothing."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.plain.test_predict import ROW
from tests.unit.server.servers import serve
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server.capture.ring import Captured, Ring

MANY = 1 << 30
CALLS = {"predict": ("predict",), "both": ("predict", "predict_proba")}


def add(ring: Ring, *requests: tuple[str, int], value: float = 0.0, want: str = "predict") -> None:
    """A batch of requests, each of so many rows."""
    names, counts = zip(*requests, strict=True)
    rows = sum(counts)
    outputs = {"predict": np.arange(rows) + value, "predict_proba": np.full((rows, 2), value)}
    wanted = [CALLS[want]] * len(names)
    ring.add(names, counts, wanted, np.full((rows, 2), value), outputs)


def taken(ring: Ring) -> list[Captured]:
    return [one for batch in ring.take(MANY) for one in batch.requests()]


def test_what_went_in_comes_out_in_order_and_once() -> None:
    moments = count(100)
    ring = Ring(100, MANY, clock=lambda: next(moments))
    add(ring, ("a", 1))
    add(ring, ("b", 2), ("c", 1), value=10.0)
    assert (ring.rows, ring.captured) == (4, 4)
    found = taken(ring)
    assert [(one.prediction, one.at) for one in found] == [("a", 100), ("b", 101), ("c", 101)]
    assert [one.rows[:, 0].tolist() for one in found] == [[0.0], [10.0, 10.0], [10.0]]
    assert [one.outputs["predict"].tolist() for one in found] == [[0.0], [10.0, 11.0], [12.0]]
    assert taken(ring) == []
    assert (ring.rows, ring.bytes, ring.captured, ring.dropped) == (0, 0, 4, 0)


def test_a_batch_is_kept_as_it_is_and_split_by_who_takes_it() -> None:
    ring, matrix, outputs = Ring(100, MANY), np.zeros((3, 2)), {"predict": np.zeros(3)}
    ring.add(("a", "b"), (1, 2), (("predict",),) * 2, matrix, outputs)
    (batch,) = ring.take(MANY)
    assert batch.matrix is matrix
    assert batch.outputs is outputs
    assert [one.rows.base is matrix for one in batch.requests()] == [True, True]


@pytest.mark.parametrize("want", CALLS)
def test_a_request_has_the_outputs_that_it_was_answered(want: str) -> None:
    ring = Ring(100, MANY)
    add(ring, ("a", 1), ("b", 2), want=want)
    assert [tuple(one.outputs) for one in taken(ring)] == [CALLS[want]] * 2


@pytest.mark.parametrize(
    ("names", "found", "rows"),
    [
        pytest.param("abc", ["a", "b", "c"], 6, id="all are there"),
        pytest.param(("", "b", "c"), ["b", "c"], 5, id="the first has gone"),
        pytest.param(("a", "", "c"), ["a", "c"], 4, id="one between has gone"),
        pytest.param(("", "", ""), [], 0, id="all have gone"),
    ],
)
def test_who_was_not_answered_is_neither_kept_nor_counted(
    names: Sequence[str], found: list[str], rows: int
) -> None:
    ring = Ring(100, MANY)
    add(ring, *zip(names, (1, 2, 3), strict=True))
    assert (ring.rows, ring.captured, ring.bytes > 0) == (rows, rows, rows > 0)
    starts = {"a": 0, "b": 1, "c": 3}
    for one in (answered := taken(ring)):
        assert one.outputs["predict"][0] == starts[one.prediction]
        assert len(one.rows) == {"a": 1, "b": 2, "c": 3}[one.prediction]
    assert [one.prediction for one in answered] == found
    assert (ring.rows, ring.bytes, ring.dropped) == (0, 0, 0)


@pytest.mark.parametrize(
    ("most", "batches", "kept", "dropped"),
    [
        pytest.param(5, [[2], [2], [2], [2]], "cd", 4, id="requests alone"),
        pytest.param(8, [[2, 2], [3], [2]], "cd", 4, id="a batch goes as a whole"),
        pytest.param(9, [[2, 2], [3], [2]], "abcd", 0, id="what fits stays"),
        pytest.param(5, [[1], [2, 2, 2]], "cd", 3, id="of one too large its newest stay"),
        pytest.param(5, [[1], [9]], "", 10, id="a request too large, too"),
        pytest.param(5, [[9, 1]], "b", 9, id="and beside another"),
    ],
)
def test_too_many_rows_drop_the_oldest_and_are_counted(
    most: int, batches: list[list[int]], kept: str, dropped: int
) -> None:
    ring, names = Ring(most, MANY), iter("abcdefgh")
    for batch in batches:
        add(ring, *((next(names), rows) for rows in batch))
    rows = sum(map(sum, batches))
    assert (ring.rows, ring.captured, ring.dropped) == (rows - dropped, rows, dropped)
    assert "".join(one.prediction for one in taken(ring)) == kept
    assert (ring.rows, ring.bytes) == (0, 0)


def test_what_is_left_of_a_batch_holds_no_more_of_it() -> None:
    ring = Ring(2, MANY)
    add(ring, ("a", 1000), ("b", 1))
    assert ring.bytes < 2000
    (one,) = taken(ring)
    assert one.prediction == "b"
    assert one.outputs["predict"].tolist() == [1000.0]
    assert {len(part.base) for part in (one.rows, one.outputs["predict"])} == {1}


def test_too_many_bytes_drop_the_oldest_also_where_they_are_texts() -> None:
    ring = Ring(1000, 4000)
    texts, outputs = np.full((1, 10), "a text", dtype=object), {"predict": np.zeros(1)}
    for number in range(4):
        ring.add((str(number),), (1,), (("predict",),), texts, outputs)
    assert [one.prediction for one in taken(ring)] == ["2", "3"]
    add(ring, ("large", 900))
    assert taken(ring) == []
    assert ring.dropped == 2 + 900
    assert ring.bytes == 0


def test_of_a_batch_of_too_many_bytes_the_newest_requests_stay() -> None:
    ring = Ring(1000, 10_000)
    add(ring, *((name, 100) for name in "abc"))
    assert [one.prediction for one in taken(ring)] == ["b", "c"]
    assert (ring.captured, ring.dropped, ring.bytes) == (300, 100, 0)


@pytest.mark.parametrize(
    ("most", "found"), [(1, [1, 1, 1]), (7, [1, 1, 1]), (8, [2, 1]), (11, [2, 1]), (12, [3])]
)
def test_no_more_is_taken_than_is_asked_for_but_one(most: int, found: list[int]) -> None:
    ring = Ring(100, MANY)
    for number in range(3):
        add(ring, (f"{number}", 1), (f"{number}, too", 3))
    assert [len(ring.take(most)) for _ in found] == found
    assert ring.take(most) == []


def test_a_server_keeps_what_it_answers_whichever_way_it_came(tmp_path: Path) -> None:
    bounds = {"TIDEMILL_CAPTURE_ROWS": "4", "TIDEMILL_GRPC_PORT": "0"}
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, tmp_path, **bounds) as server:
            server.ready()
            assert server.infer(request()).status == 200
            assert server.request("POST", "/v1/predict", [ROW] * 2).status == 200
            assert server.infer({}).status == 400
            tensor = triton.InferInput("x", [2, 4], "FP64")
            tensor.set_data_from_numpy(np.array([[0.5, 1.5, 2.0, 1.0]] * 2))
            with triton.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
                client.infer("power", [tensor])
            text = server.get("/metrics").body.decode()
    lines = [line for line in text.splitlines() if "_capture" in line and "#" not in line]
    told = {name: float(value) for name, value in (line.split() for line in lines)}
    kept, dropped = (told[f"tidemill_server_capture_{n}"] for n in ("rows", "dropped_rows_total"))
    assert kept == 4
    assert dropped + kept == told["tidemill_server_captured_rows_total"] > 4
