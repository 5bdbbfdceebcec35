"""How Dask is to run here: no page, no more threads, nothing written outside of scratch space."""

import logging
from contextlib import AbstractContextManager
from typing import Any

import dask
from distributed import Security

from tidemill_runner.cluster.board import Notice

# Dask serves HTTP whatever is asked: without routes, and inside of the pod only.
INSIDE = "127.0.0.1:0"
CONNECT = "distributed.comm.timeouts.connect"
# By Dask's names, see its configuration reference.
_SETTINGS = {
    # Of the memory that a database alone might take it has three quarters here, and answers that
    # are held for others lie on disk beyond the rest.
    "distributed.worker.memory.target": 0.25,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # A part lies where it was laid out: another worker would have to fetch it again.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    CONNECT: "5s",
    "distributed.comm.require-encryption": True,
    "distributed.admin.tick.limit": "1h",
}


def applied() -> AbstractContextManager[Any]:
    """The settings, for as long as the context lasts."""
    # Of a task that failed Dask logs the arguments, among which may be values of the data.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    found: AbstractContextManager[Any] = dask.config.set(_SETTINGS)
    return found


def patient() -> AbstractContextManager[Any]:
    """Wait longer for a connection: for whom nobody else will be there in its place."""
    found: AbstractContextManager[Any] = dask.config.set({CONNECT: "60s"})
    return found


def secured(notice: Notice) -> Security:
    """One pair of key and certificate for all: each trusts whoever has it, and nobody else."""
    pair: dict[str, str] = {}
    for role in ("client", "scheduler", "worker"):
        pair |= {f"tls_{role}_key": notice.key, f"tls_{role}_cert": notice.certificate}
    made: Security = Security(  # type: ignore[no-untyped-call]
        require_encryption=True, tls_ca_file=notice.certificate, **pair
    )
    return made
