"""How each model of a list stands, from what is wanted and what the pods say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.api.v1alpha1.conditions import Verdict, progressing, ready, stalled
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.served_models import ModelState
from tidemill.deployment.said import LOADING, OF_THE_PACKAGE, READY, Answer, Said
from tidemill.deployment.shelf import Entry, Shelf
from tidemill.deployment.target import Target

MAX_MESSAGE = 1024
MAX_NAMED = 3
WAY_OUT = ": mend the package, or name another in spec.models"
SIGN = ": name a package signed by a key of its verification, or believe the one that did"
# What may be over by itself.
_PASSING = {Reason.STORE_UNAVAILABLE}
# What is told first where nothing needs anybody; a run that is waited for may take its time.
_ORDER = (Reason.STORE_UNAVAILABLE, Reason.MODELS_LOADING, Reason.WAITING_FOR_RUN)


@dataclass(frozen=True, slots=True)
class Standing:
    """One model; `trouble` is why it does not answer as it should."""

    state: ModelState
    trouble: Verdict | None = None
    of_pods: bool = True  # it is theirs to say; else it is known before any pod has it
    answering: bool = False  # some version of it, in some pod


def standings(shelf: Shelf, answers: Sequence[Answer], pods: int) -> tuple[Standing, ...]:
    """Say how the models stand; `pods` is how many are wanted."""
    return tuple(_standing(entry, answers, pods) for entry in shelf.entries)


def count(stands: Sequence[Standing]) -> str:
    """Count those that answer as they should, of all."""
    return f"{sum(one.trouble is None for one in stands)}/{len(stands)}"


def whole(stands: Sequence[Standing], pods: int) -> Verdict:
    """Say of all of them what one condition says."""
    troubled = [(one, one.trouble) for one in stands if one.trouble is not None]
    if not troubled:
        return ready(f"{len(stands)} model(s) answer in {pods} pod(s)")
    acting = [(one, trouble) for one, trouble in troubled if trouble.stalled]
    told = acting or sorted(troubled, key=lambda pair: _rank(pair[1].reason))
    answering, left = len(stands) - len(troubled), len(stands) - len(told)
    message = together([one for one, _ in told]) + _others(left, answering)
    return (stalled if acting else progressing)(told[0][1].reason, message)


def together(told: Sequence[Standing]) -> str:
    """Name the first of several models, each with what is the matter."""
    named = "; ".join(f"model {one.state.name}: {one.state.message}" for one in told[:MAX_NAMED])
    more = len(told) - MAX_NAMED
    return named + (f"; and {more} more" if more > 0 else "")


def _standing(entry: Entry, answers: Sequence[Answer], pods: int) -> Standing:
    found = [one.models.get(entry.name) for one in answers]
    answering = any(said and said.digest for said in found)
    if isinstance(entry.wanted, Verdict):
        former = entry.former.digest if entry.former else ""
        kept = sum(said is not None and said.digest == former for said in found) if former else 0
        trouble = _beside(entry.wanted, former if kept else "")
        return Standing(_state(entry, f"{kept}/{len(found)}", trouble), trouble, False, answering)
    wanted = entry.wanted.digest
    having = sum(said is not None and said.digest == wanted for said in found)
    refused = _refused(wanted, found)
    if refused is not None:
        trouble = refused
    elif all(_as_wanted(said, wanted) for said in found) and (found or not pods):
        return Standing(_state(entry, f"{having}/{len(found)}", None), answering=answering)
    else:
        trouble = _loading(having, answers, pods)
    return Standing(_state(entry, f"{having}/{len(found)}", trouble), trouble, True, answering)


def _as_wanted(said: Said | None, wanted: str) -> bool:
    return said is not None and said == Said(wanted, wanted, READY, said.message)


def _refused(wanted: str, found: Sequence[Said | None]) -> Verdict | None:
    """Find a pod that has tried the package wanted, and what it says."""
    for said in found:
        if said is None or said.wanted != wanted or said.reason in (READY, LOADING):
            continue
        reason = Reason.named(said.reason) or Reason.MODEL_UNLOADABLE
        message = said.message or reason.meaning.rstrip(".")
        if reason in _PASSING:
            verdict = progressing(reason, message)
        else:
            out = WAY_OUT if reason in OF_THE_PACKAGE else ""
            out = SIGN if reason is Reason.SIGNATURE_INVALID else out
            verdict = stalled(reason, message + out)
        return _beside(verdict, said.digest if said.digest != wanted else "")
    return None


def _loading(having: int, answers: Sequence[Answer], pods: int) -> Verdict:
    silent = next((one for one in answers if one.fault), None)
    message = f"{having} of {len(answers)} pod(s) have it"
    if not answers:
        message = f"no pod of {pods} can be asked yet"
    elif silent is not None:
        message += f"; pod {silent.pod} does not tell: {silent.fault}"
    return progressing(Reason.MODELS_LOADING, message)


def _beside(verdict: Verdict, digest: str) -> Verdict:
    """Say that another version of it goes on answering, if one does."""
    if not digest:
        return verdict
    message = f"{verdict.message}; version {Target('', digest).version} keeps answering"
    return Verdict(verdict.summary, verdict.reason, message, verdict.reconciling, verdict.stalled)


def _state(entry: Entry, count: str, trouble: Verdict | None) -> ModelState:
    package = entry.package
    reason: str = READY if trouble is None else trouble.reason
    return ModelState(
        name=entry.name,
        version=package.version if package else None,
        uri=package.uri if package else None,
        digest=package.digest if package else None,
        ready=count,
        reason=LOADING if reason == Reason.MODELS_LOADING else reason,
        message=trouble.message[:MAX_MESSAGE] if trouble else None,
    )


def _rank(reason: Reason) -> int:
    return _ORDER.index(reason) if reason in _ORDER else -1


def _others(left: int, answering: int) -> str:
    if not left:
        return ""
    return "; the others answer" if answering == left else f"; of {left} others {answering} answer"
