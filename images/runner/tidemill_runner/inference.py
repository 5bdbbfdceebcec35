"""The type of a column of text, found over all of its values.

Every batch may only rule types out: an integer column that turns to fractions in the last rows is
a Float column, one with a word anywhere is a String column. What a missing value looks like depends
on that: in a String column only the empty text is missing, since NA may be a word.
"""

import pyarrow as pa
import pyarrow.compute as pc

from tidemill_runner.schema import ColumnType

NULLS = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "null", "Null", "None"])
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


class Evidence:
    """What the values of one column have not ruled out yet."""

    def __init__(self) -> None:
        self._left = list(_TYPED)
        self._empty_texts = False
        self._null_words = False
        self._values = False

    def add(self, texts: pa.Array) -> None:
        """Look at a batch of texts."""
        missing = pc.is_in(texts, value_set=NULLS)
        if pc.any(missing).as_py():
            self._null_words = True
            self._empty_texts = self._empty_texts or pc.any(pc.equal(texts, "")).as_py() is True
            texts = pc.filter(texts, pc.invert(missing))
        if not len(texts):
            return
        self._values = True
        # A value that a type cannot read rules it out; the first value settles most of them.
        head = texts.slice(0, 1)
        self._left = [t for t in self._left if _fits(head, t) and _fits(texts, t)]

    @property
    def type(self) -> ColumnType:
        if not self._values:
            return ColumnType.FLOAT
        return self._left[0] if self._left else ColumnType.STRING

    @property
    def nullable(self) -> bool:
        typed = self.type is not ColumnType.STRING
        return self._null_words if typed else self._empty_texts

    @property
    def empty(self) -> bool:
        return not self._values


def convert(texts: pa.Array, kind: ColumnType) -> pa.Array:
    """Read texts as a type that their evidence allows; raises pyarrow.ArrowInvalid otherwise."""
    if kind is ColumnType.STRING:
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    missing = pc.is_in(texts, value_set=NULLS)
    texts = pc.utf8_trim_whitespace(pc.if_else(missing, pa.scalar(None, pa.string()), texts))
    if kind is ColumnType.BOOLEAN:
        return pc.if_else(pc.is_valid(texts), pc.is_in(texts, value_set=_TRUE), None)
    if kind is ColumnType.TIMESTAMP:
        return _timestamps(texts)
    return pc.cast(texts, ARROW[kind])


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
