"""A Dataset that leaves its data where they are: read from there, and found out when others."""

from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, settled

from tidemill.store import layout, manifest


def test_a_version_that_was_not_copied_is_read_where_it_is(world: World, raw: RawStore) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    world.apply("Dataset", "left", {**specs.dataset(prefix), "pin": "None"})
    first = world.wait_ready("Dataset", "left")["status"]
    found = manifest.parse(raw.get(first["manifest"], bucket=BUCKET), first["version"])
    content = layout.cas_key(layout.cas_prefix(world.namespace), found.entries[0].digest)
    assert raw.keys(content, bucket=BUCKET) == []
    world.apply("TrainingRun", "run", specs.training_run("left"))
    world.apply("Dataset", "kept", {"source": {"dataset": {"name": "left"}}})
    world.wait_ready("TrainingRun", "run")
    assert world.wait_ready("Dataset", "kept")["status"]["version"] == first["version"]

    raw.put(f"{prefix}one.csv", rows(50))
    world.wait(
        "Dataset", "left", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )
    old = {"dataset": {"name": "left", "version": first["version"]}}
    world.apply("TrainingRun", "late", {**specs.training_run("left"), **old})
    tells = (f"{prefix}one.csv", "Dataset left", "spec.pin: Copy")
    assert_refused(world, "TrainingRun", "late", "SourceMutated", tells)
    kept = {"dataset": {"name": "kept", "version": first["version"]}}
    world.apply("TrainingRun", "of-the-copy", {**specs.training_run("kept"), **kept})
    world.wait_ready("TrainingRun", "of-the-copy")
