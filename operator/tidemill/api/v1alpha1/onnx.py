"""ONNX: whether a run keeps its model in it as well, and whether a server answers from it."""

from typing import Literal

# Auto: where the graph answers as the pipeline does on the rows held out.
Onnx = Literal["Auto", "Never"]
# Auto: ONNX where the package has it.
ServingRuntime = Literal["Auto", "Native"]
