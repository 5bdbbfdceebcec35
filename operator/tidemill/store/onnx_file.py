"""What a `model.onnx` may be before ONNX Runtime reads it: one graph of known operators.

A graph of a few bytes can ask for gigabytes, read files beside it, or bring operators of its own.
The file is looked through here without any library for it, in runner and server alike: sizes, the
domains of operators, where tensors lie, and what makes large tensors of small ones. What only
running it would show is left to the child process, which has a memory limit.
"""

import math
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tidemill.store.errors import PackageError, PackageReason
from tidemill.store.wire import BYTES, VARINT, BrokenMessage, Message

FILE = "model.onnx"
# What protocol buffers can hold in one message.
MAX_BYTES = 2 * 1024**3 - 1
MAX_NODES = 100_000
MAX_INPUTS = 10_000
MAX_OUTPUTS = 64
MAX_RANK = 8
MAX_TENSORS = 100_000
MAX_ATTRIBUTES = 256
MAX_NAME_BYTES = 4096
# More may not be a shape: numbers of a tensor that is looked into.
_MAX_NUMBERS = 256
# What one operator may make of a shape that stands in the file: 128 MiB of the widest type.
MAX_MADE_ELEMENTS = 16 * 1024**2
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
# Their bodies are graphs of their own, run as often as a number says; or the answers differ.
REFUSED_OPERATORS = {
    **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), "it runs a graph of its own"),
    **dict.fromkeys(
        (
            *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"),
            "RandomUniformLike",
        ),
        "its answers are drawn at random",
    ),
}
# Which input of an operator says how large its output becomes.
_SHAPED_BY = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}
# Numbers of fields in onnx.proto.
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_GRAPH_NODES, _GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_INPUTS, _NODE_OUTPUTS, _NODE_OPERATOR, _NODE_ATTRIBUTES, _NODE_DOMAIN = 1, 2, 4, 5, 7
_TENSOR_DIMS, _TENSOR_INT64, _TENSOR_NAME, _TENSOR_RAW = 1, 7, 8, 9
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_ATTRIBUTE_INTS = (3, 8)
# A forest's attributes are millions of single numbers and a few words: stepped over at once, and
# those of one kind together, since to ask anew for each of them which kind it is takes longest.
_FLOAT, _INT = rb"\x3d....", rb"\x40[\x80-\xff]{0,9}+[\x00-\x7f]"
_WORDS = (rb"\x4a\x0aBRANCH_(?:LEQ|GTE|NEQ)", rb"\x4a\x09BRANCH_(?:LT|GT|EQ)", rb"\x4a\x04LEAF")
_RUNS = b"|".join(b"(?:" + kind + b")++" for kind in (_FLOAT * 8, _FLOAT, _INT, *_WORDS))
_NUMBERS = re.compile(b"(?:" + _RUNS + b")++", re.DOTALL)


@dataclass
class _Graph:
    """What has been seen of the graph so far."""

    nodes: int = 0
    tensors: int = 0
    inputs: int = 0
    outputs: int = 0
    # Small constants, by the names under which operators take them.
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    # Operators that make tensors of a shape: which, and the name of that shape.
    made: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What a file that may be loaded says of itself."""

    opsets: dict[str, int]
    operators: frozenset[str]


def check(path: Path) -> Found:
    """Raise PackageError unless the file may be given to ONNX Runtime."""
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise _refused(f"it has {size} bytes, where 1 to {MAX_BYTES} may be")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return check_bytes(data)


def check_bytes(data: bytes | mmap.mmap) -> Found:
    """Check what a file holds."""
    try:
        return _model(Message.whole(data))
    except BrokenMessage as error:
        raise _refused(f"it is no ONNX file, or is cut short: {error}") from None


def _model(message: Message) -> Found:
    graphs: list[Message] = []
    opsets: dict[str, int] = {}
    for number, kind, value in message.fields():
        if number == _MODEL_GRAPH:
            graphs.append(_message(kind, value))
            if len(graphs) > 1:
                raise _refused("it has several graphs, where one may be")
        elif number == _MODEL_OPSETS:
            domain, version = _opset(_message(kind, value))
            opsets[domain] = version
        elif number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
            what = "functions" if number == _MODEL_FUNCTIONS else "graphs for training"
            raise _refused(f"it brings {what} of its own")
    if len(graphs) != 1:
        raise _refused(f"it has {len(graphs)} graphs, where one may be")
    if not opsets:
        raise _refused("it does not say which operators it uses (opset_import)")
    return Found(opsets, _graph(graphs[0]))


def _opset(message: Message) -> tuple[str, int]:
    domain, version = "", 0
    for number, kind, value in message.fields():
        if number == 1:
            domain = _text(kind, value)
        elif number == 2 and kind == VARINT:
            version = value
    _check_domain(domain)
    return domain, version


def _graph(message: Message) -> frozenset[str]:
    seen, operators = _Graph(), set()
    for number, kind, value in message.fields():
        if number == _GRAPH_NODES:
            seen.nodes += 1
            operators.add(_node(_message(kind, value), seen))
        elif number == _GRAPH_TENSORS:
            seen.tensors += 1
            name, shape = _tensor(_message(kind, value))
            if shape is not None:
                seen.shapes[name] = shape
        elif number == _GRAPH_SPARSE:
            raise _refused("it has sparse tensors")
        seen.inputs += number == _GRAPH_INPUTS
        seen.outputs += number == _GRAPH_OUTPUTS
        if seen.nodes > MAX_NODES:
            raise _refused(f"it has more than {MAX_NODES} operators")
        if seen.tensors > MAX_TENSORS:
            raise _refused(f"it has more than {MAX_TENSORS} tensors")
    if not 1 <= seen.inputs <= MAX_INPUTS or not 1 <= seen.outputs <= MAX_OUTPUTS:
        raise _refused(
            f"it has {seen.inputs} inputs and {seen.outputs} outputs, where 1 to {MAX_INPUTS} and "
            f"1 to {MAX_OUTPUTS} may be"
        )
    for operator, name in seen.made:
        elements = math.prod(seen.shapes.get(name, ()))
        if elements > MAX_MADE_ELEMENTS:
            raise _refused(f"its {operator} makes a tensor of {elements} elements")
    return frozenset(operators)


def _node(message: Message, seen: _Graph) -> str:
    inputs: list[str] = []
    outputs: list[str] = []
    operator, attributes = "", 0
    for number, kind, value in message.fields():
        if number == _NODE_INPUTS:
            inputs.append(_text(kind, value))
        elif number == _NODE_OUTPUTS:
            outputs.append(_text(kind, value))
        elif number == _NODE_OPERATOR:
            operator = _text(kind, value)
        elif number == _NODE_DOMAIN:
            _check_domain(_text(kind, value))
        elif number == _NODE_ATTRIBUTES:
            attributes += 1
        _check_node(len(inputs), len(outputs), attributes)
    # Its numbers may be a shape; elsewhere there may be millions of them.
    passed = None if operator == "Constant" else _NUMBERS
    constants = [
        shape
        for number, kind, value in message.fields()
        if number == _NODE_ATTRIBUTES
        for shape in _attribute(_message(kind, value), passed)
    ]
    if operator in REFUSED_OPERATORS:
        raise _refused(f"it uses the operator {operator}: {REFUSED_OPERATORS[operator]}")
    if operator == "Constant" and outputs:
        seen.shapes.update((outputs[0], shape) for shape in constants)
    place = _SHAPED_BY.get(operator)
    if place is not None and place < len(inputs):
        seen.made.append((operator, inputs[place]))
    return operator


def _check_node(inputs: int, outputs: int, attributes: int) -> None:
    if max(inputs, outputs) > MAX_INPUTS or attributes > MAX_ATTRIBUTES:
        raise _refused(
            f"an operator has more than {MAX_INPUTS} inputs or outputs, or {MAX_ATTRIBUTES} "
            "attributes"
        )


def _attribute(message: Message, passed: re.Pattern[bytes] | None) -> Iterator[tuple[int, ...]]:
    """The small constants in it; raises PackageError for graphs and tensors that may not be."""
    ints: list[int] = []
    for number, kind, value in message.fields(passed):
        if number in _ATTRIBUTE_GRAPHS:
            raise _refused("it has a graph within an operator")
        if number in _ATTRIBUTE_SPARSE:
            raise _refused("it has sparse tensors")
        if number in _ATTRIBUTE_TENSORS:
            _, shape = _tensor(_message(kind, value))
            if shape is not None:
                yield shape
        if number in _ATTRIBUTE_INTS and len(ints) <= MAX_RANK:
            ints.extend(_few(kind, value, MAX_RANK + 1))
    if 0 < len(ints) <= MAX_RANK:
        yield tuple(ints)


def _tensor(message: Message) -> tuple[str, tuple[int, ...] | None]:
    """Its name, and its numbers where they may be a shape."""
    name = ""
    dims: list[int] = []
    numbers: list[int] = []
    for number, kind, value in message.fields():
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value):
            raise _refused("its tensors lie in other files (external data)")
        if number == _TENSOR_DIMS:
            dims.extend(_few(kind, value, MAX_RANK + 1))
        elif number == _TENSOR_NAME:
            name = _text(kind, value)
        elif number == _TENSOR_INT64 and message.size < 256:
            numbers.extend(_few(kind, value, _MAX_NUMBERS + 1))
        elif number == _TENSOR_RAW:
            numbers.extend(_whole(_message(kind, value)))
        if len(dims) > MAX_RANK or len(numbers) > _MAX_NUMBERS:
            raise _refused(f"a tensor has more than {MAX_RANK} dimensions, or its numbers twice")
    elements = math.prod(dims)
    # The narrowest type has two elements in a byte.
    if elements > 2 * message.size:
        raise _refused(f"the tensor {name!r} says that it has {elements} elements, and has not")
    return name, tuple(numbers) or None


def _whole(raw: Message) -> list[int]:
    """The numbers of 64 bits that it may be, where they are few."""
    if raw.size > 64 or raw.size % 8:
        return []
    content = raw.content()
    return [int.from_bytes(content[at : at + 8], "little") for at in range(0, len(content), 8)]


def _few(kind: int, value: Any, most: int) -> Iterator[int]:  # noqa: ANN401 - as fields gives it
    """The first numbers of a field, packed or not."""
    if kind == VARINT:
        return iter((value,))
    return islice(_message(kind, value).varints(), most)


def _message(kind: int, value: object) -> Message:
    if kind != BYTES or not isinstance(value, Message):
        raise BrokenMessage("a number stands where a message is wanted")
    return value


def _text(kind: int, value: object) -> str:
    message = _message(kind, value)
    if message.size > MAX_NAME_BYTES:
        raise _refused(f"a name has {message.size} bytes, more than {MAX_NAME_BYTES}")
    try:
        return message.content().decode()
    except UnicodeDecodeError:
        raise BrokenMessage("a name is no text") from None


def _check_domain(domain: str) -> None:
    if domain not in DOMAINS:
        raise _refused(
            f"it uses operators of the domain {domain[:100]!r}; known are those of ONNX alone"
        )


def _refused(message: str) -> PackageError:
    return PackageError(PackageReason.MALFORMED_PACKAGE, f"{FILE} is refused: {message}")
