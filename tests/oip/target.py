"""Any server that speaks the Open Inference Protocol, and a request that it takes."""

import copy
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import numpy as np

SECONDS = 30.0
STORED = {
    "BOOL": "?",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
HEADER = "Inference-Header-Content-Length"
Tensors = list[dict[str, Any]]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Target:
    """`inputs` is a valid request of two rows, all numbers of it small and whole."""

    host: str
    port: int
    model: str
    version: str
    inputs: Tensors

    @property
    def path(self) -> str:
        return f"/v2/models/{quote(self.model)}"

    @property
    def versioned(self) -> str:
        return f"{self.path}/versions/{quote(self.version)}"

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request by a connection of its own, with no header that is not asked for."""
        connection = HTTPConnection(self.host, self.port, timeout=SECONDS)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body or method == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def infer(self, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("POST", f"{self.path}/infer", body, headers)

    def request(self) -> dict[str, Any]:
        """The valid request, to be changed at will."""
        return {"inputs": copy.deepcopy(self.inputs)}

    def binary(self, datatype: str | None = None, **fields: Any) -> tuple[bytes, dict[str, str]]:
        """The valid request with all its tensors as bytes; the body and its headers."""
        inputs, tail = [], b""
        for tensor in copy.deepcopy(self.inputs):
            values = tensor.pop("data")
            if tensor["datatype"] != "BYTES":
                tensor["datatype"] = datatype or tensor["datatype"]
            data = as_bytes(tensor["datatype"], values)
            inputs.append({**tensor, "parameters": {"binary_data_size": len(data)}})
            tail += data
        head = json.dumps({**fields, "inputs": inputs}).encode()
        return head + tail, {HEADER: str(len(head))}

    def answered(self, reply: Reply) -> dict[str, dict[str, Any]]:
        """The outputs of a good answer by name, bytes made values."""
        assert reply.status == 200, (reply.status, reply.body[:300])
        return outputs(reply)


def as_bytes(datatype: str, values: list[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.array(values).astype(STORED[datatype]).tobytes()


def outputs(reply: Reply) -> dict[str, dict[str, Any]]:
    """Read both forms of an answer; nothing may be left over."""
    size = int(reply.headers.get(HEADER.lower(), len(reply.body)))
    document, tail = json.loads(reply.body[:size]), reply.body[size:]
    for output in document["outputs"]:
        length = output.get("parameters", {}).get("binary_data_size")
        if length is not None:
            assert "data" not in output
            output["data"], tail = _values(output["datatype"], tail[:length]), tail[length:]
    assert tail == b"", f"{len(tail)} bytes are left over"
    return {output["name"]: output for output in document["outputs"]}


def _values(datatype: str, data: bytes) -> list[Any]:
    if datatype != "BYTES":
        found: list[Any] = np.frombuffer(data, STORED[datatype]).tolist()
        return found
    texts = []
    while data:
        (size,) = struct.unpack_from("<I", data)
        texts.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return texts
