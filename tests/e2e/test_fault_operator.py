"""The operator dies, doubles, or is away: the world ends up the same, and servers answer on.

The installed operator is held down for the time of this module; the tests run operators of their
own, each for its namespace only.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e import journey, specs
from tests.e2e.local_operator import (
    SHORT_LEASE,
    Installation,
    LocalOperator,
    installation,
    installed_operator_down,
)
from tests.e2e.raw_store import RawStore
from tests.e2e.test_path import rows
from tests.e2e.traffic import steady_requests
from tests.e2e.world import World, eventually, settled

from tidemill.engine.faults import EXIT_CODE

pytestmark = pytest.mark.disruptive
LEASE_SECONDS = 6.0  # as in SHORT_LEASE
WAITS = "waits for the Lease\n"


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> Iterator[Installation]:
    with installation(kubectl) as found, installed_operator_down(kubectl):
        yield found


def travel(world: World, raw: RawStore) -> None:
    """Make the whole journey; from the first answer on, no request may fail."""
    journey.set_out(world, raw)
    with steady_requests(world, "web", "web") as tally:
        journey.go_on(world, raw)
    assert tally.failures == []
    assert len(tally.answers) == 2


def test_killed_after_every_single_write_it_ends_the_same(
    world: World, raw: RawStore, installed: Installation
) -> None:
    flags = ("--identity=one", "--die-at-write=1")
    with installed.operator(world, *flags, restarts=True) as operator:
        travel(world, raw)
        eventually(lambda: operator.is_quiet(journey.OBJECTS), 60)
        journey.assert_arrived(world, raw)
    *killed, last = operator.lives()
    assert set(killed) == {EXIT_CODE}  # one write each
    assert last == 0
    assert len(killed) >= 30


def test_killed_later_in_each_life_it_ends_the_same(
    world: World, raw: RawStore, installed: Installation
) -> None:
    """After 1, 2, 3, ... writes: what a process remembers from its writes before is lost, too."""
    flags = ("--identity=one", "--die-at-write=1")
    with installed.operator(world, *flags, restarts=True, step=1) as operator:
        travel(world, raw)
        journey.assert_arrived(world, raw)
    *killed, last = operator.lives()
    assert set(killed) == {EXIT_CODE}
    assert last == 0
    assert len(killed) >= 6


@pytest.fixture(scope="module")
def doubled(common: World, raw: RawStore, installed: Installation) -> tuple[World, list[int]]:
    """A world in which two operators have worked at once; and how much each has written."""
    with (
        installed.operator(common, "--lease-name=left") as left,
        installed.operator(common, "--lease-name=right") as right,
    ):
        travel(common, raw)
        journey.assert_arrived(common, raw)
        return common, [left.writes(), right.writes()]


def test_two_at_once_under_two_leases_end_the_same(doubled: tuple[World, list[int]]) -> None:
    assert all(doubled[1]), "one of them has done nothing"


def test_a_namespace_goes_with_all_that_is_in_it_while_no_operator_runs(
    doubled: tuple[World, list[int]], kubectl: Kubectl
) -> None:
    world, _ = doubled
    assert all(world.list(kind) for kind in (*journey.KINDS, "jobs", "deployments", "secrets"))
    kubectl("delete", "namespace", world.namespace, "--wait=false")

    def gone() -> bool:
        return not kubectl("get", "namespace", world.namespace, "--ignore-not-found")

    eventually(gone, 90)


def test_two_at_once_under_one_lease_one_works_and_the_other_takes_over(
    world: World, raw: RawStore, installed: Installation
) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(40))
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(installed.operator(world, *SHORT_LEASE)) for _ in range(2)
        )
        leader, follower = in_order(first, second)
        world.apply("Dataset", "before", specs.dataset(f"{world.namespace}/"))
        world.wait_ready("Dataset", "before")
        assert follower.get("/readyz") == (503, WAITS)
        assert follower.writes() == 0
        leader.kill()
        world.apply("Dataset", "after", specs.dataset(f"{world.namespace}/"))
        eventually(follower.ready, 2 * LEASE_SECONDS)
        world.wait_ready("Dataset", "after")
        assert len(world.list("jobs")) == 2
        rob(world)
        assert follower.process.wait(30) == 1
        assert "Lost the Lease" in follower.log.read_text()


def in_order(first: LocalOperator, second: LocalOperator) -> tuple[LocalOperator, LocalOperator]:
    """Wait until one leads and the other waits; gives them in that order."""

    def found() -> bool:
        answers = [operator.get("/readyz") for operator in (first, second)]
        return sorted(status for status, _ in answers) == [200, 503] and any(
            WAITS in text for _, text in answers
        )

    eventually(found, 60)
    return (first, second) if first.ready() else (second, first)


def rob(world: World) -> None:
    """Take the Lease from whoever has it."""
    world.patch("lease", "tidemill-operator", {"spec": {"holderIdentity": "somebody else"}})


def test_what_happens_while_it_is_away_is_seen_when_it_is_back(
    world: World, raw: RawStore, installed: Installation
) -> None:
    with installed.operator(world) as before:
        prepare(world, raw)
        assert before.stop() == 0
    record = world.read("TrainingRun", "one")["status"]
    with steady_requests(world, "web", "web") as tally:
        removed = meanwhile(world, raw)
        with installed.operator(world):
            look_around(world)
            asked = sum(tally.answers.values())
            eventually(lambda: sum(tally.answers.values()) > asked + 50, 30)
    assert tally.failures == []
    assert world.read("TrainingRun", "one")["status"] == record
    assert not job_names(world) & removed


def prepare(world: World, raw: RawStore) -> None:
    """Have some of everything."""
    for name in ("data", "gone", "twin", "late"):
        raw.put(f"{world.namespace}/{name}/one.csv", rows(100))
    for name in ("data", "gone", "twin"):
        world.apply("Dataset", name, specs.dataset(f"{world.namespace}/{name}/"))
    nowhere = {"nodeSelector": {"tidemill.dev/e2e": world.namespace}}
    world.apply("TrainingRun", "one", specs.training_run("data"))
    world.apply("TrainingRun", "running", specs.training_run("data", template=nowhere))
    world.apply("ModelDeployment", "web", specs.model_deployment("one"))
    world.apply("ModelDeployment", "idle", specs.model_deployment("one", replicas=0))
    for name in ("web", "idle"):
        world.wait_ready("ModelDeployment", name)
    for name in ("gone", "twin"):
        world.wait_ready("Dataset", name)
    world.wait_reason("TrainingRun", "running", "Unschedulable")


def meanwhile(world: World, raw: RawStore) -> set[str]:
    """Create, change and delete; gives the Jobs that have gone, for good."""
    before = job_names(world)
    world.apply("Dataset", "late", specs.dataset(f"{world.namespace}/late/"))
    world.apply("TrainingRun", "late", specs.training_run("late"))
    raw.put(f"{world.namespace}/data/two.csv", rows(50))
    world.apply("ModelDeployment", "web", specs.model_deployment("one", replicas=2))
    for kind, name in (("Dataset", "gone"), ("Dataset", "twin"), ("TrainingRun", "running")):
        world.delete(kind, name)
    world.delete("ModelDeployment", "idle")
    world.apply("Dataset", "twin", specs.dataset(f"{world.namespace}/late/"))
    world.apply("ModelDeployment", "idle", specs.model_deployment("one", replicas=0))
    world.delete("job", world.read("TrainingRun", "one")["status"]["job"])
    eventually(lambda: len(job_names(world)) == 1, 60)
    return before - job_names(world)


def look_around(world: World) -> None:
    """Find everything as it is wanted now."""
    data = world.wait("Dataset", "data", lambda b: settled(b) and b["status"]["rows"] == 150)
    assert len(data["status"]["versions"]) == 2
    for kind, name in (
        *(("Dataset", name) for name in ("late", "twin")),
        ("TrainingRun", "late"),
        ("ModelDeployment", "idle"),
    ):
        world.wait_ready(kind, name)
    world.wait(
        "ModelDeployment", "web", lambda b: settled(b) and b["status"].get("replicas") == "2/2"
    )
    for kind, name in (("Dataset", "gone"), ("TrainingRun", "running")):
        assert world.get(kind, name) is None


def job_names(world: World) -> set[str]:
    return {job["metadata"]["name"] for job in world.list("jobs")}
