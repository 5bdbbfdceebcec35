"""What a rank does while the first one's model is judged, before its own code or after: it stays.

The run is done when the first rank's pod is, and then the Job ends the others. Should the first be
lost before, another takes its place and begins anew, and needs all of them again: a rank that had
gone would never come back. So each looks whether the first is still the one that it knew. And one
that has itself taken another's place does not begin alone what the first has ended.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from tidemill_runner.failures import Failure
from tidemill_runner.user_code.mark import Mark

LOOK = 5.0
# So many looks with another script than rank 0's: it may be lost, and its successor have this one.
PATIENCE = 60
log = logging.getLogger(__name__)


@dataclass
class Vigil:
    """Beside rank 0; `look` gives what that one says."""

    look: Callable[[], Mark | None]
    pause: Callable[[float], None] = time.sleep

    def keep(self) -> NoReturn:
        """Wait for the end of the pod; raises Failure where another has taken rank 0's place."""
        log.info("this rank's code has ended: rank 0 ends the run")
        known: Mark | None = None
        while True:
            found = self.look()
            if known and found and known.token != found.token:
                raise Failure(
                    "WorkersLost",
                    "rank 0 was lost after this rank's code had ended: another has its place, and "
                    "all begin again",
                )
            known = known or found
            self.pause(LOOK)

    def before(self, script: str, field: str) -> None:
        """Wait until code may begin; raises Failure where rank 0 runs another script."""
        looks = 0
        while (found := self.look()) is not None:
            if found.judging:
                log.info("rank 0's code has ended: this rank's begins if that is lost")
            elif found.script == script:
                return
            elif looks >= PATIENCE:
                raise Failure(
                    "DigestMismatch",
                    f"{field}: rank 0 runs another text (of digest {found.script}) than this rank "
                    f"({script}): it was edited while the run started; name the one that is meant "
                    "in configMap.digest",
                )
            else:
                looks += 1
            self.pause(LOOK)
