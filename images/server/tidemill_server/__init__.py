"""The server: Open Inference Protocol v2 over one verified model package."""
