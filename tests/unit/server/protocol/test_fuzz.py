"""Requests bent at random: whatever is sent is either understood or refused, never a fault."""

import copy
import json
import random
from typing import Any

import numpy as np

from tidemill_server.package.signature import Signature, parse_signature
from tidemill_server.protocol.errors import ProtocolError
from tidemill_server.protocol.infer import InferRequest, read_request

CASES = 10_000
SIGNATURE = {
    "format": "tidemill.dev/signature/v1",
    "task": "Classification",
    "matrix": "float64",
    "inputs": [
        {"name": "a", "datatype": "FP64", "nullable": True},
        {"name": "b", "datatype": "INT64", "nullable": False},
        {"name": "c", "datatype": "BOOL", "nullable": True},
    ],
    "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}],
}
TEXTS = {
    **SIGNATURE,
    "matrix": "object",
    "inputs": [*SIGNATURE["inputs"], {"name": "d", "datatype": "BYTES", "nullable": True}],
}
SEED_REQUESTS = [
    {
        "id": "1",
        "inputs": [
            {"name": "a", "shape": [2], "datatype": "FP64", "data": [0.5, None]},
            {"name": "b", "shape": [2, 1], "datatype": "INT64", "data": [[1], [2]]},
            {"name": "c", "shape": [2], "datatype": "BOOL", "data": [True, None]},
            {"name": "d", "shape": [2], "datatype": "BYTES", "data": ["x", None]},
        ],
        "outputs": [{"name": "predict"}],
    },
    {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [[1.0, 2.0, 1.0]]}]},
]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    3,
    1 << 40,
    1 << 64,
    0.5,
    -1e308,
    "",
    "a",
    "FP32",
    "INT8",
    "UINT64",
    "BYTES",
    [],
    [[]],
    [1],
    [None],
    {},
    {"name": "a"},
    {"binary_data_size": 4},
]


def test_ten_thousand_bent_requests() -> None:
    chance = random.Random(20261121)
    signatures = [parse_signature(SIGNATURE), parse_signature(TEXTS)]
    understood = 0
    for _ in range(CASES):
        document = copy.deepcopy(chance.choice(SEED_REQUESTS))
        for _ in range(chance.randint(0, 3)):
            _bend(document, chance)
        signature = chance.choice(signatures)
        request = _read(json.dumps(document).encode(), signature)
        if request is None:
            continue
        understood += 1
        assert request.rows.shape[1] == len(signature.inputs)
        assert request.rows.dtype == np.dtype(signature.matrix)
    assert understood > CASES / 50


def test_ten_thousand_broken_texts() -> None:
    chance = random.Random(7)
    signature = parse_signature(TEXTS)
    for _ in range(CASES):
        body = bytearray(json.dumps(chance.choice(SEED_REQUESTS)).encode())
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(body))
            body[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        _read(bytes(body), signature)


def _read(body: bytes, signature: Signature) -> InferRequest | None:
    """None where it is refused in the protocol's way; anything else raised fails the test."""
    try:
        return read_request(body, signature, 1000)
    except ProtocolError as error:
        if not 400 <= error.status < 500:
            raise
        return None


def _bend(document: Any, chance: random.Random) -> None:
    """Replace, remove or repeat something, somewhere."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and chance.random() < 0.7:
            node = node[key]
            continue
        action = chance.random()
        if action < 0.7:
            node[key] = copy.deepcopy(chance.choice(ODD))
        elif action < 0.85:
            del node[key]
        elif isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        return
