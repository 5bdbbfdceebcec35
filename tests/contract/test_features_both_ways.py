"""The same features by both ways: joined as of a time in training, looked up by key at that time.

Tables are drawn with a seed: keys and features of every type, gaps, numbers that JSON has none for,
texts of any alphabet, rows as old as may be and a microsecond older. What the training joins and
what a materialised version has the server find in a real store are compared value for value, the
sign of a zero included.
"""

import asyncio
import json
import math
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pytest
from tests.contract.online_table import TABLE, OnlineTable
from tests.contract.redis_server import ADMIN_PASSWORD, RedisServer

from tidemill.store import online
from tidemill_runner import feature_join, inputs, matrix, train_input
from tidemill_runner.feature_join import Clock, Features
from tidemill_runner.inference import ARROW
from tidemill_runner.joined import Chosen
from tidemill_runner.schema import Column, ColumnType
from tidemill_server.features.lookup import Lookup
from tidemill_server.features.request import RequestReader
from tidemill_server.features.store import OnlineFeatures
from tidemill_server.features.tables import SENT_AS, parse_tables
from tidemill_server.metrics.registry import Metrics
from tidemill_server.package.signature import parse_signature
from tidemill_server.settings import Online

NAMESPACE, DATASET = TABLE.namespace, TABLE.dataset
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
MAX_AGE = timedelta(days=2)
TICK = timedelta(microseconds=1)
ALPHABET = string.ascii_letters + "äß€漢🜚\u202e\u0301\n\t\"'\\{}[]:*?% \x7f"
KEY_TYPES = [kind for kind in ColumnType if kind is not ColumnType.OTHER]
LEARNT = [ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.BOOLEAN, ColumnType.STRING]
NUMBERS = LEARNT[:3]
WHOLE = (0, 1, -1, 7, 2**53 + 1, -(2**63), 2**63 - 1)
FLOATS = (0.0, -0.0, 1.0, 0.1, -2.5e-308, 5e-324, 1.7976931348623157e308, 1 / 3)
ENDLESS = (math.nan, math.inf, -math.inf)


def text(chance: random.Random) -> str:
    return "".join(chance.choice(ALPHABET) for _ in range(chance.randint(0, 6)))


def moment(chance: random.Random) -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC) + chance.randint(0, 10**15) * TICK


DRAWN: dict[ColumnType, Callable[[random.Random], Any]] = {
    ColumnType.INTEGER: lambda chance: chance.choice(WHOLE),
    ColumnType.FLOAT: lambda chance: chance.choice(FLOATS),
    ColumnType.BOOLEAN: lambda chance: chance.random() < 0.5,
    ColumnType.STRING: text,
    ColumnType.DATE: lambda chance: moment(chance).date(),
    ColumnType.TIMESTAMP: moment,
}


@dataclass
class Case:
    """A feature table, and the keys that are asked for."""

    key: list[Column]
    features: list[Column]
    time: ColumnType
    prefix: str
    max_age: timedelta | None
    rows: list[dict[str, Any]]
    asked: list[list[Any]]

    @property
    def columns(self) -> list[Column]:
        return [*self.key, Column("ts", self.time, nullable=False), *self.features]

    @property
    def table(self) -> pa.Table:
        fields = [(column.name, ARROW[column.type]) for column in self.columns]
        return pa.Table.from_pylist(self.rows, pa.schema(fields))

    @property
    def chosen(self) -> Chosen:
        """As a run has it."""
        table = train_input.FeatureTable(
            dataset=inputs.DatasetVersion(DATASET, "sha256:" + "0" * 64, "", ""),
            key=tuple(column.name for column in self.key),
            timestamp="ts",
            own_key=tuple(f"own_{column.name}" for column in self.key),
            max_age="2d" if self.max_age else None,
            prefix=self.prefix,
        )
        columns = {f"{self.prefix}{column.name}": column for column in self.features}
        types = tuple(column.type for column in self.key)
        return Chosen(table, columns, self.max_age, types, "at")


def times(chance: random.Random, kind: ColumnType) -> list[Any]:
    """Times of one key's rows, no two alike: long ago, at the edges of the age, now, to come."""
    if kind is ColumnType.DATE:
        days = chance.sample(range(-9, 3), chance.randint(1, 4))
        return [NOW.date() + timedelta(days=day) for day in days]
    near = [NOW - MAX_AGE + step * TICK for step in (-1, 0, 1)]
    ends = [NOW + step * TICK for step in (-1, 0, 1)]
    old = [NOW - timedelta(days=9), datetime(1970, 1, 1, tzinfo=UTC) - TICK]
    return chance.sample([*near, *ends, *old], chance.randint(1, 4))


def value(chance: random.Random, kind: ColumnType, *, endless: bool) -> Any:
    if chance.random() < 0.2:
        return None
    if kind is ColumnType.FLOAT and endless and chance.random() < 0.4:
        return chance.choice(ENDLESS)
    return DRAWN[kind](chance)


def drawn(seed: int) -> Case:
    chance = random.Random(seed)
    kinds = chance.sample(KEY_TYPES, chance.randint(1, 3))
    key = [Column(f"k{place}", kind, nullable=False) for place, kind in enumerate(kinds)]
    learnt = NUMBERS if seed % 2 else LEARNT
    features = [Column(f"f {kind}", kind, nullable=True) for kind in learnt]
    time = ColumnType.DATE if seed % 5 == 0 else ColumnType.TIMESTAMP
    entities = {
        json.dumps(name, default=str): name
        for name in ([DRAWN[kind](chance) for kind in kinds] for _ in range(25))
    }.values()
    # Zero and minus zero are one key.
    plain = {tuple(part + 0.0 if type(part) is float else part for part in one) for one in entities}
    known = sorted(plain, key=str)
    rows = [
        {
            **{column.name: part for column, part in zip(key, one, strict=True)},
            "ts": when,
            **{c.name: value(chance, c.type, endless=seed % 3 == 0) for c in features},
        }
        for one in known[: len(known) * 3 // 4]
        for when in times(chance, time)
    ]
    chance.shuffle(rows)
    asked = [list(one) for one in known] + [list(one) for one in chance.choices(known, k=10)]
    for one in asked:
        one[:] = [-part if part == 0 and type(part) is float else part for part in one]
    for one in chance.sample(asked, 3):
        one[chance.randrange(len(one))] = None
    max_age = MAX_AGE if seed % 4 else None
    return Case(key, features, time, "load_" * (seed % 2), max_age, rows, asked)


def offline(case: Case) -> np.ndarray:
    """The matrix that a training would learn from, if each row were of the present moment."""
    chosen, now = case.chosen, pa.array([NOW] * len(case.asked), pa.timestamp("us", tz="UTC"))
    own = {
        name: pa.array([one[place] for one in case.asked], ARROW[column.type])
        for place, (name, column) in enumerate(zip(chosen.table.own_key, case.key, strict=True))
    }
    names = {name: column.name for name, column in chosen.columns.items()}
    with duckdb.connect() as connection:
        connection.register("features", case.table)
        joined = feature_join.join(
            connection,
            pa.table({**own, "at": now}),
            Clock(chosen.table.own_key, "at"),
            Features("SELECT * FROM features", Clock(chosen.table.key, "ts"), names, case.max_age),
        )
    texts = any(column.type is ColumnType.STRING for column in case.features)
    made: np.ndarray = np.empty(
        (len(case.asked), len(names)), dtype=object if texts else np.float64
    )
    for place, (name, column) in enumerate(chosen.columns.items()):
        values = joined.column(name)
        is_text = column.type is ColumnType.STRING
        made[:, place] = values.to_pylist() if is_text else matrix._floats(values)
    return made


def sent(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def request(case: Case) -> list[dict[str, Any]]:
    """The keys as a client sends them."""
    names = case.chosen.table.own_key
    return [
        {
            "name": name,
            "shape": [len(case.asked)],
            "datatype": SENT_AS[str(column.type)],
            "data": [sent(one[place]) for one in case.asked],
        }
        for place, (name, column) in enumerate(zip(names, case.key, strict=True))
    ]


def lookup(case: Case, server: RedisServer, folder: Path) -> Lookup:
    """As the server has it, from the package's own words, at the present moment."""
    texts = any(column.type is ColumnType.STRING for column in case.features)
    signature = parse_signature(
        {
            "format": "tidemill.dev/signature/v1",
            "task": "Classification",
            "matrix": "object" if texts else "float64",
            "inputs": [
                {"name": name, "datatype": SENT_AS[str(column.type)], "nullable": True}
                for name, column in case.chosen.columns.items()
            ],
            "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1]}],
        }
    )
    lineage = json.loads(json.dumps({"join": [case.chosen.lineage()]}))
    reader = RequestReader(signature, parse_tables(lineage, signature), 10_000)
    (folder / "password").write_text(ADMIN_PASSWORD)
    settings = Online(
        server.host,
        server.port,
        NAMESPACE,
        tls="Disable",
        seconds=10.0,
        secret=folder,
        networks=("127.0.0.0/8",),
    )
    now = online.microseconds(NOW)
    return Lookup(reader, OnlineFeatures(settings), NAMESPACE, False, Metrics(), lambda: now)


def bits(made: np.ndarray) -> Sequence[Any]:
    """Values that are equal if nothing differs; whatever is missing is None, a number its bits."""

    def one(value: Any) -> Any:
        if value is None or value != value:  # noqa: PLR0124 - NaN
            return None
        return value if isinstance(value, str) else float(value).hex()

    return [[one(value) for value in row] for row in made.tolist()]


@pytest.mark.parametrize("seed", range(40))
async def test_both_ways_give_the_same_features(
    seed: int, redis: RedisServer, tmp_path: Path
) -> None:
    case = drawn(seed)
    entity = {"key": [column.name for column in case.key], "timestamp": "ts"}
    table = OnlineTable(tmp_path, redis, entity)
    await asyncio.to_thread(lambda: table.fill(table.parquet(case.table), online.microseconds(NOW)))
    inputs_sent = orjson.loads(orjson.dumps(request(case)))
    asked = lookup(case, redis, tmp_path)
    found, told = await asked.rows(asked.reader.read(inputs_sent))
    wanted = offline(case)
    assert found.dtype == wanted.dtype
    assert bits(found) == bits(wanted)
    counts = told["features"][DATASET]
    assert sum(counts.values()) == len(case.asked)
    assert counts["found"] >= sum(any(v is not None for v in row) for row in bits(wanted))
