"""One connection of HTTP/2: frames become calls, calls are answered, and bounds are kept.

What takes memory or time is bounded: headers (as they come and as they are read), streams at a
time, bytes of all messages together, frames that bring no call forward, the time for a message to
arrive and for an answer to be taken. Who goes beyond gets GOAWAY with a word, or is cut.
"""

import asyncio
from typing import cast

from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.rpc import frames
from tidemill_server.rpc.calls import Call, NotGrpc, Reply, Stream, bad
from tidemill_server.rpc.calm import Calm
from tidemill_server.rpc.frames import Broken, Code, Kind, Setting
from tidemill_server.rpc.heads import MAX_HEADER_BYTES, Block, Head, Heads
from tidemill_server.rpc.intake import Intake
from tidemill_server.rpc.outbox import Outbox, answer_parts
from tidemill_server.rpc.terms import Terms

MAX_STREAMS = 1000
STREAM_WINDOW = 1 << 20
CONNECTION_WINDOW = 4 << 20
SILENT_SECONDS = 300.0  # without a call
LOOKS = 4  # in the time that a message may take
SMALL_BYTES = 64  # of data that nobody waits for any more
SMALL_WINDOW = 128  # no client that wants an answer opens its window by less, again and again


class Connection(asyncio.Protocol):
    """Everything that one client asks over one connection."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._head = frames.block(terms.head)
        self._calm = Calm()
        self._heads = Heads(self._calm)
        self._prefix = b""  # of the next header block
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._intake = Intake()
        self._closing = self._retired = False
        self._block: Block | None = None
        self._credit = 0
        self._busy_at = self._loop.time()
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport
        self._outbox: Outbox
        self._look: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(transport.write, self._sent, self._calm.make_good)
        self._terms.connections.add(self)
        told = {
            Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
        }
        more = CONNECTION_WINDOW - frames.FIRST_WINDOW
        transport.write(frames.settings(told.items()) + frames.window_update(0, more))
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.closed.set()
        self._terms.connections.discard(self)
        for stream in list(self._streams):
            self._drop(stream)
        for timer in (self._look, self._taking):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """Who does not take answers asks for no more of them, and not for ever."""
        self._outbox.paused = True
        self._transport.pause_reading()
        self._await_taken()

    def resume_writing(self) -> None:
        self._outbox.paused = False
        if self._transport.is_closing():
            return
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        self._transport.resume_reading()
        self._outbox.flush(self._loop.time())

    def eof_received(self) -> None:
        self._await_taken()  # the transport closes now

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        try:
            self._feed(data)
        except Broken as broken:
            self._break(broken)

    # From the server.

    def retire(self) -> None:
        """Ask the client to connect anew; whatever it still asks here is answered."""
        self._retired = True
        if not self._transport.is_closing():
            self._transport.write(frames.goaway(frames.MAX_WINDOW, Code.NO_ERROR))

    def finish(self) -> None:
        """Answer what is there, and nothing more: the client asks the rest elsewhere."""
        self._closing = True
        if not self._transport.is_closing():
            self._transport.write(frames.goaway(self._last, Code.NO_ERROR))
        self._close_if_done()

    def is_done(self) -> bool:
        return not self._streams and not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        self._transport.abort()

    # Frames.

    def _feed(self, data: bytes) -> None:
        for kind, flags, stream, payload in self._intake.frames(data):
            self._take(kind, flags, stream, payload)
            if self._transport.is_closing():
                return
        if self._credit >= CONNECTION_WINDOW // 2:
            self._transport.write(frames.window_update(0, self._credit))
            self._credit = 0

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._block is not None and kind != Kind.CONTINUATION:
            raise Broken(Code.PROTOCOL_ERROR, "headers are interrupted")
        if kind == Kind.DATA:
            self._data(flags, stream, payload)
        elif kind == Kind.HEADERS:
            fragment = frames.header_fragment(flags, payload)
            if not stream & 1:
                raise Broken(Code.PROTOCOL_ERROR, f"headers on the stream {stream}")
            self._block = Block(stream, flags, bytearray(fragment))
            self._headers(flags)
        elif kind == Kind.CONTINUATION:
            if self._block is None or self._block.stream != stream:
                raise Broken(Code.PROTOCOL_ERROR, "a continuation of nothing")
            self._block.data += payload
            self._calm.count()
            self._headers(flags)
        elif kind == Kind.WINDOW_UPDATE:
            _of_size(payload, 4)
            size = int.from_bytes(payload) & frames.MAX_WINDOW
            if size < SMALL_WINDOW:
                self._calm.count()
            self._outbox.grant(stream, size, self._loop.time())
        else:
            self._control(kind, flags, stream, payload)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """What brings no call forward; whatever kind is unknown is ignored, as HTTP/2 wants."""
        if kind == Kind.RST_STREAM and stream in self._streams:
            _of_size(payload, 4)
            self._drop(stream)  # it costs no more than to answer it, and holds nothing any more
            return
        self._calm.count()
        if kind == Kind.PUSH_PROMISE:
            raise Broken(Code.PROTOCOL_ERROR, "a client pushes nothing")
        if kind == Kind.SETTINGS and not flags & frames.ACK:
            self._settings(payload)
        elif kind == Kind.PING and not flags & frames.ACK:
            _of_size(payload, 8)
            self._transport.write(frames.frame(Kind.PING, frames.ACK, 0, payload))

    def _settings(self, payload: bytes) -> None:
        least, last = frames.read_settings(payload)
        if least.get(Setting.HEADER_TABLE_SIZE, frames.TABLE_BYTES) < frames.TABLE_BYTES:
            self._prefix = frames.NO_TABLE
        self._transport.write(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        first = last.get(Setting.INITIAL_WINDOW_SIZE)
        if first is not None:
            self._outbox.resize(first, self._loop.time())

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        self._credit += len(payload)
        if self._credit > CONNECTION_WINDOW:
            raise Broken(Code.FLOW_CONTROL_ERROR, "more data than the window allows")
        stream = self._streams.get(number)
        if stream is None or stream.ended:
            # After GOAWAY those beyond the last are none of ours, and may still be on their way.
            if not number or (number > self._last and not self._closing):
                raise Broken(Code.PROTOCOL_ERROR, f"data on the stream {number}, never opened")
            if len(payload) < SMALL_BYTES:  # else of one that was refused: it was on its way
                self._calm.count()
            return
        last = flags & frames.END_STREAM
        piece = frames.without_padding(flags, payload)
        stream.credit += len(payload)
        if not piece and not last:
            self._calm.count()
        try:
            if piece:
                stream.call.add(piece, self._terms.most(stream.call.path))
        except ProtocolError as error:
            self._refuse(number, stream, error)
            return
        if last:
            self._ask(number, stream)
        elif stream.credit >= STREAM_WINDOW // 2:
            self._transport.write(frames.window_update(number, stream.credit))
            stream.credit = 0

    def _headers(self, flags: int) -> None:
        block = self._block
        if block is None or not self._heads.is_whole(block, flags):
            return
        self._block = None
        head = self._heads.read(block)
        last = bool(block.flags & frames.END_STREAM)
        stream = self._streams.get(block.stream)
        if stream is not None:
            if stream.ended or not last:
                raise Broken(Code.STREAM_CLOSED, "headers in the middle of a message")
            self._ask(block.stream, stream)
        elif block.stream > self._last:
            self._open(block.stream, head, last=last)
        else:
            self._calm.count()

    # Calls.

    def _open(self, number: int, head: Head, *, last: bool) -> None:
        if self._closing:
            self._calm.count()
            return  # what it was told by GOAWAY
        self._last = number
        self._busy_at = now = self._loop.time()
        if self._terms.retiring and not self._retired:
            self.retire()  # it came after the others were told
        if len(self._streams) >= MAX_STREAMS:
            self._calm.count()
            self._transport.write(frames.reset(number, Code.REFUSED_STREAM))
            return
        if head.too_large:
            error = ProtocolError(431, f"headers of more than {MAX_HEADER_BYTES} bytes")
            self._turn_away(number, self._head + frames.block(bad(error).trailers), last=last)
            return
        call = Call(self._terms.budget.share(), now)
        try:
            call.read(head.headers)
        except NotGrpc as other:
            status = frames.block([(b":status", str(other.status).encode())])
            self._turn_away(number, status, last=last)
            return
        self._streams[number] = stream = Stream(call)
        self._outbox.open(number)
        stream.ended = last
        refusal = self._terms.turned_away(call.path, head.headers)
        if refusal is not None:
            self._calm.count()
            self._refuse(number, stream, refusal)
            return
        self._calm.make_good()
        if last:
            self._ask(number, stream)

    def _turn_away(self, number: int, block: bytes, *, last: bool) -> None:
        """Answer what is no call; `last`: its client has said all."""
        self._calm.count()
        self._transport.write(frames.header_frame(number, self._first(block), last=True))
        if not last:
            self._transport.write(frames.reset(number, Code.NO_ERROR))

    def _ask(self, number: int, stream: Stream) -> None:
        stream.ended = True
        stream.task = self._loop.create_task(self._answer(number, stream))

    async def _answer(self, number: int, stream: Stream) -> None:
        reply = await self._terms.answerer.answer(stream.call)
        stream.task = None
        try:
            self._reply(number, reply)
        except BaseException:
            self._transport.write(frames.reset(number, Code.INTERNAL_ERROR))
            self._drop(number)
            raise

    def _refuse(self, number: int, stream: Stream, error: ProtocolError) -> None:
        self._reply(number, self._terms.answerer.refused(stream.call, error))

    def _reply(self, number: int, reply: Reply) -> None:
        body = reply.body
        if reply.message is not None and not self._outbox.has_room(number, len(body)):
            reply = self._hold(number, reply, len(body))
        trailers = frames.block(reply.trailers)
        if reply.message is None:
            only = self._first(self._head + trailers)
            self._transport.write(frames.header_frame(number, only, last=True))
            self._sent(number)
            return
        head = self._first(self._head)
        if reply.encoding:
            head += frames.block([(b"grpc-encoding", reply.encoding)])
        parts = answer_parts(number, head, body, trailers)
        self._outbox.send(number, parts, self._loop.time())

    def _hold(self, number: int, reply: Reply, size: int) -> Reply:
        """An answer that waits takes room from what all may hold; one has room in any case."""
        share = self._terms.budget.share()
        try:
            share.take(min(size, self._terms.limits.body_bytes))
        except ProtocolError:
            message = f"no room for the answer of {size} bytes to wait: take answers sooner"
            return bad(ProtocolError(429, message, retry_after=1))
        self._streams[number].held = share
        return reply

    def _first(self, block: bytes) -> bytes:
        """A block that begins with what the client must hear once."""
        prefix, self._prefix = self._prefix, b""
        return prefix + block

    def _sent(self, number: int) -> None:
        """The answer is written: who has not said all need not say it."""
        stream = self._streams.pop(number)
        self._let_go(number, stream)
        if not stream.ended:
            self._transport.write(frames.reset(number, Code.NO_ERROR))
        self._busy_at = self._loop.time()
        self._close_if_done()

    def _drop(self, number: int) -> None:
        """The client does not want the answer: its work ends where it is."""
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        self._let_go(number, stream)
        if stream.task is not None:
            stream.task.cancel()
        if stream.task is not None or not stream.ended:
            self._terms.answerer.gone(stream.call)
        self._close_if_done()

    def _let_go(self, number: int, stream: Stream) -> None:
        self._outbox.close(number)
        stream.call.share.free()
        if stream.held is not None:
            stream.held.free()

    # Bounds and the end.

    def _look_later(self) -> None:
        seconds = max(self._terms.limits.body_seconds / LOOKS, 0.01)
        self._look = self._loop.call_later(seconds, self._look_around)

    def _look_around(self) -> None:
        """Once in a while: who is too slow?"""
        self._look_later()
        self._calm.forget()
        seconds, now = self._terms.limits.body_seconds, self._loop.time()
        then = now - seconds
        for number, stream in list(self._streams.items()):
            if not stream.ended and stream.call.began < then:
                late = ProtocolError(408, f"the message did not arrive within {seconds:g} s")
                self._refuse(number, stream, late)
        for number in self._outbox.waiting_since(then):
            self._transport.write(frames.reset(number, Code.CANCEL))
            self._drop(number)
        silent = self._busy_at < (now - SILENT_SECONDS if self._intake.greeted else then)
        if silent and not self._streams:
            self.finish()

    def _close_if_done(self) -> None:
        if self._closing and not self._streams:
            self._close()

    def _close(self) -> None:
        self._transport.close()
        self._await_taken()

    def _await_taken(self) -> None:
        """What was written is thrown away when it is not taken in time."""
        if self._taking is None:
            seconds = self._terms.limits.body_seconds
            self._taking = self._loop.call_later(seconds, self._transport.abort)

    def _break(self, broken: Broken) -> None:
        self._transport.write(frames.goaway(self._last, broken.code, broken.message))
        for number in list(self._streams):
            self._drop(number)
        self._close()


def _of_size(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise Broken(Code.FRAME_SIZE_ERROR, f"a frame of {len(payload)} bytes, not {size}")
