"""A pod that is not the first: it grows trees with its own rows for as long as there is a try.

It does not lose its patience: without it there is no fit. The run's deadline ends what has no end.
"""

import asyncio
import time
from collections.abc import Callable

from tidemill_runner.cluster import settings
from tidemill_runner.cluster.board import Notice
from tidemill_runner.cluster.turns import Turns
from tidemill_runner.joint import pod
from tidemill_runner.joint.pod import Hands
from tidemill_runner.joint.share import Share
from tidemill_runner.search.pods import Team


def join(share: Share, team: Team, wait: Callable[[float], None] = time.sleep) -> None:
    """Work for the first pod until it says that the model is there."""
    hands = Hands(share, team.folder)

    def work(notice: Notice) -> bool:
        try:
            return asyncio.run(pod.member(hands).work(notice))
        finally:
            hands.stop()

    with settings.applied():
        Turns(team.board, share.number, work, wait=wait).take()
