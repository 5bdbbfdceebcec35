"""Versions of other Datasets beside the source: joined by a query, looked into by a check."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.workshop import Workshop

from tidemill.store import digests, layout, manifest
from tidemill_runner.failures import Failure

ORDERS = "site,load\n" + "".join(f"{'ab'[n % 2]},{n}\n" for n in range(40))
SITES = "site,area\na,10\nb,20\n"
SQL = "select load, area from source join sites using (site) order by load"


def other(workshop: Workshop, data: str, name: str = "sites") -> dict[str, str]:
    """Ingest a version of another Dataset; gives what the operator says of it."""
    kept = dict(workshop.source.objects)
    workshop.source.objects.clear()
    workshop.deliver(x_csv=data)
    result = workshop.ingest()
    workshop.source.objects.clear()
    workshop.source.objects.update(kept)
    key = layout.manifest_key("ns", name, result["version"])
    workshop.store.objects[key] = workshop.store.objects[result["manifest"]]
    return {"name": name, "version": result["version"], "manifest": key}


def joined(workshop: Workshop, sites: dict[str, str], sql: str = SQL) -> dict[str, Any]:
    inputs = [{"name": "sites", "dataset": sites}]
    return workshop.ingest(prepare={"sql": sql, "seconds": 60, "inputs": inputs})


def test_an_input_is_a_table_beside_the_source(workshop: Workshop) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS)
    result = joined(workshop, sites)
    assert (result["rows"], [c["name"] for c in result["columns"]]) == (40, ["load", "area"])
    assert not list(Path(workshop.folder).glob("ingest-*"))  # nothing is left in scratch space


def test_the_version_says_what_it_was_made_of(workshop: Workshop) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS)
    result = joined(workshop, sites)
    made = manifest.parse(workshop.store.objects[result["manifest"]], result["version"])
    assert made.prepare is not None
    assert made.prepare["inputs"] == {"sites": sites["version"]}
    record = workshop.store.objects[layout.record_key("ns", "power", result["version"])]
    lineage = [{"name": "sites", "dataset": "sites", "version": sites["version"]}]
    assert json.loads(record)["inputs"] == result["inputs"] == lineage
    report = workshop.store.objects[result["report"]].decode()
    assert f"Dataset sites, version {sites['version']}" in report
    assert f"<code>{SQL}</code>" in report


def test_a_version_of_another_dataset_as_the_source_is_told_as_well(
    workshop: Workshop, tmp_path: Path
) -> None:
    sites = other(workshop, SITES)
    result = workshop.ingest_from({"kind": "Dataset", **sites}, sites["version"], tmp_path)
    read = {"name": "source", "dataset": "sites", "version": sites["version"]}
    assert result["inputs"] == [read]
    assert f"Dataset sites, version {sites['version']}" in (
        workshop.store.objects[result["report"]].decode()
    )


def test_another_version_of_an_input_makes_another_version(workshop: Workshop) -> None:
    workshop.deliver(a_csv=ORDERS)
    first = joined(workshop, other(workshop, SITES))
    again = joined(workshop, other(workshop, SITES))
    assert first["version"] == again["version"]
    # Also where the query's rows are the same.
    second = joined(workshop, other(workshop, SITES + "c,30\n"))
    assert second["rows"] == first["rows"]
    assert second["version"] != first["version"]


def test_places_are_no_columns_of_an_input(workshop: Workshop) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS)
    result = joined(workshop, sites, "select * from sites")
    assert [c["name"] for c in result["columns"]] == ["site", "area"]


def test_a_query_reads_the_tables_that_it_was_given_only(workshop: Workshop) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS)
    with pytest.raises(Failure, match=r"no table 'sides'.*did you mean 'sites'"):
        joined(workshop, sites, "select * from sides")


@pytest.mark.parametrize("harm", ["manifest gone", "object altered"])
def test_an_input_that_is_not_as_it_was_is_corrupt(workshop: Workshop, harm: str) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS)
    if harm == "manifest gone":
        del workshop.store.objects[sites["manifest"]]
    else:
        digest = digests.sha256_digest(SITES.encode())
        workshop.store.objects[layout.cas_key(layout.cas_prefix("ns"), digest)] = b"site,area\n"
    with pytest.raises(Failure) as failed:
        joined(workshop, sites)
    assert failed.value.reason == "DatasetCorrupt"


def known(sites: dict[str, str], **asked: Any) -> dict[str, Any]:
    return {"name": "known", "referential": {"columns": ["site"], "dataset": sites, **asked}}


@pytest.mark.parametrize(
    ("more", "change", "rejected"),
    [
        ("", {}, False),
        ("c,1\n", {}, True),
        (",1\n", {}, False),
        ("c,1\n", {"severity": "Warn"}, False),
        ("c,1\n", {"maxViolationFraction": "0.1"}, False),
    ],
    ids=["all known", "one is not", "a gap", "a warning", "few enough"],
)
def test_keys_must_be_in_another_dataset(
    workshop: Workshop, more: str, change: dict[str, Any], rejected: bool
) -> None:
    sites = other(workshop, SITES)
    workshop.deliver(a_csv=ORDERS, b_csv=f"site,load\na,1\n{more}")
    result = workshop.ingest(checks=[{**known(sites), **change}])
    assert ("rejected" in result) is rejected
    if rejected:
        told = result["rejected"]["message"]
        assert "spec.checks[0].referential: 1 of 42 rows" in told
        assert "b.csv, data row 2" in told


def test_keys_of_prepared_rows_by_other_names(workshop: Workshop) -> None:
    sites = other(workshop, "id,part\na,1\nb,1\n")
    workshop.deliver(a_csv=ORDERS)
    prepare = {"sql": "select site, 1 as p from source", "seconds": 60}
    asked = {"columns": ["site", "p"], "references": ["id", "part"]}
    result = workshop.ingest(checks=[known(sites, **asked)], prepare=prepare)
    assert result["checkCounts"] == {"passed": 1, "failed": 0, "warned": 0}
    later = workshop.ingest(
        checks=[known(other(workshop, "id,part\na,1\nb,2\n"), **asked)], prepare=prepare
    )
    assert "rejected" in later


def test_a_column_that_the_other_has_not_fails_by_its_field(workshop: Workshop) -> None:
    sites = other(workshop, "sight,area\na,1\n")
    workshop.deliver(a_csv=ORDERS)
    with pytest.raises(Failure, match=r"columns\[0\]: Dataset sites has no column 'site'"):
        workshop.ingest(checks=[known(sites)])


def moved(by: int) -> str:
    return "load\n" + "".join(f"{n % 40 + by}\n" for n in range(400))


def against(version: str) -> dict[str, Any]:
    return {"name": "x", "distribution": {"against": "Version", "version": version}}


def test_small_steps_away_from_a_version_are_seen(workshop: Workshop) -> None:
    workshop.deliver(a_csv=moved(0))
    first = workshop.ingest()
    previous = first["version"]
    found = []
    for by in (0, 6, 12):
        workshop.deliver(a_csv=moved(by))
        checks = [{"name": "p", "distribution": {}}, against(first["version"])]
        result = workshop.ingest(previous=previous, checks=checks)
        found.append(result["checkCounts"]["failed"])
        previous = result["version"]
    assert found == [0, 0, 1]
    assert f"moved from version {first['version'][7:19]}" in result["rejected"]["message"]


def test_a_version_that_is_gone_is_told(workshop: Workshop) -> None:
    workshop.deliver(a_csv=moved(0))
    with pytest.raises(Failure) as failed:
        workshop.ingest(checks=[against("sha256:" + "e" * 64)])
    assert failed.value.reason == "CheckInvalid"
    assert "spec.checks[0].distribution.version: this Dataset has no version eeeeeeeeeeee" in (
        failed.value.message
    )
