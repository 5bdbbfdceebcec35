"""The Open Inference Protocol, version 2, over REST, with tensors as JSON and as bytes."""
