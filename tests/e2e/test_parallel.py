"""A delivery that several pods read: the version is that of one pod."""

from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World

from tidemill.store import layout


def test_three_pods_make_the_version_of_one(world: World, raw: RawStore) -> None:
    prefix = f"{world.namespace}/"
    for number in range(6):
        raw.put(f"{prefix}{number}.csv", rows(50 + number, shift=number / 2))
    world.apply("Dataset", "one", specs.dataset(prefix))
    world.apply("Dataset", "three", {**specs.dataset(prefix), "parallelism": 3})
    bodies = [world.wait_ready("Dataset", name) for name in ("one", "three")]
    one, three = (body["status"] for body in bodies)
    for fact in ("version", "rows", "bytes", "objects", "columns"):
        assert three[fact] == one[fact], fact
    profiles = [raw.get(status["profile"], bucket=BUCKET) for status in (one, three)]
    assert profiles[0] == profiles[1]
    runs = layout.run_prefix(world.namespace, bodies[1]["metadata"]["uid"])
    left = raw.keys(runs, bucket=BUCKET)
    assert any(key.endswith("/result.json") for key in left)
    assert not any("/parts/" in key for key in left)

    raw.put(f"{prefix}4.csv", "a,b,label\n1,2\n")
    tells = (f"{prefix}4.csv", "row 2")
    assert_refused(world, "Dataset", "three", "RaggedRows", tells)
