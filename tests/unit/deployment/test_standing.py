"""How the models of a list stand: one case per thing that pods and entries can say."""

from dataclasses import replace

import pytest
from tests.unit.deployment.scene import digest, package

from tidemill.api.v1alpha1.conditions import Verdict, progressing, stalled
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.deployment.said import Answer, Said
from tidemill.deployment.shelf import Entry, Shelf
from tidemill.deployment.standing import Standing, behind, count, standings, whole
from tidemill.deployment.target import Target

WANTED = Target(**package("b"))
GOOD = Said(digest("b"), digest("b"), "Ready")
OLD = Said(digest("a"), digest("a"), "Ready")  # has not heard of it yet
ON_ITS_WAY = Said(digest("b"), digest("a"), "Loading")
REFUSED = Said(digest("b"), digest("a"), "DigestMismatch", "not these bytes")
UNSIGNED = Said(digest("b"), "", "SignatureInvalid", "nobody signed it")
AWAY = Said(digest("b"), "", "StoreUnavailable", "no answer")
WAITS = progressing(Reason.WAITING_FOR_RUN, "no run")
FAILED = stalled(Reason.RUN_FAILED, "the run failed")
FIELD = "spec.models[0]"
MEND = f": mend the package, or name another in {FIELD}"
SIGN = f": name a package signed by a key of {FIELD}.verification, or believe the one that did"


def stood(*said: Said | None, wanted: Target | Verdict = WANTED, pods: int = 2) -> Standing:
    """Have one model of which pods say this; None: the pod says nothing of it."""
    before = None if isinstance(wanted, Target) else Target(**package("a"))
    shelf = Shelf((Entry("m", wanted, before),))
    answers = [
        Answer(f"p{number}", {} if one is None else {"m": one}, listed=shelf.digest)
        for number, one in enumerate(said)
    ]
    [found] = standings(shelf, answers, pods)
    return found


# What the pods say; then the count, the reason, and what the message has.
STANDS: dict[str, tuple[Standing, str, str, str | None]] = {
    "in all": (stood(GOOD, GOOD), "2/2", "Ready", None),
    "in all but one": (stood(GOOD, OLD), "1/2", "Loading", "1 of 2 pod(s) have it"),
    "not heard of": (stood(OLD, None), "0/2", "Loading", "0 of 2 pod(s) have it"),
    "on its way": (stood(ON_ITS_WAY, GOOD), "1/2", "Loading", "1 of 2 pod(s) have it"),
    "loaded anew": (
        stood(replace(GOOD, reason="Loading"), GOOD),
        *("2/2", "Loading", "1 of 2 pod(s) have it"),
    ),
    "ready with another": (
        stood(replace(GOOD, digest=digest("a"))),
        *("0/1", "Loading", "0 of 1 pod(s) have it"),
    ),
    "refused": (
        stood(GOOD, REFUSED),
        "1/2",
        "DigestMismatch",
        f"not these bytes{MEND}; version aaaaaaaaaaaa keeps answering",
    ),
    "what was wanted before was refused": (
        stood(replace(REFUSED, wanted=digest("c"))),
        *("0/1", "Loading", "0 of 1 pod(s) have it"),
    ),
    "it was there, and is refused with other keys": (
        stood(replace(REFUSED, digest=digest("b"), reason="SignatureInvalid")),
        "1/1",
        "SignatureInvalid",
        f"not these bytes{SIGN}",
    ),
    "not signed": (
        stood(UNSIGNED),
        "0/1",
        "SignatureInvalid",
        f"nobody signed it{SIGN}",
    ),
    "refused without a word": (
        stood(replace(UNSIGNED, reason="MissingFile", message="")),
        "0/1",
        "MissingFile",
        f"The package lacks a file that its manifest names{MEND}",
    ),
    "refused by the store": (
        stood(replace(AWAY, reason="AccessDenied")),
        *("0/1", "AccessDenied", "no answer"),
    ),
    "the store is away": (stood(AWAY), "0/1", "StoreUnavailable", "no answer"),
    "its keys are written just now": (
        stood(replace(AWAY, reason="SecretInvalid", message="trying again")),
        *("0/1", "SecretInvalid", "trying again"),
    ),
    "no pod yet": (stood(), "0/0", "Loading", "no pod of 2 can be asked yet"),
    "no pod wanted": (stood(pods=0), "0/0", "Ready", None),
    "no run yet": (
        stood(OLD, wanted=WAITS),
        *("1/1", "WaitingForRun", "no run; version aaaaaaaaaaaa keeps answering"),
    ),
    "no run yet, and nothing before": (
        stood(None, wanted=WAITS),
        *("0/1", "WaitingForRun", "no run"),
    ),
    "a failed run": (
        stood(OLD, OLD, wanted=FAILED),
        *("2/2", "RunFailed", "the run failed; version aaaaaaaaaaaa keeps answering"),
    ),
}


@pytest.mark.parametrize("case", STANDS)
def test_a_model(case: str) -> None:
    stand, ready, reason, message = STANDS[case]
    assert (stand.state.ready, stand.state.reason, stand.state.message) == (ready, reason, message)
    assert (stand.trouble is None) is (reason == "Ready")


SHELF = Shelf((Entry("m", WANTED),))
TELLS = Answer("p0", {"m": GOOD}, listed=SHELF.digest)
SILENT = Answer("p1", fault="it is no JSON")


def test_that_pods_do_not_tell_is_told_alike_whichever_they_are() -> None:
    [stand] = standings(SHELF, (TELLS, SILENT), 2)
    assert stand.state.message == "1 of 2 pod(s) have it; 1 pod(s) tell nothing: it is no JSON"
    assert (stand.state.ready, stand.state.reason) == ("1/2", "Loading")
    assert (stand.silence, stand.everywhere) == (True, False)
    other = (replace(SILENT, pod="p0"), replace(TELLS, pod="p1"))
    assert standings(SHELF, other, 2) == (stand,)


@pytest.mark.parametrize(
    ("answers", "silence"),
    [
        ((SILENT,), True),
        ((SILENT, replace(TELLS, models={"m": OLD})), False),
        ((), False),
    ],
    ids=["all silent", "another loads", "nobody"],
)
def test_what_is_no_more_than_silence(answers: tuple[Answer, ...], silence: bool) -> None:
    [stand] = standings(SHELF, answers, 2)
    assert stand.trouble is not None
    assert stand.silence is silence


def test_what_is_refused_by_another_list_is_not_refused_by_this_one() -> None:
    """So it is with other keys, or limits, for the same package."""
    before = replace(TELLS, models={"m": replace(UNSIGNED)}, listed=digest("f"))
    [stand] = standings(SHELF, (before,), 1)
    assert (stand.state.reason, stand.state.message) == ("Loading", "0 of 1 pod(s) have it")
    [stand] = standings(SHELF, (replace(before, listed=SHELF.digest),), 1)
    assert stand.state.reason == "SignatureInvalid"


def test_pods_that_follow_another_list_are_counted() -> None:
    other = replace(TELLS, listed=digest("f"))
    assert behind(SHELF, (TELLS, SILENT, other, replace(TELLS, listed=""))) == 2
    stands = standings(SHELF, (other, TELLS), 2)
    verdict = whole(stands, 2, 1)
    assert (verdict.summary, verdict.reconciling) == ("True", True)
    assert verdict.reason is Reason.MODELS_LOADING
    assert verdict.message == "1 model(s) answer; 1 pod(s) do not follow the list as it is now"


@pytest.mark.parametrize("reason", ["StoreUnavailable", "SecretInvalid"])
def test_what_a_server_tries_again_needs_nobody(reason: str) -> None:
    trouble = stood(replace(AWAY, reason=reason)).trouble
    assert trouble is not None
    assert (trouble.stalled, trouble.reconciling) == (False, True)


def test_the_state_has_the_package_wanted() -> None:
    state = stood(GOOD).state
    assert (state.version, state.uri, state.digest) == ("b" * 12, WANTED.uri, WANTED.digest)
    kept = stood(OLD, wanted=FAILED).state
    assert (kept.version, kept.uri, kept.digest) == ("a" * 12, *package("a").values())
    [unknown] = standings(Shelf((Entry("m", FAILED),)), (), 2)
    state = unknown.state
    assert (state.version, state.uri, state.digest, state.ready) == (None, None, None, "0/0")


def test_a_long_message_is_cut() -> None:
    stand = stood(wanted=stalled(Reason.RUN_FAILED, "x" * 9000))
    assert len(stand.state.message or "") == 1024


def named(name: str, stand: Standing) -> Standing:
    return replace(stand, state=stand.state.model_copy(update={"name": name}))


def several(**stands: Standing) -> tuple[Standing, ...]:
    return tuple(named(name, stand) for name, stand in stands.items())


FINE, LOADS = stood(GOOD), stood(OLD)
BAD, LACKS, FAILS, LOST = stood(REFUSED), stood(wanted=WAITS), stood(wanted=FAILED), stood(AWAY)

# The models; then their count, how the condition is, its reason, and where its message ends.
WHOLE: dict[str, tuple[tuple[Standing, ...], str, str, Reason, str]] = {
    "all": (several(a=FINE, b=FINE), "2/2", "ready", Reason.READY, "2 model(s) answer in 2 pod(s)"),
    "one loads": (
        several(a=LOADS, b=FINE, c=FINE),
        *("2/3", "going on", Reason.MODELS_LOADING),
        "model a: 0 of 1 pod(s) have it; the others answer",
    ),
    "all load": (
        several(a=LOADS, b=LOADS),
        *("0/2", "going on", Reason.MODELS_LOADING),
        "model a: 0 of 1 pod(s) have it; model b: 0 of 1 pod(s) have it",
    ),
    "one loads of which not every pod has some version": (
        several(a=stood(OLD, None), b=FINE),
        *("1/2", "progressing", Reason.MODELS_LOADING),
        "model a: 0 of 2 pod(s) have it; the others answer",
    ),
    "one waits for a run, and keeps its package": (
        several(a=FINE, b=stood(OLD, wanted=WAITS)),
        *("1/2", "going on", Reason.WAITING_FOR_RUN),
        "model b: no run; version aaaaaaaaaaaa keeps answering; the others answer",
    ),
    "one waits for a run": (
        several(a=FINE, b=LACKS),
        *("1/2", "progressing", Reason.WAITING_FOR_RUN, "model b: no run; the others answer"),
    ),
    "one waits and one loads": (
        several(a=LACKS, b=LOADS),
        *("0/2", "progressing", Reason.MODELS_LOADING),
        "model b: 0 of 1 pod(s) have it; model a: no run",
    ),
    "the store is away for one and another loads": (
        several(a=LOADS, b=LOST),
        *("0/2", "progressing", Reason.STORE_UNAVAILABLE),
        "model b: no answer; model a: 0 of 1 pod(s) have it",
    ),
    "one is refused": (
        several(a=BAD, b=FINE),
        *("1/2", "stalled", Reason.DIGEST_MISMATCH),
        "version aaaaaaaaaaaa keeps answering; the others answer",
    ),
    "a run failed while others are on their way": (
        several(a=LOADS, b=FAILS, c=FINE),
        *("1/3", "stalled", Reason.RUN_FAILED),
        "model b: the run failed; of 2 others 1 answer",
    ),
    "many are wrong": (
        several(a=FAILS, b=FAILS, c=FAILS, d=FAILS, e=FAILS, f=FINE),
        *("1/6", "stalled", Reason.RUN_FAILED),
        "model c: the run failed; and 2 more; the others answer",
    ),
    "the only one": (
        several(a=FAILS),
        *("0/1", "stalled", Reason.RUN_FAILED, "model a: the run failed"),
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_all_of_them(case: str) -> None:
    stands, ready, how, reason, ends = WHOLE[case]
    verdict = whole(stands, 2)
    assert count(stands) == ready
    flags = {
        "ready": ("True", False, False),
        "going on": ("True", True, False),
        "progressing": ("Unknown", True, False),
        "stalled": ("False", False, True),
    }
    assert (verdict.summary, verdict.reconciling, verdict.stalled) == flags[how]
    assert verdict.reason is reason
    assert verdict.message.endswith(ends)
