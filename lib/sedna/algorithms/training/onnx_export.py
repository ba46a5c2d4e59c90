"""What PyTorch's ONNX exporter notes for itself, and a shipped model should not tell."""

from __future__ import annotations

import onnx

__all__ = ["forget_origins"]


def forget_origins(model: onnx.ModelProto) -> None:
    """Remove the stack traces and module paths of every node: file names of the machine that exported it."""
    for entry in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del entry.metadata_props[:]
        entry.doc_string = ""
    del model.graph.metadata_props[:]
