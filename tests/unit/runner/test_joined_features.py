"""Features of other Datasets in a training: what is joined, what is told of it, what is refused."""

import json
from typing import Any

import pytest
from tests.unit.runner.test_training import HISTOGRAM, unpack
from tests.unit.runner.workshop import Workshop, classification, estimator

from tidemill.store import layout
from tidemill_runner.failures import Failure

ENTITY = {"key": ["site"], "timestamp": "ts"}
HOURS = 120


def stamp(hour: int, minute: int = 0) -> str:
    return f"2026-03-{1 + hour // 24:02d}T{hour % 24:02d}:{minute:02d}:00Z"


def state(hour: int, site: str) -> int:
    """What a site is in during an hour; the class of the rows of that hour."""
    return (hour * 7 + (site == "b") * 3) % 5 // 2 % 2


def labels() -> str:
    """Two rows an hour and site, half an hour after the state was known; `noise` tells nothing."""
    lines = ["site,at,noise,y"]
    for hour in range(HOURS):
        lines += [f"{site},{stamp(hour, 30)},{hour * 37 % 11},{state(hour, site)}" for site in "ab"]
    return "\n".join(lines) + "\n"


def states() -> str:
    """The state of each hour, and `later`: what only the next hour brings to light."""
    lines = ["site,ts,state"]
    for hour in range(HOURS):
        lines += [f"{site},{stamp(hour)},{state(hour, site)}" for site in "ab"]
    return "\n".join(lines) + "\n"


def table(
    workshop: Workshop, data: str, name: str = "states", entity: Any = None, **asked: Any
) -> dict[str, Any]:
    """A feature table, as the operator says it to the run."""
    entity = entity or ENTITY
    workshop.source.objects.clear()
    workshop.deliver(x_csv=data)
    result = workshop.ingest(entity=entity)
    assert "rejected" not in result
    workshop.source.objects.clear()
    key = layout.manifest_key("ns", name, result["version"])
    workshop.store.objects[key] = workshop.store.objects[result["manifest"]]
    return {
        "dataset": {"name": name, "version": result["version"], "manifest": key},
        "entity": entity,
        "key": entity["key"],
        **asked,
    }


def train(
    workshop: Workshop, *tables: dict[str, Any], timestamp: str = "at", **spec: Any
) -> dict[str, Any]:
    workshop.deliver(a_csv=labels())
    join = {"timestamp": timestamp, "tables": list(tables)} if tables else None
    wanted = {
        "estimator": estimator(HISTOGRAM),
        "features": {"exclude": ["site", "at"]},
        **spec,
    }
    return workshop.train(workshop.ingest(), classification(**wanted), join)


def accuracy(result: dict[str, Any]) -> float:
    return float(next(one["value"] for one in result["metrics"] if one["name"] == "accuracy"))


def test_what_was_known_helps_and_is_told(workshop: Workshop) -> None:
    without = train(workshop)
    tables = table(workshop, states()), table(workshop, states(), "more", prefix="more_")
    result = train(workshop, *tables)
    assert accuracy(without) < 0.9
    assert accuracy(result) == 1
    assert result["features"] == ["noise", "state", "more_state"]
    named = [{k: one["dataset"][k] for k in ("name", "version")} for one in tables]
    entity = {"key": ["site"], "timestamp": tables[0]["entity"]["timestamp"]}
    assert result["join"] == [{**one, **entity} for one in named]
    assert "join" not in without
    folder = unpack(workshop, result)
    lineage = json.loads((folder / "lineage.json").read_bytes())
    assert [{k: one[k] for k in ("name", "version")} for one in lineage["join"]] == named
    assert [one["columns"] for one in lineage["join"]] == [["state"], ["more_state"]]
    assert lineage["join"][1]["lookup"] == {
        "key": [{"name": "site", "own": "site", "type": "String"}],
        "columns": [{"name": "more_state", "source": "state", "type": "Integer"}],
        "time": "at",
    }
    signature = json.loads((folder / "signature.json").read_bytes())
    assert signature["inputs"][1] == {"name": "state", "datatype": "INT64", "nullable": True}
    assert named[0]["version"] in (folder / "card.md").read_text()
    assert named[0]["version"] in workshop.store.objects["runs/ns/u-1/job/report.html"].decode()


def test_the_same_versions_make_the_same_package(workshop: Workshop) -> None:
    states_table = table(workshop, states())
    first, second = train(workshop, states_table), train(workshop, states_table)
    assert first["artifact"]["digest"] == second["artifact"]["digest"]


def held(workshop: Workshop, result: dict[str, Any]) -> dict[str, list[Any]]:
    """The rows held out as they went into the model, all of them."""
    import pyarrow.parquet as pq

    table = pq.read_table(unpack(workshop, result) / "holdout.parquet")
    return {
        name: [None if value != value else value for value in table.column(name).to_pylist()]  # noqa: PLR0124
        for name in table.column_names
    }


ORDER = {"by": "Order", "holdout": "0.5"}


@pytest.mark.parametrize(
    ("minute", "age", "found"),
    [(29, "1m", True), (30, "1m", True), (31, "1m", False), (28, "1m", False), (28, "2m", True)],
    ids=["as old as may be", "the same moment", "later", "too old", "old and may be"],
)
def test_a_row_has_what_was_known_at_its_time(
    workshop: Workshop, minute: int, age: str, found: bool
) -> None:
    known = "site,ts,hour\n" + "".join(
        f"{site},{stamp(hour, 30 if site == 'a' else minute)},{hour}\n"
        for hour in range(HOURS)
        for site in "ab"
    )
    result = train(workshop, table(workshop, known, maxAge=age), split=ORDER)
    hours = [HOURS // 2 + place // 2 for place in range(HOURS)]
    wanted = [hour if found or not place % 2 else None for place, hour in enumerate(hours)]
    assert held(workshop, result)["hour"] == wanted


def test_by_other_names_and_a_chosen_column(workshop: Workshop) -> None:
    entity = {"key": ["id", "part"], "timestamp": "since"}
    data = "id,part,since,good,at\n" + "".join(
        f"{site},{part},2026-01-01,{part * 10 + (site == 'b')},0\n"
        for site in "ab"
        for part in range(11)
    )
    asked = {"key": ["site", "noise"], "columns": ["good"], "prefix": "p_"}
    result = train(workshop, {**table(workshop, data, entity=entity), **asked}, split=ORDER)
    rows = held(workshop, result)
    assert result["features"] == ["noise", "p_good"]
    sites = [place % 2 for place in range(HOURS)]
    assert rows["p_good"] == [
        noise * 10 + site for noise, site in zip(rows["noise"], sites, strict=True)
    ]


REFUSED = {
    "no time": (
        {},
        {"timestamp": "when"},
        "spec.join.timestamp: the data set has no column 'when'",
    ),
    "time is a number": ({}, {"timestamp": "noise"}, "'noise' is Integer, it must be Date or"),
    "no key": ({"key": ["sight"]}, {}, "tables[0].key: the data set has no column 'sight'; did"),
    "key of another type": ({"key": ["noise"]}, {}, "'noise' is Integer, 'site' of the feature"),
    "no such column": ({"columns": ["stat"]}, {}, "Dataset states has no column 'stat'; did you"),
    "own column": ({"columns": ["site"]}, {}, "'site' would be there twice, from the run's own"),
    "excluded": (
        {},
        {"features": {"exclude": ["x"]}},
        "spec.features.exclude: the data set has no",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_joined_is_refused(workshop: Workshop, name: str) -> None:
    asked, spec, tells = REFUSED[name]
    with pytest.raises(Failure) as failed:
        train(workshop, {**table(workshop, states()), **asked}, **spec)
    assert failed.value.reason in ("SpecInvalid", "FeaturesInvalid")
    assert tells in failed.value.message


def test_a_table_of_key_and_time_alone_has_nothing_to_join(workshop: Workshop) -> None:
    bare = "site,ts\na,2026-01-01\n"
    with pytest.raises(Failure, match="Dataset states has no column but key and timestamp"):
        train(workshop, table(workshop, bare))


def test_two_tables_with_one_name_are_both_named(workshop: Workshop) -> None:
    tables = table(workshop, states()), table(workshop, states(), "more")
    with pytest.raises(Failure) as failed:
        train(workshop, *tables)
    assert "spec.join.tables[1]: column 'state'" in failed.value.message
    assert "from Dataset states (spec.join.tables[0]) and from Dataset more" in failed.value.message


def test_a_table_that_is_not_as_it_was_is_corrupt(workshop: Workshop) -> None:
    one = table(workshop, states())
    del workshop.store.objects[one["dataset"]["manifest"]]
    with pytest.raises(Failure) as failed:
        train(workshop, one)
    assert failed.value.reason == "DatasetCorrupt"


@pytest.mark.parametrize(
    ("data", "entity", "tells"),
    [
        ("site,ts,v\na,2026-01-01,1\na,2026-01-02,1\n", ENTITY, None),
        ("site,ts,v\na,2026-01-01,1\na,2026-01-01,1\n", ENTITY, "of an earlier one, at a.csv"),
        (
            "site,ts,v\na,2026-01-01,1\n,2026-01-02,1\n",
            ENTITY,
            "1 of 2 values are missing in 'site', at a.csv",
        ),
        ("site,ts,v\na,2026-01-01,1\na,,1\n", ENTITY, "1 of 2 values are missing in 'ts'"),
    ],
    ids=["good", "twice", "no key", "no time"],
)
def test_rows_of_a_feature_table(
    workshop: Workshop, data: str, entity: dict[str, Any], tells: str | None
) -> None:
    workshop.deliver(a_csv=data)
    plain, result = workshop.ingest(), workshop.ingest(entity=entity)
    assert result["version"] == plain["version"]  # the same rows are the same version
    record = json.loads(workshop.store.objects[layout.record_key("ns", "power", result["version"])])
    assert record["entity"] == result["entity"] == entity
    if tells is None:
        assert "rejected" not in result
    else:
        assert tells in result["rejected"]["message"]
        assert "spec.entity" in result["rejected"]["message"]


@pytest.mark.parametrize(
    ("entity", "tells"),
    [
        ({"key": ["sight"], "timestamp": "ts"}, "spec.entity.key[0]: the data set has no column"),
        ({"key": ["site"], "timestamp": "tz"}, "spec.entity.timestamp: the data set has no column"),
        ({"key": ["site"], "timestamp": "v"}, "spec.entity.timestamp: column 'v' is Integer, it"),
    ],
    ids=["no such key", "no such time", "a number as time"],
)
def test_columns_that_make_no_feature_table(
    workshop: Workshop, entity: dict[str, Any], tells: str
) -> None:
    workshop.deliver(a_csv="site,ts,v\na,2026-01-01,1\n")
    with pytest.raises(Failure) as failed:
        workshop.ingest(entity=entity)
    assert failed.value.reason == "CheckInvalid"
    assert tells in failed.value.message


def test_a_joined_column_can_part_and_group_the_rows(workshop: Workshop) -> None:
    evaluation = {
        "slices": [{"column": "state", "minRows": 20}],
        "groupBy": ["site", "state"],
        "baselines": ["Majority"],
    }
    exclude = {"exclude": ["site", "at", "state"]}
    result = train(workshop, table(workshop, states()), features=exclude, evaluation=evaluation)
    judged = result["judgement"]
    assert result["features"] == ["noise"]
    assert [part["name"] for part in judged["slices"][0]["parts"]] == ["0", "1"]
    assert judged["groups"] == {"columns": ["site", "state"], "count": 4}
    assert any("are later ('at')" in words for words in judged["warnings"])
