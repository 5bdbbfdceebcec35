"""Traces of requests, and the collector that a server sends them to."""

from typing import Annotated

from pydantic import Field

from tidemill.api.v1alpha1.types import ApiModel, rule, rules

ENDPOINT_PATTERN = (
    r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"
)
RATIO = "0.01"

# Unlike a fraction elsewhere it may be none and all.
TraceRatio = Annotated[
    str, Field(pattern=r"^(0|1|0?\.[0-9]{1,6})$", max_length=8, examples=["0.01"])
]


class Traces(ApiModel):
    """Where a server sends what it records of requests, and of how many."""

    endpoint: Annotated[
        str,
        Field(
            pattern=ENDPOINT_PATTERN,
            max_length=512,
            examples=["http://collector.observability:4318"],
            description="A collector that takes OTLP over HTTP, without the /v1/traces at the end, "
            "such as http://collector.observability:4318. Private addresses are open; loopback, "
            "link-local and metadata addresses and the API server are the administrator's to open.",
            json_schema_extra=rules(
                rule(
                    "[int('0' + self.find(':[0-9]+(/|$)').replace(':', '').replace('/', ''))]"
                    ".all(port, port <= 65535 && (port > 0 || !self.matches(':0+(/|$)')))",
                    "the port of endpoint is from 1 to 65535",
                )
            ),
        ),
    ]
    ratio: Annotated[
        TraceRatio,
        Field(
            description="Of the requests that belong to no trace yet, the share that begins one, "
            "from 0 to 1. One that brings a trace (traceparent) is recorded where that is."
        ),
    ] = RATIO
