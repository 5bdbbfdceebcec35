"""Start: settings, then the heavy imports, then the child, then the server.

The order matters. The child that loads the model first is forked when the model's library is
imported (so that it need not import it again) and before anything starts a thread.
"""

import functools
import gc
import importlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from typing import NoReturn

from tidemill_server import logs
from tidemill_server.exits import Exit, Refused, write_termination
from tidemill_server.settings import Settings, termination_path

# One replica, one core: pools of threads inside the libraries only get in each other's way.
# They read these when they are imported.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

log = logging.getLogger(__name__)


def main(env: Mapping[str, str]) -> int:
    """Run the server; the exit code."""
    logs.configure()
    # Process 1 of a container ignores SIGTERM unless it asks for it, also while it imports.
    signal.signal(signal.SIGTERM, _end_at_once)
    try:
        _run(Settings.from_env(env))
    except Refused as refused:
        fields = {"reason": refused.reason, "detail": refused.message}
        log.error("refused", extra=fields)  # noqa: TRY400 - a refusal needs no traceback
        write_termination(termination_path(env), refused)
        return refused.code
    return Exit.OK


def _run(settings: Settings) -> None:
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    if settings.upstream is not None:  # nothing is loaded: another container has the model
        importlib.import_module("tidemill_server.process").serve(settings)
        return
    explained = bool(settings.limits.explained_rows)
    if settings.models is not None:
        # What each needs is imported when it is loaded.
        nursery = importlib.import_module("tidemill_server.probe.nursery").Nursery
        several = nursery.start(settings.runtime, explained=explained)
        importlib.import_module("tidemill_server.process").serve(settings, several)
        return
    started = time.perf_counter()
    # Imports make objects that stay: looking through them for garbage takes a tenth of the time,
    # and later would copy, page by page, the memory that the child shares.
    gc.disable()
    choice = importlib.import_module("tidemill_server.formats.choice")
    choice.prepare(settings.runtime)
    examine = importlib.import_module("tidemill_server.probe.examine").examine
    child = importlib.import_module("tidemill_server.probe.child")
    gc.freeze()
    prober = child.Prober.start(
        functools.partial(examine, runtime=settings.runtime, explained=explained)
    )
    process = importlib.import_module("tidemill_server.process")
    gc.freeze()
    gc.enable()
    log.info("imported", extra={"seconds": round(time.perf_counter() - started, 3)})
    process.serve(settings, prober)


def _end_at_once(*_: object) -> NoReturn:
    raise SystemExit(Exit.OK)
