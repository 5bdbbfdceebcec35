"""What was kept for another try, or by pods for each other, goes when there is no other.

Not before the Job has ended: who keeps it works until then.
"""

import logging
from collections.abc import Iterable

from tidemill.store import layout
from tidemill.store.errors import StoreError
from tidemill.store.objects import ObjectStore

logger = logging.getLogger(__name__)


async def forget_checkpoint(store: ObjectStore, run: str) -> None:
    """Remove the checkpoint below a run's prefix; a store that is away costs room, no more."""
    await _forget(store, layout.checkpoint_prefix(run))


async def forget_first_rank(store: ObjectStore, run: str) -> None:
    """Remove what rank 0 of a Job before has said: nobody of another Job is to wait for that."""
    await _forget(store, layout.first_rank_key(layout.checkpoint_prefix(run)))


async def forget_parts(store: ObjectStore, outputs: Iterable[str]) -> None:
    """Remove what the pods of Jobs left for each other, below the outputs of these Jobs.

    The first pod does that as well, but not where it was ended by the deadline or by a fault.
    """
    for output in dict.fromkeys(outputs):
        await _forget(store, layout.parts_prefix(output))


async def _forget(store: ObjectStore, prefix: str) -> None:
    try:
        for one in await store.list(prefix):
            await store.delete(one.key)
    except StoreError as error:
        logger.warning("%s was not removed: %s", prefix, error)
