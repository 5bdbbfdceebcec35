"""Deliveries whose files are not all alike: what several workers must see as one worker does."""

import gzip
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.workshop import PREFIX, Workshop


@dataclass(frozen=True)
class Delivery:
    """Files by their names, and what is asked of them."""

    files: dict[str, bytes]
    format: str = "CSV"
    options: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)

    def workshop(self, folder: Path, store: MemoryStorage | None = None) -> Workshop:
        """Put it under the prefix of a workshop of its own."""
        folder.mkdir()
        source = MemoryStorage({PREFIX + name: data for name, data in self.files.items()})
        return Workshop(folder, source, store or MemoryStorage(), self.format, self.options)


def csv(*files: str, **more: Any) -> Delivery:
    return Delivery({f"{n:03d}.csv": text.encode() for n, text in enumerate(files)}, **more)


def lines(*files: str, **more: Any) -> Delivery:
    named = {f"{n:03d}.jsonl": text.encode() for n, text in enumerate(files)}
    return Delivery(named, "JSONLines", **more)


def parquet(*tables: dict[str, Any], **more: Any) -> Delivery:
    found = {}
    for number, columns in enumerate(tables):
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, row_group_size=2)
        found[f"{number:03d}.parquet"] = file.getvalue()
    return Delivery(found, "Parquet", **more)


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


SUMS = (
    "SELECT b, sum(a) AS total, avg(a) AS mean, count(*) AS n FROM source "
    "GROUP BY b UNION ALL SELECT b, a, a, 0 FROM source"
)
CHECKS = [
    {"name": "low", "expression": "a < 4", "maxViolationFraction": "0.9"},
    {"name": "once", "unique": {"columns": ["b"]}, "severity": "Warn"},
    {"name": "again", "duplicateRows": {}, "severity": "Warn"},
]
DAYS = [date(2026, 1, 2), None, date(1969, 12, 31)]
TIMES = [datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), None, datetime(1, 1, 1, tzinfo=UTC)]

TAKEN: dict[str, Delivery] = {
    "alike": csv("a,b\n1,x\n2,y\n", "a,b\n3,x\n", "a,b\n4,\n", "a,b\n5,y\n"),
    "one file": csv("a,b\n1,x\n2,y\n"),
    "numbers": csv("a\n1\n2\n", "a\n3.5\n", "a\n-9007199254740993\n7\n", "a\nNaN\n", "a\nNA\n4\n"),
    "a zero that is one among floats alone": csv("a\n-0\n1\n", "a\n0\n", "a\n2.5\n"),
    "dates": csv("t\n2026-01-02\n", "t\n2026-01-02T03:04:05+02:00\n", "t\n1969-12-31\n\nNA\n"),
    "empty and text": csv("a,b\n1,\n2,NA\n", "a,b\n3,x\n", "a,b\n4,NaN\n", "a,b\n5, \n"),
    "empty and numbers": csv("a,b\n1,\n", "a,b\n2,NA\n", "a,b\n3,1.5\n", "a,b\n4,7\n"),
    "empty altogether": csv("a,b\n1,\n", "a,b\n2,NA\n", "a,b\n3,\n"),
    "empty and true": csv("a,b\n1,\n", "a,b\n2,true\n", "a,b\n3,NULL\n"),
    "columns in another order": csv("a,b\n1,x\n", "b,a\ny,2\n", "b,a\nz,3.5\n"),
    "a dialect": csv("a;b\n1,5;x\n", "a;b\n2;y\n", "a;b\n;\n", options={"csv": {"decimal": ","}}),
    "packed": Delivery(
        {f"{n}.csv.gz": gzip.compress(f"a,b\n{n},x\n{n}.5,y\n".encode()) for n in range(5)}
    ),
    "declared": csv(
        "a,b,c\n1,007,2026-01-01\n",
        "a,b,c\n2,1.5,NA\n",
        "a,b,c\n3,,2026-01-01T00:00:00\n",
        asked={
            "schema": {
                "columns": [column("a", "Float"), column("b", "String"), column("c", "Timestamp")]
            }
        },
    ),
    "declared text": csv(
        "a,b\n01,\n",
        "a,b\n2.50,NA\n",
        "a,b\n,\n",
        asked={"schema": {"columns": [column("a", "String"), column("b", "String")]}},
    ),
    "declared and empty": csv(
        "a,b\n1,\n",
        "a,b\n2,NA\n",
        "a,b\n3,7\n",
        asked={"schema": {"columns": [column("b", "Integer")]}},
    ),
    "folders": Delivery(
        {f"year={year}/f.csv": f"a\n{year[-1]}\n".encode() for year in ("1", "02", "x3", "4.5")},
        options={"partitions": "Hive"},
    ),
    "folders of numbers": Delivery(
        {f"year={y}/{n}.csv": f"a\n{y}\n".encode() for n, y in enumerate((2024, 2025, 1.5))},
        options={"partitions": "Hive"},
    ),
    "nothing but folders' columns of a type": Delivery(
        {f"y={n}/a.jsonl": f'{{"a": [{n}]}}\n{{"a": {{}}}}\n'.encode() for n in range(4)},
        "JSONLines",
        options={"partitions": "Hive"},
    ),
    "sparse": lines(
        '{"a": 1}\n{"a": 2, "b": null}\n',
        '{"b": "x", "a": 3.5}\n',
        '{"a": 0}\n{"a": -0}\n',
        '{"a": 18446744073709551616, "d": {"e": 1}}\n',
    ),
    "sparse beside what joins them": lines(
        '{"a": 1, "b": 2}\n', '{"a": 3}\n', '{"b": 4}\n', '{"a": 5}\n', '{"b": 6.5}\n'
    ),
    "texts of dates": lines(
        '{"t": "2026-01-01"}\n', '{"t": "2026-01-01T00:00:00Z"}\n', '{"t": null}\n'
    ),
    "columnar": parquet(
        {"a": [1, 2, 3], "b": ["x", None, "y"]},
        {"b": ["z"], "a": [2.5]},
        {"a": pa.array([7], pa.int8()), "b": pa.array(["u"]).dictionary_encode()},
        {"a": pa.array([None, None], pa.null()), "b": ["v", ""]},
        {"a": pa.array([float("nan"), 0.1], pa.float32()), "b": pa.array([None, "w"])},
        {"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())},
    ),
    "columnar times": parquet(
        {"t": pa.array(DAYS), "n": pa.array([1, 2, 3], pa.uint64())},
        {"t": pa.array(TIMES, pa.timestamp("us", "UTC")), "n": pa.array([1, 2, 3], pa.int32())},
        {"t": pa.array([86_399_999, 86_400_000], pa.date64()), "n": pa.array([4, 5])},
        {"t": pa.array([1_500, 2_501], pa.timestamp("ns")), "n": pa.array([6, 7])},
    ),
    "prepared": csv(
        *(f"a,b\n{n / 7},{n % 3}\n{n + 1},{n % 2}\n" for n in range(9)),
        asked={"prepare": {"sql": SUMS, "seconds": 60}},
    ),
    "checked": csv(
        "a,b\n1,x\n2,y\n", "a,b\n3,x\n1,x\n", "a,b\n9.5,z\n", "a,b\n1,x\n", asked={"checks": CHECKS}
    ),
    "left where it is": csv("a\n1\n", "a\n2.5\n", "a\n0\n", asked={"copies": False}),
}

REFUSED: dict[str, Delivery] = {
    "text beside numbers": csv("a\n1\n", "a\n2\n", "a\nx\n", "a\n3\n", "a\ny\n"),
    "another column": csv("a\n1\n", "a\n2\n", "b\n3\n", "a,c\n4,5\n"),
    "ragged": csv("a\n1\n", "a,b\n2\n", "a\n3\n", "a\n4,5\n", "a,b\n1\n"),
    "unlike before it is ragged": csv("a\n1\n", "a\nx\n", "a\n3\n", "a\n4,5\n"),
    "ragged before it is unlike": csv("a\n1\n", "a\n4,5\n", "a\n3\n", "a\nx\n"),
    "no rows": csv("a\n1\n", "a\n2\n", "a\n"),
    "no rows at all": parquet({"a": pa.array([], pa.int64())}, {"a": pa.array([], pa.int64())}),
    "names alike": lines('{"a": 1}\n', '{"a": 2, "A": 3}\n', '{"A": 1}\n'),
    "names alike in all": lines('{"a": 1, "b": 1}\n', '{"a": 2, "B": 3}\n', '{"a": 3}\n'),
    "a reserved name": csv("a,__row\n1,2\n", "a,__row\n1,2\n", "a,__row\n1,2\n"),
    "nothing in common": lines('{"a": 1}\n', '{"a": 2}\n', '{"b": 3}\n', '{"c": 4}\n'),
    "another dialect": csv("a,b\n1,2\n", "a;b\n1;2\n", "a,b\n3,4\n"),
    "beyond 64 bits": parquet(
        {"a": [1]}, {"a": pa.array([2**63], pa.uint64())}, {"a": [2.5]}, {"a": [2**53 + 1]}
    ),
    "a value that is no float": parquet({"a": [1, 2]}, {"a": [2.5]}, {"a": [2**53 + 1]}),
    "a query": csv(
        "a\n1\n", "a\n0\n", asked={"prepare": {"sql": "SELECT nope FROM source", "seconds": 9}}
    ),
    "a check": csv(
        "a\n1\n", "a\n2.5\n", asked={"checks": [{"name": "x", "expression": "nope > 1"}]}
    ),
}
