"""A version of another Dataset as the source: read from what is stored, every byte proved."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.workshop import PREFIX, Workshop

from tidemill.store import digests, errors, layout, manifest
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

FILES = {"a_csv": "a,b\n1,x\n", "b_csv": "a,b\n2.5,\n"}


def above(workshop: Workshop) -> dict[str, Any]:
    """Ingest a version of the Dataset `up` from a bucket."""
    workshop.deliver(**FILES)
    result = workshop.ingest()
    key = layout.manifest_key("ns", "up", result["version"])
    workshop.store.objects[key] = workshop.store.objects.pop(result["manifest"])
    return {**result, "manifest": key}


def derive(workshop: Workshop, version: dict[str, Any]) -> dict[str, Any]:
    source = {
        "kind": "Dataset",
        "name": "up",
        "version": version["version"],
        "manifest": version["manifest"],
    }
    return workshop.ingest_from(source, version["version"], Path("none"))


def refuse(workshop: Workshop, version: dict[str, Any]) -> Failure:
    written = len(workshop.store.written)
    with pytest.raises(Failure) as caught:
        derive(workshop, version)
    assert not any("manifests" in key for key in workshop.store.written[written:])
    return caught.value


def test_it_is_read_as_it_was(workshop: Workshop) -> None:
    first = above(workshop)
    written = len(workshop.store.written)
    result = derive(workshop, first)
    for name in ("version", "rows", "bytes", "objects", "columns", "schema"):
        assert result[name] == first[name]
    assert result["manifest"] == layout.manifest_key("ns", "power", first["version"])
    later = workshop.store.written[written:]
    assert later[-1] == result["manifest"]
    assert not any(key.startswith("cas/") for key in later)  # no byte is copied again
    parsed = manifest.parse(workshop.store.objects[result["manifest"]])
    assert [(e.key, e.version) for e in parsed.entries] == [("a.csv", None), ("b.csv", None)]


def cas(data: str) -> str:
    return layout.cas_key(layout.cas_prefix("ns"), digests.sha256_digest(data.encode()))


@pytest.mark.parametrize("harm", ["altered", "gone", "manifest altered", "manifest gone", "schema"])
def test_what_is_not_as_it_was_is_corrupt(workshop: Workshop, harm: str) -> None:
    version, objects = above(workshop), workshop.store.objects
    if harm == "altered":
        objects[cas(FILES["b_csv"])] = b"a,b\n9,x\n"
    elif harm == "gone":
        del objects[cas(FILES["b_csv"])]
    elif harm == "manifest altered":
        objects[version["manifest"]] = objects[version["manifest"]].replace(b"a.csv", b"c.csv")
    elif harm == "manifest gone":
        del objects[version["manifest"]]
    else:
        del objects[layout.cas_key(layout.cas_prefix("ns"), version["schema"])]
    failure = refuse(workshop, version)
    assert (failure.reason, failure.exit_code) == ("DatasetCorrupt", Exit.DATA)


def test_a_manifest_that_may_not_be_read_is_as_gone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = above(workshop)
    read = MemoryStorage.get

    def get(self: MemoryStorage, key: str, max_bytes: int) -> bytes:
        if key == version["manifest"]:
            raise errors.AccessDenied(key)
        return read(self, key, max_bytes)

    monkeypatch.setattr(MemoryStorage, "get", get)
    failure = refuse(workshop, version)
    assert failure.reason == "DatasetCorrupt"
    assert "of Dataset up is gone, or the store refuses it" in failure.message


def test_how_the_files_are_written_need_not_be_said_again(workshop: Workshop) -> None:
    """Dialect and folders are those that the schema of the one above names."""
    workshop.options = {
        "csv": {"delimiter": ";", "decimal": ",", "encoding": "Latin-1"},
        "partitions": "Hive",
    }
    for day in (1, 2):
        workshop.source.objects[f"{PREFIX}day={day}/x.csv"] = "a;b\n1,5;ü\n".encode("latin-1")
    first = workshop.ingest()
    names = [(c["name"], c["type"]) for c in first["columns"]]
    assert names == [("a", "Float"), ("b", "String"), ("day", "Integer")]
    second = derive(workshop, first)
    assert (second["version"], second["columns"]) == (first["version"], first["columns"])
