"""What a package tells of the feature tables of its model, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.server.features.table import (
    INPUTS,
    LOAD,
    SKY,
    column,
    entry,
    key,
    lineage,
    signature,
    tables,
)

from tidemill_server.exits import Exit, Refused
from tidemill_server.features.tables import read_tables

SITE = [key("site", "String")]


def put(folder: Path, content: Any) -> Path:
    (folder / "lineage.json").write_text(json.dumps(content))
    return folder


def test_the_tables_of_a_package(tmp_path: Path) -> None:
    found = read_tables(put(tmp_path, lineage()), signature())
    assert found == tables()
    load, weather = found
    assert (load.dataset, load.max_age) == ("site-load", 3_600_000_000)
    assert [(one.name, one.source, one.place) for one in load.columns] == [
        ("load", "load", 2),
        ("units", "units", 3),
        ("open", "open", 4),
    ]
    assert [part.name for part in weather.key] == ["region", "day"]
    assert [part.sent.datatype for part in weather.key] == ["INT64", "BYTES"]
    assert [(one.name, one.source) for one in weather.columns] == [("w_sky", "sky")]
    assert weather.max_age is None


def test_one_dataset_by_two_keys(tmp_path: Path) -> None:
    twice = {
        "join": [
            entry("grid", [key("home", "String", "site")], [column("load", "Float", "x")]),
            entry("grid", [key("away", "String", "site")], [column("units", "Integer", "y")]),
        ]
    }
    found = read_tables(put(tmp_path, twice), signature())
    assert [(one.dataset, one.key[0].name) for one in found] == [("grid", "home"), ("grid", "away")]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"join": []},
        {"join": [entry("x", SITE, [column("excluded", "Float")])]},
    ],
    ids=["no join", "an empty one", "all of it excluded"],
)
def test_a_model_that_takes_no_joined_feature_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(Refused, match=r"spec\.features: the model takes no feature") as refused:
        read_tables(put(tmp_path, content), signature())
    assert (refused.value.reason, refused.value.code) == ("SpecInvalid", Exit.USER_ERROR)


def test_a_package_without_lineage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"spec\.features: the model takes no feature"):
        read_tables(tmp_path, signature())


def test_a_package_of_an_earlier_release_is_refused(tmp_path: Path) -> None:
    earlier = lineage()
    del earlier["join"][1]["lookup"]
    with pytest.raises(Refused, match="train it again, or remove the field") as refused:
        read_tables(put(tmp_path, earlier), signature())
    assert (refused.value.reason, refused.value.code) == ("SpecInvalid", Exit.USER_ERROR)


BROKEN: dict[str, Any] = {
    "no object": [],
    "join is a text": {"join": "all"},
    "a table is a text": {"join": ["x"]},
    "too many tables": {"join": [entry("x", SITE, LOAD)] * 65},
    "no name": {"join": [entry("", SITE, LOAD)]},
    "no key": {"join": [entry("x", [], LOAD)]},
    "a key of a type that is none": {"join": [entry("x", [key("site", "Other")], LOAD)]},
    "a key of another type than the input": {"join": [entry("x", [key("site", "Float")], LOAD)]},
    "a column of another type": {"join": [entry("x", SITE, [column("load", "String")])]},
    "a column that is no number": {"join": [entry("x", SITE, [column("w_sky", "Date")])]},
    "a column without gaps": {"join": [entry("x", SITE, [column("price", "Float")])]},
    "a column twice": {"join": [entry("x", SITE, LOAD), entry("y", SITE, LOAD)]},
    "a key that is joined": {
        "join": [entry("x", SITE, LOAD), entry("y", [key("load", "Float")], SKY)]
    },
    "two types of a key": {
        "join": [
            entry("x", [key("other", "Date")], LOAD),
            entry("y", [key("other", "Timestamp")], SKY),
        ]
    },
    "an age that is none": {"join": [entry("x", SITE, LOAD, maxAge="soon")]},
    "an age beyond time": {"join": [entry("x", SITE, LOAD, maxAge="999999d" * 2000)]},
    "a name that is a number": {"join": [entry("x", SITE, [{**LOAD[0], "source": 7}])]},
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_lineage_that_makes_no_sense_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        read_tables(put(tmp_path, BROKEN[name]), signature(*INPUTS))
    assert (refused.value.reason, refused.value.code) == ("MalformedPackage", Exit.DATA_ERROR)
    assert refused.value.message.startswith("lineage.json cannot be used")


@pytest.mark.parametrize("text", ["", "{", '{"join": [' * 100_000, "\ud800"])
def test_a_lineage_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "lineage.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(Refused, match=r"lineage\.json cannot be used"):
        read_tables(tmp_path, signature())
