"""The demonstration: from a bare machine to an answer of a trained model, step by step."""
