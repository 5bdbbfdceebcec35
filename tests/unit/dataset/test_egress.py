"""Pods bear the label that lets them outside where they read from outside, and only there."""

from typing import Any

import pytest
from tests.unit.children.world import CONFIG, NAMESPACE, World, until_quiet
from tests.unit.dataset.scene import process

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.children.ownership import OUTSIDE
from tidemill.dataset.origin import Origin
from tidemill.jobs.manifests import RunnerJob, job_manifest

S3 = {"bucket": "raw", "format": "CSV", "credentialsRef": {"name": "s"}}
SQL = {
    "engine": "PostgreSQL",
    "host": "db",
    "database": "d",
    "query": "select 1",
    "credentialsRef": {"name": "s"},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({"inline": {"format": "CSV", "data": "a\n1\n"}}, False, id="inline"),
        pytest.param({"s3": S3}, False, id="a bucket of the store"),
        pytest.param({"s3": {**S3, "endpoint": CONFIG.endpoint}}, False, id="the store by name"),
        pytest.param({"s3": {**S3, "endpoint": "https://s3.example.org"}}, True, id="another"),
        pytest.param({"pvc": {"claimName": "c", "format": "CSV"}}, False, id="a claim"),
        pytest.param({"dataset": {"name": "other"}}, False, id="another Dataset"),
        pytest.param({"http": {"url": "https://e.org/a", "format": "CSV"}}, True, id="a URL"),
        pytest.param({"sql": SQL}, True, id="a database"),
    ],
)
def test_where_a_source_lies(source: dict[str, Any], expected: bool) -> None:
    spec = DatasetSpec.model_validate({"source": source})
    assert Origin(spec, NAMESPACE, CONFIG, ()).outside is expected


async def test_an_ingest_from_within_bears_no_label(world: World) -> None:
    world.put("Dataset", "d", {"source": {"inline": {"format": "CSV", "data": "a\n1\n"}}})
    await until_quiet(world, process(world)(), "Dataset", "d")
    labels = world.job()["spec"]["template"]["metadata"]["labels"]
    assert not labels.keys() & OUTSIDE.keys()


@pytest.mark.parametrize("outside", [True, False])
def test_the_label_is_the_pods(outside: bool) -> None:
    parent = {"metadata": {"name": "d", "namespace": NAMESPACE, "uid": "u"}}
    job = RunnerJob("Dataset", "j", "ingest", "i", None, 60, outside=outside)
    made = job_manifest(parent, job)
    pod = made["spec"]["template"]["metadata"]["labels"]
    assert (OUTSIDE.items() <= pod.items()) is outside
    assert not OUTSIDE.items() <= made["metadata"]["labels"].items()
