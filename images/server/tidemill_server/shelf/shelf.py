"""The models of a server with several: what the list wants is loaded, and what it does not goes.

A new version of a model is loaded beside the one that answers, and takes its place when it is
ready; one that is refused takes nobody's place. Whatever becomes of one model, the others answer.
"""

import asyncio
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from tidemill_server.exits import INTERNAL_ERROR, SPEC_INVALID, Exit, Refused
from tidemill_server.hosts import Common
from tidemill_server.lifecycle.state import ISSUER_UNAVAILABLE, Phase
from tidemill_server.metrics.registry import Metrics
from tidemill_server.models import Model, Models, indexed
from tidemill_server.probe.nursery import Nursery
from tidemill_server.protocol.errors import ProtocolError, shown
from tidemill_server.shelf.app import ShelfApplication
from tidemill_server.shelf.blame import Blame, Blamed
from tidemill_server.shelf.hosted import Hosted, Loader
from tidemill_server.shelf.listing import Wanted, read_list
from tidemill_server.watched import Watched

LOOK_SECONDS = 1.0
LEAVE_SECONDS = 0.1  # between two looks whether anybody still asks a model that goes
LONGEST_PAUSE = 1800.0  # before what was refused is tried again
LOADING = "Loading"
PACKAGES = "package-"
MOST_CHARS = 512  # of what is told of a model: one must not make the others' unreadable

log = logging.getLogger(__name__)


@dataclass
class Place:
    """A name of the list: what answers by it now, and what is to."""

    newest: Hosted  # which answers, is being loaded, or was refused
    loading: "asyncio.Task[None] | None" = None
    answering: Hosted | None = None
    refused: bool = False

    @property
    def shown(self) -> Hosted:
        """Whom clients are sent to: before any version answers, to who says why."""
        return self.answering or self.newest

    @property
    def is_tried(self) -> bool:
        """Whether there is nothing to wait for; a store may not answer for long."""
        return self.newest.answers or self.refused or self.newest.state.reason != LOADING

    def told(self) -> dict[str, str]:
        """What the server says of it when it is asked whether it is ready."""
        state = self.newest.state
        return {
            "name": self.newest.wanted.name,
            "wanted": self.newest.wanted.digest,
            "digest": self.answering.wanted.digest if self.answering else "",
            "reason": state.reason,
            "message": state.message[:MOST_CHARS],
        }


class Shelf:
    """Follows the list, which is a mounted file."""

    only = None  # there may always be another

    def __init__(self, common: Common, prober: Nursery) -> None:
        self._common, self._prober = common, prober
        scratch = common.settings.scratch
        for left in scratch.glob(f"{PACKAGES}*"):  # of the process before, if it ended in this pod
            shutil.rmtree(left, ignore_errors=True)
        self._loader = Loader(prober, Blame(scratch / "blame"))
        self._numbers = count()
        self._places: dict[str, Place] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._admitted = common.guard is None
        self.list_digest = ""
        self._first: frozenset[str] | None = None  # the names that there were at the start
        self.app = ShelfApplication(self, common)
        self.models: Models = self

    async def start(self) -> None:
        """Follow the list until the end; raises Refused where it cannot be read at first."""
        file = self._common.settings.models
        if file is None:
            raise AssertionError("there is no list of models")
        try:
            listed = Watched(file, read_list)
        except (OSError, ValueError) as error:
            why = f"the list of models (TIDEMILL_MODELS) cannot be used: {error}"
            raise Refused(SPEC_INVALID, why, Exit.USER_ERROR) from None
        admitting = asyncio.create_task(self._admit())
        while True:
            if admitting.done():
                admitting.result()
            if self._prober.ended:
                why = "the process in which models are tried first has ended: without it none comes"
                raise Refused(INTERNAL_ERROR, why, Exit.BUG)
            now = listed.now
            self.list_digest = now.digest
            self._follow(now.models)
            if self._first is None:
                self._first = frozenset(self._places)
            self._settle()
            await asyncio.sleep(LOOK_SECONDS)

    def drain(self) -> None:
        """No new clients, please."""
        self._common.state.drain()
        for place in self._places.values():
            place.shown.state.drain()

    def end(self) -> None:
        """Nothing more is asked."""
        self._loader.blame.end()
        self._prober.stop()

    def named(self, name: str) -> Model:
        """Raises ProtocolError where there is none of that name."""
        place = self._places.get(name)
        if place is None:
            raise ProtocolError(404, f"no model {shown(name)} here; {self.known()}")
        return place.shown.model

    def known(self) -> str:
        """Which there are, for whoever asks for another."""
        return "there is " + (", ".join(map(repr, self._places)) or "none yet")

    def index(self) -> list[dict[str, str]]:
        """As clients of model repositories know it: each version that answers or is to."""
        found = []
        for place in self._places.values():
            both = {id(one): one for one in (place.answering, place.newest) if one is not None}
            found += [indexed(one.model.inference, one.state) for one in both.values()]
        return found

    def hosted(self) -> Mapping[str, Hosted]:
        """Whom clients are sent to, by the names."""
        return {name: place.shown for name, place in self._places.items()}

    def told(self) -> list[dict[str, str]]:
        """How each is, in the order of the list."""
        return [place.told() for place in self._places.values()]

    def metrics(self) -> Mapping[str, Metrics]:
        return {name: place.shown.metrics for name, place in self._places.items()}

    async def _admit(self) -> None:
        if self._common.guard is not None:
            await self._common.guard.prepare()
        self._admitted = True

    def _follow(self, wanted: Iterable[Wanted]) -> None:
        listed = {one.name: one for one in wanted}
        for name in self._places.keys() - listed.keys():
            self._leave(self._places.pop(name))
            log.info("unloaded", extra={"model": name})
        for one in listed.values():
            place = self._places.get(one.name)
            if place is None:
                self._places[one.name] = place = Place(self._made(one))
                self._begin(place)
            elif place.newest.wanted != one:
                self._replace(place, one)
        self._places = {name: self._places[name] for name in listed}
        self.app.route()

    def _made(self, wanted: Wanted) -> Hosted:
        # A number, since the same version may be loaded anew, within other bounds.
        name = f"{PACKAGES}{wanted.name}-{next(self._numbers)}"
        return Hosted(wanted, self._common, self._loader, self._common.settings.scratch / name)

    def _replace(self, place: Place, wanted: Wanted) -> None:
        if place.loading is not None:
            place.loading.cancel()
        if place.answering is not None and place.answering.wanted == wanted:
            place.newest, place.loading, place.refused = place.answering, None, False
            return
        place.newest, place.refused = self._made(wanted), False
        self._begin(place)

    def _begin(self, place: Place) -> None:
        place.loading = asyncio.create_task(self._load(place, place.newest))

    async def _load(self, place: Place, hosted: Hosted) -> None:
        """Until it answers: what is refused is tried again, in case the world was to blame."""
        pause = self._common.settings.retry_seconds
        while not await self._loaded(place, hosted):
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            hosted = self._made(hosted.wanted)

    async def _loaded(self, place: Place, hosted: Hosted) -> bool:
        """Try it; whether there is nothing more to try."""
        names = {"model": hosted.wanted.name, "digest": hosted.wanted.digest}
        try:
            await hosted.load()
        except Refused as refused:
            self._refuse(place, hosted, refused)
            return isinstance(refused, Blamed)
        except Exception as error:
            log.exception("a model failed to load", extra=names)
            message = f"{type(error).__name__}: {error}"
            self._refuse(place, hosted, Refused(INTERNAL_ERROR, message))
            return False
        except asyncio.CancelledError:
            self._forget(hosted)
            raise
        before, place.newest, place.answering = place.answering, hosted, hosted
        place.loading, place.refused = None, False
        log.info("loaded", extra=names)
        self.app.route()
        if before is not None:
            self._forget(before)
        self._settle()
        return True

    def _refuse(self, place: Place, hosted: Hosted, refused: Refused) -> None:
        # What was said at first is told on while it is tried again.
        place.newest.state.waiting(refused.reason, refused.message)
        place.refused = True
        fields = {"reason": refused.reason, "detail": refused.message}
        log.error("refused", extra={"model": hosted.wanted.name, **fields})
        self._forget(hosted)
        self._settle()

    def _leave(self, place: Place) -> None:
        if place.loading is not None:
            place.loading.cancel()
        if place.answering is not None:
            self._forget(place.answering)

    def _forget(self, hosted: Hosted) -> None:
        """Nobody is sent to it any more; who has been is answered."""
        task = asyncio.create_task(self._go(hosted))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _go(self, hosted: Hosted) -> None:
        inference = hosted.model.inference
        # At first as well: whoever has just been sent there has not asked yet. An event for it
        # would be paid for by each request.
        await asyncio.sleep(LEAVE_SECONDS)
        while inference.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(LEAVE_SECONDS)
        await asyncio.to_thread(hosted.clear)

    def _settle(self) -> None:
        """Ready as soon as nothing is waited for and something answers; and from then on."""
        state, places = self._common.state, self._places.values()
        if state.phase is not Phase.LOADING:
            return
        if not self._admitted:
            state.follow(ISSUER_UNAVAILABLE, "waiting for the keys of the issuer")
            return
        answering = sum(place.answering is not None for place in places)
        first = self._first or frozenset()
        tried = all(place.is_tried for name, place in self._places.items() if name in first)
        if tried and (answering or not places):
            state.follow("", "")
            log.info("serving", extra={"models": answering, "of": len(places)})
            return
        waiting = next((one.newest for one in places if one.answering is None), None)
        if waiting is not None:
            name, its = waiting.wanted.name, waiting.state
            state.follow(its.reason, f"model {name}: {its.message[:MOST_CHARS]}")
