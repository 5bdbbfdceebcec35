"""Which events become which keys."""

from typing import Any

import pytest

from tidemill.engine.key import Key
from tidemill.engine.queue import Queue, Queues
from tidemill.engine.waiters import Waiters
from tidemill.kube import changes
from tidemill.wiring import LISTED_CHILD_SECONDS, Sieve, kopf_settings, owner_of

pytestmark = pytest.mark.looptime

Body = dict[str, Any]
DATASET = Key("Dataset", "default", "d")
RUN = Key("TrainingRun", "default", "r")


class Seen(Queues):
    """Queues that tell what was added."""

    def __init__(self) -> None:
        super().__init__({kind: Queue() for kind in ("Dataset", "TrainingRun")})
        self.added: list[tuple[Key, float]] = []

    def add(self, key: Key, after: float = 0.0) -> None:
        self.added.append((key, after))

    def taken(self) -> list[Key]:
        keys = [key for key, _ in self.added]
        self.added.clear()
        return keys


@pytest.fixture
def queues() -> Seen:
    return Seen()


@pytest.fixture
def waiters() -> Waiters:
    return Waiters()


@pytest.fixture
def sieve(queues: Seen, waiters: Waiters) -> Sieve:
    return Sieve(queues, waiters)


def dataset(generation: int = 1, status: Body | None = None, **metadata: Any) -> Body:
    identity = {"namespace": "default", "name": "d", "uid": "u", "generation": generation}
    return {"metadata": {**identity, **metadata}, "status": status or {}}


def job(status: Body | None = None, **metadata: Any) -> Body:
    owner = {
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": "TrainingRun",
        "name": "r",
        "controller": True,
    }
    identity = {"namespace": "default", "name": "j", "uid": "ju", "ownerReferences": [owner]}
    return {"metadata": {**identity, **metadata}, "status": status or {}}


def event(kind: str | None, body: Body) -> Body:
    return {"type": kind, "object": body}


COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(event("MODIFIED", dataset(status={"version": "1"})), [], id="own status"),
        pytest.param(event("MODIFIED", dataset(generation=2)), [DATASET], id="spec"),
        pytest.param(event("MODIFIED", dataset(deletionTimestamp="now")), [DATASET], id="deleting"),
        pytest.param(
            event("MODIFIED", dataset(annotations={changes.REQUESTED_AT: "now"})),
            [DATASET],
            id="asked for",
        ),
        pytest.param(event("MODIFIED", dataset(annotations={"a": "b"})), [], id="annotation"),
        pytest.param(event("DELETED", dataset()), [DATASET], id="deleted"),
        pytest.param(event(None, dataset()), [DATASET], id="listed again"),
    ],
)
async def test_our_objects(sieve: Sieve, queues: Seen, second: Body, expected: list[Key]) -> None:
    sieve.own("Dataset", event("ADDED", dataset()))
    assert queues.taken() == [DATASET]
    sieve.own("Dataset", second)
    assert queues.taken() == expected


@pytest.mark.parametrize(
    ("second", "woken"),
    [
        pytest.param(event("MODIFIED", dataset(status={"version": "1"})), True, id="status"),
        pytest.param(event("MODIFIED", dataset(status={"progress": 5})), False, id="progress"),
        pytest.param(event("DELETED", dataset()), True, id="deleted"),
        pytest.param(event("MODIFIED", dataset(resourceVersion="9")), False, id="echo"),
    ],
)
async def test_those_who_wait(
    sieve: Sieve, queues: Seen, waiters: Waiters, second: Body, woken: bool
) -> None:
    sieve.own("Dataset", event("ADDED", dataset()))
    waiters.subscribe(DATASET, RUN)
    queues.taken()
    sieve.own("Dataset", second)
    assert (RUN in queues.taken()) is woken


async def test_those_who_wait_for_what_does_not_exist_yet_are_woken(
    sieve: Sieve, queues: Seen, waiters: Waiters
) -> None:
    waiters.subscribe(DATASET, RUN)
    sieve.own("Dataset", event("ADDED", dataset()))
    assert queues.taken() == [DATASET, RUN]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([event("ADDED", job())], 0, id="just made"),
        pytest.param([event("ADDED", job(COMPLETE))], 1, id="seen first when complete"),
        pytest.param(
            [event("ADDED", job()), event("MODIFIED", job({"active": 1}))], 0, id="pod comes up"
        ),
        pytest.param([event("ADDED", job()), event("MODIFIED", job(COMPLETE))], 1, id="complete"),
        pytest.param([event("ADDED", job()), event("MODIFIED", job(generation=2))], 1, id="edited"),
        pytest.param([event("ADDED", job()), event("DELETED", job())], 1, id="deleted"),
        pytest.param([event("DELETED", job())], 1, id="deleted, never seen"),
        pytest.param([event("ADDED", job(ownerReferences=[]))], 0, id="nobody's"),
        pytest.param(
            [event("ADDED", job()), event("MODIFIED", job(ownerReferences=[]))],
            1,
            id="robbed of its owner",
        ),
        pytest.param(
            [
                event("ADDED", job()),
                event("DELETED", job()),
                event("MODIFIED", job(COMPLETE, ownerReferences=[])),
            ],
            1,
            id="gone, and nobody's",
        ),
        pytest.param(
            [event("ADDED", job()), event("DELETED", job()), event("ADDED", job())],
            1,
            id="made anew",
        ),
    ],
)
async def test_children(sieve: Sieve, queues: Seen, events: list[Body], expected: int) -> None:
    for one in events:
        sieve.child(changes.of_job, one)
    assert queues.taken() == [RUN] * expected


async def test_the_owner_of_a_listed_child_comes_a_little_later(sieve: Sieve, queues: Seen) -> None:
    sieve.child(changes.of_job, event(None, job()))
    assert queues.added == [(RUN, LISTED_CHILD_SECONDS)]


async def test_nothing_is_remembered_of_what_is_gone(sieve: Sieve) -> None:
    sieve.own("Dataset", event("ADDED", dataset()))
    sieve.child(changes.of_job, event("ADDED", job()))
    sieve.own("Dataset", event("DELETED", dataset()))
    sieve.child(changes.of_job, event("DELETED", job()))
    assert sieve._seen == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, RUN, id="ours"),
        pytest.param({"controller": False}, None, id="not the controller"),
        pytest.param({"apiVersion": "apps/v1"}, None, id="of another group"),
    ],
)
def test_owner(change: Body, expected: Key | None) -> None:
    body = job()
    body["metadata"]["ownerReferences"][0].update(change)
    assert owner_of(body) == expected


def test_kopf_watches_and_does_nothing_else() -> None:
    settings = kopf_settings()
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert sum(settings.networking.error_backoffs) > 300


def test_kopf_copies_no_body_and_lets_go_of_it_soon() -> None:
    settings = kopf_settings()
    storage = settings.persistence.diffbase_storage
    body = {"metadata": {"labels": {"a": "b"}}, "spec": {"x": 1}}
    assert storage.build(body=body, extra_fields=None) == {}
    assert storage.fetch(body=body) is None
    assert settings.queueing.idle_timeout < 1
