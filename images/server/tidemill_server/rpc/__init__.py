"""The Open Inference Protocol over gRPC: HTTP/2 without TLS, beside REST in the same event loop."""
