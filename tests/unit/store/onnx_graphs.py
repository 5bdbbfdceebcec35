"""Graphs in ONNX as tests need them: small, and some of them hostile."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSETS = (("", 21), ("ai.onnx.ml", 3))


def line(weights: Sequence[float], intercept: float = 0.0, *, name: str = "X") -> onnx.ModelProto:
    """A linear model of doubles: one input, one number per row."""
    column = np.array(weights, np.float64).reshape(-1, 1)
    return model(
        [
            helper.make_node("MatMul", [name, "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["variable"]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, len(weights)])],
        [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])],
        [
            numpy_helper.from_array(column, "w"),
            numpy_helper.from_array(np.array([intercept]), "b"),
        ],
    )


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    tensors: Sequence[Any] = (),
    opsets: Sequence[tuple[str, int]] = OPSETS,
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(tensors))
    imports = [helper.make_opsetid(*one) for one in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def bomb(*, as_node: bool = False, elements: int = 1 << 30) -> bytes:
    """Under a hundred bytes that ask for gigabytes."""
    shape = numpy_helper.from_array(np.array([elements], np.int64), "s")
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["y"])]
    if as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["s"], value_ints=[elements]))
    return model(
        nodes,
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [] if as_node else [shape],
    ).SerializeToString()


def external(location: str) -> bytes:
    """A model whose weights lie in another file."""
    found = line([1.0])
    weights = found.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    return bytes(found.SerializeToString())


def custom() -> bytes:
    """A model with an operator that nobody knows."""
    return model(
        [helper.make_node("Steal", ["X"], ["y"], domain="evil.example")],
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
        opsets=(*OPSETS, ("evil.example", 1)),
    ).SerializeToString()


def looping() -> bytes:
    """A model that runs a graph within the graph."""
    body = helper.make_graph(
        [],
        "b",
        [],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
    )
    return model(
        [helper.make_node("If", ["X"], ["y"], then_branch=body, else_branch=body)],
        [helper.make_tensor_value_info("X", TensorProto.BOOL, [1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
    ).SerializeToString()


def lying() -> bytes:
    """A model with a tensor of eight bytes that says that it has 2^40 elements."""
    found = line([1.0])
    found.graph.initializer[0].dims[0] = 1 << 40
    return bytes(found.SerializeToString())


def growing() -> bytes:
    """A model whose every step is small in the file, and whose result is not."""
    nodes = [helper.make_node("Transpose", ["X"], ["t0"])]
    for step in range(5):
        # The Kronecker product of what there is with itself.
        nodes.append(helper.make_node("Reshape", [f"t{step}", "column"], [f"c{step}"]))
        nodes.append(helper.make_node("Reshape", [f"t{step}", "row"], [f"r{step}"]))
        nodes.append(helper.make_node("MatMul", [f"c{step}", f"r{step}"], [f"t{step + 1}"]))
    nodes.append(helper.make_node("ReduceSum", ["t5"], ["variable"], keepdims=1))
    return model(
        nodes,
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 4])],
        [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])],
        [
            numpy_helper.from_array(np.array([-1, 1], np.int64), "column"),
            numpy_helper.from_array(np.array([1, -1], np.int64), "row"),
        ],
    ).SerializeToString()
