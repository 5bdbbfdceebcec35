"""What is decided about several models, where the pods' word counts."""

from dataclasses import replace

import pytest
from tests.unit.children.world import NAMESPACE
from tests.unit.deployment.scene import digest, package

from tidemill.api.v1alpha1.conditions import progressing, stalled
from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.deployment.decide import COMING_UP_CHECK, SETTLE_SECONDS, STALLED_CHECK, Plan, decide
from tidemill.deployment.observed import DeploymentView, Observed
from tidemill.deployment.said import Answer, Said
from tidemill.deployment.shelf import Entry, Shelf
from tidemill.deployment.target import SEVERAL, Target

HOST = f"m.{NAMESPACE}.svc"
SERVER = "the server of several models"
UNLOADABLE = "it does not load: mend the package, or name another in spec.models"  # and which
NOTHING = ModelDeploymentStatus.model_validate({})
SHELF = Shelf(
    tuple(
        Entry(name, Target(**package(letter)), listed={"name": name, **package(letter)})
        for name, letter in (("a", "a"), ("b", "b"))
    )
)


def view(revision: str, ready: int = 1, target: Target = SEVERAL) -> DeploymentView:
    return DeploymentView(f"m-{revision}", "u", revision, target, 1, ready, ready == 1)


def fine(letter: str) -> Said:
    return Said(digest(letter), digest(letter), "Ready")


def bad(letter: str, now: str = "") -> Said:
    return Said(digest(letter), digest(now) if now else "", "ModelUnloadable", "it does not load")


def loads(letter: str) -> Said:
    return Said(digest(letter), "", "Loading")


def tells(**models: Said) -> tuple[Answer, ...]:
    return (Answer("p", models, listed=SHELF.digest),)


def decided(
    *found: DeploymentView,
    selected: str | None = None,
    trouble: Diagnosis | None = None,
    replicas: int = 1,
    **answers: tuple[Answer, ...],
) -> Plan:
    models = [{"name": one.name, "run": one.name} for one in SHELF.entries]
    spec = ModelDeploymentSpec.model_validate({"models": models, "replicas": replicas})
    observed = Observed(SEVERAL, found, selected, trouble, SHELF, answers)
    return decide(spec, NOTHING, observed, "new", HOST)


BOTH = tells(a=fine("a"), b=fine("b"))
SILENT = (Answer("s", fault="no answer"),)
HALF_A_WORD = "1 of 2 pod(s) have it; 1 pod(s) tell nothing: no answer"
NO_WORD = "0 of 1 pod(s) have it; 1 pod(s) tell nothing: no answer"
# What is; then what is selected and deleted, the reason, stalled or not, the time, and the words.
CASES: dict[str, tuple[Plan, str, str, Reason, bool, float | None, str]] = {
    "from nothing": (
        decided(),
        *("new", "", Reason.ROLLING_OUT, False, COMING_UP_CHECK),
        f"{SERVER} comes up: it starts",
    ),
    "first pods load": (
        decided(view("new", 0), selected="new", new=tells(a=loads("a"), b=bad("b"))),
        *("new", "", Reason.ROLLING_OUT, False, COMING_UP_CHECK),
        f"{SERVER} comes up: 0 of 1 pod(s) answer",
    ),
    "first pods load none": (
        decided(view("new", 0), selected="new", new=tells(a=bad("a"), b=bad("b"))),
        *("new", "", Reason.MODEL_UNLOADABLE, True, STALLED_CHECK),
        f"{SERVER}: model a: {UNLOADABLE}[0]; model b: {UNLOADABLE}[1]",
    ),
    "pods that are killed": (
        decided(
            view("new", 0),
            selected="new",
            trouble=Diagnosis(Reason.OOM_KILLED, "too little", "p", final=True),
            new=tells(a=bad("a"), b=bad("b")),
        ),
        *("new", "", Reason.OOM_KILLED, True, STALLED_CHECK),
        f"{SERVER}: too little",
    ),
    "all answer": (
        decided(view("new"), selected="new", new=BOTH),
        *("new", "", Reason.READY, False, None, "2 model(s) answer in 1 pod(s)"),
    ),
    "one loads": (
        decided(view("new"), selected="new", new=tells(a=fine("a"), b=loads("b"))),
        *("new", "", Reason.MODELS_LOADING, False, COMING_UP_CHECK),
        "model b: 0 of 1 pod(s) have it; the others answer",
    ),
    "one is refused": (
        decided(view("new"), selected="new", new=tells(a=fine("a"), b=bad("b", "c"))),
        *("new", "", Reason.MODEL_UNLOADABLE, True, STALLED_CHECK),
        f"model b: {UNLOADABLE}[1]; version cccccccccccc keeps answering; the others answer",
    ),
    "no pod wanted": (
        decided(
            DeploymentView("m-new", "u", "new", SEVERAL, 0, 0, True), selected="new", replicas=0
        ),
        *("new", "", Reason.READY, False, None, "2 model(s) answer in 0 pod(s)"),
    ),
    "other pods come up": (
        decided(view("old"), view("new", 0), selected="old", old=BOTH),
        *("old", "", Reason.ROLLING_OUT, False, COMING_UP_CHECK),
        f"{SERVER} comes up: 0 of 1 pod(s) answer; the pods before keep serving",
    ),
    "other pods answer": (
        decided(view("old"), view("new"), selected="old", old=BOTH, new=BOTH),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "other pods have not all that answers": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=BOTH,
            new=tells(a=fine("a"), b=loads("b")),
        ),
        *("old", "", Reason.MODELS_LOADING, False, COMING_UP_CHECK),
        f"{SERVER}: model b does not answer in its pods yet; the pods before keep serving",
    ),
    "other pods refuse what answers": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=tells(a=bad("a", "c"), b=fine("b")),
            new=tells(a=bad("a"), b=fine("b")),
        ),
        *("old", "", Reason.MODEL_UNLOADABLE, True, STALLED_CHECK),
        f"{SERVER}: model a: {UNLOADABLE}[0]; the pods before keep serving",
    ),
    "other pods refuse what may answer where a pod is silent": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=SILENT,
            new=tells(a=fine("a"), b=bad("b")),
        ),
        *("old", "", Reason.MODEL_UNLOADABLE, True, STALLED_CHECK),
        f"{SERVER}: model b: {UNLOADABLE}[1]; the pods before keep serving",
    ),
    "other pods load what may answer where a pod is silent": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=SILENT,
            new=tells(a=fine("a"), b=loads("b")),
        ),
        *("old", "", Reason.MODELS_LOADING, False, STALLED_CHECK),
        f"{SERVER}: model b does not answer in its pods yet; the pods before keep serving",
    ),
    "one of the pods before is silent": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=(*tells(a=fine("a")), *SILENT),
            new=tells(a=fine("a"), b=loads("b")),
        ),
        *("old", "", Reason.MODELS_LOADING, False, COMING_UP_CHECK),
        f"{SERVER}: model b does not answer in its pods yet; the pods before keep serving",
    ),
    "all are silent": (
        decided(view("old"), view("new"), selected="old", old=SILENT, new=SILENT),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "the other pods are silent": (
        decided(view("old"), view("new"), selected="old", old=BOTH, new=SILENT),
        *("old", "", Reason.MODELS_LOADING, False, STALLED_CHECK),
        f"{SERVER}: model a, b does not answer in its pods yet; the pods before keep serving",
    ),
    "the pods before are silent and the others have all": (
        decided(view("old"), view("new"), selected="old", old=SILENT, new=BOTH),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "one of the other pods refuses what answers": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=BOTH * 2,
            new=(*BOTH, replace(tells(a=fine("a"), b=bad("b"))[0], pod="q")),
        ),
        *("old", "", Reason.MODEL_UNLOADABLE, True, STALLED_CHECK),
        f"{SERVER}: model b: {UNLOADABLE}[1]; the pods before keep serving",
    ),
    "one of the other pods is silent": (
        decided(view("old"), view("new"), selected="old", old=BOTH, new=(*BOTH, *SILENT)),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "a silent pod": (
        decided(view("new"), selected="new", new=SILENT),
        *("new", "", Reason.MODELS_LOADING, False, STALLED_CHECK),
        f"model a: {NO_WORD}; model b: {NO_WORD}",
    ),
    "a silent pod beside one that loads": (
        decided(view("new"), selected="new", new=(*tells(a=fine("a"), b=loads("b")), *SILENT)),
        *("new", "", Reason.MODELS_LOADING, False, COMING_UP_CHECK),
        f"model a: {HALF_A_WORD}; model b: {NO_WORD.replace('of 1', 'of 2')}",
    ),
    "a pod that follows another list": (
        decided(view("new"), selected="new", new=(replace(BOTH[0], listed=digest("f")),)),
        *("new", "", Reason.MODELS_LOADING, False, COMING_UP_CHECK),
        "2 model(s) answer; 1 pod(s) do not follow the list as it is now",
    ),
    "other pods refuse what never answered": (
        decided(
            view("old"),
            view("new"),
            selected="old",
            old=tells(a=bad("a"), b=fine("b")),
            new=tells(a=bad("a"), b=fine("b")),
        ),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "none are wanted any more": (
        decided(
            view("old"),
            DeploymentView("m-new", "u", "new", SEVERAL, 0, 0, True),
            selected="old",
            replicas=0,
            old=BOTH,
        ),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
    "the pods before go": (
        decided(view("old"), view("new"), selected="new", old=BOTH, new=BOTH),
        *("new", "old", Reason.READY, False, None, "2 model(s) answer in 1 pod(s)"),
    ),
    "in place of one model": (
        decided(view("old", 1, Target(**package("c"))), view("new"), selected="old", new=BOTH),
        *("new", "", Reason.ROLLING_OUT, False, SETTLE_SECONDS),
        f"{SERVER} answers and takes over",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_done_and_told(case: str) -> None:
    plan, select, delete, reason, is_stalled, after, message = CASES[case]
    assert plan.select == select
    assert [one.revision for one in plan.delete] == ([delete] if delete else [])
    assert (plan.verdict.reason, plan.verdict.stalled) == (reason, is_stalled)
    assert (plan.requeue_after, plan.verdict.message) == (after, message)
    assert plan.serve == SEVERAL


def test_the_status_tells_of_the_pods_that_have_the_traffic() -> None:
    plan = decided(view("old"), view("new", 0), selected="old", old=BOTH, new=tells(a=loads("a")))
    assert [one.ready for one in plan.status.models or ()] == ["1/1", "1/1"]
    assert plan.status.models_ready == "2/2"
    assert plan.status.stable is not None
    assert plan.status.next is not None
    assert (plan.status.stable.deployment, plan.status.stable.version) == ("m-old", None)
    assert plan.status.next.deployment == "m-new"
    assert ModelDeploymentStatus.model_validate(plan.status.to_dict()) == plan.status


def test_pods_that_refuse_what_is_kept_for_a_model_are_told_of() -> None:
    """It waits for its run meanwhile; with another template the package before is loaded anew."""
    kept = SHELF.entries[1]
    waits = progressing(Reason.WAITING_FOR_RUN, "the run has not ended")
    former = Target(**package("b"))
    shelf = Shelf((SHELF.entries[0], replace(kept, wanted=waits, former=former)))
    answers = {"old": BOTH, "new": tells(a=fine("a"), b=bad("b"))}
    spec = ModelDeploymentSpec.model_validate({"models": [{"name": "a", "run": "a"}]})
    observed = Observed(SEVERAL, (view("old"), view("new")), "old", None, shelf, answers)
    plan = decide(spec, NOTHING, observed, "new", HOST)
    assert (plan.select, plan.verdict.reason, plan.verdict.stalled) == (
        *("old", Reason.MODEL_UNLOADABLE),
        True,
    )
    assert plan.verdict.message.startswith(f"{SERVER}: model b: {UNLOADABLE}[1]")


def test_a_model_that_has_no_package_yet_holds_no_pods_back() -> None:
    """Also while the pods before are silent: it cannot answer in them."""
    waits = progressing(Reason.WAITING_FOR_RUN, "the run has not ended")
    shelf = Shelf((SHELF.entries[0], Entry("b", waits)))
    answers = {"old": SILENT, "new": tells(a=fine("a"))}
    spec = ModelDeploymentSpec.model_validate({"models": [{"name": "a", "run": "a"}]})
    observed = Observed(SEVERAL, (view("old"), view("new")), "old", None, shelf, answers)
    assert decide(spec, NOTHING, observed, "new", HOST).select == "new"


def test_deciding_twice_is_deciding_once() -> None:
    observed = Observed(SEVERAL, (view("new"),), "new", None, SHELF, {"new": BOTH})
    spec = ModelDeploymentSpec.model_validate({"models": [{"name": "a", "run": "a"}]})
    first = decide(spec, NOTHING, observed, "new", HOST)
    assert decide(spec, first.status, observed, "new", HOST) == first


def test_what_holds_the_pods_is_told_before_what_holds_a_model() -> None:
    spec = ModelDeploymentSpec.model_validate({"models": [{"name": "a", "run": "a"}]})
    held = stalled(Reason.POLICY_VIOLATED, "too large")
    observed = Observed(held, (view("old"),), "old", None, SHELF, {"old": tells(a=bad("a"))})
    plan = decide(spec, NOTHING, observed, None, HOST)
    assert plan.verdict.message == "too large; the pods before keep serving"
    assert plan.keep == view("old")
    assert [one.reason for one in plan.status.models or ()] == ["ModelUnloadable", "Loading"]
