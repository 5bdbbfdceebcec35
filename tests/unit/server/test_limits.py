"""Beyond the bounds: 413, 429, 408 at once and in words, and the server goes on."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve
from tests.unit.server.test_open_inference_protocol import matrix, refused, request

PATH = "/v2/models/power/infer"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little."""
    bounds = {
        "TIDEMILL_MAX_BODY_BYTES": "20000",
        "TIDEMILL_MAX_ROWS": "100",
        "TIDEMILL_MAX_IN_FLIGHT": "2",
        "TIDEMILL_BODY_SECONDS": "3",
    }
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, tmp_path_factory.mktemp("narrow"), **bounds) as server:
            yield server.ready()


def still_answers(server: Server) -> None:
    assert server.infer(request()).status == 200


def test_a_body_too_large_is_413(narrow: Server) -> None:
    assert "20000 bytes" in refused(narrow.infer(b" " * 20001), 413)
    still_answers(narrow)


def test_a_declared_length_too_large_is_413_before_it_is_read(narrow: Server) -> None:
    answer = _raw(narrow, f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    still_answers(narrow)


def test_a_chunked_body_without_end_is_413(narrow: Server) -> None:
    chunk = f"1000\r\n{'x' * 0x1000}\r\n" * 8
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert _raw(narrow, head + chunk).startswith(b"HTTP/1.1 413")
    still_answers(narrow)


def test_too_many_rows_is_413(narrow: Server) -> None:
    assert "101 rows" in refused(narrow.infer(matrix([101, 4], [1.0] * 404)), 413)
    assert narrow.infer(matrix([100, 4], [1.0] * 400)).status == 200


def test_who_sends_slowly_takes_no_place_from_others(narrow: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            half = socket.create_connection(("127.0.0.1", narrow.port))
            stack.enter_context(half)
            half.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".encode())
        still_answers(narrow)
        assert b"tidemill_server_in_flight 0.0" in narrow.get("/metrics").body


def test_a_client_that_stops_sending_is_408(narrow: Server) -> None:
    answer = _raw(narrow, f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{")
    assert answer.startswith(b"HTTP/1.1 408")
    still_answers(narrow)


def test_metrics_count_what_happened(narrow: Server) -> None:
    still_answers(narrow)
    narrow.infer(b"{")
    text = narrow.get("/metrics").body.decode()
    for line in (
        'tidemill_server_requests_total{outcome="ok"}',
        'tidemill_server_requests_total{outcome="client_error"}',
        'tidemill_server_request_seconds_bucket{le="0.001"}',
        "tidemill_server_rows_total",
        "tidemill_server_batch_rows_sum",
        "tidemill_server_ready 1.0",
        'tidemill_server_model_load_seconds{stage="probe"}',
        "process_resident_memory_bytes",
    ):
        assert line in text
    value = next(line for line in text.splitlines() if 'total{outcome="ok"}' in line)
    assert float(value.split()[-1]) >= 1


def _raw(server: Server, text: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        with contextlib.suppress(OSError):  # answered and closed before all was sent
            connection.sendall(text.encode())
        return connection.makefile("rb").read()
