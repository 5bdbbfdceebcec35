"""A sketch of the rows trained on and held out, by which runs can be told to share some.

A row's digest is of its values by the names of their columns, so that neither the order of rows nor
that of columns matters, and a row is the same in every version that has it. Kept are those below a
bound that leaves at most so many: of small data all of them.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill_runner.columns import Roles
from tidemill_runner.matrix import Data
from tidemill_runner.schema import ColumnType
from tidemill_runner.split import Parts

MOST = 1_250
MOST_CELLS = 20_000_000
_DIGITS = 16
_PART = 16_384

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Sketch:
    """Digests below a bound, and of which columns; all as hexadecimal texts of one length."""

    columns: str
    bound: str
    train: tuple[str, ...]
    holdout: tuple[str, ...]


def sketch(data: Data, parts: Parts, roles: Roles) -> Sketch | None:
    """The sketch of a run; None of data so large that it would take seconds."""
    if data.n * (len(roles.features) + 1) > MOST_CELLS:
        return None
    rows = _rows(data, roles)
    train, holdout = np.unique(rows[parts.train]), np.unique(rows[parts.holdout])
    every = np.union1d(train, holdout)
    bound = every[min(MOST, len(every)) - 1] if len(every) > MOST else np.uint64(2**64 - 1)
    kept = (tuple(_text(one) for one in some[some <= bound]) for some in (train, holdout))
    names = sorted([*(column.name for column in roles.features), roles.target.name])
    columns = hashlib.blake2b("\0".join(names).encode(), digest_size=8).hexdigest()
    return Sketch(columns, _text(bound), *kept)


def _rows(data: Data, roles: Roles) -> Words:
    """Give the digest of each row, by parts that stay in the processor's cache."""
    parts = (slice(start, start + _PART) for start in range(0, data.n, _PART))
    return np.concatenate([_part(data, roles, part) for part in parts])


def _part(data: Data, roles: Roles, part: slice) -> Words:
    found = _mixed(_words(data.target[part]) ^ _seed(f"\0{roles.target.name}"))
    for place, column in enumerate(roles.features):
        values = data.features[part, place]
        # With texts beside them numbers are objects, of which there may be many.
        plain = values if column.type is ColumnType.STRING else values.astype(np.float64)
        found += _mixed(_words(plain) ^ _seed(column.name))
    return _mixed(found)


def _words(values: NDArray[Any]) -> Words:
    """Give 64 bits for each value, the same for equal ones; what is missing is one of them."""
    if values.dtype == object:
        known = {value: _word(value) for value in set(values.tolist())}
        return np.array([known[value] for value in values.tolist()], dtype=np.uint64)
    numbers = values.astype(np.float64) + 0.0  # no negative zero
    numbers[np.isnan(numbers)] = np.nan
    found: Words = numbers.view(np.uint64)
    return found


def _word(value: object) -> int:
    if isinstance(value, str):
        return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest())
    number = np.array([np.nan if value is None else value], dtype=np.float64)
    return int(_words(number)[0])


def _seed(name: str) -> np.uint64:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest))


def _mixed(words: Words) -> Words:
    """SplitMix64's finisher: each bit of the input moves half of those of the output."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _text(word: np.uint64) -> str:
    return f"{int(word):0{_DIGITS}x}"
