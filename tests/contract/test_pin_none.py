"""Versions whose objects stay where they were delivered: read back from there, and proved."""

import io
from pathlib import Path
from typing import Any

import pytest
from tests.contract.workbench import NAMESPACE, Outcome, Workbench

from tidemill.store import layout, manifest
from tidemill_runner.exits import Exit

ROWS = "a,label\n" + "".join(f"{n % 7},{'ud'[n % 7 > 3]}\n" for n in range(60))
SPEC = {
    "task": "Classification",
    "target": "label",
    "estimator": {
        "sklearn": {"steps": [{"name": "m", "class": "sklearn.linear_model.LogisticRegression"}]}
    },
}


@pytest.fixture
def bench(workbench: Workbench) -> Workbench:
    workbench.name = f"left-{workbench.prefix.strip('/')}"
    workbench.deliver("one.csv", ROWS.encode())
    return workbench


def ingest(bench: Workbench, **asked: Any) -> dict[str, Any]:
    ended = bench.ingest(copies=False, **asked)
    assert ended.exit is Exit.OK, ended.message
    return ended.result


def train(bench: Workbench, version: dict[str, Any], keys: dict[str, str] | None = None) -> Outcome:
    server = bench.server.config
    keys = keys or {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
    }
    folder = bench.folder / f"keys-{len(list(bench.folder.iterdir()))}"
    folder.mkdir()
    for name, value in keys.items():
        (folder / name).write_text(value)
    dataset = {
        "name": bench.name,
        "version": version["version"],
        "manifest": version["manifest"],
        "cas": layout.cas_prefix(NAMESPACE),
        "keys": str(folder),
    }
    return bench.train(version, SPEC, dataset=dataset)


def copies(bench: Workbench, version: dict[str, Any]) -> list[str]:
    """The objects of a version that are in content-addressed storage."""
    cas = layout.cas_prefix(NAMESPACE)
    found = manifest.parse(bench.read(version["manifest"]), version["version"])
    wanted = {layout.cas_key(cas, entry.digest) for entry in found.entries}
    client, bucket = bench.client, bench.server.config.bucket
    return [
        str(o.object_name)
        for o in client.list_objects(bucket, prefix=cas, recursive=True)
        if o.object_name in wanted
    ]


def test_nothing_is_copied_and_it_is_read_where_it_is(bench: Workbench) -> None:
    version = ingest(bench)
    assert copies(bench, version) == []
    assert version["place"] == f"s3://{bench.bucket}/{bench.prefix}"
    ended = train(bench, version)
    assert ended.exit is Exit.OK, ended.message


def test_the_same_bytes_are_the_same_version_and_a_copy_wins(bench: Workbench) -> None:
    left = ingest(bench)
    copied = bench.ingest().result
    assert copied["version"] == left["version"]
    assert len(copies(bench, copied)) == 1
    again = ingest(bench)
    assert again["version"] == left["version"]
    bench.client.remove_object(bench.bucket, f"{bench.prefix}one.csv")
    ended = train(bench, again)
    assert ended.exit is Exit.OK, "what was copied is not given up for what may go"


def test_the_same_bytes_delivered_anew_are_what_they_were(bench: Workbench) -> None:
    version = ingest(bench)
    bench.deliver("one.csv", ROWS.encode())
    assert train(bench, version).exit is Exit.OK


@pytest.mark.parametrize("harm", ["replaced", "longer", "gone"])
def test_what_is_not_as_it_was_is_named(bench: Workbench, harm: str) -> None:
    version = ingest(bench)
    key = f"{bench.prefix}one.csv"
    other = ROWS.replace("1,u", "1,d") if harm == "replaced" else ROWS + "1,u\n"
    if harm == "gone":
        bench.client.remove_object(bench.bucket, key)
    else:
        bench.client.put_object(bench.bucket, key, io.BytesIO(other.encode()), len(other))
    ended = train(bench, version)
    assert (ended.exit, ended.reason) == (Exit.DATA, "SourceMutated")
    for part in (f"s3://{bench.bucket}/{key}", bench.name, "spec.pin", "put it back"):
        assert part in ended.message


def test_keys_that_do_not_open_the_source_are_named(bench: Workbench) -> None:
    version = ingest(bench)
    wrong = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "x" * 20}
    ended = train(bench, version, wrong)
    assert (ended.exit, ended.reason) == (Exit.USER, "AccessDenied")
    assert f"credentialsRef of Dataset {bench.name}" in ended.message
    assert "x" * 20 not in ended.message


def test_what_a_query_makes_is_kept_all_the_same(bench: Workbench) -> None:
    sql = "SELECT a * 2 AS a, label FROM source"
    version = ingest(bench, prepare={"sql": sql, "seconds": 60})
    assert len(copies(bench, version)) == 1
    raw = manifest.parse(bench.read(version["from"]))
    assert raw.place is not None
    bench.client.remove_object(bench.bucket, f"{bench.prefix}one.csv")
    assert bench.train(version, SPEC).exit is Exit.OK


def test_another_dataset_reads_it_as_its_source(bench: Workbench, tmp_path: Path) -> None:
    version = ingest(bench)
    keys = tmp_path / "of-the-other"
    keys.mkdir()
    (keys / "AWS_ACCESS_KEY_ID").write_text(bench.server.config.access_key)
    (keys / "AWS_SECRET_ACCESS_KEY").write_text(bench.server.config.secret_key)
    source = {
        "kind": "Dataset",
        "name": bench.name,
        "version": version["version"],
        "manifest": version["manifest"],
        "keys": str(keys),
    }
    ended = bench.ingest(source=source, fingerprint=version["version"])
    assert ended.exit is Exit.OK, ended.message
    assert len(copies(bench, ended.result)) == 1, "what reads it keeps what it has read"
