"""What a pod is in a cluster: a worker of some kind; and in the first pod the scheduler beside it.

Whatever is to be done for a scheduler, its workers are made alike: inside of the pod's scratch
space, over TLS with the run's own key, with no page.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from distributed import Client, LocalCluster, Security, Worker

from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Notice, own_address

log = logging.getLogger(__name__)
W = TypeVar("W", bound=Worker)
GATHER_SECONDS = 10.0


@dataclass(frozen=True)
class Member(Generic[W]):
    """A worker of a kind, which `equip` gives what its tasks need; `memory` 0 is no limit.

    By its `number` the scheduler knows it, where that matters; that of the first pod is 0.
    """

    kind: type[W]
    equip: Callable[[W], None]
    folder: str
    memory: int
    threads: int = 1
    number: int | None = None

    async def work(self, notice: Notice) -> bool:
        """Work for one scheduler until it is gone; False where it cannot be reached."""
        worker = self.kind(
            notice.address,
            name=self.number,
            host=own_address(),
            nthreads=self.threads,
            security=settings.secured(notice),
            memory_limit=self.memory,
            local_directory=self.folder,
            death_timeout=5,
            dashboard=False,
            dashboard_address=settings.INSIDE,
        )
        self.equip(worker)
        try:
            await worker
        except (OSError, RuntimeError) as error:  # Dask's word for any other start that failed
            log.warning("no scheduler at %s: %s", notice.address, type(error).__name__)
            return False
        log.info("working for the scheduler at %s", notice.address)
        await worker.finished()  # type: ignore[no-untyped-call]
        log.info("the scheduler at %s is gone", notice.address)
        return True

    @contextmanager
    def leading(self) -> Iterator[tuple[Client, Notice]]:
        """Schedule for others, and work oneself."""
        made = Security.temporary()  # type: ignore[no-untyped-call]
        notice = Notice("", made.tls_ca_file, made.tls_worker_key)
        security = settings.secured(notice)
        with ExitStack() as held:
            # Its own scheduler is there, however long that takes on a machine that is full.
            with settings.patient():
                cluster = held.enter_context(self._cluster(security))
                client = held.enter_context(
                    Client(cluster, security=security, set_as_default=False)  # type: ignore[no-untyped-call]
                )
            self.equip(cluster.workers[0])
            yield client, replace(notice, address=cluster.scheduler_address)

    def _cluster(self, security: Security) -> LocalCluster:
        return LocalCluster(  # type: ignore[no-untyped-call]
            worker_class=self.kind,
            n_workers=1,
            threads_per_worker=self.threads,
            processes=False,
            host=own_address(),
            protocol="tls://",
            security=security,
            scheduler_kwargs={"dashboard": False, "dashboard_address": settings.INSIDE},
            worker_dashboard_address=settings.INSIDE,
            memory_limit=self.memory,
            local_directory=self.folder,
            silence_logs=False,
        )
