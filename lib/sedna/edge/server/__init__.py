"""The HTTP face of an edge: Open Inference Protocol v2 (REST) with the binary tensor extension, and metrics."""
