"""What a refusal means."""

import json

import pytest

from tidemill.engine.errors import Retry
from tidemill.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from tidemill.kube.request import MAX_DETAIL, Request, failure
from tidemill.kube.resources import JOBS

REQUEST = Request("patch", JOBS, JOBS.path("default", "j"))
STATUS = json.dumps({"kind": "Status", "message": "spec.x: is wrong"}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, ApiError),
        (422, Invalid),
        (429, Unavailable),
        (500, Unavailable),
        (504, Unavailable),
    ],
    ids=str,
)
def test_a_status_becomes_an_error_that_is_a_retry(status: int, kind: type[ApiError]) -> None:
    error = failure(REQUEST, status, STATUS, {})
    assert type(error) is kind
    assert isinstance(error, Retry)
    assert error.status == status


def test_the_message_names_verb_resource_object_and_cause() -> None:
    message = failure(REQUEST, 422, STATUS, {}).message
    path = "/apis/batch/v1/namespaces/default/jobs/j"
    assert message == f"cannot patch jobs.batch ({path}): 422: spec.x: is wrong"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"upstream sleeps\n", "upstream sleeps", id="text"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"[1]", "[1]", id="another JSON"),
        pytest.param(b"\xff", "�", id="no text"),
        pytest.param(b"x" * 10_000, "x" * MAX_DETAIL, id="too much"),
    ],
)
def test_an_answer_that_is_no_status_is_quoted(data: bytes, expected: str) -> None:
    assert failure(REQUEST, 500, data, {}).message.endswith(f": 500: {expected}")


@pytest.mark.parametrize(
    ("value", "after"), [("7", 7.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_the_pause_that_the_server_asks_for_is_kept(value: str, after: float | None) -> None:
    assert failure(REQUEST, 429, b"", {"Retry-After": value}).after == after
