"""The first pod of a joint fit: it prepares, calls the others together, and takes the model.

Who is lost takes the try with it, since sums of all cannot do without the sums of one. The Job
brings another pod with the same number and so the same rows, and the fit begins anew. A model that
is there is kept in the run's folder: a first pod that is lost later has a successor, but no others
beside it any more. Its key names what it was grown from: a run that was suspended and is resumed
with another version or image does not find it.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from distributed import Client, Future
from sklearn.pipeline import Pipeline

from tidemill.store import digests, errors
from tidemill_runner import fit
from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Notice, own_address
from tidemill_runner.failures import Failure
from tidemill_runner.joint import growing, pod, recipe, steps, verdict
from tidemill_runner.joint.growing import Answer, Meeting, Recipe
from tidemill_runner.joint.pod import Hands
from tidemill_runner.joint.share import Share
from tidemill_runner.joint.verdict import Complaint, Lost
from tidemill_runner.material import Material
from tidemill_runner.search.pods import Team

log = logging.getLogger(__name__)
MODEL = "model-"
MAX_BYTES = 1 << 32
LOOK_SECONDS = 0.5
TRIES = 6
# How long the others may take to answer when one has answered that it failed.
GRACE_LOOKS = 20
Told = Callable[[str], None]
T = TypeVar("T")


def lead(pipeline: Pipeline, material: Material, team: Team, told: Told) -> None:
    """Fit in place, with the rows of all pods; raises Failure."""
    data, train, roles = material.data, material.parts.train, material.roles
    features, target = data.features[train], data.target[train]
    share = Share.of(pipeline, material, 0, team.workers)
    with fit.guarded(pipeline, features, target, roles):
        before = steps.before(pipeline)
        if before is not None:
            told("fitting the steps before the last one")
            before.fit(features, target)
        estimator, asked = recipe.begun(pipeline, features, target)
    del features
    call = _Call(before, asked, team, told)
    model = _kept(call)
    try:
        if model is None:
            model = _together(call, share)
        else:
            team.board.put(Notice())
    except Complaint as complaint:
        with fit.explained(pipeline, roles):
            raise complaint.of_library() from None
    recipe.finished(estimator, model)
    pipeline.steps[-1] = (pipeline.steps[-1][0], estimator)


@dataclass(frozen=True)
class _Call:
    """What all pods are asked for."""

    preparation: Pipeline | None
    recipe: Recipe
    team: Team
    told: Told

    @property
    def key(self) -> str:
        """Where the model is kept: named by data, image and recipe, which all pods share.

        Not by the rows as the steps before give them: the last bits of these may differ on a node
        of another kind, and a successor that took the model for another's would wait for nobody.
        """
        known = [self.team.matter, self.team.workers, asdict(self.recipe)]
        digest = digests.sha256_digest(json.dumps(known, sort_keys=True, default=str).encode())
        return f"{self.team.board.prefix}{MODEL}{digests.hex_of(digest)}"


def _together(call: _Call, share: Share, wait: Callable[[float], None] = time.sleep) -> bytes:
    """The model of all pods; raises Failure, or Complaint for what a library says."""
    board, hands = call.team.board, Hands(share, call.team.folder)
    try:
        with settings.applied(), pod.member(hands).leading() as (client, notice):
            board.put(notice)
            model = _tries(call, client, wait)
        board.store.put(call.key, model)
    except BaseException:
        with suppress(errors.StoreError):  # what went wrong is to be told, not this
            board.clear()
        raise
    board.put(Notice())
    return model


def _tries(call: _Call, client: Client, wait: Callable[[float], None]) -> bytes:
    before: list[str] = []
    last, gone = Lost("none was begun"), False
    for number in range(1, TRIES + 1):
        places = _gathered(call, client, wait)
        # Who is at another address is another, or was away.
        gone, before = gone or bool(before and before != places), places
        log.info("try %d in %d pods", number, len(places))
        call.told(f"in {len(places)} pods" + (f", try {number}" if number > 1 else ""))
        try:
            with _meeting(call, client, places, wait) as meetings:
                futures = [
                    client.submit(
                        *(pod.grow, call.preparation, call.recipe, meeting), **_at(address)
                    )
                    for address, meeting in zip(places, meetings, strict=True)
                ]
                return verdict.of(_answers(client, places, futures, wait))
        except Lost as lost:
            log.warning("try %d of %d has failed: %s", number, TRIES, lost)
            last, gone = lost, gone or lost.gone
    raise verdict.in_vain(TRIES, last, gone=gone)


def _gathered(call: _Call, client: Client, wait: Callable[[float], None]) -> list[str]:
    """Where all pods are, by their numbers, once all are there."""
    count, before = call.team.workers, -1
    while len(found := _there(client)) < count:
        if len(found) != before:
            before = len(found)
            call.told(f"{before} of {count} pods are there")
        wait(LOOK_SECONDS)
    return [found[number] for number in range(count)]


@contextmanager
def _meeting(
    call: _Call, client: Client, places: Sequence[str], wait: Callable[[float], None]
) -> Iterator[list[Meeting]]:
    """Where the processes of a try meet, for each pod; a tracker is there as long as the try."""
    count = len(places)
    if call.recipe.library == "lightgbm":
        ports = [client.submit(pod.place, **_at(address)) for address in places]
        while not all(map(_is_done, ports)):
            _check_there(client, places)
            wait(LOOK_SECONDS)
        machines = tuple(_value(port) for port in ports)
        if any(one.startswith("[") for one in machines):
            raise Failure(
                "SpecInvalid",
                "spec.distributed: LightGBM's processes find each other by IPv4 only, and these "
                "pods have none: use XGBoost, or leave distributed out",
            )
        yield [Meeting(number, {}, machines) for number in range(count)]
        return
    process, told = pod.begin(growing.track, own_address().strip("[]"), count)
    try:
        try:
            tracker = told.recv()
        except EOFError:
            raise Lost("the tracker did not start") from None
        yield [Meeting(number, tracker) for number in range(count)]
    finally:
        told.close()
        process.kill()


def _answers(
    client: Client,
    places: Sequence[str],
    futures: Sequence[Future[Answer]],
    wait: Callable[[float], None],
) -> list[Answer]:
    """What all have answered; after a failure, what those have that soon did."""
    looks = 0
    try:
        while looks <= GRACE_LOOKS:
            answers = [_value(one) for one in futures if _is_done(one)]
            if len(answers) == len(futures):
                break
            looks += any(not one.digest for one in answers)
            _check_there(client, places)
            wait(LOOK_SECONDS)
        return answers
    finally:
        client.cancel(list(futures))  # type: ignore[no-untyped-call]


def _is_done(future: Future[Any]) -> bool:
    return bool(future.done())  # type: ignore[no-untyped-call]


def _value(future: Future[T]) -> T:
    """What came of a task; raises Lost where that is nothing, and else what the task did."""
    if future.status == "finished":
        found: T = future.result()
        return found
    error = future.exception() if future.status == "error" else None  # type: ignore[no-untyped-call]
    if error is None or type(error).__module__.partition(".")[0] == "distributed":
        raise Lost(f"a pod's answer: {future.status}", gone=True)
    if isinstance(error, Failure | MemoryError | OSError):
        raise error
    raise Complaint(type(error).__name__, str(error))


def _check_there(client: Client, places: Sequence[str]) -> None:
    if gone := set(places) - set(_there(client).values()):
        raise Lost(f"{len(gone)} of {len(places)} pods are gone", gone=True)


def _there(client: Client) -> dict[int, str]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {int(one["name"]): address for address, one in workers.items()}


def _at(address: str) -> dict[str, Any]:
    return {"workers": [address], "allow_other_workers": False, "retries": 0, "pure": False}


def _kept(call: _Call) -> bytes | None:
    try:
        return call.team.board.store.get(call.key, MAX_BYTES)
    except errors.NotFound:
        return None
