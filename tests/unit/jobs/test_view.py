"""What a Job that failed is told to have died of."""

from datetime import UTC, datetime

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.jobs.view import JobView, Phase, explain_failure

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def job(reason: str, message: str = "") -> JobView:
    return JobView("job-1", "u", Phase.FAILED, NOW, reason=reason, message=message)


def test_a_deadline_comes_before_what_the_pod_says() -> None:
    pod = Diagnosis(Reason.UNSCHEDULABLE, "no node takes the pod", "p")
    found = explain_failure(job("DeadlineExceeded"), pod, "the 5s of spec.deadline: raise it")
    assert found.reason is Reason.DEADLINE_EXCEEDED
    assert "within the 5s of spec.deadline: raise it; no node takes the pod" in found.message


def test_the_pod_knows_best() -> None:
    pod = Diagnosis(Reason.FIT_FAILED, "it raised", "p", final=True)
    assert explain_failure(job("BackoffLimitExceeded"), pod, "1h") is pod


def test_without_a_pod_the_job_speaks() -> None:
    found = explain_failure(job("BackoffLimitExceeded", "too many"), None, "1h")
    assert (found.reason, found.message) == (
        Reason.CONTAINER_FAILED,
        "the Job job-1 failed: too many",
    )


def test_without_a_pod_the_job_says_what_it_was_ended_with() -> None:
    words = "Container runner for pod ns/job-1-x7 failed with exit code 137 matching FailJob rule"
    found = explain_failure(job("PodFailurePolicy", words), None, "1h")
    assert (found.pod, found.exit_code, found.container) == ("job-1-x7", 137, "runner")
