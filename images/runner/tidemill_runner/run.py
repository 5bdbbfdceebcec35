"""One run from its input to its exit code: what all verbs share.

Whatever happens, the termination message says it, the log is kept where the store can be reached,
and the exit code tells the Job whether another try can help.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.store.config import StoreConfig
from tidemill.store.errors import StoreError
from tidemill.store.mounted import MountedKeys
from tidemill_runner import document as documents
from tidemill_runner import progress, result, threads
from tidemill_runner.exits import Exit
from tidemill_runner.failures import translate
from tidemill_runner.inputs import IngestInput
from tidemill_runner.journal import Journal
from tidemill_runner.paths import Paths
from tidemill_runner.progress import Progress, Subject
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput

if TYPE_CHECKING:
    from tidemill_runner.online_input import MaterialiseInput

    Document = IngestInput | TrainInput | MaterialiseInput

log = logging.getLogger(__name__)
# Verbs that do a part of what their input document asks for.
PARTS = {
    "collect": "ingest",
    "conclude": "ingest",
    "provide": "train",
    "follow": "train",
    "judge": "train",
}
FIRST, FOLLOW = ("collect", "provide"), "follow"


@dataclass(frozen=True)
class Run:
    """A verb on the files of a pod; `now` is the clock, `worker` which one of several it is."""

    verb: str
    paths: Paths
    now: Callable[[], datetime]
    worker: int = 0

    def __call__(self) -> Exit:
        scratch = Path(tempfile.mkdtemp(prefix="run-", dir=self.paths.scratch))
        try:
            with Journal(scratch / "log") as journal:
                return self._guarded(scratch, journal)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _guarded(self, scratch: Path, journal: Journal) -> Exit:
        started = self.now()
        storage: Storage | None = None
        document: Document | None = None
        output = ""
        try:
            document = documents.load(self.paths.input, self._asked)
            output = document.identity.output
            config = StoreConfig.from_dirs(self.paths.store)
            storage = Storage(config, keys=MountedKeys(self.paths.store, config))
            body = self._work(document, storage, scratch)
            storage.put(f"{output}{self._log}", journal.compressed())
            if body is not None:
                data, digest = result.document(self._asked, body, started, self.now())
                storage.put(f"{output}{result.RESULT}", data)
                result.succeeded(self.paths.termination, digest)
            self._clear(document, storage, Exit.OK)
        except Exception as error:
            failure = translate(error)
            # A traceback is for those who mend the runner, not for who mends a spec.
            trace = failure.exit_code is Exit.BUG
            log.log(logging.ERROR, "%s: %s", failure.reason, failure.message, exc_info=trace)
            result.failed(self.paths.termination, failure, journal.last())
            _keep_log(storage, f"{output}{self._log}" if output else "", journal)
            self._clear(document, storage, failure.exit_code)
            return failure.exit_code
        finally:
            if storage is not None:
                storage.close()
        return Exit.OK

    @property
    def _asked(self) -> str:
        """The verb of the input document."""
        return PARTS.get(self.verb, self.verb)

    @property
    def _log(self) -> str:
        own = result.FIRST_LOG if self.verb in FIRST else result.LOG
        if self.verb == FOLLOW:
            own = result.FOLLOWER_LOG
        return own.replace(".gz", f"-{self.worker}.gz") if self.worker else own

    def _clear(self, document: "Document | None", storage: Storage | None, end: Exit) -> None:
        """Remove what the workers left for the first one, unless another pod goes on with it."""
        counted = isinstance(document, IngestInput | TrainInput) and document.workers > 1
        if (
            document
            and storage
            and counted
            and not self.worker
            and end in (Exit.OK, Exit.USER, Exit.DATA)
        ):
            from tidemill_runner import pool  # noqa: PLC0415

            pool.clear(storage, document.identity.output)

    def _work(
        self,
        document: "Document",
        storage: Storage,
        scratch: Path,
    ) -> dict[str, Any] | None:
        identity = document.identity
        subject = Subject(identity.kind, identity.namespace, identity.name, identity.uid)
        # One of several workers tells how far all are.
        url = None if self.worker else identity.progress_url
        send = progress.sender(url, self.paths.token)
        with Progress(subject, send) as reports:
            if isinstance(document, IngestInput):
                return self._ingest(document, storage, scratch, reports)
            if not isinstance(document, TrainInput):
                return self._materialise(document, storage, scratch, reports)
            if self.verb in PARTS:
                return self._around(document, storage, scratch, reports)
            # scikit-learn takes a second to import, which an ingest has no use for.
            from tidemill_runner.train import Stopwatch, Train  # noqa: PLC0415

            train = Train(document, storage, scratch, reports, Stopwatch(begun=reports.step))
            if self.worker and document.workers > 1:
                train.lend_a_hand(self.worker)
                return None
            return train.run()

    def _ingest(
        self, document: IngestInput, storage: Storage, scratch: Path, reports: Progress
    ) -> dict[str, Any] | None:
        from tidemill_runner import crew, halves  # noqa: PLC0415
        from tidemill_runner.container import Work  # noqa: PLC0415
        from tidemill_runner.database import Limits, memory_for_database  # noqa: PLC0415
        from tidemill_runner.ingest import Ingest  # noqa: PLC0415
        from tidemill_runner.workplace import Workplace  # noqa: PLC0415

        limits = Limits(memory_for_database(), threads.cpu_limit())
        place = Workplace(document, storage, scratch, reports, limits, self.now)
        work = Work(self.paths.work / "in", self.paths.work / "out", self.paths.state)
        if self.verb == "conclude":
            return halves.conclude(place, work)
        # The drivers of databases are for who reads one.
        from tidemill_runner import sources  # noqa: PLC0415

        with sources.opened(document, storage, self.paths.source) as origin:
            if self.worker:
                crew.lend_a_hand(place, origin, self.worker)
                return None
            if self.verb != "collect":
                return Ingest(place, origin).run()
            halves.collect(place, origin, work)
            return None

    def _around(
        self, document: TrainInput, storage: Storage, scratch: Path, reports: Progress
    ) -> dict[str, Any] | None:
        """Before, beside and after a user's code."""
        from tidemill_runner.user_code.rooms import Rooms  # noqa: PLC0415

        paths = self.paths
        rooms = Rooms.of(paths.work, paths.state, paths.code, paths.source)
        if self.verb == FOLLOW:
            # It is small: none of what trains is imported.
            from tidemill_runner.user_code import follow  # noqa: PLC0415

            # The checkpoint is that of the first, as the model is.
            kept = replace(document, checkpoint="") if self.worker else document
            follow.until_told(kept, storage, scratch, (rooms, reports))
            return None
        if self.worker and self.verb not in FIRST:
            from tidemill_runner.user_code.mark import Board  # noqa: PLC0415
            from tidemill_runner.user_code.vigil import Vigil  # noqa: PLC0415

            Vigil(Board(storage, document.checkpoint, rooms.state).look).keep()
        from tidemill_runner.recording import Stopwatch  # noqa: PLC0415
        from tidemill_runner.user_code.halves import Halves  # noqa: PLC0415

        watch = Stopwatch(begun=reports.step)
        halves = Halves(document, storage, scratch, reports, rooms, watch, self.worker)
        if self.verb in FIRST:
            halves.provide()
            return None
        return halves.judge()

    def _materialise(
        self, document: "MaterialiseInput", storage: Storage, scratch: Path, reports: Progress
    ) -> dict[str, Any]:
        from tidemill.store.online_server import OnlineLogin  # noqa: PLC0415
        from tidemill_runner.database import Limits, memory_for_database  # noqa: PLC0415
        from tidemill_runner.materialise import Materialise  # noqa: PLC0415

        limits = Limits(memory_for_database(), threads.cpu_limit())
        login = OnlineLogin.from_dir(self.paths.source)
        return Materialise(document, login, storage, scratch, reports, limits, self.now).run()


def _keep_log(storage: Storage | None, key: str, journal: Journal) -> None:
    if storage is None or not key:
        return
    try:
        storage.put(key, journal.compressed())
    except StoreError as error:
        log.warning("the log could not be kept: %s", error)
