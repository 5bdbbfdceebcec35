"""Which attempt a run is at, why, and whether there is another with more memory.

The Job itself tries again what was not the run's own fault (its pod failure policy: passing exit
codes, evictions, lost nodes), with Kubernetes' own growing pauses. Only what a Job cannot do is
done here: its pod template cannot be changed, so more memory takes another Job, under another name.
The first one stays, failed, and with it what was seen: whether there has been such a try can be
asked of the world. And it cannot tell by an exit code whether a container was killed for its memory
or because its machine crashed: such a Job ends at once, and where it was not the memory it is
removed, and made again.
"""

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.retry import Attempt
from tidemill.api.v1alpha1.run_status import AppliedRun, TrainingRunStatus
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.pod_spec import resources
from tidemill.children.pods import Diagnosis
from tidemill.jobs import between
from tidemill.jobs.manifests import DEFAULT_RESOURCES, FINAL_EXIT_CODES
from tidemill.kube.drift import quantity

MAX_MESSAGE = 1024
DEFAULT_RETRIES = 2
KILLED_EXIT_CODE = 137
OURS = ("runner", between.COLLECT)


def too_small(spec: TrainingRunSpec) -> str | None:
    """Say what is wrong with `retry.growMemory`, if anything is."""
    more = spec.retry.grow_memory if spec.retry else None
    if more is None:
        return None
    limit = resources(spec.template, DEFAULT_RESOURCES["train"])["limits"]["memory"]
    if (quantity(more) or 0) > (quantity(limit) or 0):
        return None
    return (
        f"spec.retry.growMemory: {more} is not more than the memory limit of {limit}: raise it, or "
        "lower spec.template.resources.limits.memory"
    )


def with_more_memory(
    spec: TrainingRunSpec, applied: AppliedRun, trouble: Diagnosis | None
) -> AppliedRun | None:
    """Give what the second try is started with, where the first had too little memory."""
    more = spec.retry.grow_memory if spec.retry else None
    if more is None or applied.memory or trouble is None or trouble.reason is not Reason.OOM_KILLED:
        return None
    return applied.model_copy(update={"memory": more})


def killed(trouble: Diagnosis) -> bool:
    """Tell whether our container was killed from outside, and not for its memory."""
    return (
        trouble.reason is Reason.CONTAINER_FAILED
        and trouble.exit_code == KILLED_EXIT_CODE
        and trouble.container in OURS
    )


def once_more(
    spec: TrainingRunSpec, status: TrainingRunStatus, trouble: Diagnosis
) -> TrainingRunStatus | None:
    """Count the attempt that follows one that was killed; None where there have been enough."""
    limit = spec.retry.limit if spec.retry else None
    counted = after(status, trouble)
    number = counted.attempt.number if counted.attempt else 1
    return counted if number <= 1 + (DEFAULT_RETRIES if limit is None else limit) else None


def after(status: TrainingRunStatus, trouble: Diagnosis) -> TrainingRunStatus:
    """Count an attempt that has ended: another one follows. Counts a pod once."""
    before = status.attempt
    if before is not None and before.pod == trouble.pod:
        return status
    attempt = Attempt(
        number=(before.number if before else 1) + 1,
        reason=trouble.reason,
        message=trouble.message[:MAX_MESSAGE],
        pod=trouble.pod,
    )
    return status.model_copy(update={"attempt": attempt})


def while_it_runs(status: TrainingRunStatus, trouble: Diagnosis | None) -> TrainingRunStatus:
    """Count the attempt that a running Job has behind it, if its pod ended with what may pass."""
    if trouble is None or not trouble.final or trouble.exit_code in FINAL_EXIT_CODES:
        return status
    return after(status, trouble)


def at_the_end(status: TrainingRunStatus, trouble: Diagnosis) -> TrainingRunStatus:
    """Take back an attempt that was counted in advance: the Job has given up instead."""
    attempt = status.attempt
    if attempt is None or attempt.pod != trouble.pod:
        return status
    one_less = attempt.model_copy(update={"number": attempt.number - 1})
    return status.model_copy(update={"attempt": one_less if one_less.number > 1 else None})


def told(status: TrainingRunStatus) -> str:
    """Say which attempt it is, where it is not the first."""
    attempt = status.attempt
    return f"attempt {attempt.number}, after {attempt.reason}" if attempt else ""
