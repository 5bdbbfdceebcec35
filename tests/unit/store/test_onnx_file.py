"""What a model in ONNX may be before anything reads it."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tests.unit.store import onnx_graphs

from tidemill.store import onnx_file
from tidemill.store.errors import PackageError, PackageReason

SOUND = onnx_graphs.line([1.0, 2.0], 0.5).SerializeToString()


def refusal(data: bytes) -> str:
    with pytest.raises(PackageError) as found:
        onnx_file.check_bytes(data)
    assert found.value.reason is PackageReason.MALFORMED_PACKAGE
    assert found.value.message.startswith("model.onnx is refused: ")
    return found.value.message


def test_a_sound_file_is_let_in_and_says_what_it_uses(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(SOUND)
    found = onnx_file.check(path)
    assert found.operators == {"MatMul", "Add"}
    assert found.opsets == {"": 21, "ai.onnx.ml": 3}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (onnx_graphs.bomb(), "makes a tensor of 1073741824 elements"),
        (onnx_graphs.bomb(as_node=True), "makes a tensor of 1073741824 elements"),
        (onnx_graphs.external("weights.bin"), "external data"),
        (onnx_graphs.external("../../etc/passwd"), "external data"),
        (onnx_graphs.custom(), "'evil.example'"),
        (onnx_graphs.looping(), "graph within an operator"),
        (onnx_graphs.lying(), "says that it has"),
        (b"\x80\x04K\x01.", "no ONNX file"),
        (b"PK\x03\x04 a zip", "no ONNX file"),
    ],
    ids=[
        *("shape-bomb", "shape-bomb-of-a-node", "external-data", "external-data-outside"),
        *("custom-operator", "graph-within", "lying-tensor", "pickle", "zip"),
    ],
)
def test_hostile_files_are_refused_by_what_they_do(data: bytes, said: str) -> None:
    assert len(data) < 400
    assert said in refusal(data)


def test_a_file_of_no_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.touch()
    with pytest.raises(PackageError, match="0 bytes"):
        onnx_file.check(path)


def test_what_makes_copies_is_bounded_as_well() -> None:
    repeats = numpy_helper.from_array(np.array([1 << 20, 1 << 10], np.int64), "n")
    found = onnx_graphs.model(
        [helper.make_node("Tile", ["X", "n"], ["y"])],
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, None])],
        [repeats],
    )
    assert "its Tile makes" in refusal(found.SerializeToString())


def test_draws_and_functions_and_sparse_tensors_are_refused() -> None:
    drawn = onnx.ModelProto()
    drawn.ParseFromString(SOUND)
    drawn.graph.node.append(helper.make_node("RandomNormalLike", ["X"], ["z"]))
    assert "drawn at random" in refusal(drawn.SerializeToString())
    with_function = onnx.ModelProto()
    with_function.ParseFromString(SOUND)
    with_function.functions.add(name="f", domain="")
    assert "functions" in refusal(with_function.SerializeToString())
    sparse = onnx.ModelProto()
    sparse.ParseFromString(SOUND)
    sparse.graph.sparse_initializer.add()
    assert "sparse" in refusal(sparse.SerializeToString())


def test_a_second_occurrence_hides_nothing() -> None:
    """Of what stands twice the last counts; so it must not be all that is looked at."""
    hostile = onnx.ModelProto()
    hostile.ParseFromString(onnx_graphs.external("weights.bin"))
    tensor = hostile.graph.initializer[0].SerializeToString() + b"\x70\x00"  # data_location again
    assert onnx.TensorProto.FromString(tensor).data_location == TensorProto.DEFAULT
    graph = _field(5, tensor) + onnx_graphs.line([1.0]).graph.SerializeToString()
    model = _field(8, b"\x10\x15") + _field(7, graph)
    assert "external data" in refusal(model)


def _hidden(number: int, content: bytes) -> bytes:
    """The same with a number of 33 bits, which ONNX Runtime cuts to 32."""
    return bytes([number << 3 | 2 | 0x80, 0x80, 0x80, 0x80, 0x10]) + _field(1, content)[1:]


@pytest.mark.parametrize(
    ("number", "source"), [(1, onnx_graphs.looping()), (5, onnx_graphs.external("weights.bin"))]
)
def test_a_field_of_another_number_hides_nothing(number: int, source: bytes) -> None:
    found = onnx.ModelProto.FromString(source).graph
    part = (found.node if number == 1 else found.initializer)[0].SerializeToString()
    graph = onnx_graphs.line([1.0]).graph.SerializeToString() + _hidden(number, part)
    assert "written as none is" in refusal(_field(8, b"\x10\x15") + _field(7, graph))


def _many(number: int, count: int) -> bytes:
    """A node with so many fields of a kind, each of them empty."""
    return _large(1, bytes([number << 3 | 2, 0]) * count)


def _large(number: int, content: bytes) -> bytes:
    size, coded = len(content), b""
    while size > 0x7F:
        coded, size = coded + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + coded + bytes([size]) + content


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (_many(5, 300_000), "256 attributes"),
        (_many(1, 10_001), "10000 inputs"),
        (_many(2, 10_001), "10000 inputs or outputs"),
        (_large(5, b"\x08\x01" * 9), "8 dimensions"),
        (_large(5, _large(1, b"\x01" * 1_000_000)), "8 dimensions"),
        (_large(5, b"\x4a\x08" + bytes(8)) * 2, None),
        (_large(5, (b"\x4a\x08" + bytes(8)) * 300), "numbers twice"),
        (_large(5, b"\x08\x00") * 100_001, "100000 tensors"),
        (_large(1, _large(1, b"x" * 5000)), "a name has 5000 bytes"),
    ],
    ids=[
        *("attributes", "inputs", "outputs", "dimensions", "packed dimensions", "two tensors"),
        *("numbers", "tensors", "a long name"),
    ],
)
def test_what_is_kept_while_reading_is_bounded(added: bytes, said: str | None) -> None:
    graph = onnx_graphs.line([1.0]).graph.SerializeToString() + added
    data = _field(8, b"\x10\x15") + _large(7, graph)
    if said is None:
        assert onnx_file.check_bytes(data).operators
    else:
        assert said in refusal(data)


class _Watched(bytes):
    """Bytes that count how often one is asked for."""

    touched = 0

    def __getitem__(self, key: Any) -> Any:
        self.touched += 1
        return super().__getitem__(key)


def _forest(nodes: int, behind: bytes = b"") -> bytes:
    """A node with the attributes of so many nodes of trees, and what stands behind them in each."""
    floats = (b"\x3d" + np.float32(0.5).tobytes()) * nodes
    ints = b"".join(b"\x40" + size for size in (b"\x00", b"\x85\x01", b"\xff\xff\x7f")) * nodes
    words = (b"\x4a\x0aBRANCH_LEQ" + b"\x4a\x04LEAF" + b"\x4a\x09BRANCH_LT") * nodes
    attributes = (_large(5, kind + behind) for kind in (floats, ints, words))
    node = _large(4, b"TreeEnsembleClassifier") + b"".join(attributes)
    graph = onnx_graphs.line([1.0]).graph.SerializeToString() + _large(1, node)
    return _field(8, b"\x10\x15") + _large(7, graph)


def test_a_forest_is_looked_through_without_looking_at_each_number() -> None:
    touched = []
    for nodes in (1_000, 300_000):
        data = _Watched(_forest(nodes))
        assert "TreeEnsembleClassifier" in onnx_file.check_bytes(data).operators
        touched.append(data.touched)
    # The sizes of what became longer have some bytes more.
    assert touched[1] - touched[0] < 50


@pytest.mark.parametrize("nodes", [0, 1, 7, 8, 9, 209_714, 209_715, 209_716, 300_000])
def test_numbers_hide_nothing_that_stands_behind_them(nodes: int) -> None:
    """Wherever one of the steps over them ends."""
    assert "graph within" in refusal(_forest(nodes, behind=_field(6, b"")))
    assert "ends in the middle" in refusal(_forest(nodes, behind=b"\x3d\x00"))
    assert "too long" in refusal(_forest(nodes, behind=b"\x40" + b"\xff" * 10 + b"\x01"))


def test_a_second_graph_is_refused() -> None:
    graph = _field(7, onnx_graphs.line([1.0]).graph.SerializeToString())
    assert "several graphs" in refusal(_field(8, b"\x10\x15") + graph * 2)


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes as protocol buffers write it; up to 16 KiB."""
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content


@pytest.mark.parametrize("written", [b"\x48\x05", b"\x49" + bytes(8), b"\x4d" + bytes(4)])
def test_bytes_of_a_tensor_that_are_written_as_a_number_are_refused(written: bytes) -> None:
    graph = onnx_graphs.line([1.0]).graph.SerializeToString() + _large(5, written)
    said = "a number stands where a message is wanted"
    assert said in refusal(_field(8, b"\x10\x15") + _large(7, graph))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_files_that_are_cut_short_are_refused(share: float) -> None:
    refusal(SOUND[: int(len(SOUND) * share)])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_are_refused_or_let_in_and_nothing_else(data: st.DataObject) -> None:
    found = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PackageError):
        onnx_file.check_bytes(bytes(found))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_a_fault(data: bytes) -> None:
    with pytest.raises(PackageError):
        onnx_file.check_bytes(data)
