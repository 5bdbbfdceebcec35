"""Datasets beside the source: which versions are read, when it is done again, no circles."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary
from tests.unit.dataset.scene import SPEC, VERSION
from tests.unit.dataset.test_sources import given
from tests.unit.dataset.test_upstream import (
    ABOVE,
    KIND,
    NAME,
    NEWER,
    Operator,
    deliver,
    derived,
    job_of,
    put_above,
    succeed,
)

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.dataset import references
from tidemill.dataset.references import PINS_ANNOTATION
from tidemill.store import layout

INLINE: dict[str, Any] = {"source": {"inline": {"format": "CSV", "data": "a\n1\n"}}}
OTHER = "other"


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


def joins(name: str = ABOVE, **more: Any) -> dict[str, Any]:
    inputs = [{"name": "sites", "dataset": {"name": name, **more}}]
    return {**INLINE, "prepare": {"sql": "SELECT * FROM source", "inputs": inputs}}


def looks_into(name: str = ABOVE, **more: Any) -> dict[str, Any]:
    asked = {"columns": ["a"], "dataset": {"name": name, **more}}
    return {**INLINE, "checks": [{"name": "known", "referential": asked}]}


KINDS = [pytest.param(joins, id="input"), pytest.param(looks_into, id="check")]


def told(document: dict[str, Any]) -> dict[str, Any]:
    """Give the one reference in an input document."""
    place = document.get("prepare", {}).get("inputs") or [
        c["referential"] for c in document["checks"]
    ]
    found: dict[str, Any] = place[0]["dataset"]
    return found


@pytest.mark.parametrize("spec", KINDS)
async def test_the_runner_is_told_which_version(
    world: World, operator: Operator, spec: Any
) -> None:
    put_above(world)
    world.put(KIND, NAME, spec())
    await operator.run()
    assert told(given(world)) == {
        "name": ABOVE,
        "version": VERSION,
        "manifest": layout.manifest_key(NAMESPACE, ABOVE, VERSION),
    }


@pytest.mark.parametrize("spec", KINDS)
async def test_a_new_version_of_it_is_a_reason_to_ingest(
    world: World, operator: Operator, spec: Any
) -> None:
    above = put_above(world)
    body = world.put(KIND, NAME, spec())
    await operator.run()
    await succeed(operator, body)
    before = len(world.api.writes)
    await operator.run()
    assert len(world.api.writes) == before  # at rest
    assert operator.woken_by(ABOVE) == {NAME}
    deliver(world, above, NEWER)
    await operator.run()
    document = given(world)
    assert (told(document)["version"], document["why"]) == (NEWER, "SourceChanged")


async def test_a_version_named_stays(world: World, operator: Operator) -> None:
    above = put_above(world)
    body = world.put(KIND, NAME, joins(version=VERSION))
    await operator.run()
    await succeed(operator, body)
    deliver(world, above, NEWER)
    before = len(world.api.writes)
    await operator.run()
    assert len(world.api.writes) == before


async def test_a_job_is_told_again_what_it_was_told_first(world: World, operator: Operator) -> None:
    above = put_above(world)
    body = world.put(KIND, NAME, joins(version=VERSION))
    await operator.run()
    note = job_of(world, body)["metadata"]["annotations"][PINS_ANNOTATION]
    spec = DatasetSpec.model_validate(body["spec"])
    [pin] = references.restored(spec, note)
    assert (pin.name, pin.version) == (ABOVE, VERSION)
    deliver(world, above, NEWER)
    await operator.run()
    assert told(given(world))["version"] == VERSION


@pytest.mark.parametrize("spec", KINDS)
@pytest.mark.parametrize("there", [False, True], ids=["no Dataset", "no version"])
async def test_it_waits_for_it(world: World, operator: Operator, spec: Any, there: bool) -> None:
    above = put_above(world, None) if there else None
    body = world.put(KIND, NAME, spec())
    await operator.run()
    assert summary(body)["reason"] == "WaitingForDataset"
    assert f"Dataset {ABOVE}" in summary(body)["message"]
    assert operator.woken_by(ABOVE) == {NAME}
    deliver(world, above or put_above(world, None), VERSION)
    await operator.run()
    assert summary(body)["reason"] == "Ingesting"


async def test_all_are_subscribed_to_whatever_is_wrong_with_the_first(
    world: World, operator: Operator
) -> None:
    both = {**joins(), "checks": looks_into(OTHER)["checks"]}
    world.put(KIND, NAME, both)
    await operator.run()
    assert operator.woken_by(ABOVE) == operator.woken_by(OTHER) == {NAME}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (joins, "spec.prepare.inputs[0].dataset"),
        (looks_into, "spec.checks[0].referential.dataset"),
    ],
    ids=["input", "check"],
)
@pytest.mark.parametrize("back", [derived, joins, looks_into])
async def test_a_circle_is_refused_by_the_field_that_begins_it(
    world: World, operator: Operator, spec: Any, field: str, back: Any
) -> None:
    body = world.put(KIND, NAME, spec())
    world.put(KIND, ABOVE, back(NAME))
    await operator.run()
    assert summary(body)["reason"] == "SpecInvalid"
    assert (
        f"{field}.name leads in a circle: down → up → down: name another Dataset"
        in (summary(body)["message"])
    )


async def test_a_version_that_is_not_there_is_told_by_its_field(
    world: World, operator: Operator
) -> None:
    put_above(world)
    body = world.put(KIND, NAME, looks_into(version=NEWER))
    await operator.run()
    assert summary(body)["reason"] == "VersionNotFound"
    assert (
        "spec.checks[0].referential.dataset.version: Dataset up has no version"
        in (summary(body)["message"])
    )


async def test_the_job_may_read_those_manifests_and_no_others(
    world: World, operator: Operator, granted: list[Any]
) -> None:
    put_above(world)
    put_above(world, NEWER, OTHER)
    world.put(KIND, NAME, {**joins(), "checks": looks_into(OTHER)["checks"]})
    await operator.run()
    [policy] = granted
    assert policy.read_keys == (
        layout.manifest_key(NAMESPACE, ABOVE, VERSION),
        layout.manifest_key(NAMESPACE, OTHER, NEWER),
    )


async def test_more_than_the_keys_can_be_cut_to_is_refused(
    world: World, operator: Operator
) -> None:
    checks = []
    for n in range(64):
        put_above(world, f"sha256:{n:064x}"[:7] + f"{n:02x}" * 32, f"d{n}")
        checks.append({**looks_into(f"d{n}")["checks"][0], "name": f"c{n}"})
    body = world.put(KIND, NAME, {**INLINE, "checks": checks})
    await operator.run()
    assert summary(body)["reason"] == "SpecInvalid"
    assert "64 versions of other Datasets" in summary(body)["message"]


def test_without_references_nothing_is_ingested_again() -> None:
    assert references.beside_source(DatasetSpec.model_validate(SPEC)) == ()
    assert references.mark("f", ()) == "f"
