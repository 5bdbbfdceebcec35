"""What to do about a ModelDeployment, given what is true: no I/O, no clock, no chance.

Replace, in an order that never leaves the address without a server that answers: the new version's
Deployment comes up beside the old one; once all its pods answer, the Service selects it; once it
has been selected, the old Deployments go, and their pods finish what they have. A version that does
not come up changes nothing for the one that serves, and goes when another one is wanted instead.
So it is with a server of several models, whichever they are: models come, change and go within it.

Whatever becomes of the target, the version that serves is kept able to: its keys for the store are
renewed, and it has as many pods as the spec says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidemill.api.v1alpha1.conditions import Verdict, progressing, ready, stalled
from tidemill.api.v1alpha1.model_deployment import (
    ModelDeploymentSpec,
    ModelDeploymentStatus,
    ServedVersion,
)
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.deployment.observed import DeploymentView, Observed
from tidemill.deployment.said import way_out
from tidemill.deployment.standing import (
    MAX_NAMED,
    Standing,
    as_told,
    behind,
    count,
    standings,
    together,
    whole,
)
from tidemill.deployment.target import Target
from tidemill.store.digests import is_digest

SETTLE_SECONDS = 3.0
COMING_UP_CHECK = 5.0
STALLED_CHECK = 30.0
_CRASHES = {Reason.CONTAINER_FAILED}
FORBIDDEN_BY_POLICY = frozenset({Reason.POLICY_VIOLATED, Reason.POLICY_INVALID})
# Nothing tells of a Secret that is there at last, or of a store that answers again.
_LOOK_AGAIN = {
    *(Reason.SECRET_MISSING, Reason.SECRET_INVALID),
    *(Reason.STORE_UNAVAILABLE, Reason.ACCESS_DENIED, Reason.BUCKET_MISSING),
    *FORBIDDEN_BY_POLICY,
}
# The pod's successor, or the same pod a little later, may well come up.
_PASSING = {Reason.EVICTED, Reason.NODE_LOST, Reason.STORE_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and what the status says then; fields in the order they are acted on."""

    status: ModelDeploymentStatus
    verdict: Verdict
    serve: Target | None = None
    select: str | None = None
    keep: DeploymentView | None = None
    delete: tuple[DeploymentView, ...] = ()
    requeue_after: float | None = None


def decide(
    spec: ModelDeploymentSpec,
    status: ModelDeploymentStatus,
    observed: Observed,
    revision: str | None,
    address: str,
) -> Plan:
    """Decide; `revision` is that of the target, None where there is no target.

    `address` is the stable one, without its scheme.
    """
    stable = _serving(observed)
    url = _url(address, stable, spec)
    base = status.model_copy(update={"url": url if observed.selected else None})
    stands = _stands(spec, observed, stable, revision)
    if spec.suspend:
        held = Verdict(
            "Unknown", Reason.SUSPENDED, "spec.suspend is true: what runs stays as it is"
        )
        return Plan(_shown(base, stable, None), held, keep=stable)
    base = base.model_copy(update=_told_of(stands))
    if isinstance(observed.target, Verdict) or revision is None:
        verdict = observed.target if isinstance(observed.target, Verdict) else _no_target()
        return Plan(
            _shown(base, stable, None),
            _while_serving(verdict, stable),
            select=stable.revision if stable else None,
            keep=stable,
            requeue_after=STALLED_CHECK if verdict.reason in _LOOK_AGAIN else None,
        )
    base = base.model_copy(update={"url": url})
    target = _find(observed, revision)
    lost = _lost(observed, stable, target) if spec.replicas else frozenset()
    up = target is not None and target.available and target.replicas == spec.replicas
    if target is None or not up or lost:
        seen = _with_models(spec, observed, target, lost)
        return _coming_up(base, seen, stable, target, revision)
    base = base.model_copy(update={"url": _url(address, target, spec)})
    if observed.selected != revision:
        message = f"{target.target} answers and takes over"
        verdict = progressing(Reason.ROLLING_OUT, message, summary="True")
        return Plan(
            _shown(base, target, None),
            verdict,
            serve=observed.target,
            select=revision,
            requeue_after=SETTLE_SECONDS,
        )
    served = ready(f"{target.target} serves with {target.ready} pod(s)")
    late = behind(observed.shelf, observed.answers.get(revision, ())) if observed.shelf else 0
    return Plan(
        _shown(base, target, None),
        whole(stands, target.ready, late) if stands else served,
        serve=observed.target,
        select=revision,
        delete=tuple(d for d in observed.deployments if d.revision != revision),
        requeue_after=_again(stands, late),
    )


def _stands(
    spec: ModelDeploymentSpec,
    observed: Observed,
    stable: DeploymentView | None,
    revision: str | None,
) -> tuple[Standing, ...]:
    """Say how the models of a list stand in the pods that have the traffic, or will have it."""
    if observed.shelf is None:
        return ()
    asked = stable.revision if stable and stable.target.several else revision
    return standings(observed.shelf, observed.answers.get(asked or "", ()), spec.replicas)


def _told_of(stands: Sequence[Standing]) -> dict[str, Any]:
    """Give what the status says of them; nothing where it is one model."""
    if not stands:
        return {"models": None, "models_ready": None}
    return {"models": [one.state for one in stands], "models_ready": count(stands)}


def _again(stands: Sequence[Standing], late: int) -> float | None:
    """When the pods are asked again: nothing else tells what becomes of a model in them.

    Those that say nothing are asked less often: it may stay so, and each costs its time.
    """
    troubles = [(one, one.trouble) for one in stands if one.trouble is not None and one.of_pods]
    if late or any(trouble.reconciling and not one.silence for one, trouble in troubles):
        return COMING_UP_CHECK
    return STALLED_CHECK if troubles else None


def _lost(
    observed: Observed, stable: DeploymentView | None, target: DeploymentView | None
) -> frozenset[str]:
    """Name the models that answer now, and would not in each pod if others took over.

    What pods say nothing of may well answer: while any of those that serve is silent, that is all.
    """
    shelf = observed.shelf
    if shelf is None or stable is None or target is None or stable.revision == target.revision:
        return frozenset()
    before, after = (observed.answers.get(one.revision, ()) for one in (stable, target))
    then = [{*one.answering} for one in after if one.fault is None]
    now: set[str] = {name for one in before for name in one.answering}
    if then and any(one.fault for one in before):
        now |= {one.name for one in shelf.entries if one.package is not None}
    return frozenset(name for name in now if not then or not all(name in has for has in then))


def _with_models(
    spec: ModelDeploymentSpec,
    observed: Observed,
    target: DeploymentView | None,
    lost: frozenset[str],
) -> Observed:
    """Tell as the trouble of pods that come up that models do not come up in them."""
    if observed.trouble or target is None or observed.shelf is None:
        return observed
    answers = observed.answers.get(target.revision, ())
    told = standings(as_told(observed.shelf), answers, spec.replicas)
    stands = [one for one in told if one.of_pods]
    troubles = [(one, one.trouble) for one in stands if one.trouble and one.trouble.stalled]
    needed = [pair for pair in troubles if pair[0].state.name in lost]
    # Without any that answers no pod gets ready.
    none = len(troubles) == len(stands) and not any(one.answering for one in stands)
    if named := needed or (troubles if none else []):
        message = together([one for one, _ in named])
        return replace(observed, trouble=Diagnosis(named[0][1].reason, message, "", final=True))
    if lost and target.available:
        message = f"model {', '.join(sorted(lost)[:MAX_NAMED])} does not answer in its pods yet"
        return replace(observed, trouble=Diagnosis(Reason.MODELS_LOADING, message, ""))
    return observed


def _url(address: str, serving: DeploymentView | None, spec: ModelDeploymentSpec) -> str:
    """Give the address, with the scheme by which what serves is asked."""
    secured = spec.tls is not None if serving is None else serving.has_port("https")
    return f"{'https' if secured else 'http'}://{address}"


def _serving(observed: Observed) -> DeploymentView | None:
    """Find what the Service selects; when it is gone or selects nothing, what could serve."""
    answering = [d for d in observed.deployments if d.ready]
    best = max(answering, key=lambda d: (d.available, d.ready, d.name), default=None)
    return _find(observed, observed.selected) or best


def _find(observed: Observed, revision: str | None) -> DeploymentView | None:
    return next((d for d in observed.deployments if revision and d.revision == revision), None)


def _no_target() -> Verdict:
    return stalled(
        Reason.SPEC_INVALID, "spec.model names no model: set run, uri with digest, or container"
    )


def _coming_up(
    status: ModelDeploymentStatus,
    observed: Observed,
    stable: DeploymentView | None,
    target: DeploymentView | None,
    revision: str,
) -> Plan:
    same = stable is not None and target is not None and stable.revision == target.revision
    shown = _shown(status, stable, None if same else target)
    answer = f"{target.ready} of {target.replicas} pod(s) answer" if target else "it starts"
    wanted = observed.target if isinstance(observed.target, Target) else ""
    several = isinstance(wanted, Target) and wanted.several
    serving = stable is not None and stable.ready > 0
    verdict = progressing(
        Reason.ROLLING_OUT,
        f"{wanted} comes up: {answer}" + _keeps_serving(stable, same),
        summary="True" if serving else "False",
    )
    trouble = observed.trouble
    if trouble is not None:
        # Of several, which one it is is told with what is wrong.
        out = "" if several else way_out(trouble.reason, "spec.model")
        message = f"{wanted}: {trouble.message}{out}" + _keeps_serving(stable, same)
        reason = Reason.CRASH_LOOPING if trouble.reason in _CRASHES else trouble.reason
        acts = (trouble.final or trouble.needs_somebody) and reason not in _PASSING
        verdict = (
            stalled(reason, message)
            if acts
            else progressing(reason, message, summary=verdict.summary)
        )
    # The address is there from the first moment, also while nothing answers behind it.
    selected = stable.revision if stable else revision
    silent = any(one is not None and _silent(observed, one) for one in (stable, target))
    return Plan(
        shown,
        verdict,
        serve=observed.target if isinstance(observed.target, Target) else None,
        select=selected,
        keep=None if same else stable,
        delete=tuple(d for d in observed.deployments if d.revision not in (revision, selected)),
        requeue_after=STALLED_CHECK if verdict.stalled or silent else COMING_UP_CHECK,
    )


def _silent(observed: Observed, one: DeploymentView) -> bool:
    """Tell whether pods that answer requests tell the operator nothing; it may stay so."""
    answers = observed.answers.get(one.revision, ())
    return one.ready > 0 and bool(answers) and all(answer.fault for answer in answers)


def _keeps_serving(stable: DeploymentView | None, same: bool) -> str:
    if stable is None or same or not stable.ready:
        return ""
    if stable.target.several:
        return "; the pods before keep serving"
    return f"; {stable.target} keeps serving"


def _while_serving(verdict: Verdict, stable: DeploymentView | None) -> Verdict:
    message = verdict.message + _keeps_serving(stable, same=False)
    return Verdict(verdict.summary, verdict.reason, message, verdict.reconciling, verdict.stalled)


def _shown(
    status: ModelDeploymentStatus, stable: DeploymentView | None, upcoming: DeploymentView | None
) -> ModelDeploymentStatus:
    shown = stable or upcoming
    return status.model_copy(
        update={
            "stable": _served(stable),
            "next": _served(upcoming),
            "replicas": f"{shown.ready}/{shown.replicas}" if shown else None,
        }
    )


def _served(view: DeploymentView | None) -> ServedVersion | None:
    if view is None or not (view.target.several or is_digest(view.target.digest)):
        return None  # somebody has edited it: it is put back before it is told
    return ServedVersion(
        version=view.target.version or None,
        digest=view.target.digest or None,
        uri=view.target.uri or None,
        deployment=view.name,
        replicas=view.replicas,
        ready=view.ready,
    )
