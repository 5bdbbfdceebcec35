"""What may become a version, and where it may come from: checks, queries, other sources."""

from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused, assert_waits
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, condition, settled, summary

CHECKS = [{"name": "a-is-small", "expression": "a < 100"}]
TABLE = "a,b,label\n" + "".join(f"{n % 17},{n % 5},{'ud'[n % 2]}\n" for n in range(60))


def test_a_bad_delivery_is_rejected_and_the_good_version_stays_in_use(
    world: World, raw: RawStore
) -> None:
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}one.csv", rows(40))
    world.apply("Dataset", "data", {**specs.dataset(prefix), "checks": CHECKS})
    good = world.wait_ready("Dataset", "data")["status"]
    assert good["checks"] == {"passed": 1, "failed": 0, "warned": 0}
    assert b"<html" in raw.get(good["report"], bucket=BUCKET)

    raw.put(f"{prefix}two.csv", "a,b,label\n1,1,up\n1000,2,up\n")
    body = world.wait_reason("Dataset", "data", "DeliveryRejected")
    assert (summary(body)["status"], condition(body, "Stalled")) == ("True", {})
    message = summary(body)["message"]
    assert "spec.checks[0]" in message
    assert "two.csv, data row 2" in message
    assert body["status"]["version"] == good["version"]
    rejected = body["status"]["rejected"]
    assert (rejected["reason"], rejected["rows"]) == ("ChecksFailed", 42)
    assert b"a-is-small" in raw.get(rejected["report"], bucket=BUCKET)
    run = world.apply("TrainingRun", "run", specs.training_run("data"))
    assert run["spec"]["dataset"]["name"] == "data"
    trained = world.wait_ready("TrainingRun", "run")["status"]
    assert trained["applied"]["datasetVersion"] == good["version"]

    raw.put(f"{prefix}two.csv", "a,b,label\n1,1,up\n10,2,up\n")
    mended = world.wait(
        "Dataset", "data", lambda b: settled(b) and b["status"]["version"] != good["version"]
    )
    assert summary(mended)["reason"] == "Ready"
    assert "rejected" not in mended["status"]
    assert mended["status"]["versions"][0]["why"] == "SourceChanged"


def test_a_query_makes_the_rows_that_are_versioned_and_learnt(world: World, raw: RawStore) -> None:
    raw.put(f"{world.namespace}/one.csv", rows(60))
    sql = "SELECT a * 2 AS twice, b, label FROM source WHERE a < 16"
    world.apply("Dataset", "d", {**specs.dataset(f"{world.namespace}/"), "prepare": {"sql": sql}})
    made = world.wait_ready("Dataset", "d")["status"]
    assert [column["name"] for column in made["columns"]] == ["twice", "b", "label"]
    assert made["rows"] == sum(n % 17 < 16 for n in range(60))
    world.apply("TrainingRun", "run", specs.training_run("d"))
    assert world.wait_ready("TrainingRun", "run")["status"]["applied"]["datasetVersion"]


BAD: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "query-that-reads-a-file": (
        {"prepare": {"sql": "SELECT * FROM read_csv('/etc/passwd')"}},
        "PrepareInvalid",
        ("spec.prepare.sql", "read_csv"),
    ),
    "query-of-an-absent-column": (
        {"prepare": {"sql": "SELECT nothing FROM source"}},
        "PrepareInvalid",
        ("spec.prepare.sql", "nothing"),
    ),
    "check-of-an-absent-column": (
        {"checks": [{"name": "x", "expression": "lable = 'up'"}]},
        "CheckInvalid",
        ("spec.checks[0].expression", "lable", "did you mean 'label'"),
    ),
    "first-delivery-fails-a-check": (
        {"checks": [{"name": "many", "rowCount": {"min": 1000}}]},
        "ChecksFailed",
        ("spec.checks[0]",),
    ),
    "column-of-another-type": (
        {"schema": {"columns": [{"name": "label", "type": "Integer"}]}},
        "ChecksFailed",
        ("spec.schema.columns", "label"),
    ),
}


@pytest.fixture(scope="module")
def bad(common: World, raw: RawStore) -> World:
    raw.put(f"{common.namespace}/one.csv", rows(40))
    dataset = specs.dataset(f"{common.namespace}/")
    common.apply_all("Dataset", {name: {**dataset, **asked} for name, (asked, *_) in BAD.items()})
    return common


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done_is_refused(bad: World, name: str) -> None:
    _, reason, tells = BAD[name]
    assert_refused(bad, "Dataset", name, reason, tells)


def test_a_table_in_the_spec_is_a_version_at_once_and_others_follow_it(world: World) -> None:
    inline = {"source": {"inline": {"format": "CSV", "data": TABLE}}}
    derived = {
        "source": {"dataset": {"name": "table"}},
        "prepare": {"sql": "SELECT a, b FROM source WHERE label = 'u'"},
    }
    world.apply("Dataset", "derived", derived)
    assert_waits(world, "Dataset", "derived", "WaitingForDataset", ("table",))
    world.apply("Dataset", "table", inline)
    first = world.wait_ready("Dataset", "table")["status"]
    assert (first["rows"], first["columnCount"]) == (60, 3)
    followed = world.wait_ready("Dataset", "derived")["status"]
    assert (followed["rows"], followed["columnCount"]) == (30, 2)

    longer = {"source": {"inline": {"format": "CSV", "data": TABLE + "1,1,u\n"}}}
    world.apply("Dataset", "table", longer)
    again = world.wait(
        "Dataset", "derived", lambda b: settled(b) and b["status"]["version"] != followed["version"]
    )["status"]
    assert again["rows"] == 31


def test_an_address_inside_is_refused_unless_it_is_allowed(world: World) -> None:
    url = "http://minio.tidemill-system.svc:9000/secret/data.csv"
    world.apply("Dataset", "inside", {"source": {"http": {"url": url, "format": "CSV"}}})
    tells = ("spec.source.http.url", "TIDEMILL_HTTP_ALLOWED_NETWORKS")
    assert_refused(world, "Dataset", "inside", "AddressForbidden", tells)
