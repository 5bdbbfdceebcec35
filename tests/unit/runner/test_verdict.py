"""What an ingest says of a version, and what it does not let in."""

import json
from typing import Any

import pytest
from tests.unit.runner.workshop import Workshop, classification

from tidemill.store import layout, manifest
from tidemill_runner.failures import Failure
from tidemill_runner.profile import document as profiles

GOOD = "load,site\n" + "".join(f"{n % 40},{'ab'[n % 2]}\n" for n in range(400))
POSITIVE = {"name": "positive", "expression": "load >= 0"}


def record_of(workshop: Workshop, result: dict[str, Any]) -> dict[str, Any]:
    key = layout.record_key("ns", "power", result["version"])
    found: dict[str, Any] = json.loads(workshop.store.objects[key])
    return found


def test_a_version_has_a_profile_a_report_and_a_record(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    result = workshop.ingest()
    assert (result["rows"], result["why"]) == (400, "Created")
    profile = profiles.parse(workshop.store.objects[result["profile"]])
    assert profile.rows == 400
    assert b"<html" in workshop.store.objects[result["report"]]
    record = record_of(workshop, result)
    assert (record["version"], record["manifest"]) == (result["version"], result["manifest"])
    assert "rejected" not in record


def test_a_delivery_that_fails_a_check_is_kept_and_rejected(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD, b_csv="load,site\n5,a\n-1,b\n")
    result = workshop.ingest(checks=[POSITIVE])
    assert result["rejected"]["reason"] == "ChecksFailed"
    assert "spec.checks[0]" in result["rejected"]["message"]
    assert "b.csv, data row 2" in result["rejected"]["message"]
    assert "-1" not in result["rejected"]["message"].replace("b.csv, data row 2", "")
    assert result["checkCounts"] == {"passed": 0, "failed": 1, "warned": 0}
    kept = manifest.parse(workshop.store.objects[result["manifest"]], result["version"])
    assert len(kept.entries) == 2
    assert b"positive" in workshop.store.objects[result["report"]]
    assert record_of(workshop, result)["rejected"] == result["rejected"]


def test_a_delivery_that_was_rejected_is_let_in_by_other_checks(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD + "-1,b\n")
    first = workshop.ingest(checks=[POSITIVE])
    second = workshop.ingest(checks=[{**POSITIVE, "severity": "Warn"}])
    assert first["version"] == second["version"]
    assert "rejected" not in record_of(workshop, second)


@pytest.mark.parametrize(
    ("change", "rejected"),
    [
        pytest.param({}, True, id="a violation"),
        pytest.param({"severity": "Warn"}, False, id="only a warning"),
        pytest.param({"maxViolationFraction": "0.01"}, False, id="few enough"),
        pytest.param({"expression": "load >= -5"}, False, id="no violation"),
    ],
)
def test_what_is_rejected(workshop: Workshop, change: dict[str, Any], rejected: bool) -> None:
    workshop.deliver(a_csv=GOOD + "-1,b\n")
    assert ("rejected" in workshop.ingest(checks=[{**POSITIVE, **change}])) is rejected


def test_a_check_that_makes_no_sense_fails_by_its_field(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    with pytest.raises(Failure, match=r"spec\.checks\[0\]\.expression.*'lod'") as failed:
        workshop.ingest(checks=[{"name": "x", "expression": "lod > 0"}])
    assert failed.value.reason == "CheckInvalid"


def test_what_a_column_must_be_like_is_checked(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    columns = [{"name": "load", "type": "Float", "max": "30"}, {"name": "site", "in": ["a", "b"]}]
    result = workshop.ingest(schema={"mode": "Enforce", "columns": columns})
    assert [column["type"] for column in result["columns"]] == ["Float", "String"]
    assert "load" in result["rejected"]["message"]
    assert result["checkCounts"]["failed"] == 1


@pytest.mark.parametrize(
    ("on_change", "rejected"), [("Reject", True), ("Warn", False), ("Retrain", False)]
)
def test_a_structure_that_breaks_is_let_in_as_the_schema_says(
    workshop: Workshop, on_change: str, rejected: bool
) -> None:
    workshop.deliver(a_csv=GOOD)
    first = workshop.ingest()
    workshop.deliver(a_csv=GOOD.replace("site", "place"))
    second = workshop.ingest(previous=first["version"], schema={"onChange": on_change})
    assert second["change"]["kind"] == "Breaking"
    assert any("'site'" in reason for reason in second["change"]["reasons"])
    assert (second.get("rejected", {}).get("reason") == "StructureChanged") is rejected


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [("load,site", "7,a", "Same"), ("load,site,new", "7,a,1", "Compatible")],
    ids=["the same", "a column more"],
)
def test_a_structure_is_compared_with_the_version_in_use(
    workshop: Workshop, header: str, cells: str, kind: str
) -> None:
    workshop.deliver(a_csv="load,site\n" + "7,a\n" * 100)
    first = workshop.ingest()
    workshop.deliver(a_csv=f"{header}\n" + f"{cells}\n" * 101)
    second = workshop.ingest(previous=first["version"])
    assert second["change"]["kind"] == kind


def test_a_version_of_which_nothing_is_known_any_more_is_not_compared_with(
    workshop: Workshop,
) -> None:
    workshop.deliver(a_csv=GOOD)
    first = workshop.ingest()
    del workshop.store.objects[first["profile"]]
    workshop.deliver(b_csv=GOOD)
    assert "change" not in workshop.ingest(previous=first["version"])


def test_values_of_a_sensitive_column_are_told_nowhere(workshop: Workshop) -> None:
    workshop.deliver(a_csv="name,load\n" + "Rumpelstiltskin,1\n" * 30 + "Ada,2\n")
    columns = [{"name": "name", "sensitive": True, "in": ["Ada"]}]
    result = workshop.ingest(schema={"columns": columns})
    assert "rejected" in result
    content = {entry for entry in workshop.store.objects if entry.startswith("cas/")}
    told = [d for k, d in workshop.store.objects.items() if k not in content]
    assert not any(b"Rumpel" in data for data in (*told, json.dumps(result).encode()))


def test_a_prepared_version_is_what_the_query_gives(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD, b_csv="load,site\n100,a\n")
    sql = "select site, load * 2 as twice from source where load < 50"
    result = workshop.ingest(
        prepare={"sql": sql, "seconds": 60}, checks=[{"name": "small", "expression": "twice < 100"}]
    )
    assert (result["rows"], result["objects"]) == (400, 1)
    assert [c["name"] for c in result["columns"]] == ["site", "twice"]
    assert "rejected" not in result
    made = manifest.parse(workshop.store.objects[result["manifest"]], result["version"])
    assert made.prepare is not None
    assert made.prepare["sql"] == sql
    raw = manifest.parse(workshop.store.objects[result["from"]])
    assert [entry.key for entry in raw.entries] == ["a.csv", "b.csv"]
    again = workshop.ingest(prepare={"sql": sql, "seconds": 60})
    assert again["version"] == result["version"]


def test_another_query_makes_another_version(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    one = workshop.ingest(prepare={"sql": "select * from source", "seconds": 60})
    other = workshop.ingest(prepare={"sql": "select * from source -- again", "seconds": 60})
    assert one["version"] != other["version"]


def test_a_model_learns_what_was_prepared(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    sql = "select load, load * load as square, site from source"
    result = workshop.ingest(prepare={"sql": sql, "seconds": 60})
    trained = workshop.train(result, classification(target="site"))
    assert trained["features"] == ["load", "square"]


MOVED = "load,site\n" + "".join(f"{n % 40 + 20},{'ab'[n % 2]}\n" for n in range(400))
LIKE_BEFORE: dict[str, Any] = {
    "name": "like-before",
    "distribution": {"against": "Previous", "effect": "0.2"},
}


@pytest.mark.parametrize(
    ("asked", "rejected"),
    [
        pytest.param({}, True, id="all columns"),
        pytest.param({"columns": ["load"]}, True, id="the one that moved"),
        pytest.param({"columns": ["site"]}, False, id="one that has not"),
        pytest.param({"effect": "0.9"}, False, id="not far enough"),
    ],
)
def test_a_distribution_must_be_as_it_was(
    workshop: Workshop, asked: dict[str, Any], rejected: bool
) -> None:
    workshop.deliver(a_csv=GOOD)
    check = {**LIKE_BEFORE, "distribution": {**LIKE_BEFORE["distribution"], **asked}}
    first = workshop.ingest(checks=[check])
    assert first["checkCounts"] == {"passed": 1, "failed": 0, "warned": 0}
    workshop.deliver(a_csv=MOVED)
    second = workshop.ingest(checks=[check], previous=first["version"])
    assert ("rejected" in second) is rejected
    if rejected:
        assert "spec.checks[0].distribution" in second["rejected"]["message"]
        assert "'load' by 0.5" in second["rejected"]["message"]


def test_a_distribution_of_a_column_that_is_not_there_is_refused(workshop: Workshop) -> None:
    workshop.deliver(a_csv=GOOD)
    check = {"name": "x", "distribution": {"columns": ["lod"]}}
    with pytest.raises(Failure, match=r"spec\.checks\[0\]\.distribution\.columns\[0\].*'load'"):
        workshop.ingest(checks=[check])


def test_groups_are_told_with_what_was_declared(workshop: Workshop) -> None:
    workshop.deliver(a_csv="site,label\n" + "a,up\na,down\na,up\nb,up\n" * 50)
    groups = [{"column": "site", "reference": [{"value": "a", "share": "0.5"}]}]
    result = workshop.ingest(describe={"groups": groups, "label": "label"})
    page = workshop.store.objects[result["report"]].decode()
    assert "<h2>Groups</h2>" in page
    assert "75.0%" in page
    assert ">over<" in page
    assert "label = up" in page


@pytest.mark.parametrize(
    ("describe", "tells"),
    [
        ({"groups": [{"column": "sight"}]}, "'sight'"),
        ({"groups": [{"column": "site"}], "label": "lable"}, "'lable'"),
        ({"groups": [{"column": "secret"}]}, "sensitive"),
    ],
    ids=["no such column", "no such label", "sensitive"],
)
def test_groups_that_cannot_be_told_are_refused(
    workshop: Workshop, describe: dict[str, Any], tells: str
) -> None:
    workshop.deliver(a_csv="site,secret\n" + "a,x\n" * 30)
    schema = {"columns": [{"name": "secret", "sensitive": True}]}
    with pytest.raises(Failure, match=tells) as failed:
        workshop.ingest(describe=describe, schema=schema)
    assert failed.value.message.startswith("spec.describe")
