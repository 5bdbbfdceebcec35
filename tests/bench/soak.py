"""Our server under a steady load for half an hour: errors, latency, and whether its memory grows.

Run from the root of the tree: `python -m tests.bench.soak [--minutes N] [--json FILE]`. A logistic
regression in ONNX on one core, with everything on; asked at fixed times, whether it keeps up or
not, for as much as takes four fifths of its core. That is found first, from half of the most that
it can: the most itself is of large batches, in which a request costs less than when it comes alone.
Latency counts from when a request was due. The client has another core, which this program shares
to read the server's memory each second. `--quick` is 12 seconds.
"""

import json
import multiprocessing
import os
import random
import re
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tests.bench import servers, table, tensors
from tests.bench.counted import used
from tests.bench.open_loop import Load, offer
from tests.bench.timetable import Question, Tally, quantiles, slope

WHOLE_MINUTES, QUICK_MINUTES = 30.0, 0.2
SHARE, TRIAL = 0.8, 0.5
WARM_SECONDS = 60.0
SHORTEST_TRY, LONGEST_TRY = 3.0, 10.0
SAMPLE_SECONDS = 1.0
CAPTURED_ROWS = 10_000  # it is full within the first second
ALL, WARM, END, SLOPE = (
    "errors",
    "PSS after the warm-up, MiB",
    "PSS at the end, MiB",
    "slope of the PSS, KiB a minute",
)
# What it shares with other processes counts by how many they are: others' starts and ends show.
OWN = "slope of what is its own alone, KiB a minute"
TARGETS = {ALL: "0", SLOPE: "≤ 20", OWN: "≤ 20"}
_MEMORY = re.compile(r"^(Pss|Pss_Anon):\s+(\d+) kB$", re.MULTILINE)


def wrong() -> list[Question]:
    """What must be refused with 400, each for another reason."""
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [0.5, 1.5, 2.0, 1.0]}
    bodies = (
        b'{"inputs": [',
        _tensors({**tensor, "shape": [2, 4]}),
        _tensors({**tensor, "datatype": "FP65"}),
        _tensors({**tensor, "data": [0.5, "many", 2.0, 1.0]}),
        json.dumps({"inputs": [tensor], "outputs": [{"name": "weather"}]}).encode(),
    )
    return [Question("wrong", tensors.http(tensors.INFER, body), 400) for body in bodies]


def _tensors(*inputs: dict[str, object]) -> bytes:
    return json.dumps({"inputs": inputs}).encode()


def mix() -> list[Question]:
    """Ten thousand requests, always in the same order."""
    leaving = tensors.as_json(1).replace(b"host: x", b"host: x\r\nconnection: close", 1)
    scrape = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
    shares = (
        ([Question("1 row", tensors.as_json(1))], 6_800),
        ([Question("1 row with names", tensors.as_rows(1))], 1_000),
        ([Question("100 rows", tensors.as_json(100))], 800),
        ([Question("100 rows, bytes", tensors.as_bytes(100))], 800),
        (wrong(), 500),
        ([Question("1 row, a new connection", leaving, fresh=True)], 98),
        ([Question("/metrics", scrape)], 2),
    )
    found = [some[place % len(some)] for some, count in shares for place in range(count)]
    random.Random(7).shuffle(found)
    return found


def sizes(pid: int) -> dict[str, int]:
    """KiB of a process; what other processes share with it counts in part, and comes and goes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return {name: int(kib) for name, kib in _MEMORY.findall(text)}


def _offer(load: Load, answer: "Connection[tuple[Tally, float], None]") -> None:
    os.sched_setaffinity(0, {servers.CLIENT_CORE})
    answer.send(offer(load))


Samples = list[tuple[float, dict[str, int]]]


def loaded(load: Load, pid: int) -> tuple[Tally, float, Samples]:
    """Offer a load from a process of its own, and look at the server meanwhile."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    client = context.Process(target=_offer, args=(load, there), daemon=True)
    client.start()
    there.close()
    began, samples = time.perf_counter(), []
    while not here.poll(SAMPLE_SECONDS):
        samples.append((time.perf_counter() - began, sizes(pid)))
    try:
        tally, took = here.recv()
    except EOFError:
        raise SystemExit("the client has failed") from None
    client.join()
    return tally, took, samples


def memory(samples: Samples, warm: float) -> table.Figures:
    """How much there is after the warm-up, and what becomes of it."""
    kept = [(when, found) for when, found in samples if when >= warm]
    if not kept:
        raise SystemExit("it was too short to look at the server's memory")

    def growth(name: str) -> float:
        return slope([(when / 60, found[name]) for when, found in samples], warm / 60)

    return {
        WARM: kept[0][1]["Pss"] / 1024,
        END: kept[-1][1]["Pss"] / 1024,
        SLOPE: growth("Pss"),
        OWN: growth("Pss_Anon"),
        "samples": len(kept),
    }


def measured(server: servers.Asked, seconds: float, questions: Sequence[Question]) -> table.Figures:
    """What a request costs, then as many as take four fifths of a core."""
    short = min(max(seconds / 10, SHORTEST_TRY), LONGEST_TRY)
    most, took, _ = loaded(Load(server.port, questions, None, short), server.pid)
    possible = most.answers / took
    trial = Load(server.port, questions, TRIAL * possible, short)
    before = used(server.pid)
    tried, took, _ = loaded(trial, server.pid)
    cost = (used(server.pid) - before) / tried.answers
    load = Load(server.port, questions, SHARE / cost, seconds)
    before = used(server.pid)
    tally, took, samples = loaded(load, server.pid)
    busy = (used(server.pid) - before) / took
    lacking = {question.kind for question in questions} - tally.took.keys()
    if lacking:
        raise SystemExit(f"never answered: {', '.join(sorted(lacking))}; {dict(tally.errors)}")
    late = _in_ms(quantiles({"": tally.late}))
    kinds = {
        kind: {"requests": len(took_each), **_in_ms(quantiles({kind: took_each}))}
        for kind, took_each in tally.took.items()
    }
    return {
        "the most it can, requests/s": possible,
        "asked for, requests/s": load.rate,
        "share of its core": busy,
        "answered, requests/s": tally.answers / took,
        "requests": tally.answers,
        ALL: sum(one.errors.total() for one in (most, tried, tally)),
        **_in_ms(quantiles(tally.took)),
        **{f"the client itself was late, {name}": value for name, value in late.items()},
        **memory(samples, min(WARM_SECONDS, seconds / 4)),
        "what went wrong": dict(most.errors + tally.errors),
        "of each kind": kinds,
    }


def _in_ms(found: dict[str, float]) -> dict[str, float]:
    return {f"{name}, ms": value for name, value in found.items()}


def main() -> None:
    parser = table.parser(__doc__, "minutes", whole=WHOLE_MINUTES, quick=QUICK_MINUTES)
    given = parser.parse_args()
    minutes = given.size or (QUICK_MINUTES if given.quick else WHOLE_MINUTES)
    machine = table.machine()
    kept = {"TIDEMILL_CAPTURE_ROWS": str(CAPTURED_ROWS)}
    with servers.ours(servers.package("logistic"), "Onnx", env=kept) as server:
        servers.on_core(server.pid, servers.SERVER_CORE)
        figures = measured(server, 60 * minutes, mix())
    kinds = figures.pop("of each kind")
    table.show(f"{minutes:.3g} minutes at {SHARE:.0%} of its core", figures, TARGETS)
    for kind, found in kinds.items():
        table.show(kind, found)
    table.write(given.json, {"machine": machine, **figures, "of each kind": kinds})


if __name__ == "__main__":
    main()
