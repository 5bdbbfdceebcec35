"""The ring keeps the newest within its bounds, counts what it drops, and costs next to nothing."""

from itertools import count
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.plain.test_predict import ROW
from tests.unit.server.servers import serve
from tests.unit.server.test_open_inference_protocol import request

from tidemill_server.capture.ring import Ring

MANY = 1 << 30


def rows(values: int, count: int = 1) -> np.ndarray:
    return np.full((count, 2), float(values))


def outputs(count: int = 1) -> dict[str, np.ndarray]:
    return {"predict": np.zeros(count)}


def test_what_went_in_comes_out_in_order_and_once() -> None:
    moments = count(100)
    ring = Ring(10, MANY, clock=lambda: next(moments))
    for number in range(3):
        ring.add(f"id-{number}", rows(number), outputs())
    taken = ring.take(100)
    assert [one.prediction for one in taken] == ["id-0", "id-1", "id-2"]
    assert [one.at for one in taken] == [100, 101, 102]
    assert [one.rows[0, 0] for one in taken] == [0.0, 1.0, 2.0]
    assert ring.take(100) == []
    assert (ring.rows, ring.bytes, ring.captured, ring.dropped) == (0, 0, 3, 0)


def test_too_many_rows_drop_the_oldest_and_are_counted() -> None:
    ring = Ring(5, MANY)
    for number in range(4):
        ring.add(str(number), rows(number, 2), outputs(2))
    assert [one.prediction for one in ring.take(100)] == ["2", "3"]
    assert (ring.captured, ring.dropped) == (8, 4)


def test_too_many_bytes_drop_the_oldest_also_where_they_are_texts() -> None:
    ring = Ring(1000, 3000)
    for number in range(4):
        ring.add(str(number), np.full((1, 10), "a text", dtype=object), outputs())
    assert [one.prediction for one in ring.take(100)] == ["2", "3"]
    ring.add("large", rows(0, 900), outputs(900))
    assert ring.take(1000) == []
    assert ring.dropped == 2 + 900
    assert ring.bytes == 0


def test_no_more_is_taken_than_is_asked_for_but_one() -> None:
    ring = Ring(100, MANY)
    for number in range(3):
        ring.add(str(number), rows(number, 4), outputs(4))
    assert len(ring.take(8)) == 2
    assert len(ring.take(1)) == 1


def test_of_a_batch_only_its_own_part_is_kept() -> None:
    ring, batch = Ring(10, MANY), np.zeros((1000, 2))
    ring.add("one", rows(1), {"predict_proba": batch[3:4]})
    (taken,) = ring.take(1)
    assert taken.outputs["predict_proba"].base is None


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
