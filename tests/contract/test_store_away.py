"""A store that restarts costs a run some seconds, and not the run."""

import threading
from collections.abc import Callable
from pathlib import Path

from tests.contract.s3_server import S3Server

from tidemill_runner.storage import Storage

AWAY_SECONDS = 15.0
OPERATIONS: dict[str, Callable[[Storage, Path], object]] = {
    "get": lambda store, _: store.get("a", 100),
    "head": lambda store, _: store.sizes_of(["b"]),
    "list": lambda store, _: store.list(""),
    "put": lambda store, _: store.put("c", b"c"),
    "create": lambda store, _: store.create("d", b"d"),
    "upload": lambda store, folder: store.upload(folder / "file", "e"),
    "download": lambda store, folder: store.download("a", folder / "copy"),
}


def test_every_operation_outlives_a_restart_of_the_store(
    own_server: S3Server, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"e")
    with Storage(own_server.config) as store:
        store.put("a", b"a")
    own_server.stop()
    failures, threads = begin(own_server, tmp_path)
    threading.Event().wait(AWAY_SECONDS)
    assert [name for name, thread in threads.items() if not thread.is_alive()] == []
    own_server.start()
    for thread in threads.values():
        thread.join(60)
    assert failures == {}


def begin(
    server: S3Server, folder: Path
) -> tuple[dict[str, Exception], dict[str, threading.Thread]]:
    """Begin each operation in a thread of its own, as each run has its own process."""
    failures: dict[str, Exception] = {}

    def attempt(name: str) -> None:
        try:
            with Storage(server.config) as store:
                OPERATIONS[name](store, folder)
        except Exception as error:
            failures[name] = error

    threads = {name: threading.Thread(target=attempt, args=(name,)) for name in OPERATIONS}
    for thread in threads.values():
        thread.start()
    return failures, threads
