"""The verbs `provide` and `judge`: a training in two processes, with the user's code between them.

The first reads the version and lays out what the code may read; the other takes what that wrote and
makes of it what is made of any fitted model. What the code is measured by stays in a folder that it
never sees.
"""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.store import digests
from tidemill_runner.evaluate import choose
from tidemill_runner.failures import Failure
from tidemill_runner.fit import check_variety
from tidemill_runner.judgement.asked import Asked
from tidemill_runner.material import Supply
from tidemill_runner.progress import Progress
from tidemill_runner.recording import Fitted, Recording, Stopwatch
from tidemill_runner.signer import Signer
from tidemill_runner.storage import Storage
from tidemill_runner.train_input import TrainInput
from tidemill_runner.user_code import kept, script
from tidemill_runner.user_code.checkpoint import Checkpoint
from tidemill_runner.user_code.code import SCRIPT, Code
from tidemill_runner.user_code.laid import Layout
from tidemill_runner.user_code.mark import Board, Mark
from tidemill_runner.user_code.rooms import Rooms
from tidemill_runner.user_code.taken import Taken
from tidemill_runner.user_code.vigil import Vigil

log = logging.getLogger(__name__)
SAID = "code.json"


@dataclass(frozen=True)
class Halves:
    """One training around a user's code."""

    document: TrainInput
    store: Storage
    scratch: Path
    progress: Progress
    rooms: Rooms
    watch: Stopwatch
    # Which of several ranks it is.
    rank: int = 0
    draw: Callable[[], str] = secrets.token_hex

    def provide(self) -> None:
        """Lay out what the code reads, and leave word of it for `judge`. Raises Failure."""
        code, training = self._code(), self.document.training
        # Who is to sign is known before the code trains, though it is asked only after.
        Signer.read(self.document.signing)
        choose(training, None)
        self.rooms.clear()
        text = self._script(code)
        digest = None if text is None else digests.sha256_digest(text)
        if self.document.hosts and not self.rank:
            self._board.begin(Mark(self.draw(), digest or ""))
        with self.watch.measure("load"):
            supply = Supply.of(self.document, self.store, self.scratch)
            rows = supply.read(self.scratch, self.progress)
            material = supply.material(rows)
        train = material.parts.train
        check_variety(material.data.features[train], material.roles)
        group_by = Asked.of(training).group_by
        place, hosts = self.rooms.input, self.document.hosts
        Layout(place, training, material, group_by, hosts).write(code, text)
        kept.keep(rows, self.rooms.state)
        said = {"digest": digest}
        (self.rooms.state / SAID).write_text(json.dumps(said), encoding="utf-8")
        restored = self.kept().restore(self.rooms.checkpoint)
        if restored:
            log.info("%d files of a checkpoint are taken up", restored)
        if self.rank:
            Vigil(self._board.look).before(digest or "", code.field)
        self.progress.report(20, f"{code.field} trains on {len(train):,} rows")
        log.info("%s trains on %d rows: %s", code.field, len(train), said["digest"] or code.image)

    def judge(self) -> dict[str, Any]:
        """Make a record of what the code has made; the result without its times. Raises Failure."""
        code, training = self._code(), self.document.training
        signer = Signer.read(self.document.signing)
        if self.document.hosts:
            self._board.judge()
        said = json.loads((self.rooms.state / SAID).read_text(encoding="utf-8"))
        with self.watch.measure("load"):
            supply = Supply.of(self.document, self.store, self.scratch)
            material = supply.material(kept.restore(self.rooms.state))
            taken = Taken(self.rooms.output, code)
            pipeline = taken.model(training, material)
        metrics = choose(training, pipeline)
        logged = taken.logged()
        told = {**said, **({"logged": logged} if logged else {})}
        place = self.store, self.scratch, self.progress, self.watch
        recording = Recording(self.document, *place, signer)
        return recording.run(Fitted(pipeline, material, metrics, code=told))

    @property
    def _board(self) -> Board:
        return Board(self.store, self.document.checkpoint, self.rooms.state)

    def kept(self) -> Checkpoint:
        """What the store has of the code's checkpoint."""
        return Checkpoint(self.store, self.document.checkpoint, self.scratch)

    def _script(self, code: Code) -> bytes | None:
        if code.kind != SCRIPT or code.source is None:
            return None
        ca_file = self.store.config.ca_file
        return script.fetch(code.source, self.rooms.code, self.rooms.secret, ca_file)

    def _code(self) -> Code:
        code = self.document.training.code
        if code is None:
            raise Failure("InternalError", "the input names no code of a user's")
        return code
