"""What is decided about a ModelDeployment: one case per state of the world."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE
from tests.unit.deployment.scene import digest, package

from tidemill.api.v1alpha1.conditions import Verdict, progressing, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.deployment.decide import (
    COMING_UP_CHECK,
    SETTLE_SECONDS,
    STALLED_CHECK,
    Plan,
    decide,
)
from tidemill.deployment.observed import DeploymentView, Observed, Target

HOST = f"m.{NAMESPACE}.svc"
ADDRESS = f"http://{HOST}"
NOTHING = ModelDeploymentStatus.model_validate({})


def spec(replicas: int = 2, **changes: Any) -> ModelDeploymentSpec:
    return ModelDeploymentSpec.model_validate(
        {"model": package("b"), "replicas": replicas, **changes}
    )


def target(letter: str) -> Target:
    return Target(**package(letter))


def version(letter: str, ready: int = 2, replicas: int = 2, **fields: Any) -> DeploymentView:
    """Give a Deployment of a version; its revision is its letter."""
    known = {"available": ready >= replicas, "target": target(letter)}
    return DeploymentView(
        f"m-{letter}", f"u-{letter}", letter, replicas=replicas, ready=ready, **{**known, **fields}
    )


def decided(
    *found: DeploymentView,
    selected: str | None = None,
    want: Target | Verdict | None = None,
    trouble: Diagnosis | None = None,
    **changes: Any,
) -> Plan:
    wanted = want or target("b")
    revision = None if isinstance(wanted, Verdict) else "b"
    observed = Observed(wanted, found, selected, trouble)
    return decide(spec(**changes), NOTHING, observed, revision, HOST)


def letters(plan: Plan) -> dict[str, Any]:
    """Give what is to be done, by the letters of the versions."""
    return {
        "serve": plan.serve.version[0] if plan.serve else None,
        "select": plan.select,
        "keep": plan.keep.revision if plan.keep else None,
        "delete": "".join(d.revision for d in plan.delete),
    }


def acts(
    serve: str | None = None, select: str | None = None, keep: str | None = None, delete: str = ""
) -> dict[str, Any]:
    return {"serve": serve, "select": select, "keep": keep, "delete": delete}


COMES: dict[str, tuple[Plan, dict[str, Any], str, str]] = {
    "from nothing": (decided(), acts("b", "b"), "False", "it starts"),
    "its first pods": (
        decided(version("b", 0), selected="b"),
        acts("b", "b"),
        "False",
        "0 of 2 pod(s) answer",
    ),
    "beside the one that serves": (
        decided(version("a"), version("b", 1), selected="a"),
        acts("b", "a", "a"),
        "True",
        "1 of 2 pod(s) answer; version aaaaaaaaaaaa keeps serving",
    ),
    "a third one": (
        decided(version("a"), version("c", 0), version("b", 0), selected="a"),
        acts("b", "a", "a", "c"),
        "True",
        "keeps serving",
    ),
    "after one that never came up": (
        decided(version("a", 0), version("b", 0), selected="a"),
        acts("b", "a", "a"),
        "False",
        "0 of 2",
    ),
    "the address removed": (
        decided(version("a"), version("b", 0)),
        acts("b", "a", "a"),
        "True",
        "keeps serving",
    ),
    "the address turned away": (
        decided(version("a"), version("b", 0), selected="x"),
        acts("b", "a", "a"),
        "True",
        "keeps serving",
    ),
    "the one that served removed": (
        decided(version("b", 0), selected="a"),
        acts("b", "b"),
        "False",
        "0 of 2",
    ),
    "itself removed": (decided(selected="b"), acts("b", "b"), "False", "it starts"),
    "more pods": (
        decided(version("b"), selected="b", replicas=3),
        acts("b", "b"),
        "True",
        "2 of 2",
    ),
    "more pods during a rollout": (
        decided(version("a"), version("b", 0), selected="a", replicas=3),
        acts("b", "a", "a"),
        "True",
        "keeps serving",
    ),
    "a pod lost": (decided(version("b", 1), selected="b"), acts("b", "b"), "True", "1 of 2"),
    "edited by hand": (
        decided(version("b", available=False), selected="b"),
        acts("b", "b"),
        "True",
        "2 of 2",
    ),
}


@pytest.mark.parametrize("case", COMES)
def test_a_version_comes_up(case: str) -> None:
    plan, expected, summary, tells = COMES[case]
    assert letters(plan) == expected
    assert plan.verdict.summary == summary
    assert plan.verdict.reason is Reason.ROLLING_OUT
    assert plan.verdict.reconciling
    assert tells in plan.verdict.message
    assert plan.requeue_after == COMING_UP_CHECK
    assert plan.status.url == ADDRESS


TAKES_OVER: dict[str, tuple[Plan, dict[str, Any], str]] = {
    "answers": (
        decided(version("a"), version("b"), selected="a"),
        acts("b", "b"),
        "2/2",
    ),
    "answers, the one before is broken": (
        decided(version("a", 0), version("b"), selected="a"),
        acts("b", "b"),
        "2/2",
    ),
    "no pods wanted": (
        decided(version("a"), version("b", 0, 0), selected="a", replicas=0),
        acts("b", "b"),
        "0/0",
    ),
}


@pytest.mark.parametrize("case", TAKES_OVER)
def test_a_version_takes_over_before_anything_goes(case: str) -> None:
    plan, expected, replicas = TAKES_OVER[case]
    assert letters(plan) == expected
    assert (plan.verdict.summary, plan.verdict.reason) == ("True", Reason.ROLLING_OUT)
    assert plan.requeue_after == SETTLE_SECONDS
    assert plan.status.replicas == replicas
    assert plan.status.stable is not None
    assert plan.status.stable.digest == digest("b")


RESTS: dict[str, tuple[Plan, str]] = {
    "alone": (decided(version("b"), selected="b"), ""),
    "the one before goes": (decided(version("a"), version("b"), selected="b"), "a"),
    "back to it while another came up": (
        decided(version("b"), version("c", 0), selected="b"),
        "c",
    ),
    "more pods than wanted still end": (decided(version("b", 5), selected="b"), ""),
    "no pods": (decided(version("b", 0, 0), selected="b", replicas=0), ""),
}


@pytest.mark.parametrize("case", RESTS)
def test_a_version_serves(case: str) -> None:
    plan, gone = RESTS[case]
    assert letters(plan) == acts("b", "b", delete=gone)
    assert (plan.verdict.summary, plan.verdict.reason) == ("True", Reason.READY)
    assert not plan.verdict.reconciling
    assert plan.requeue_after is None
    assert plan.status.next is None


WAITS = progressing(Reason.WAITING_FOR_RUN, "no run")
FAILED = stalled(Reason.RUN_FAILED, "the run failed")


@pytest.mark.parametrize("verdict", [WAITS, FAILED], ids=["waits", "failed"])
@pytest.mark.parametrize(
    ("found", "selected", "keep", "url", "tells"),
    [
        ((), None, None, None, ""),
        ((version("a"),), "a", "a", ADDRESS, "; version aaaaaaaaaaaa keeps serving"),
        ((version("a", 0),), "a", "a", ADDRESS, ""),
        ((version("a"), version("c", 0)), "a", "a", ADDRESS, "; version aaaaaaaaaaaa keeps"),
        ((version("a"),), None, "a", None, "; version aaaaaaaaaaaa keeps serving"),
    ],
    ids=["nothing", "serves", "served", "was rolling", "the address removed"],
)
def test_without_a_target_what_serves_goes_on(
    verdict: Verdict,
    found: tuple[DeploymentView, ...],
    selected: str | None,
    keep: str | None,
    url: str | None,
    tells: str,
) -> None:
    plan = decided(*found, selected=selected, want=verdict)
    assert letters(plan) == acts(select=keep, keep=keep)
    assert plan.verdict.reason is verdict.reason
    assert plan.verdict.stalled is verdict.stalled
    assert plan.verdict.message.startswith(verdict.message + tells)
    assert plan.status.url == url
    assert plan.requeue_after is None  # the run's events wake it


def test_suspended_it_changes_nothing_and_keeps_what_serves() -> None:
    plan = decided(version("a"), version("b"), selected="a", suspend=True)
    assert letters(plan) == acts(keep="a")
    assert (plan.verdict.summary, plan.verdict.reason) == ("Unknown", Reason.SUSPENDED)
    assert plan.status.stable is not None
    assert decided(suspend=True).status.stable is None


def diagnosed(reason: Reason, *, final: bool = False) -> Diagnosis:
    return Diagnosis(reason, "what is wrong", "p", final=final)


@pytest.mark.parametrize(
    ("trouble", "reason", "acting"),
    [
        (diagnosed(Reason.CONTAINER_FAILED, final=True), Reason.CRASH_LOOPING, True),
        (diagnosed(Reason.OOM_KILLED, final=True), Reason.OOM_KILLED, True),
        (diagnosed(Reason.DIGEST_MISMATCH, final=True), Reason.DIGEST_MISMATCH, True),
        (diagnosed(Reason.PICKLE_REFUSED, final=True), Reason.PICKLE_REFUSED, True),
        (diagnosed(Reason.IMAGE_PULL_FAILED), Reason.IMAGE_PULL_FAILED, True),
        (diagnosed(Reason.UNSCHEDULABLE), Reason.UNSCHEDULABLE, True),
        (diagnosed(Reason.POD_NOT_CREATED), Reason.POD_NOT_CREATED, True),
        (diagnosed(Reason.STORE_UNAVAILABLE, final=True), Reason.STORE_UNAVAILABLE, False),
        (diagnosed(Reason.EVICTED, final=True), Reason.EVICTED, False),
        (diagnosed(Reason.NODE_LOST, final=True), Reason.NODE_LOST, False),
    ],
    ids=lambda value: value.reason.value if isinstance(value, Diagnosis) else "",
)
@pytest.mark.parametrize("serving", [True, False], ids=["beside one that serves", "alone"])
def test_a_version_that_does_not_come_up(
    trouble: Diagnosis, reason: Reason, acting: bool, serving: bool
) -> None:
    found = (version("a"), version("b", 0)) if serving else (version("b", 0),)
    plan = decided(*found, selected="a" if serving else "b", trouble=trouble)
    assert (plan.verdict.reason, plan.verdict.stalled) == (reason, acting)
    assert plan.verdict.reconciling is not acting
    assert plan.verdict.message.startswith("version bbbbbbbbbbbb: what is wrong")
    assert ("keeps serving" in plan.verdict.message) is serving
    assert plan.requeue_after == (STALLED_CHECK if acting else COMING_UP_CHECK)
    if not acting:
        assert plan.verdict.summary == ("True" if serving else "False")
    assert letters(plan) == (acts("b", "a", "a") if serving else acts("b", "b"))


def test_the_status_shows_both_versions() -> None:
    plan = decided(version("a"), version("b", 1), selected="a")
    assert plan.status.stable is not None
    assert plan.status.next is not None
    assert (plan.status.stable.version, plan.status.next.version) == ("a" * 12, "b" * 12)
    assert (plan.status.next.ready, plan.status.next.replicas) == (1, 2)
    assert plan.status.next.uri == package("b")["uri"]
    assert plan.status.replicas == "2/2"


@pytest.mark.parametrize("text", ["", "latest", "sha256:" + "g" * 64])
def test_a_version_edited_by_hand_is_not_told(text: str) -> None:
    edited = version("a", target=Target("", text))
    plan = decided(edited, version("b", 0), selected="a")
    assert plan.status.stable is None
    assert ModelDeploymentStatus.model_validate(plan.status.to_dict()) == plan.status


def test_no_target_at_all_is_the_specs_fault() -> None:
    observed = Observed(target("b"), (version("a"),), "a")
    plan = decide(spec(), NOTHING, observed, None, HOST)
    assert (plan.verdict.reason, plan.verdict.stalled) == (Reason.SPEC_INVALID, True)


def test_deciding_twice_is_deciding_once() -> None:
    found = Observed(target("b"), (version("a"), version("b", 1)), "a")
    first = decide(spec(), NOTHING, found, "b", HOST)
    assert decide(spec(), first.status, found, "b", HOST) == first
