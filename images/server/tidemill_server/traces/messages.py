"""Traces as OTLP's messages, with the names of OpenTelemetry's semantic conventions.

No payload is among them: neither rows, nor answers, nor what a client wrote into a message.
"""

import os
import random
import socket
import time
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status

from tidemill import __version__
from tidemill_server.metrics.registry import Outcome
from tidemill_server.protocol.errors import ProtocolError, TooLate
from tidemill_server.protocol.infer import Stamp
from tidemill_server.rpc.status import Status as Code
from tidemill_server.rpc.status import status_of
from tidemill_server.traces.trace import Trace

AT_A_TIME = 8  # traces, for about a quarter of a millisecond
_RECORDED = 1  # the flag of W3C's context
_HERE = _RECORDED | SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_FROM_ELSEWHERE = _HERE | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
# Of gRPC's codes those that are a server's fault; the others are its client's.
_FAULTS = (Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE)
_Told = dict[str, str | int]


class Writer:
    """Writes batches of traces; used in one thread."""

    def __init__(self, stamp: Stamp, scheme: str) -> None:
        self._scheme = scheme
        self._random = random.Random(os.urandom(32))  # noqa: S311 - an id is no secret
        self._resource = _attributes(
            {
                "service.name": stamp.name,
                "service.version": stamp.version,
                "service.instance.id": os.urandom(16).hex(),
                "host.name": socket.gethostname(),
                "telemetry.sdk.name": "tidemill",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.version": __version__,
            }
        )

    def write(self, traces: Iterable[Trace]) -> bytes:
        """One message for them all."""
        request = ExportTraceServiceRequest()
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(self._resource)
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name, of_scope.scope.version = "tidemill_server", __version__
        for count, trace in enumerate(traces, start=1):
            of_scope.spans.extend(self._spans(trace))
            if not count % AT_A_TIME:
                time.sleep(0)  # who answers requests goes first
        message: bytes = request.SerializeToString()
        return message

    def rejected(self, answer: bytes) -> int:
        """How many spans of a message that was taken were not."""
        try:
            found = ExportTraceServiceResponse.FromString(answer)
        except DecodeError:  # it was taken, whatever is said of it
            return 0
        return max(int(found.partial_success.rejected_spans), 0)

    def _spans(self, trace: Trace) -> Iterator[Span]:
        asked, root, told = trace.asked, self._id(), _told(trace)
        if not asked.rpc:
            told["url.scheme"] = self._scheme
        began = trace.began
        yield Span(
            trace_id=asked.trace,
            span_id=root,
            parent_span_id=asked.parent,
            trace_state=asked.state,
            flags=_FROM_ELSEWHERE if asked.parent else _HERE,
            name="infer",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=trace.offset + began,
            end_time_unix_nano=trace.offset + trace.ended,
            attributes=_attributes({**_of_model(trace.model), **told}),
            status=Status(code=Status.STATUS_CODE_ERROR) if "error.type" in told else None,
        )
        for stage in trace.stages:
            yield Span(
                trace_id=asked.trace,
                span_id=self._id(),
                parent_span_id=root,
                trace_state=asked.state,
                flags=_HERE,
                name=stage.name,
                kind=Span.SPAN_KIND_INTERNAL,
                start_time_unix_nano=trace.offset + began,
                end_time_unix_nano=trace.offset + stage.ended,
                attributes=_attributes({"tidemill.batch.rows": stage.rows}) if stage.rows else (),
            )
            began = stage.ended

    def _id(self) -> bytes:
        return (self._random.getrandbits(64) or 1).to_bytes(8)


def _of_model(stamp: Stamp | None) -> _Told:
    if stamp is None:  # one that there is not, or none yet
        return {}
    return {
        "tidemill.model.name": stamp.name,
        "tidemill.model.version": stamp.version,
        "tidemill.model.digest": stamp.digest,
    }


def _told(trace: Trace) -> _Told:
    """What is told of a request; `error.type` where it was the server's fault."""
    asked, status = trace.asked, trace.status
    told: _Told = {
        "tidemill.prediction_id": asked.prediction,
        "tidemill.outcome": trace.outcome.value,
    }
    if trace.rows:
        told["tidemill.rows"] = trace.rows
    if asked.rpc:
        return told | _call(trace)
    told |= {"http.request.method": "POST", "url.path": asked.path, "http.route": asked.path}
    if status is not None:
        told["http.response.status_code"] = status
        if status >= 500:
            told["error.type"] = str(status)
    return told


def _call(trace: Trace) -> _Told:
    told: _Told = {"rpc.system.name": "grpc", "rpc.method": trace.asked.path.removeprefix("/")}
    if trace.status is None:
        return told | {"rpc.response.status_code": "CANCELLED"}
    if trace.status < 400:
        return told | {"rpc.response.status_code": Code.OK.name}
    late = trace.outcome is Outcome.EXPIRED
    code = status_of(TooLate(0.0) if late else ProtocolError(trace.status, ""))
    told["rpc.response.status_code"] = code.name
    return told | ({"error.type": code.name} if code in _FAULTS else {})


def _attributes(values: Mapping[str, str | int]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: str | int) -> AnyValue:
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
