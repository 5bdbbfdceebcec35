"""Which files of a bucket are meant and how they are written: from the spec to the runner."""

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.unit.children.world import FakeStore, World, summary, until_quiet
from tests.unit.dataset.scene import process

from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import listing
from tidemill.store.objects import ObjectInfo
from tidemill_runner import document as documents
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.files.dialect import OPEN, Dialect
from tidemill_runner.inputs import IngestInput, S3Source

KIND, NAME = "Dataset", "d"


def spec(**fields: Any) -> dict[str, Any]:
    return {"source": {"s3": {"bucket": "raw", "prefix": "d/", "format": "CSV", **fields}}}


async def settled(world: World) -> None:
    for _ in range(2):
        await until_quiet(world, process(world)(), KIND, NAME)
        world.wait(10)


def taken(world: World, folder: Path) -> IngestInput:
    """Read the input document of the Job as the runner does."""
    path = folder / "input.json"
    path.write_bytes(base64.b64decode(world.api.one(SECRETS)["data"]["input.json"]))
    document = documents.load(path, "ingest")
    assert isinstance(document, IngestInput)
    return document


@pytest.mark.parametrize(
    ("fields", "delivery"),
    [
        pytest.param({}, Delivery("CSV", "d/"), id="nothing said"),
        pytest.param({"csv": {}}, Delivery("CSV", "d/", OPEN), id="nothing said of csv"),
        pytest.param(
            {"csv": {"delimiter": ";", "decimal": ",", "encoding": "Latin-1", "header": False}},
            Delivery("CSV", "d/", Dialect(";", '"', ",", "Latin-1", header=False)),
            id="csv",
        ),
        pytest.param(
            {"csv": {"quote": "None", "comment": "#"}},
            Delivery("CSV", "d/", Dialect(quote=None, comment="#")),
            id="no quotes",
        ),
        pytest.param({"format": "JSONLines"}, Delivery("JSONLines", "d/"), id="JSON lines"),
        pytest.param({"partitions": "Hive"}, Delivery("CSV", "d/", hive=True), id="partitions"),
    ],
)
async def test_the_runner_reads_as_the_spec_says(
    world: World, source: FakeStore, tmp_path: Path, fields: dict[str, Any], delivery: Delivery
) -> None:
    assert source.objects
    world.put(KIND, NAME, spec(**fields))
    await settled(world)
    found = taken(world, tmp_path).source
    assert isinstance(found, S3Source)
    assert found.delivery == delivery


async def test_operator_and_runner_mean_the_same_objects(
    world: World, source: FakeStore, tmp_path: Path
) -> None:
    source.objects |= {"d/x/b.csv": b"a\n2\n", "d/c.txt": b"no data"}
    body = world.put(KIND, NAME, spec(include=["**/*.csv"]))
    await settled(world)
    assert body["status"]["source"]["objects"] == 2
    document = taken(world, tmp_path)
    assert isinstance(document.source, S3Source)
    listed = [ObjectInfo(i.key, i.size, i.etag) for i in await source.list("d/")]
    found = listing.data_objects(listed, "d/", document.source.include)
    assert [info.key for info in found] == ["d/a.csv", "d/x/b.csv"]
    assert listing.fingerprint(found, "d/") == document.fingerprint


async def test_a_change_of_what_is_not_included_starts_nothing(
    world: World, source: FakeStore
) -> None:
    world.put(KIND, NAME, spec(include=["*.csv"]))
    await settled(world)
    (job,) = world.api.all(JOBS)
    source.objects["d/notes.txt"] = b"changed"
    world.wait(120)
    await settled(world)
    assert world.api.all(JOBS) == [job]


async def test_globs_that_match_nothing_are_told(world: World, source: FakeStore) -> None:
    assert source.objects
    body = world.put(KIND, NAME, spec(include=["*.parquet"]))
    await settled(world)
    found = summary(body)
    assert found["reason"] == "PrefixEmpty"
    assert "spec.source.s3.include, the first is a.csv" in found["message"]
