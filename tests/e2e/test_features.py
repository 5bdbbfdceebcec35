"""Feature tables: joined to a run's rows as they were known at their times, pinned and told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused, assert_waits
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World, settled

from tidemill.store import layout

HOURS = 200
SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "features"
ENTITY = {"key": ["site"], "timestamp": "ts"}
TABLES = [
    {"dataset": {"name": "first"}},
    {"dataset": {"name": "second"}, "prefix": "second_", "maxAge": "1h"},
]


def stamp(hour: int, minute: int) -> str:
    return f"2026-03-{1 + hour // 24:02d}T{hour % 24:02d}:{minute:02d}:00Z"


def hidden(hour: int, site: str) -> tuple[int, int]:
    """Two bits: of equal ones the label is `same`, and each table tells one of them."""
    drawn = (hour * 2654435761 + ord(site) * 40503) >> 7
    return drawn & 1, (drawn >> 3) & 1


def table(header: str, minute: int, show: Callable[[int, int, int], object]) -> dict[str, Any]:
    lines = [
        f"{site},{stamp(hour, minute)},{show(hour, *hidden(hour, site))}"
        for hour in range(HOURS)
        for site in "ab"
    ]
    data = "\n".join([header, *lines]) + "\n"
    return {"source": {"inline": {"format": "CSV", "data": data}}}


def labels() -> dict[str, Any]:
    """Half an hour after the features; `noise` tells nothing."""
    return table(
        "site,at,noise,label",
        30,
        lambda hour, one, other: f"{hour * 37 % 11},{'same' if one == other else 'other'}",
    )


def feature_tables(**more: Any) -> dict[str, dict[str, Any]]:
    return {
        "first": {**table("site,ts,bit", 0, lambda _hour, one, _: one), **more},
        "second": {**table("site,ts,bit", 29, lambda _hour, _, other: other), **more},
    }


def run(tables: list[dict[str, Any]] | None) -> dict[str, Any]:
    join = {"join": {"timestamp": "at", "tables": tables}} if tables else {}
    return specs.training_run(
        "labels",
        features={"exclude": ["site", "at"]},
        split={"by": "Time", "column": "at", "holdout": "0.5"},
        estimator=specs.sklearn("sklearn.ensemble.HistGradientBoostingClassifier"),
        evaluation={"metrics": ["accuracy"]},
        **join,
    )


def accuracy(body: dict[str, Any]) -> float:
    [metric] = body["status"]["metrics"]
    return float(metric["value"])


def test_a_run_joins_what_was_known(world: World, raw: RawStore) -> None:
    world.apply("Dataset", "labels", labels())
    world.apply("TrainingRun", "joined", run(TABLES))
    world.apply("TrainingRun", "alone", run(None))
    tells = ("spec.join.tables[0].dataset.name", "no Dataset first")
    world.wait_ready("Dataset", "labels")
    assert_waits(world, "TrainingRun", "joined", "WaitingForDataset", tells)

    world.apply_all("Dataset", feature_tables(entity=ENTITY))
    names = ("labels", "first", "second")
    versions = {name: world.wait_ready("Dataset", name)["status"]["version"] for name in names}
    done = world.wait_ready("TrainingRun", "joined")
    assert accuracy(done) == 1
    assert accuracy(world.wait_ready("TrainingRun", "alone")) < 0.8
    pinned = [{"name": name, "version": versions[name]} for name in ("first", "second")]
    assert done["status"]["applied"]["tables"] == [{**one, **ENTITY} for one in pinned]
    prefix = layout.parse_uri(done["status"]["artifact"]["uri"])[1]
    lineage = json.loads(raw.get(f"{prefix}lineage.json", bucket=BUCKET))
    assert lineage["dataset"]["version"] == versions["labels"]
    assert [{k: one[k] for k in ("name", "version")} for one in lineage["join"]] == pinned
    assert [one["columns"] for one in lineage["join"]] == [["bit"], ["second_bit"]]
    signature = json.loads(raw.get(f"{prefix}signature.json", bucket=BUCKET))
    assert [one["name"] for one in signature["inputs"]] == ["noise", "bit", "second_bit"]

    # A run is a record: what its tables hold later is nothing to it.
    later = table("site,ts,bit", 1, lambda _hour, one, _: one)
    world.apply("Dataset", "first", {**later, "entity": ENTITY})
    world.wait(
        "Dataset", "first", lambda b: settled(b) and b["status"]["version"] != versions["first"]
    )
    after = world.read("TrainingRun", "joined")
    assert after["status"]["applied"] == done["status"]["applied"]
    assert after["status"]["job"] == done["status"]["job"]


def test_a_dataset_becomes_a_feature_table_by_its_entity(world: World) -> None:
    world.apply("Dataset", "labels", labels())
    world.apply_all("Dataset", feature_tables())
    before = world.wait_ready("Dataset", "first")["status"]["version"]
    world.wait_ready("Dataset", "labels")
    world.apply("TrainingRun", "joined", run(TABLES[:1]))
    tells = ("spec.join.tables[0].dataset", "is no feature table", "set spec.entity there")
    assert_refused(world, "TrainingRun", "joined", "SpecInvalid", tells)

    world.apply("Dataset", "first", feature_tables(entity=ENTITY)["first"])
    done = world.wait_ready("TrainingRun", "joined")
    assert done["status"]["applied"]["tables"] == [{"name": "first", "version": before, **ENTITY}]
    assert world.read("Dataset", "first")["status"]["version"] == before  # the same rows


def test_two_rows_of_one_key_and_time_are_no_feature_table(world: World) -> None:
    data = f"site,ts,bit\na,{stamp(1, 0)},0\na,{stamp(2, 0)},1\na,{stamp(1, 0)},0\n"
    source = {"source": {"inline": {"format": "CSV", "data": data}}}
    world.apply("Dataset", "twice", {**source, "entity": ENTITY})
    tells = ("spec.entity", "1 of 3 rows", "data row 3")
    assert_refused(world, "Dataset", "twice", "ChecksFailed", tells)


def test_the_sample_is_applied_and_trains(world: World) -> None:
    world.kubectl("apply", "-n", world.namespace, "-f", str(SAMPLE))
    ended = world.wait_ready("TrainingRun", "peaks")["status"]
    tables = world.read("Dataset", "site-load")["status"]
    assert [one["version"] for one in ended["applied"]["tables"]] == [tables["version"]]
