"""Every input that is known to go wrong somewhere, by name, through a whole ingest.

It is either refused whole, with its reason, its file and the way out, or it is a version whose rows
are told here. The parts have tests of their own, with more of each kind.
"""

import gzip
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.runner.files.test_parquet import encrypted
from tests.unit.runner.sources.web_scene import fetch, origin, refuse
from tests.unit.runner.workshop import PREFIX, Workshop
from tests.unit.web.faults import FAULTS, put
from tests.unit.web.site import MODIFIED, Page, Site

from tidemill.store.web import RemoteFile
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.files import text
from tidemill_runner.profile import document as profiles

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def parquet(table: Mapping[str, Any] | pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), sink, **options)
    return sink.getvalue()


def without_row_groups() -> bytes:
    sink = io.BytesIO()
    pq.ParquetWriter(sink, pa.schema([("a", pa.int64())])).close()
    return sink.getvalue()


@dataclass(frozen=True)
class Bad:
    """A delivery that is refused, and what the message tells beside the file."""

    reason: str
    tells: tuple[str, ...]
    files: Mapping[str, bytes | str]
    form: str = "CSV"
    options: Mapping[str, Any] = field(default_factory=dict)


WHOLE = parquet({"a": list(range(5000))})
REFUSED = {
    "CSV quotes unbalanced": Bad(
        "MalformedFile", ("quote is not closed",), {"x.csv": 'a,b\n1,"x\n2,y\n'}
    ),
    "CSV field of 10 MB": Bad(
        "MalformedFile", ("after row 1", "4 MiB"), {"x.csv": "a\n" + "x" * 10_000_000 + "\n"}
    ),
    "CSV with NUL bytes": Bad("MalformedFile", ("zero bytes",), {"x.csv": b"a,b\n1,x\x00y\n"}),
    "CSV in another encoding": Bad(
        "WrongEncoding",
        ("row 2", "'b'", "0xfc", "csv.encoding"),
        {"x.csv": "a,b\n1,ü\n".encode("latin-1")},
    ),
    "CSV with a duplicate header": Bad(
        "DuplicateColumns", ("'a'", "rename"), {"x.csv": "a,b,a\n1,2,3\n"}
    ),
    "CSV with an empty header": Bad(
        "MalformedFile", ("column 2", "no name"), {"x.csv": "a,,c\n1,2,3\n"}
    ),
    "CSV that is an Excel workbook": Bad(
        "MalformedFile",
        ("Excel workbook", "save"),
        {"x.csv": b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml"},
    ),
    "CSV that is an old Excel workbook": Bad(
        "MalformedFile",
        ("Excel workbook", "save"),
        {"x.csv": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)},
    ),
    "CSV of 0 rows": Bad("NoRows", ("header and no rows",), {"x.csv": "a,b\n"}),
    "CSV of 0 bytes": Bad("NoRows", ("0 bytes",), {"x.csv": ""}),
    "Parquet truncated": Bad(
        "MalformedFile", ("truncated", "again"), {"x.parquet": WHOLE[:-9]}, "Parquet"
    ),
    "Parquet encrypted": Bad(
        "MalformedFile",
        ("is encrypted", "decrypted"),
        {"x.parquet": encrypted(plain_footer=True)},
        "Parquet",
    ),
    "Parquet of different schemas": Bad(
        "SchemasDiffer",
        ("'a' is Integer in", "String in"),
        {"x.parquet": parquet({"a": [1]}), "y.parquet": parquet({"a": ["x"]})},
        "Parquet",
    ),
    "Parquet of zero row groups": Bad(
        "NoRows", ("deliver data with rows",), {"x.parquet": without_row_groups()}, "Parquet"
    ),
    "JSON lines broken in line 3": Bad(
        "MalformedFile", ("line 3",), {"x.jsonl": '{"a": 1}\n{"a": 2}\n{"a": \n'}, "JSONLines"
    ),
    "JSON lines of 0 rows": Bad("NoRows", ("no line",), {"x.jsonl": "\n\n"}, "JSONLines"),
    "names that differ in case only": Bad(
        "DuplicateColumns", ("'a'", "'A'", "rename"), {"x.csv": "a,A\n1,2\n"}
    ),
}
# Those that are about no file, but about all of them or what they have in common.
NAMELESS = {"Parquet of zero row groups", "names that differ in case only"}


def ingest(workshop: Workshop, bad: Bad, **asked: Any) -> dict[str, Any]:
    workshop.format, workshop.options = bad.form, dict(bad.options)
    workshop.source.objects |= {
        PREFIX + name: data.encode() if isinstance(data, str) else data
        for name, data in bad.files.items()
    }
    return workshop.ingest(**asked)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_whole(workshop: Workshop, name: str) -> None:
    bad = REFUSED[name]
    with pytest.raises(Failure) as caught:
        ingest(workshop, bad)
    failure = caught.value
    assert (failure.reason, failure.exit_code) == (bad.reason, Exit.DATA)
    place = () if name in NAMELESS else (f"{PREFIX}{next(iter(bad.files))}",)
    for words in (*place, *bad.tells):
        assert words in failure.message
    assert all(key.startswith("cas/") for key in workshop.store.written)


def test_gzip_bomb(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "FREE", 1024 * 1024)
    data = gzip.compress(b"a\n" + b"1\n" * 8_000_000)
    with pytest.raises(Failure, match=f"{text.MAX_RATIO} times its size") as caught:
        ingest(workshop, Bad("", (), {"bomb.csv.gz": data}))
    assert caught.value.reason == "MalformedFile"
    assert f"{PREFIX}bomb.csv.gz" in caught.value.message


@dataclass(frozen=True)
class Odd:
    """A delivery that is taken: the types of its columns, and what its profile has counted."""

    columns: Mapping[str, str]
    files: Mapping[str, bytes | str]
    form: str = "CSV"
    nulls: int = 0
    rows: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)


NAMES = [
    'say "hi"',
    "x'; DROP TABLE rows; --",
    "😀",
    "n" * 1000,
    "two\nlines",
    "SELECT",
    "a.b",
    "%s",
]
QUOTED = ",".join('"' + name.replace('"', '""') + '"' for name in NAMES)
TWO = {"a": "Integer", "b": "String"}
TAKEN = {
    "CSV with a BOM": Odd(TWO, {"x.csv": b"\xef\xbb\xbfa,b\n1,x\n2,y\n"}),
    "CSV with CRLF": Odd(TWO, {"x.csv": "a,b\r\n1,x\r\n2,y\r\n"}),
    "CSV with decimal commas declared": Odd(
        {"a": "Float", "b": "Integer"},
        {"x.csv": "a;b\n1,5;2\n2,5;3\n"},
        options={"csv": {"decimal": ","}},
    ),
    "CSV with decimal commas not declared": Odd(
        {"a": "String", "b": "Integer"}, {"x.csv": "a;b\n1,5;2\n2,5;3\n"}
    ),
    "CSV with mixed types": Odd({"a": "String"}, {"x.csv": "a\n1\nx\n"}),
    "NaN and infinity": Odd({"a": "Float"}, {"x.csv": "a\ninf\n-inf\nNaN\n"}, nulls=1, rows=3),
    "strange column names": Odd(
        dict.fromkeys(NAMES, "Integer"), {"x.csv": f"{QUOTED}\n{'1,' * 7}1\n{'2,' * 7}2\n"}
    ),
    "the hour that comes twice": Odd(
        {"t": "Timestamp"}, {"x.csv": "t\n2024-10-27T02:30:00+02:00\n2024-10-27T02:30:00+01:00\n"}
    ),
    "time zones of Parquet": Odd(
        {"t": "Timestamp"},
        {"x.parquet": parquet({"t": pa.array([NOON, NOON], pa.timestamp("ms", tz="Asia/Tokyo"))})},
        "Parquet",
    ),
    "Parquet nested": Odd(
        {"a": "Integer", "s": "Other"},
        {"x.parquet": parquet({"a": [1, 2], "s": [{"x": [1]}, {"x": []}]})},
        "Parquet",
    ),
    "Parquet decimal": Odd(
        {"a": "Float"},
        {"x.parquet": parquet({"a": pa.array([Decimal("1.25"), None], pa.decimal128(9, 2))})},
        "Parquet",
        nulls=1,
    ),
    "Parquet int96": Odd(
        {"t": "Timestamp"},
        {
            "x.parquet": parquet(
                {"t": pa.array([NOON, datetime(9999, 12, 31, tzinfo=UTC)], pa.timestamp("us"))},
                use_deprecated_int96_timestamps=True,
            )
        },
        "Parquet",
    ),
    "a key that JSON lines lack": Odd(
        {"a": "Integer", "b": "String"},
        {"x.jsonl": '{"a": 1}\n{"b": "x"}\n'},
        "JSONLines",
        nulls=2,
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_a_version_with_its_profile(workshop: Workshop, name: str) -> None:
    odd = TAKEN[name]
    result = ingest(workshop, Bad("", (), odd.files, odd.form, odd.options))
    assert {c["name"]: c["type"] for c in result["columns"]} == odd.columns
    assert result["rows"] == odd.rows
    profile = profiles.parse(workshop.store.objects[result["profile"]])
    assert sum(column.gaps.nulls for column in profile.columns) == odd.nulls
    assert b"</html>" in workshop.store.objects[result["report"]]


# Every string of a spec that reaches the runner, with what would do harm were it pasted into SQL.

HOSTILE = (
    "'; DROP TABLE staged; --",
    '"; DROP VIEW rows; --',
    "x' OR '1'='1",
    "\" FROM read_text('/etc/passwd') --",
    "') FROM rows; COPY (SELECT 1) TO '/tmp/tidemill-injected'; --",
    "\\'; SELECT getenv('HOME'); --",
    "{0} %s $1 ?",
    "/* ",
)
HARMED = Path("/tmp/tidemill-injected")
PASSWORDS = b"root:x:"


def places(bad: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By field of the spec: what the source says, and what is asked of the rows."""
    columns = {
        "name": {"name": bad},
        "in": {"name": "b", "in": [bad]},
        "regex": {"name": "b", "regex": bad},
        "min": {"name": "a", "min": bad},
    }
    checks = {
        "name": {"name": bad, "expression": "a > 0"},
        "expression": {"name": "c", "expression": bad},
        "expression's text": {"name": "c", "expression": f"b = '{bad}'"},
        "unique": {"name": "c", "unique": {"columns": [bad]}},
        "freshness": {"name": "c", "freshness": {"column": bad, "maxAge": bad}},
        "monotonic": {"name": "c", "monotonic": {"column": bad}},
        "distribution": {"name": "c", "distribution": {"columns": [bad], "effect": bad}},
    }
    return {
        **{f"schema.{name}": ({}, {"schema": {"columns": [c]}}) for name, c in columns.items()},
        **{f"checks.{name}": ({}, {"checks": [check]}) for name, check in checks.items()},
        "schema.mode": ({}, {"schema": {"mode": bad}}),
        "schema.onChange": ({}, {"schema": {"onChange": bad}}),
        "describe.label": ({}, {"describe": {"label": bad, "groups": [{"column": "b"}]}}),
        "describe.groups": ({}, {"describe": {"groups": [{"column": bad}]}}),
        "prepare.sql": ({}, {"prepare": {"sql": bad, "seconds": 10}}),
        "prepare.sql's end": (
            {},
            {"prepare": {"sql": f"FROM source {bad}", "seconds": 10}},
        ),
        "source.include": ({"include": [bad, "*.csv"]}, {}),
        "source.csv.delimiter": ({"csv": {"delimiter": bad[:1]}}, {}),
        "source.csv.quote": ({"csv": {"quote": bad[:1]}}, {}),
        "why": ({}, {"why": bad}),
    }


@pytest.mark.parametrize("place", places(""))
@pytest.mark.parametrize("bad", HOSTILE)
def test_no_string_of_a_spec_is_sql(workshop: Workshop, place: str, bad: str) -> None:
    """Refused for what it is, or harmless: the version that comes of it has all its rows."""
    options, asked = places(bad)[place]
    data = "a,b\n" + "".join(f"{n},w{n % 3}\n" for n in range(1, 41))
    delivery = Bad("", (), {"x.csv": data}, options=options)
    try:
        result = ingest(workshop, delivery, **asked)
    except Failure as failure:
        result, refusal = {}, failure
    else:
        refusal = None
    if refusal is not None:
        assert refusal.exit_code in (Exit.USER, Exit.DATA)
    told = [data for key, data in workshop.store.objects.items() if "cas/" not in key]
    told += [json.dumps(result).encode(), str(refusal).encode()]
    assert not any(PASSWORDS in one for one in told)
    assert result.get("rows", 40) == 40
    assert not HARMED.exists()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "n" * 1000])
def test_a_partition_may_have_any_name_and_value(workshop: Workshop, name: str) -> None:
    workshop.options = {"partitions": "Hive"}
    workshop.source.objects |= {
        f"{PREFIX}{name}='; DROP TABLE rows; --/x.csv": b"a\n1\n",
        f'{PREFIX}{name}=say "hi"/y.csv': b"a\n2\n",
    }
    result = workshop.ingest()
    assert {column["name"] for column in result["columns"]} == {"a", name}


EXPLODING = ("(a+)+$", "(a|a)*b", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a{1,30}){1,30}$")


@pytest.mark.parametrize("regex", EXPLODING)
def test_a_regex_cannot_explode(workshop: Workshop, regex: str) -> None:
    """Where others take for ever, RE2 takes a time that grows with the text, or refuses it."""
    bad = Bad("", (), {"x.csv": "s\n" + ("a" * 5000 + "!\n") * 20})
    began = time.monotonic()
    result = ingest(workshop, bad, schema={"columns": [{"name": "s", "regex": regex}]})
    assert "regex" in result["rejected"]["message"]
    assert time.monotonic() - began < 20


WEB = {
    "HTTP 404": "missing",
    "HTTP 500": "own fault",
    "HTTP 503": "overloaded",
    "HTTP 401": "unauthorised",
    "HTTP that leads to a private address": "to a private network",
    "HTTP that goes in a circle": "circle",
}


@pytest.mark.parametrize("name", WEB)
def test_a_url_is_refused(tmp_path: Path, name: str) -> None:
    fault = FAULTS[WEB[name]]
    with Site() as site:
        put(site, fault)
        failure = refuse(origin(site), tmp_path)
    assert failure.reason == fault.reason
    for words in fault.words:
        assert words in failure.message


def test_a_url_whose_file_changes_during_read(tmp_path: Path) -> None:
    with Site() as site:

        def change(page: Page) -> None:
            page.body, page.etag = b"a,b\n9,9\n", '"two"'

        site.pages["/day/data.csv"] = Page(before_get=change)
        assert refuse(origin(site), tmp_path).reason == "SourceChanged"


def test_a_url_without_end(tmp_path: Path) -> None:
    with Site() as site:
        site.pages["/day/data.csv"] = Page(endless=True, length=False)
        seen = RemoteFile('"one"', MODIFIED, None).fingerprint
        failure = refuse(origin(site, fingerprint=seen, max_bytes=100_000), tmp_path)
    assert "longer than the 100000 bytes" in failure.message


def test_a_url_that_is_whole_is_read(tmp_path: Path) -> None:
    """So that what is refused above is not refused for another cause."""
    with Site() as site:
        site.pages["/day/data.csv"] = Page()
        assert fetch(origin(site), tmp_path) == Page().body
