"""The model as a graph in ONNX: made, compared with the pipeline, kept where they agree."""
