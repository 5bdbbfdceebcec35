"""A delivery that several pods read, each by itself or over Dask: the version is that of one."""

from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World

from tidemill.store import layout

SHARED: dict[str, dict[str, Any]] = {
    "each by itself": {"parallelism": 3},
    "over Dask": {"distributed": {"engine": "Dask", "workers": 3}},
}
CHECKS = [{"name": "once", "unique": {"columns": ["a"], "exact": True}, "severity": "Warn"}]


@pytest.mark.parametrize("shared", SHARED.values(), ids=SHARED)
def test_three_pods_make_the_version_of_one(
    world: World, raw: RawStore, shared: dict[str, Any]
) -> None:
    prefix = f"{world.namespace}/"
    for number in range(6):
        raw.put(f"{prefix}{number}.csv", rows(50 + number, shift=number / 2))
    asked = {**specs.dataset(prefix), "checks": CHECKS}
    world.apply("Dataset", "one", asked)
    world.apply("Dataset", "three", {**asked, **shared})
    bodies = [world.wait_ready("Dataset", name) for name in ("one", "three")]
    one, three = (body["status"] for body in bodies)
    for fact in ("version", "rows", "bytes", "objects", "columns", "checks"):
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
