"""A client that never stops asking, through the Service, and counts what it gets."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.world import World

PAUSE_SECONDS = 0.02
TIMEOUT_SECONDS = 5.0
BODY = json.dumps(
    {
        "inputs": [
            {"name": "a", "shape": [1], "datatype": "INT64", "data": [3]},
            {"name": "b", "shape": [1], "datatype": "FP64", "data": [0.5]},
        ]
    }
)


@dataclass
class Tally:
    """Answers by model version, and every failure in words."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@contextmanager
def steady_requests(world: World, service: str, model: str) -> Iterator[Tally]:
    """Ask on one kept connection and on new ones, until the end of the block."""
    address = world.kubectl.get("service", service, "-n", world.namespace)["spec"]["clusterIP"]
    tally, stop = Tally(), threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(address, model, tally, stop, keep), daemon=True)
        for keep in (True, False)
    ]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS * 2)


def _ask(address: str, model: str, tally: Tally, stop: threading.Event, keep: bool) -> None:
    connection: http.client.HTTPConnection | None = None
    while not stop.is_set():
        connection = connection or http.client.HTTPConnection(address, 80, timeout=TIMEOUT_SECONDS)
        closing = _once(connection, model, tally)
        if closing or not keep:
            connection.close()
            connection = None
        time.sleep(PAUSE_SECONDS)


def _once(connection: http.client.HTTPConnection, model: str, tally: Tally) -> bool:
    """Ask once; tell whether the server wants the connection closed."""
    try:
        connection.request("POST", f"/v2/models/{model}/infer", BODY)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        tally.failures.append(f"{time.strftime('%X')} {type(error).__name__}: {error}")
        return True
    if answer.status != 200:
        tally.failures.append(f"{time.strftime('%X')} {answer.status}: {text[:200]}")
    else:
        tally.answers[json.loads(text)["model_version"]] += 1
    return answer.getheader("Connection", "").lower() == "close"
