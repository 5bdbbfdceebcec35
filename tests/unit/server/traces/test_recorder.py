"""Which requests are recorded."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tidemill_server.protocol.infer import Stamp
from tidemill_server.settings import Tracing
from tidemill_server.traces.recorder import Recorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def recording(ratio: float) -> Iterator[Recorder]:
    settings = Tracing("http://collector.invalid", "collector.invalid", 80, ratio=ratio)
    found = Recorder(settings, Stamp("m", "1", "sha256:0"))
    try:
        yield found
    finally:
        found.stop(10)


def parent(flags: str) -> list[tuple[bytes, bytes]]:
    return [(b"traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode())]


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_trace_is_recorded_where_it_was_begun_so(ratio: float) -> None:
    with recording(ratio) as recorder:
        assert recorder.begin(parent("00"), "/", "id") is None
        trace = recorder.begin(parent("01"), "/", "id")
        assert trace is not None
        assert trace.id == TRACE


def test_of_others_one_of_so_many_is_recorded() -> None:
    for ratio, least, most in ((0.0, 0, 0), (0.25, 1500, 2500), (1.0, 8000, 8000)):
        with recording(ratio) as recorder:
            traces = [recorder.begin([], "/", "id") for _ in range(8000)]
        assert least <= len([one for one in traces if one is not None]) <= most
