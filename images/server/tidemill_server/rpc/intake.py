"""What a client sends, cut into frames as it comes."""

from collections.abc import Iterator

from tidemill_server.rpc.frames import (
    HEAD_BYTES,
    MAX_FRAME_BYTES,
    MAX_WINDOW,
    PREFACE,
    Broken,
    Code,
)

Frame = tuple[int, int, int, bytes]  # kind, flags, stream, payload


class Intake:
    """Keeps what is no whole frame yet."""

    def __init__(self) -> None:
        self.greeted = False  # the client has said that it speaks HTTP/2
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now; raises Broken."""
        data, self._rest = self._rest + data if self._rest else data, b""
        place = 0
        if not self.greeted:
            if not data.startswith(PREFACE[: len(data)]):
                raise Broken(Code.PROTOCOL_ERROR, "this port speaks gRPC, over HTTP/2")
            if len(data) < len(PREFACE):
                self._rest = data
                return
            self.greeted, place = True, len(PREFACE)
        size = len(data)
        while size - place >= HEAD_BYTES:
            length = int.from_bytes(data[place : place + 3])
            if length > MAX_FRAME_BYTES:
                raise Broken(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            start = place + HEAD_BYTES
            if start + length > size:
                break
            stream = int.from_bytes(data[place + 5 : start]) & MAX_WINDOW
            yield data[place + 3], data[place + 4], stream, data[start : start + length]
            place = start + length
        self._rest = data[place:]
