"""How much a client may say that asks for nothing, between two looks at its connection."""

from tidemill_server.rpc.frames import Broken, Code

# Of frames that bring no call forward: pings, settings, empty data.
MAX_IDLE_FRAMES = 2000
# Of those, what a call or a frame full of answer brings with it: acknowledgements, pings by which
# clients measure the line, small windows.
FRAMES_OF_A_CALL = 8


class Calm:
    """Counts idle frames; raises Broken when they are too many."""

    def __init__(self) -> None:
        self._idle = 0

    def count(self, frames: int = 1) -> None:
        self._idle += frames
        if self._idle > MAX_IDLE_FRAMES:
            raise Broken(Code.ENHANCE_YOUR_CALM, "too many frames that ask for nothing")

    def make_good(self) -> None:
        """There was work: its own idle frames do not count."""
        self._idle = max(0, self._idle - FRAMES_OF_A_CALL)

    def forget(self) -> None:
        self._idle = 0
