"""Several workers over Dask as threads of one process, each with a scratch space of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.deliveries import Delivery
from tests.unit.runner.memory import MemoryStorage
from tests.unit.runner.workshop import Workshop

from tidemill_runner.cluster.board import POD_IP


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that reach each other on the loopback."""
    monkeypatch.setenv(POD_IP, "127.0.0.1")


@contextmanager
def helpers(
    delivery: Delivery, folder: Path, store: MemoryStorage, workers: int
) -> Iterator[list[BaseException]]:
    """All workers but the first, as long as the context lasts; what they raised."""
    raised: list[BaseException] = []

    def work(workshop: Workshop, worker: int) -> None:
        try:
            asked: dict[str, Any] = {**delivery.asked, "workers": workers, "engine": "Dask"}
            workshop.lend_a_hand(worker, **asked)
        except BaseException as error:
            raised.append(error)

    threads = [
        threading.Thread(
            target=work, args=(delivery.workshop(folder / f"pod-{n}", store), n), daemon=True
        )
        for n in range(1, workers)
    ]
    for thread in threads:
        thread.start()
    yield raised
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
