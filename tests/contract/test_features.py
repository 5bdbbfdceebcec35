"""Feature tables from their ingest to a model, on a real store, with keys as the operator gives."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout
from tidemill.store.credentials import Policy, assume_role, train_policy, with_manifests
from tidemill_runner.exits import Exit

HOURS = 400
ENTITY = {"key": ["site"], "timestamp": "ts"}
SPEC = {
    "task": "Classification",
    "target": "y",
    "features": {"exclude": ["site", "at"]},
    "split": {"holdout": "0.5", "by": "Time", "column": "at"},
    "seed": 1,
    "estimator": {
        "sklearn": {
            "steps": [
                {"name": "m", "class": "sklearn.ensemble.HistGradientBoostingClassifier"},
            ]
        }
    },
    "evaluation": {"metrics": ["accuracy"]},
}


def stamp(hour: int, minute: int) -> str:
    return f"2026-{1 + hour // 672:02d}-{1 + hour // 24 % 28:02d}T{hour % 24:02d}:{minute:02d}:00Z"


def hidden(hour: int, site: str) -> tuple[int, int]:
    """Two bits whose exclusive or is the class: each table tells one of them."""
    drawn = (hour * 2654435761 + ord(site) * 40503) >> 7
    return drawn & 1, (drawn >> 3) & 1


def lines(header: str, minute: int, show: Any) -> bytes:
    rows = [
        f"{site},{stamp(hour, minute)},{show(*hidden(hour, site))}"
        for hour in range(HOURS)
        for site in "ab"
    ]
    return ("\n".join([header, *rows]) + "\n").encode()


def ingested(server: S3Server, folder: Path, name: str, data: bytes, **asked: Any) -> Any:
    bench = Workbench(server, folder, name=name)
    bench.deliver("a.csv", data)
    done = bench.ingest(**asked)
    assert done.exit is Exit.OK, done.termination
    assert "rejected" not in done.result
    return done.result


def table(result: dict[str, Any], name: str, **asked: Any) -> dict[str, Any]:
    version = {"name": name, "version": result["version"], "manifest": result["manifest"]}
    return {"dataset": version, "entity": ENTITY, "key": ENTITY["key"], **asked}


def train(
    bench: Workbench, rows: dict[str, Any], tables: list[dict[str, Any]], readable: int
) -> Outcome:
    """Train with keys for so many of the tables joined."""
    bucket = bench.server.config.bucket
    policy: Policy = train_policy(bucket, NAMESPACE, bench.name, "uid-joins", bench.name)
    manifests = [one["dataset"]["manifest"] for one in tables[:readable]]
    granted = assume_role(bench.server.config, with_manifests(policy, NAMESPACE, manifests), 900)
    assert granted is not None
    bench.config = granted.config
    join = {"join": {"timestamp": "at", "tables": tables}} if tables else {}
    output = f"{layout.run_prefix(NAMESPACE, 'uid-joins')}job/"
    return bench.train(rows, SPEC, uid="uid-joins", output=output, **join)


@pytest.mark.only_minio("STS: test_keys_that_last.py has what is done without it")
def test_two_feature_tables_and_labels(server: S3Server, tmp_path: Path) -> None:
    labels = lines("site,at,y", 30, lambda one, other: one ^ other)
    rows = ingested(server, tmp_path, "joined-labels", labels)
    first = lines("site,ts,bit", 0, lambda one, _: one)
    second = lines("site,ts,bit", 29, lambda _, other: other)
    tables = [
        table(ingested(server, tmp_path, "first", first, entity=ENTITY), "first"),
        table(
            ingested(server, tmp_path, "second", second, entity=ENTITY),
            "second",
            prefix="second_",
            maxAge="1m",
        ),
    ]
    bench = Workbench(server, tmp_path, name="joined-labels")
    good = train(bench, rows, tables, 2)
    assert good.exit is Exit.OK, good.termination
    assert good.result["features"] == ["bit", "second_bit"]
    assert good.result["metrics"][0]["value"] == 1
    prefix = layout.parse_uri(good.result["artifact"]["uri"])[1]
    lineage = json.loads(bench.read(f"{prefix}lineage.json"))
    versions = [one["dataset"]["version"] for one in tables]
    assert lineage["dataset"]["version"] == rows["version"]
    assert [one["version"] for one in lineage["join"]] == versions

    half = train(bench, rows, tables[:1], 1)
    assert half.result["metrics"][0]["value"] < 0.8  # one bit alone tells nothing

    shut = train(bench, rows, tables, 1)
    assert (shut.exit, shut.reason) == (Exit.DATA, "DatasetCorrupt")
    assert "Dataset second" in shut.message
