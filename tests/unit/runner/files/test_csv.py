"""CSV as it is delivered: signs declared or found, and everything that goes wrong with it."""

import io
import math
from csv import writer as csv_writer
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runner.files.rows import csv, merged, one, read_back, refused

from tidemill_runner.failures import Failure
from tidemill_runner.schema import Schema, parse

TWO = {"a": [1, 2], "b": ["x", "y"]}
PLAIN = b"a,b\n1,x\n2,y\n"


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        pytest.param(PLAIN, {}, TWO, id="plain"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN, {}, TWO, id="BOM"),
        pytest.param(PLAIN.replace(b"\n", b"\r\n"), {}, TWO, id="CRLF"),
        pytest.param(PLAIN.replace(b"\n", b"\r"), {}, TWO, id="CR"),
        pytest.param(PLAIN.rstrip(), {}, TWO, id="no newline at the end"),
        pytest.param(PLAIN.replace(b",", b";"), {}, TWO, id="semicolons found"),
        pytest.param(PLAIN.replace(b",", b"\t"), {}, TWO, id="tabs found"),
        pytest.param(PLAIN.replace(b",", b"|"), {}, TWO, id="bars found"),
        pytest.param(PLAIN.replace(b",", b"~"), {"delimiter": "~"}, TWO, id="tildes declared"),
        pytest.param(b"a;b,c\n1;2\n3;4\n", {}, {"a": [1, 3], "b,c": [2, 4]}, id="comma in a name"),
        pytest.param(b"a,b|c\n1,2\n3,4\n", {}, {"a": [1, 3], "b|c": [2, 4]}, id="bar in a name"),
        pytest.param(b'"a;b",c\n1,2\n', {}, {"a;b": [1], "c": [2]}, id="semicolon in quotes"),
        pytest.param(
            b'a,b\n1,"x;y"\n2,"z;\nw"\n',
            {},
            {"a": [1, 2], "b": ["x;y", "z;\nw"]},
            id="semicolons in quoted texts",
        ),
        pytest.param(
            b"a;b\n1,50;2\n2,25;3\n",
            {},
            {"a": ["1,50", "2,25"], "b": [2, 3]},
            id="decimal commas not declared are text",
        ),
        pytest.param(
            b"a;b\n1,50;2\n-2,5e-1;3\n;4\n",
            {"decimal": ","},
            {"a": [1.5, -0.25, None], "b": [2, 3, 4]},
            id="decimal commas declared are numbers",
        ),
        pytest.param(
            b"a;b\n1.234,5;2\n",
            {"decimal": ","},
            {"a": ["1.234,5"], "b": [2]},
            id="thousands are text",
        ),
        pytest.param(
            b"a;b\n1.5;2\n",
            {"decimal": ","},
            {"a": ["1.5"], "b": [2]},
            id="a point is no decimal comma",
        ),
        pytest.param(
            b'a,b\n"1,5",2\n', {"decimal": ","}, {"a": [1.5], "b": [2]}, id="comma twice, quoted"
        ),
        pytest.param(b"a,b\n1,'x,y'\n", {"quote": "'"}, {"a": [1], "b": ["x,y"]}, id="apostrophes"),
        pytest.param(b'a,b\n1,5"\n', {"quote": "None"}, {"a": [1], "b": ['5"']}, id="no quotes"),
        pytest.param(b'a,b\n1,5"\n2,6"\n', {}, {"a": [1, 2], "b": ['5"', '6"']}, id="inches"),
        pytest.param(b'a,b\n1,""\n', {}, {"a": [1], "b": [None]}, id="empty quotes at the end"),
        pytest.param(b'a,b\n1,""""', {}, {"a": [1], "b": ['"']}, id="a quoted quote at the end"),
        pytest.param(
            b'a,b\n1,"x\n"\n', {}, {"a": [1], "b": ["x\n"]}, id="quoted newline at the end"
        ),
        pytest.param(
            "a,b\n1,ü€\n".encode("cp1252"),
            {"encoding": "Windows-1252"},
            {"a": [1], "b": ["ü€"]},
            id="Windows-1252",
        ),
        pytest.param(
            "a,ü\n1,é\n".encode("latin-1"),
            {"encoding": "Latin-1"},
            {"a": [1], "ü": ["é"]},
            id="Latin-1",
        ),
        pytest.param(
            "a\tb\n1\t😀\n".encode("utf-16"),
            {},
            {"a": [1], "b": ["😀"]},
            id="UTF-16 found by its mark",
        ),
        pytest.param(
            b"\xfe\xff" + "a,b\n1,ü\n".encode("utf-16-be"),
            {"encoding": "UTF-16"},
            {"a": [1], "b": ["ü"]},
            id="UTF-16 of the other order",
        ),
        pytest.param(
            b"1,x\n2,y\n",
            {"header": False},
            {"column1": [1, 2], "column2": ["x", "y"]},
            id="no header",
        ),
        pytest.param(
            b'# made by hand\na,b\n# more\n1,x\n2,"y\n# z"\n#',
            {"comment": "#"},
            {"a": [1, 2], "b": ["x", "y\n# z"]},
            id="comments",
        ),
        pytest.param(b"a\n1\nx\n2.5\n", {}, {"a": ["1", "x", "2.5"]}, id="mixed types are text"),
        pytest.param(
            b"a,b\ninf,1\n-Infinity,2\nNaN,3\n",
            {},
            {"a": [math.inf, -math.inf, None], "b": [1, 2, 3]},
            id="NaN and infinity",
        ),
    ],
)
def test_rows_are_read_as_they_were_written(
    tmp_path: Path, data: bytes, declared: dict[str, Any], expected: dict[str, list[Any]]
) -> None:
    assert one(tmp_path, data, csv(**declared))[1] == expected


ODD_NAMES = ['say "hi"', "x'; DROP TABLE rows; --", "😀", "n" * 1000, "two\nlines", " a ", "SELECT"]


def test_any_name_is_a_column(tmp_path: Path) -> None:
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in ODD_NAMES)
    data = f"{quoted}\n{','.join('1' * len(ODD_NAMES))}\n"
    assert one(tmp_path, data, csv())[1] == {name: [1] for name in ODD_NAMES}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(
            ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00"],
            [datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC)],
            id="the hour that comes twice",
        ),
        pytest.param(
            ["2024-03-31T02:30:00", "2024-03-31 03:30"],
            [datetime(2024, 3, 31, 2, 30, tzinfo=UTC), datetime(2024, 3, 31, 3, 30, tzinfo=UTC)],
            id="the hour that is left out is one of UTC",
        ),
        pytest.param(
            ["2024-01-01T00:00:00Z", "2024-01-01T05:30:00+05:30"],
            [datetime(2024, 1, 1, tzinfo=UTC)] * 2,
            id="zones",
        ),
        pytest.param(
            ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"],
            ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"],
            id="zones in some rows only are text",
        ),
    ],
)
def test_times_are_instants(tmp_path: Path, texts: list[str], expected: list[Any]) -> None:
    assert one(tmp_path, "t\n" + "\n".join(texts), csv())[1] == {"t": expected}


def open_quote(column: int) -> bytes:
    row = [b"1", b"x"]
    row[column] = b'"' + row[column]
    return b"a,b\n1,x\n" + b",".join(row) + b"\n2,y\n3,z\n"


@pytest.mark.parametrize(
    ("data", "declared", "reason", "words"),
    [
        pytest.param(
            open_quote(1),
            {},
            "MalformedFile",
            ["quote is not closed"],
            id="unbalanced quote in the last column",
        ),
        pytest.param(
            open_quote(0), {}, "RaggedRows", ["row 3"], id="unbalanced quote in the first column"
        ),
        pytest.param(
            b'a,b\n1,"',
            {},
            "MalformedFile",
            ["quote is not closed"],
            id="unbalanced quote at the end",
        ),
        pytest.param(
            b'a\n"x',
            {},
            "MalformedFile",
            ["quote is not closed"],
            id="unbalanced quote in the only column",
        ),
        pytest.param(
            b"a,b\n1," + b"x" * 10_000_000 + b"\n",
            {},
            "MalformedFile",
            ["after row 1", "4 MiB"],
            id="10 MB field",
        ),
        pytest.param(b"a,b\n1,x\x00y\n", {}, "MalformedFile", ["zero bytes"], id="NUL bytes"),
        pytest.param(
            b"a,b\n" + (b"1," + b"x" * 10_000 + b"\n") * 1000 + b"1,x\x00y\n",
            {},
            "MalformedFile",
            ["zero bytes", "row 1002", "'b'"],
            id="NUL bytes far behind",
        ),
        pytest.param(
            "a,b\n1,ü\n".encode("latin-1"),
            {},
            "WrongEncoding",
            ["row 2", "'b'", "0xfc", "csv.encoding"],
            id="wrong encoding",
        ),
        pytest.param(
            b"a,b\n1,x\n2,\x81\n",
            {"encoding": "Windows-1252"},
            "WrongEncoding",
            ["line 3", "0x81", "csv.encoding"],
            id="not Windows-1252",
        ),
        pytest.param(
            "a,b\n1,ü\n".encode("utf-16-le"),
            {"encoding": "UTF-16"},
            "WrongEncoding",
            ["byte order mark"],
            id="UTF-16 without a mark",
        ),
        pytest.param(
            "a,b\n1,ü\n".encode("utf-16")[:-1],
            {},
            "WrongEncoding",
            ["line 2"],
            id="UTF-16 cut in a character",
        ),
        pytest.param(
            "a,b\n1,x\n".encode("utf-16"),
            {"encoding": "UTF-8"},
            "WrongEncoding",
            ["UTF-16", "UTF-8"],
            id="another mark than declared",
        ),
        pytest.param(b"a,b,a\n1,2,3\n", {}, "DuplicateColumns", ["'a'"], id="duplicate name"),
        pytest.param(
            b"a,,c\n1,2,3\n", {}, "MalformedFile", ["column 2", "no name"], id="empty name"
        ),
        pytest.param(b"1,2\n3,4\n", {}, "MalformedFile", ["csv.header"], id="no header"),
        pytest.param(
            b"a,b;c\n1,2;3\n",
            {},
            "MalformedFile",
            ["commas or by semicolons", "declare"],
            id="two delimiters that may be meant",
        ),
        pytest.param(
            b"a,b\n1,2\n",
            {"delimiter": ";"},
            "MalformedFile",
            ["commas", "';'"],
            id="another delimiter than declared",
        ),
        pytest.param(b"a\n", {}, "NoRows", ["header and no rows"], id="0 rows"),
        pytest.param(b"# nothing\n", {"comment": "#"}, "NoRows", ["empty"], id="comments only"),
        pytest.param(b"", {}, "NoRows", ["0 bytes"], id="0 bytes"),
        pytest.param(
            b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml",
            {},
            "MalformedFile",
            ["Excel workbook (.xlsx)", "save"],
            id="xlsx named csv",
        ),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
            {},
            "MalformedFile",
            ["Excel workbook (.xls)", "save"],
            id="xls named csv",
        ),
        pytest.param(b"PK\x03\x04" + bytes(26) + b"a.csv", {}, "MalformedFile", ["zip"], id="zip"),
        pytest.param(b"PAR1\x15\x04\x15", {}, "MalformedFile", ["format to Parquet"], id="Parquet"),
    ],
)
def test_a_file_is_refused(
    tmp_path: Path, data: bytes, declared: dict[str, Any], reason: str, words: list[str]
) -> None:
    failure = refused(tmp_path, data, csv(**declared), key="raw/bad.csv")
    assert failure.reason == reason
    for word in words:
        assert word in failure.message


def test_no_message_shows_a_value(tmp_path: Path) -> None:
    for data in (b"a,b\n1,hush\n2\n", b"a,b\n1,hush\n2,hush,hush\n", b'a,b\n1,"hush\n'):
        assert "hush" not in refused(tmp_path, data, csv()).message


def test_the_dialect_found_is_the_one_read_with(tmp_path: Path) -> None:
    """The second file alone would show another delimiter: what was found first is held to."""
    schema = merged(tmp_path, {"one": b"a;b\n1;2\n"}, csv())
    assert schema.csv.delimiter == ";"
    assert parse(schema.to_bytes()) == schema
    files = {"one": b"a;b\n1;2\n", "two": b"a;b\n3;4\n"}
    assert read_back(tmp_path, files, csv()) == {"a": [1, 3], "b": [2, 4]}


def test_files_written_differently_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        merged(tmp_path, {"one": b"a;b\n1;2\n", "two": b"a,b\n1,2\n"}, csv())
    assert caught.value.reason == "SchemasDiffer"
    for word in ("one", "two", "';'", "','"):
        assert word in caught.value.message


def test_plain_csv_leaves_no_trace_in_the_schema(tmp_path: Path) -> None:
    """The digests of versions that were made before dialects stay as they are."""
    found = merged(tmp_path, {"one": b"\xef\xbb\xbfa,b\n1,2\n"}, csv(quote='"', decimal="."))
    assert found.to_bytes() == Schema(found.columns).to_bytes()
    assert found.to_bytes() == (
        b'{"columns":[{"name":"a","nullable":false,"type":"Integer"},'
        b'{"name":"b","nullable":false,"type":"Integer"}],"v":1}'
    )


def test_a_dialect_is_kept_where_it_is_not_plain(tmp_path: Path) -> None:
    found = merged(tmp_path, {"one": b"a;b\n1,5;2\n"}, csv(decimal=","))
    assert b'"csv":{"decimal":",","delimiter":";"}' in found.to_bytes()


@pytest.mark.parametrize("name", ["PARENT", "PAR1", "ORC", "BZh9", "Objekt", "PK"])
def test_a_name_is_no_sign_of_another_format(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, f"{name},b\n1,2\n", csv())[1] == {name: [1], "b": [2]}


def test_a_mark_before_a_comment_is_left_out(tmp_path: Path) -> None:
    assert one(tmp_path, "\ufeff# x\na\n1\n", csv(comment="#"))[1] == {"a": [1]}


SIGNS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", "~", " "]),
        "quote": st.sampled_from(['"', "'"]),
        "encoding": st.sampled_from(["UTF-8", "UTF-16"]),
    }
)
TEXTS = st.text(
    st.one_of(
        st.sampled_from(";,|\t'\"\n #"), st.characters(codec="utf-8", exclude_characters="\0\r")
    ),
    min_size=1,
)


@given(signs=SIGNS, texts=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_what_another_program_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, signs: dict[str, str], texts: list[tuple[str, str]]
) -> None:
    """Python's own writer quotes where it must; the word x makes text of both columns."""
    buffer = io.StringIO()
    writer = csv_writer(
        buffer, delimiter=signs["delimiter"], quotechar=signs["quote"], lineterminator="\n"
    )
    writer.writerows([("a", "b"), ("x", "x"), *texts])
    data = buffer.getvalue().encode(signs["encoding"])
    rows = one(tmp_path_factory.mktemp("csv"), data, csv(**signs))[1]
    assert rows == {"a": ["x", *(a for a, _ in texts)], "b": ["x", *(b for _, b in texts)]}


@pytest.mark.parametrize("text", ["NaN", "-nan", "+NAN", "nan(1)"])
def test_what_is_no_number_is_missing(tmp_path: Path, text: str) -> None:
    found, rows = one(tmp_path, f"a\n1.5\n{text}\n", csv())
    assert (found, rows) == ({"a": ("Float", True)}, {"a": [1.5, None]})
