"""What a try of a joint fit comes to, by the answers of its pods."""

import pytest

from tidemill_runner.failures import Failure
from tidemill_runner.joint import verdict
from tidemill_runner.joint.growing import Answer
from tidemill_runner.joint.verdict import Complaint, Lost

GOOD, OTHER = Answer("sha256:a", b"trees"), Answer("sha256:a")
# As XGBoost and LightGBM say it.
GONE = Answer(
    error="XGBoostError",
    text="[22:34:24] /workspace/src/collective/result.cc:83: [comm_group.cc:125|22:34:24]: "
    "[loop.cc:101|22:34:24]: Encountered EOF. The other end is likely closed.",
)
NOT_THERE = Answer(error="LightGBMError", text="Socket recv error, Connection reset by peer")


def test_the_first_gives_the_model_where_all_have_the_same() -> None:
    assert verdict.of([GOOD, OTHER, OTHER]) == b"trees"


@pytest.mark.parametrize(
    ("answers", "raises", "tells"),
    [
        ([GOOD, GONE], Lost, "likely closed"),
        ([NOT_THERE, OTHER], Lost, "reset by peer"),
        ([GOOD, Answer(ended=-6)], Lost, "ended with -6"),
        ([GOOD, Answer(text="it was ended")], Lost, "it was ended"),
        ([OTHER], Lost, "no answer had the model"),
        ([], Lost, "no answer"),
        ([GONE, Answer(error="XGBoostError", text="label must be in [0,1]")], Complaint, "label"),
        ([NOT_THERE, Answer(error="MemoryError", text="bins")], MemoryError, "bins"),
        ([GONE, Answer(ended=-9)], Failure, "memory limit in spec.template"),
        ([GOOD, Answer("sha256:b")], Failure, "different models"),
    ],
)
def test_it_is_told_who_is_to_blame(
    answers: list[Answer], raises: type[Exception], tells: str
) -> None:
    with pytest.raises(raises, match=tells):
        verdict.of(answers)


@pytest.mark.parametrize(
    ("gone", "reason", "tells"),
    [
        (True, "WorkersLost", "in 6 tries of one fit, in the last one so: with -11;"),
        (False, "FitFailed", "though no pod was lost, the last one so: with -11; let the pods"),
    ],
)
def test_what_all_tries_come_to_tells_of_the_last(gone: bool, reason: str, tells: str) -> None:
    failed = verdict.in_vain(6, Lost("with -11"), gone=gone)
    assert failed.reason == reason
    assert tells in failed.message


def test_a_complaint_has_the_name_that_the_library_gave_it() -> None:
    assert type(Complaint("XGBoostError", "no").of_library()).__name__ == "XGBoostError"
