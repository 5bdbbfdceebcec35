"""Whether an object may have what it asks for: pure, from rules, object and manifest to words.

Every sentence names the field, what it asks for, and the rule that does not allow it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.kube.drift import quantity
from tidemill.policy import amounts, asked
from tidemill.policy.document import Rules, matches

MAX_TOLD = 3
MAX_PATTERNS = 5
MAX_SHOWN = 40
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """An object of ours, and the Job or Deployment that would be made for it."""

    live: Body
    child: Body

    @property
    def spec(self) -> Body:
        """Give what the user wrote."""
        spec: Body = self.live.get("spec") or {}
        return spec

    @property
    def pod(self) -> Body:
        """Give the pod's spec."""
        pod: Body = self.child["spec"]["template"]["spec"]
        return pod

    @property
    def pods(self) -> int:
        """Say how many pods work at the same time."""
        spec = self.child["spec"]
        return int(spec.get("parallelism", spec.get("replicas", 1)))


def judge(rules: Rules, subject: Subject) -> list[str]:
    """Say what the rules do not allow; nothing, where all is allowed."""
    parts: tuple[Callable[[Rules, Subject], Iterator[str]], ...] = (
        _labels,
        _images,
        _estimators,
        _deadlines,
        _resources,
    )
    return [sentence for part in parts for sentence in part(rules, subject)]


def told(sentences: list[str]) -> str:
    """Put the first of them into one message."""
    more = len(sentences) - MAX_TOLD
    return "; ".join(sentences[:MAX_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _labels(rules: Rules, subject: Subject) -> Iterator[str]:
    having = subject.live["metadata"].get("labels") or {}
    for name, pattern in sorted((rules.labels or {}).items()):
        wanted = f"{name}={pattern}"
        if name not in having:
            yield f"metadata.labels: labels requires {wanted}, and there is no {name}"
        elif not matches(pattern, having[name]):
            yield f"metadata.labels.{name}: {having[name]!r}, and labels requires {wanted}"


def _images(rules: Rules, subject: Subject) -> Iterator[str]:
    if rules.images is None:
        return
    for one in asked.images(subject.spec):
        name = asked.full_name(one.value)
        if not any(matches(pattern, name) for pattern in rules.images):
            yield f"{one.field}: {name} is none of images ({_some(rules.images)})"


def _estimators(rules: Rules, subject: Subject) -> Iterator[str]:
    if rules.estimators is None:
        return
    for one in asked.estimators(subject.spec):
        if not any(matches(pattern, one.value) for pattern in rules.estimators):
            yield f"{one.field}: {one.value} is none of estimators ({_some(rules.estimators)})"


def _deadlines(rules: Rules, subject: Subject) -> Iterator[str]:
    if rules.max_deadline is None:
        return
    most = parse_duration(rules.max_deadline)
    for one in asked.deadlines(subject.spec):
        try:
            long = parse_duration(one.value) > most
        except (ValueError, OverflowError):
            shown = repr(one.value[:MAX_SHOWN])
            yield f"{one.field}: {shown} is no duration that maxDeadline can judge"
            continue
        if long:
            yield f"{one.field}: {one.value} is more than maxDeadline ({rules.max_deadline})"


def _resources(rules: Rules, subject: Subject) -> Iterator[str]:
    most = rules.max_resources
    if most is None:
        return
    containers = amounts.of_containers(subject.pod)
    for one in containers:
        place = f"container {one.name}"
        yield from _over(place, one.uses, "maxResources.container", most.container)
    pod = amounts.of_pod(containers)
    yield from _over("its pod", pod, "maxResources.pod", most.pod)
    whole = amounts.of_all(pod, subject.pods)
    yield from _over(f"its {subject.pods} pod(s)", whole, "maxResources.total", most.total)


def _over(
    place: str, uses: amounts.Amount, rule: str, most: Mapping[str, str] | None
) -> Iterator[str]:
    for name, text in sorted((most or {}).items()):
        having = uses.get(name, Decimal(0))
        if having == amounts.UNBOUNDED:
            yield f"{place} has no limit of {name}, and {rule} allows {text}: set one"
        elif having > (quantity(text) or Decimal(0)):
            yield f"{place} may use {_written(having)} of {name}, and {rule} allows {text}"


def _written(amount: Decimal) -> str:
    """Write a quantity as people do, where it comes out even."""
    for suffix, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if amount >= size and amount % size == 0:
            return f"{int(amount / size)}{suffix}"
    return f"{amount.normalize():f}"


def _some(patterns: list[str]) -> str:
    more = ", …" if len(patterns) > MAX_PATTERNS else ""
    return ", ".join(patterns[:MAX_PATTERNS]) + more if patterns else "which lists nothing"
