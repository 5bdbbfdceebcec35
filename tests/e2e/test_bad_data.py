"""Data that cannot be a version: refused whole, with the file, the place in it and the way out."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.e2e import specs
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.specs import RAW_SECRET
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually, settled

GOOD = "a,b,label\n1,0.5,up\n2,0.5,down\n"


def parquet(**columns: list[object]) -> bytes:
    """Make a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


WHOLE = parquet(a=list(range(1000)), label=["up", "down"] * 500)


@dataclass(frozen=True)
class Bad:
    """A delivery, and what the message must tell."""

    reason: str
    tells: tuple[str, ...]
    files: Mapping[str, str | bytes]
    form: str = "CSV"


BAD = {
    "ragged-short-row": Bad(
        "RaggedRows",
        ("/x.csv, row 3", "2 fields where the first row has 3", "complete the row"),
        {"x.csv": "a,b,label\n1,0.5,up\n2,0.5\n3,0.5,up\n"},
    ),
    "ragged-long-row": Bad(
        "RaggedRows",
        ("/x.csv, row 4", "4 fields where the first row has 3", "quote fields"),
        {"x.csv": f"{GOOD}3,0,5,up\n"},
    ),
    "latin-1": Bad(
        "WrongEncoding",
        ("/x.csv, row 4", "column 'label'", "byte 0xe9", "iconv -t UTF-8"),
        {"x.csv": f"{GOOD}3,0.5,été\n".encode("latin-1")},
    ),
    "utf-16-without-a-mark": Bad(
        "MalformedFile",
        ("/x.csv", "zero byte", "csv.encoding where it is UTF-16"),
        {"x.csv": GOOD.encode("utf-16-le")},
    ),
    "duplicate-columns": Bad(
        "DuplicateColumns",
        ("/x.csv", "two columns are named 'a'", "rename one"),
        {"x.csv": "a,b,a\n1,2,3\n"},
    ),
    "header-only": Bad(
        "NoRows",
        ("/x.csv", "header and no rows", "complete or remove it"),
        {"good.csv": GOOD, "x.csv": "a,b,label\n"},
    ),
    "empty-file": Bad(
        "NoRows", ("/x.csv", "0 bytes", "or remove it"), {"good.csv": GOOD, "x.csv": ""}
    ),
    "parquet-truncated": Bad(
        "MalformedFile",
        ("/x.parquet", f"({len(WHOLE) // 2} bytes)", "truncated", "deliver it again"),
        {"x.parquet": WHOLE[: len(WHOLE) // 2]},
        "Parquet",
    ),
    "a-column-missing-in-a-file": Bad(
        "SchemasDiffer",
        ("'label'", "/one.csv", "not in", "/two.csv", "narrow the source"),
        {"one.csv": GOOD, "two.csv": "a,b\n1,2\n"},
    ),
    "a-column-of-another-type": Bad(
        "SchemasDiffer",
        ("'a' is Integer in", "/one.csv and String in", "/two.csv", "deliver files with the same"),
        {"one.csv": GOOD, "two.csv": "a,b,label\nmany,2,up\n"},
    ),
}


TWO_OF_ONE_NAME = "a,a\n1,2\n"
LATER = {"corrected": TWO_OF_ONE_NAME, "remembered": TWO_OF_ONE_NAME, "later": GOOD}


@pytest.fixture(scope="module")
def deliveries(common: World, raw: RawStore) -> World:
    """Every bad delivery as a Dataset of its own, and some that become good or bad later."""
    ns = common.namespace
    for name, bad in BAD.items():
        for file, content in bad.files.items():
            raw.put(f"{ns}/{name}/{file}", content)
    for name, content in LATER.items():
        raw.put(f"{ns}/{name}/x.csv", content)
    forms = {name: bad.form for name, bad in BAD.items()} | dict.fromkeys(LATER, "CSV")
    wanted = {name: specs.dataset(f"{ns}/{name}/", form=form) for name, form in forms.items()}
    common.apply_all("Dataset", wanted)
    return common


@pytest.mark.parametrize("name", BAD)
def test_bad_data_is_refused(deliveries: World, raw: RawStore, name: str) -> None:
    body = assert_refused(deliveries, "Dataset", name, BAD[name].reason, BAD[name].tells)
    assert "version" not in body["status"]
    assert body["status"]["ingest"] == body["status"]["ingest"] | {
        "outcome": "Failed",
        "attempts": 1,
    }
    assert raw.keys(f"datasets/{deliveries.namespace}/{name}/", bucket=BUCKET) == []


def test_a_corrected_delivery_heals_by_itself(deliveries: World, raw: RawStore) -> None:
    deliveries.wait_stalled("Dataset", "corrected", "DuplicateColumns")
    raw.put(f"{deliveries.namespace}/corrected/x.csv", GOOD)
    assert deliveries.wait_ready("Dataset", "corrected")["status"]["rows"] == 2


def test_a_bad_delivery_leaves_the_version_before_in_use(deliveries: World, raw: RawStore) -> None:
    status = deliveries.wait_ready("Dataset", "later")["status"]
    raw.put(f"{deliveries.namespace}/later/y.csv", "a,b\n1,2\n")
    tells = ("/y.csv", f"version {status['shortVersion']} stays in use")
    body = assert_refused(deliveries, "Dataset", "later", "SchemasDiffer", tells)
    assert body["status"]["version"] == status["version"]
    assert (body["status"]["rows"], body["status"]["objects"]) == (2, 1)


def test_a_refusal_is_remembered_through_other_troubles(deliveries: World) -> None:
    prefix = f"{deliveries.namespace}/remembered/"
    spec = specs.dataset(prefix)
    told = deliveries.wait_stalled("Dataset", "remembered", "DuplicateColumns")
    without_keys = specs.dataset(prefix, credentialsRef={"name": "none"})
    for reason, other in (
        ("Suspended", {**spec, "suspend": True}),
        ("SecretMissing", without_keys),
    ):
        deliveries.apply("Dataset", "remembered", other)
        deliveries.wait_reason("Dataset", "remembered", reason)
        deliveries.apply("Dataset", "remembered", spec)
        body = assert_refused(deliveries, "Dataset", "remembered", "DuplicateColumns", (told,))
        assert body["status"]["ingest"]["attempts"] == 1


def test_an_object_replaced_during_the_ingest_is_not_mixed_in(world: World, raw: RawStore) -> None:
    prefix, count = f"{world.namespace}/", 40
    for number in range(count):
        raw.put(f"{prefix}{number:02}.csv", rows(20_000, shift=number))
    world.apply("Dataset", "moving", specs.dataset(prefix))
    # Some are read and kept by their content, the last one is not: now it is replaced.
    eventually(lambda: raw.keys(f"cas/{world.namespace}/", bucket=BUCKET))
    raw.put(f"{prefix}{count - 1:02}.csv", rows(10, shift=1000))
    body = world.wait("Dataset", "moving", lambda b: settled(b) and b["status"].get("version"))
    status = body["status"]
    assert (status["objects"], status["rows"]) == (count, 20_000 * (count - 1) + 10)
    assert len(status["versions"]) == 1
    kept = raw.keys(f"datasets/{world.namespace}/moving/", bucket=BUCKET)
    digest = status["version"].removeprefix("sha256:")
    assert all(digest in key for key in kept), "something of a delivery that was not versioned"


def test_an_object_that_may_not_be_read_is_named_and_heals(world: World, raw: RawStore) -> None:
    """The keys may list and not read: only the ingest finds out."""
    prefix = f"{world.namespace}/"
    raw.put(f"{prefix}x.csv", GOOD)
    world.secret(RAW_SECRET, raw.lister)
    world.apply("Dataset", "unreadable", specs.dataset(prefix))
    tells = ("/x.csv", "refuses the credentials", "spec.source.s3.credentialsRef")
    assert_refused(world, "Dataset", "unreadable", "AccessDenied", tells)
    world.secret(RAW_SECRET, raw.reader)
    world.wait_ready("Dataset", "unreadable")
