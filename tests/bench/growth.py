"""One request as its columns grow and as its rows grow: ours beside MLServer's.

Run from the root of the tree: `python -m tests.bench.growth [--seconds N] [--json FILE]
[--plot FILE]`. A logistic regression, ours from ONNX; for each number of columns both servers on
one core, `wrk` on another, asked in turn, five rounds, medians. Latency is that of one connection,
the rate that of sixteen. What a server refuses or does not answer in time is left out and told.
`--quick` asks ours alone.
"""

import json
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.bench import plot, servers, table
from tests.bench.peer_servers import Peer, installed
from tests.unit.server import onnx_packages, packages

COLUMNS = (10, 100, 500, 1000, 2000)
ROWS = (1, 10, 100, 1000, 10_000)
FEW_COLUMNS, ONE_ROW = COLUMNS[0], ROWS[0]
WHOLE_SECONDS, QUICK_SECONDS = 2, 1
QUICK = ((10, 1), (100, 1))
ROUNDS = 5
FITTED_ROWS = 500
CONNECTIONS = 16
ANSWERS, LONGEST = 20, 10.0  # so many answers should come, in so many seconds at most
OURS, BYTES, PEER = "ours, JSON", "ours, bytes", "MLServer, JSON"
LOOKS = {OURS: 0, BYTES: 1, PEER: 2}
LATENCY, RATE = "ms", "requests/s"
Size = tuple[int, int]  # columns, rows
Found = dict[str, dict[Size, dict[str, float]]]


def numbers(columns: int, rows: int) -> np.ndarray:
    return np.random.default_rng(columns).normal(size=(rows, columns)).round(6)


def fitted_on(columns: int) -> tuple[np.ndarray, np.ndarray]:
    rows = numbers(columns, FITTED_ROWS)
    return rows, (rows[:, 0] > rows[:, 1]).astype(int)


def write_rows(columns: int, path: Path) -> None:
    rows, target = fitted_on(columns)
    np.savez(path, rows=rows, target=target)


def package(columns: int) -> dict[str, bytes]:
    """A model of so many columns."""
    rows, target = fitted_on(columns)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, target)
    inputs = [
        {"name": f"c{place}", "datatype": "FP64", "nullable": False} for place in range(columns)
    ]
    signature = {**packages.signature(packages.labels("INT64")), "inputs": inputs}
    return onnx_packages.beside(packages.Model(fitted, rows, signature))


def as_json(size: Size) -> servers.Sent:
    columns, rows = size
    data = numbers(columns, rows).ravel().tolist()
    tensor = {"name": "x", "shape": [rows, columns], "datatype": "FP64", "data": data}
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": "predict"}]})
    return body.encode(), {"Content-Type": "application/json"}


def as_bytes(size: Size) -> servers.Sent:
    columns, rows = size
    tail = numbers(columns, rows).astype("<f8").tobytes()
    told = {"binary_data_size": len(tail)}
    tensor = {"name": "x", "shape": [rows, columns], "datatype": "FP64", "parameters": told}
    wanted = [{"name": "predict", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": wanted}).encode()
    fields = {"Inference-Header-Content-Length": str(len(head))}
    return head + tail, {**fields, "Content-Type": "application/octet-stream"}


def sizes() -> Iterator[Size]:
    """All that are asked, by columns."""
    yield from ((FEW_COLUMNS, rows) for rows in ROWS)
    yield from ((columns, ONE_ROW) for columns in COLUMNS[1:])


def asked(server: servers.Asked, sent: servers.Sent, seconds: float) -> dict[str, float]:
    """Latency and rate; longer where answers come slowly."""
    alone = servers.wrk(server, sent, 1, seconds)
    longer = min(max(seconds, ANSWERS * alone.p50 / 1000), LONGEST)
    crowd = servers.wrk(server, sent, CONNECTIONS, longer)
    return {LATENCY: alone.p50, RATE: crowd.rate}


def measured(
    columns: int, wanted: list[Size], peer: Peer | None, seconds: float
) -> tuple[Found, dict[str, str]]:
    """All sizes of so many columns; and what was not answered, with what was said."""
    asking = {OURS: as_json, BYTES: as_bytes, PEER: as_json}
    rounds: dict[str, dict[Size, list[dict[str, float]]]] = {name: {} for name in asking}
    refused: dict[str, str] = {}
    with ExitStack() as stack:
        first = as_json((columns, 1))
        own = stack.enter_context(servers.ours(package(columns), "Onnx", first=first))
        every = {OURS: own, BYTES: own}
        if peer is not None:
            wide = peer.fitted(f"columns-{columns}", "logistic", partial(write_rows, columns))
            every[PEER] = stack.enter_context(servers.another(wide, "logistic", first))
        for server in every.values():
            servers.on_core(server.pid, servers.SERVER_CORE)
        for _ in range(ROUNDS if peer else 1):
            for size in wanted:
                for name, server in every.items():
                    point = _point(name, size)
                    if point in refused or (name == BYTES and columns != FEW_COLUMNS):
                        continue
                    try:
                        found = asked(server, asking[name](size), seconds)
                    except servers.UnansweredError as error:
                        refused[point] = str(error)
                    else:
                        rounds[name].setdefault(size, []).append(found)
    return _medians(rounds, refused), refused


def _point(name: str, size: Size) -> str:
    return f"{name}, {size[1]:,} × {size[0]:,}"


def _medians(
    rounds: Mapping[str, Mapping[Size, list[dict[str, float]]]], refused: Mapping[str, str]
) -> Found:
    """A point that was once not answered is none."""
    return {
        name: {
            size: {what: statistics.median(one[what] for one in every) for what in (LATENCY, RATE)}
            for size, every in by_size.items()
            if _point(name, size) not in refused
        }
        for name, by_size in rounds.items()
    }


def panels(found: Found) -> list[plot.Panel]:
    """Latency and rate, over columns and over rows."""
    return [
        plot.Panel(
            f"{title}, {of_what}", below, _lines(found, what, columns_grow=below == "columns")
        )
        for title, what in (("latency, ms", LATENCY), ("requests/s, 16 connections", RATE))
        for below, of_what in (("columns", "one row"), ("rows", f"{FEW_COLUMNS} columns"))
    ]


def _lines(found: Found, what: str, *, columns_grow: bool) -> list[plot.Line]:
    lines = []
    for name, by_size in found.items():
        points = [
            (columns if columns_grow else rows, one[what])
            for (columns, rows), one in by_size.items()
            if (rows == ONE_ROW if columns_grow else columns == FEW_COLUMNS)
        ]
        if points and not (columns_grow and name == BYTES):  # it has one point there
            lines.append(plot.Line(name, points, LOOKS[name]))
    return lines


def figures(found: Found) -> table.Figures:
    return {
        f"{_point(name, size)}: {what}": value
        for name, by_size in found.items()
        for size, one in by_size.items()
        for what, value in one.items()
    }


def main() -> None:
    parser = table.parser(__doc__, "seconds", whole=WHOLE_SECONDS, quick=QUICK_SECONDS)
    parser.add_argument("--plot", type=Path, default=None, help="where the drawing goes as SVG")
    given = parser.parse_args()
    servers.need_wrk()
    machine = table.machine()
    seconds = given.size or (QUICK_SECONDS if given.quick else WHOLE_SECONDS)
    peer = None if given.quick else installed("MLServer", servers.write_rows)
    found: Found = {OURS: {}, BYTES: {}, PEER: {}}
    refused: dict[str, str] = {}
    wanted = QUICK if given.quick else tuple(sizes())
    for columns in sorted({columns for columns, _ in wanted}):
        own = [size for size in wanted if size[0] == columns]
        part, not_answered = measured(columns, own, peer, seconds)
        refused |= not_answered
        for name, by_size in part.items():
            found[name] |= by_size
    shown = figures(found)
    table.show("one request, rows × columns", shown)
    if refused:
        table.show("not answered", refused)
    table.write(given.json, {"machine": machine, **shown, "not answered": refused})
    if given.plot is not None:
        about = "Latency and rate of a request as its columns and its rows grow."
        given.plot.write_text(plot.drawing(panels(found), about), encoding="utf-8")


if __name__ == "__main__":
    main()
