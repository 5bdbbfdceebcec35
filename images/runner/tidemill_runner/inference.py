"""The type of a column of text, found over all of its values.

Every batch may only rule types out: an integer column that turns to fractions in the last rows is
a Float column, one with a word anywhere is a String column. What a missing value looks like depends
on that: in a String column only the empty text is missing, since NA may be a word.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tidemill_runner.schema import ColumnType

NULLS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "null", "Null", "None")
_TRUE = pa.array(["true", "True", "TRUE"])
_WORDS = pa.array(["true", "True", "TRUE", "false", "False", "FALSE"])
_ZONE = r"([Zz]|[+-]\d{2}:?\d{2})$"
_DIGITS = r"^[+-]?\d+$"
# In the order of preference: the first that is left is the type.
_TYPED = (
    ColumnType.BOOLEAN,
    ColumnType.INTEGER,
    ColumnType.FLOAT,
    ColumnType.DATE,
    ColumnType.TIMESTAMP,
)
TIMESTAMP = pa.timestamp("us", tz="UTC")
ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.FLOAT: pa.float64(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: TIMESTAMP,
    ColumnType.STRING: pa.string(),
}


@dataclass(frozen=True)
class Notation:
    """How values are written as text: the decimal sign, what is missing, what may be read."""

    decimal: str = "."
    # In a column of text only the empty one of them is.
    nulls: tuple[str, ...] = NULLS
    types: tuple[ColumnType, ...] = _TYPED


CSV = Notation()


class Evidence:
    """What the values of one column have not ruled out yet."""

    def __init__(self, notation: Notation = CSV) -> None:
        self._notation = notation
        self._nulls = pa.array(notation.nulls, pa.string())
        self._left = list(notation.types)
        self._empty_texts = False
        self._null_words = False
        self._values = False
        self._nan = False
        self._zoned: bool | None = None

    def add(self, texts: pa.Array) -> None:
        """Look at a batch of texts."""
        missing = pc.is_in(texts, value_set=self._nulls)
        if pc.any(missing).as_py():
            self._null_words = True
            self._empty_texts = self._empty_texts or pc.any(pc.equal(texts, "")).as_py() is True
            texts = pc.filter(texts, pc.invert(missing))
        if not len(texts):
            return
        self._values = True
        # A value that a type cannot read rules it out; the first value settles most of them.
        head = texts.slice(0, 1)
        self._left = [t for t in self._left if self._fits(head, t) and self._fits(texts, t)]
        if ColumnType.TIMESTAMP in self._left:
            self._compare_zones(head)

    @property
    def type(self) -> ColumnType:
        if not self._values:
            return ColumnType.FLOAT
        return self._left[0] if self._left else ColumnType.STRING

    @property
    def nullable(self) -> bool:
        kind = self.type
        if kind is ColumnType.STRING:
            return self._empty_texts
        return self._null_words or (kind is ColumnType.FLOAT and self._nan)

    @property
    def empty(self) -> bool:
        return not self._values

    def _fits(self, texts: pa.Array, kind: ColumnType) -> bool:
        if kind is not ColumnType.FLOAT:
            return _fits(texts, kind)
        try:
            numbers = _floats(pc.utf8_trim_whitespace(texts), self._notation)
        except pa.ArrowInvalid:
            return False
        # Such as -nan, which is none of the words for what is missing.
        self._nan = self._nan or pc.any(pc.is_nan(numbers)).as_py() is True
        return True

    def _compare_zones(self, head: pa.Array) -> None:
        """Within a batch all times have a zone or none has; so must they from batch to batch."""
        zoned = pc.match_substring_regex(pc.utf8_trim_whitespace(head), _ZONE)[0].as_py()
        if self._zoned not in (None, zoned):
            self._left.remove(ColumnType.TIMESTAMP)
        self._zoned = zoned


def convert(texts: pa.Array, kind: ColumnType, notation: Notation = CSV) -> pa.Array:
    """Read texts as a type that their evidence allows; raises pyarrow.ArrowInvalid otherwise."""
    if kind is ColumnType.STRING:
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    missing = pc.is_in(texts, value_set=pa.array(notation.nulls, pa.string()))
    texts = pc.utf8_trim_whitespace(pc.if_else(missing, pa.scalar(None, pa.string()), texts))
    if kind is ColumnType.BOOLEAN:
        return pc.if_else(pc.is_valid(texts), pc.is_in(texts, value_set=_TRUE), None)
    if kind is ColumnType.TIMESTAMP:
        return _timestamps(texts)
    return _floats(texts, notation) if kind is ColumnType.FLOAT else pc.cast(texts, ARROW[kind])


def _floats(texts: pa.Array, notation: Notation) -> pa.Array:
    """Numbers with the decimal sign declared; with any other they are none."""
    if notation.decimal != ".":
        # A point may part thousands: nobody is to read 1.234 as a number near one by mistake.
        texts = pc.replace_substring(pc.replace_substring(texts, ".", "?"), notation.decimal, ".")
    return pc.cast(texts, pa.float64())


def _timestamps(texts: pa.Array) -> pa.Array:
    """Times with a zone as they are, times without one as UTC; one way for a whole batch."""
    zoned = pc.match_substring_regex(texts, _ZONE)
    if pc.all(zoned).as_py():
        return pc.cast(texts, TIMESTAMP)
    # A zone where others have none would be read wrongly: this cast refuses it.
    return pc.cast(pc.cast(texts, pa.timestamp("us")), TIMESTAMP)


def _fits(texts: pa.Array, kind: ColumnType) -> bool:
    texts = pc.utf8_trim_whitespace(texts)
    if kind is ColumnType.BOOLEAN:
        return pc.all(pc.is_in(texts, value_set=_WORDS)).as_py() is True
    try:
        if kind is ColumnType.TIMESTAMP:
            _timestamps(texts)
        else:
            pc.cast(texts, ARROW[kind])
    except pa.ArrowInvalid:
        return False
    # Arrow also reads hexadecimal integers, which would come as text from any other reader.
    return (
        kind is not ColumnType.INTEGER
        or pc.all(pc.match_substring_regex(texts, _DIGITS)).as_py() is True
    )
