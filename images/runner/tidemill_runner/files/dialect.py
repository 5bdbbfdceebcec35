"""How a CSV file is written: as declared, and where that is open as its first rows show."""

import csv
import io
import itertools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemill_runner.failures import Failure

FIELD = "the source's csv"
WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# So many rows tell which of two signs separates and which is a part of texts.
SAMPLE_ROWS = 20
CODECS = {
    "UTF-8": "utf-8",
    "Latin-1": "iso-8859-1",
    "Windows-1252": "windows-1252",
    "UTF-16": "utf-16",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8 = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialect:
    """The signs of a CSV file; a delimiter or an encoding of None is still to be found out."""

    delimiter: str | None = None
    quote: str | None = '"'
    decimal: str = "."
    encoding: str | None = None
    header: bool = True
    comment: str | None = None

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return CODECS[self.encoding or "UTF-8"]


# Nothing is declared; the usual signs.
OPEN = Dialect()
PLAIN = Dialect(",", encoding="UTF-8")


def declared(document: Mapping[str, Any]) -> Dialect:
    """The `csv` part of a source's spec, where the word None stands for no sign at all."""
    signs: dict[str, Any] = {n: None if sign == "None" else sign for n, sign in document.items()}
    return replace(OPEN, **signs)


def stored(dialect: Dialect) -> dict[str, Any]:
    """What a schema says of it: where it differs from plain CSV."""
    plain = asdict(PLAIN)
    return {name: value for name, value in asdict(dialect).items() if value != plain[name]}


def restored(document: Mapping[str, Any]) -> Dialect:
    """The dialect of which a schema says this; raises TypeError where it says something else."""
    return replace(PLAIN, **document)


def difference(one: Dialect, other: Dialect) -> str:
    """In what two dialects differ, in words."""
    here, there = asdict(one), asdict(other)
    return ", ".join(
        f"{name} {here[name]!r} and {there[name]!r}" for name in here if here[name] != there[name]
    )


def with_encoding(dialect: Dialect, start: bytes, key: str) -> Dialect:
    """Find the encoding by the byte order mark that a file begins with; raises Failure."""
    marked = "UTF-16" if start.startswith(_UTF16) else "UTF-8" if start.startswith(_UTF8) else None
    if marked is None and dialect.encoding == "UTF-16":
        raise Failure(
            "WrongEncoding",
            f"{key} has no byte order mark, which UTF-16 needs: save it with one, "
            f"or correct {FIELD}.encoding",
        )
    if marked and dialect.encoding not in (None, marked):
        raise Failure(
            "WrongEncoding",
            f"{key} begins with the byte order mark of {marked}, "
            f"{FIELD}.encoding says {dialect.encoding}: correct it, or leave it out",
        )
    return replace(dialect, encoding=marked or dialect.encoding or "UTF-8")


def with_delimiter(dialect: Dialect, text: str, key: str) -> Dialect:
    """Find what separates the columns in the first rows of a file; raises Failure."""
    rows = unquoted(dialect, text)
    candidates = dict.fromkeys([*WORDS, *(dialect.delimiter or "")])
    counts = {sign: [row.count(sign) for row in rows] for sign in candidates}
    width = {sign: found[0] for sign, found in counts.items() if found and found[0]}
    if dialect.delimiter is not None:
        if dialect.delimiter not in width and width:
            wrong = WORDS[next(iter(width))]
            raise Failure(
                "MalformedFile",
                f"{key} is separated by {wrong}, {FIELD}.delimiter says {dialect.delimiter!r}: "
                "correct it, or put names in quotes that contain these signs",
            )
        return dialect
    # A sign that separates does so in every row; one in a name or a text does not.
    even = [sign for sign in width if len(set(counts[sign])) == 1] if len(width) > 1 else width
    left = list(even or width)
    if len(left) > 1:
        found = " or by ".join(WORDS[sign] for sign in left)
        raise Failure(
            "MalformedFile", f"{key} may be separated by {found}: declare {FIELD}.delimiter"
        )
    return replace(dialect, delimiter=left[0] if left else ",")


def first_row(dialect: Dialect, text: str, key: str) -> list[str] | None:
    """The fields of the first row that is not empty; None where there is none."""
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter or ",",
        quotechar=dialect.quote,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
    )
    try:
        return next((row for row in rows if row), None)
    except csv.Error as error:
        raise Failure("MalformedFile", f"{key}: the header cannot be read: {error}") from None


def unquoted(dialect: Dialect, text: str) -> list[str]:
    """The first rows that are not empty, without what stands in quotes."""
    if dialect.quote:
        quote = re.escape(dialect.quote)
        text = re.sub(f"{quote}[^{quote}]*{quote}", "", text)
    lines = (line for line in io.StringIO(text, newline=None) if line.strip("\r\n"))
    return list(itertools.islice(lines, SAMPLE_ROWS))
