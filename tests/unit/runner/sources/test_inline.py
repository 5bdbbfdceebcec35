"""A table in the spec, as a version."""

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.workshop import LOGISTIC, Workshop, classification, estimator, rows

from tidemill.store import digests, manifest
from tidemill_runner import inputs
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import InlineSource


def ingest(
    workshop: Workshop, data: bytes, fingerprint: str | None = None, **written: Any
) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    source = {"kind": "Inline", "format": "CSV", "data": encoded, **written}
    seen = fingerprint or digests.sha256_digest(data)
    return workshop.ingest_from(source, seen, Path("none"))


def test_it_is_one_object_with_exactly_these_bytes(workshop: Workshop) -> None:
    data = "a,b\r\n1,ü\n".encode()
    result = ingest(workshop, data)
    [entry] = manifest.parse(workshop.store.objects[result["manifest"]]).entries
    assert (entry.key, entry.size, entry.version) == ("data", len(data), None)
    assert entry.digest == digests.sha256_digest(data)
    assert data in workshop.store.objects.values()
    assert (result["rows"], result["objects"], result["bytes"]) == (1, 1, len(data))


def test_it_can_be_trained_on(workshop: Workshop) -> None:
    result = ingest(workshop, rows().encode())
    spec = classification(estimator=estimator(LOGISTIC))
    assert workshop.train(result, spec)["rows"]["train"] == 42


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b'{"a": 1, "b": 2.5}\n', {"format": "JSONLines"}),
        (b"a;b\n1;2,5\n", {"csv": {"delimiter": ";", "decimal": ","}}),
    ],
    ids=["JSON lines", "a dialect"],
)
def test_it_is_read_as_it_is_written(
    workshop: Workshop, data: bytes, written: dict[str, Any]
) -> None:
    columns = ingest(workshop, data, **written)["columns"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("a", "Integer"),
        ("b", "Float"),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"a,b\n1\n", "RaggedRows"), (b"a,b\n", "NoRows"), (b"a,a\n1,2\n", "DuplicateColumns")],
)
def test_a_fault_in_it_names_the_field(workshop: Workshop, data: bytes, reason: str) -> None:
    with pytest.raises(Failure) as caught:
        ingest(workshop, data)
    assert caught.value.reason == reason
    assert caught.value.message.startswith("spec.source.inline.data")


def test_other_data_than_were_seen_are_not_versioned(workshop: Workshop) -> None:
    with pytest.raises(Failure) as caught:
        ingest(workshop, b"a\n1\n", "sha256:other")
    assert (caught.value.reason, caught.value.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)


def test_what_is_no_base64_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="base64"):
        inputs._source({"kind": "Inline", "format": "CSV", "data": "a,b"}, "cas/")
    found = inputs._source({"kind": "Inline", "format": "CSV", "data": "YQ=="}, "cas/")
    assert found == InlineSource("CSV", b"a")


def test_a_source_of_an_unknown_kind_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="'Ftp'"):
        inputs._source({"kind": "Ftp"}, "cas/")
