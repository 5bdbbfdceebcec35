"""The fastest that a model can be asked over HTTP in Python: what any server pays beneath itself.

The same parser, event loop and runtime as ours, and nothing else: no path, no id, no bound, no
check, no batch; whatever comes is taken for floats, the model is run, and a fixed JSON is answered.
Arguments: a file in ONNX, a port.
"""

import asyncio
import sys

import httptools
import numpy as np
import onnxruntime
import orjson
import uvloop

BODY = b'{"model_name":"power","outputs":[{"name":"predict","shape":[1],"data":[1]}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


class Handler(asyncio.Protocol):
    """One connection."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._run = session.run
        self._input = session.get_inputs()[0].name
        self._outputs = [session.get_outputs()[0].name]
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        tensor = orjson.loads(self._body)["inputs"][0]
        self._body = b""
        rows = np.array(tensor["data"], np.float64).reshape(tensor["shape"])
        self._run(self._outputs, {self._input: rows})
        self._transport.write(ANSWER)


async def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Handler(session), "127.0.0.1", int(sys.argv[2]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
