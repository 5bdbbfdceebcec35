"""How each model of a list stands, from what is wanted and what the pods say. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tidemill.api.v1alpha1.conditions import Verdict, progressing, ready, stalled
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.served_models import ModelState
from tidemill.deployment.said import LOADING, READY, Answer, Said, way_out
from tidemill.deployment.shelf import Entry, Shelf
from tidemill.deployment.target import Target

MAX_MESSAGE = 1024
MAX_NAMED = 3
# What may be over by itself: the server tries again. Keys that it cannot read are made anew.
_PASSING = {Reason.STORE_UNAVAILABLE, Reason.SECRET_INVALID}
# What is told first where nothing needs anybody; a run that is waited for may take its time.
_ORDER = (*_PASSING, Reason.MODELS_LOADING, Reason.WAITING_FOR_RUN)


@dataclass(frozen=True, slots=True)
class Standing:
    """One model; `trouble` is why it does not answer as it should."""

    state: ModelState
    trouble: Verdict | None = None
    of_pods: bool = True  # it is theirs to say; else it is known before any pod has it
    answering: bool = False  # some version of it, in some pod
    everywhere: bool = False  # likewise, in every pod
    silence: bool = False  # the trouble is no more than that pods tell nothing


def standings(shelf: Shelf, answers: Sequence[Answer], pods: int) -> tuple[Standing, ...]:
    """Say how the models stand; `pods` is how many are wanted."""
    following = {one.pod for one in answers if one.listed == shelf.digest}
    return tuple(
        _standing(f"spec.models[{place}]", entry, answers, following, pods)
        for place, entry in enumerate(shelf.entries)
    )


def behind(shelf: Shelf, answers: Sequence[Answer]) -> int:
    """Count the pods that tell, and follow another list than this one."""
    return sum(one.fault is None and one.listed != shelf.digest for one in answers)


def as_told(shelf: Shelf) -> Shelf:
    """Give the list as the pods have it: what is wanted is what they are told."""
    return Shelf(tuple(replace(one, wanted=one.package or one.wanted) for one in shelf.entries))


def count(stands: Sequence[Standing]) -> str:
    """Count those that answer as they should, of all."""
    return f"{sum(one.trouble is None for one in stands)}/{len(stands)}"


def whole(stands: Sequence[Standing], pods: int, late: int = 0) -> Verdict:
    """Say of all of them what one condition says; `late` pods follow another list.

    While each still answers, by the package before, the summary stays True: so it does while
    another version of one model comes up.
    """
    troubled = [(one, one.trouble) for one in stands if one.trouble is not None]
    if not troubled and late:
        message = (
            f"{len(stands)} model(s) answer; {late} pod(s) do not follow the list as it is now"
        )
        return progressing(Reason.MODELS_LOADING, message, summary="True")
    if not troubled:
        return ready(f"{len(stands)} model(s) answer in {pods} pod(s)")
    acting = [(one, trouble) for one, trouble in troubled if trouble.stalled]
    told = acting or sorted(troubled, key=lambda pair: _rank(pair[1].reason))
    answering, left = len(stands) - len(troubled), len(stands) - len(told)
    message = together([one for one, _ in told]) + _others(left, answering)
    if acting:
        return stalled(told[0][1].reason, message)
    answer = all(one.everywhere for one, _ in troubled)
    return progressing(told[0][1].reason, message, summary="True" if answer else "Unknown")


def together(told: Sequence[Standing]) -> str:
    """Name the first of several models, each with what is the matter."""
    named = "; ".join(f"model {one.state.name}: {one.state.message}" for one in told[:MAX_NAMED])
    more = len(told) - MAX_NAMED
    return named + (f"; and {more} more" if more > 0 else "")


def _standing(
    field: str, entry: Entry, answers: Sequence[Answer], following: Collection[str], pods: int
) -> Standing:
    found = {one.pod: one.models.get(entry.name) for one in answers}
    digests = [said.digest if said else "" for said in found.values()]
    package, asked = entry.package, len(found)
    having = digests.count(package.digest) if package else 0
    stand = Standing(
        _state(entry, f"{having}/{asked}", None),
        of_pods=isinstance(entry.wanted, Target),
        answering=any(digests),
        everywhere=asked > 0 and all(digests),
    )
    if isinstance(entry.wanted, Verdict):
        trouble = _beside(entry.wanted, package.digest if package and having else "")
        return _troubled(stand, entry, trouble)
    wanted = entry.wanted.digest
    # Who follows another list has not tried what this one says.
    refused = _refused(field, wanted, [found[pod] for pod in found if pod in following])
    if refused is not None:
        return _troubled(stand, entry, refused)
    silent = {one.pod: one.fault for one in answers if one.fault}
    late = [pod for pod, said in found.items() if not _as_wanted(said, wanted)]
    if late or (pods and not found):
        trouble = _loading(asked - len(late), asked, sorted(silent.values()), pods)
        silence = bool(silent) and all(pod in silent for pod in late)
        return replace(_troubled(stand, entry, trouble), silence=silence)
    return stand


def _troubled(stand: Standing, entry: Entry, trouble: Verdict) -> Standing:
    return replace(stand, state=_state(entry, stand.state.ready, trouble), trouble=trouble)


def _as_wanted(said: Said | None, wanted: str) -> bool:
    return said is not None and said == Said(wanted, wanted, READY, said.message)


def _refused(field: str, wanted: str, found: Sequence[Said | None]) -> Verdict | None:
    """Find a pod that has tried the package wanted, and what it says."""
    for said in found:
        if said is None or said.wanted != wanted or said.reason in (READY, LOADING):
            continue
        reason = Reason.named(said.reason) or Reason.MODEL_UNLOADABLE
        message = said.message or reason.meaning.rstrip(".")
        if reason in _PASSING:
            verdict = progressing(reason, message)
        else:
            verdict = stalled(reason, message + way_out(reason, field))
        return _beside(verdict, said.digest if said.digest != wanted else "")
    return None


def _loading(having: int, asked: int, faults: Sequence[str], pods: int) -> Verdict:
    """Say how far it is; of pods that say nothing no name, which would be another each time."""
    message = f"{having} of {asked} pod(s) have it"
    if not asked:
        message = f"no pod of {pods} can be asked yet"
    elif faults:
        message += f"; {len(faults)} pod(s) tell nothing: {faults[0]}"
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
