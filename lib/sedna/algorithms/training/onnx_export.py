"""A network as an ONNX file that an edge runs without torch."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sedna.algorithms.training.device import on_cpu
from sedna.common.atomic import write_atomic

MAX_BATCH = 1024
"""Pictures that one call of an exported network takes at most."""


def write_onnx(
    path: Path, graph: nn.Module, example: Tensor, *, outputs: Sequence[str], metadata: tuple[str, str], title: str
) -> None:
    """Write the file in one step; the batch size is free, every other axis is that of the example. The folder is made.

    Args:
        graph: from the one input "pixels" to ``outputs``; exported in eval mode, from a copy if it is not on the CPU.
        example: a batch of two inputs. One would not do: the exporter takes a size of one for a constant.
        metadata: key and text by which an edge knows what the file is.
        title: for people who open it.
    """
    graph = on_cpu(graph).eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # The exporter of some torch releases uses what the same release calls deprecated; nothing a caller can act on.
        warnings.simplefilter("ignore")
        raw = Path(folder) / "model.onnx"
        torch.onnx.export(
            graph,
            (example,),
            raw,
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1, max=MAX_BATCH)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(raw)
    _remove_origins(model)
    model.metadata_props.add(key=metadata[0], value=metadata[1])
    model.doc_string = title
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, model.SerializeToString())


def _remove_origins(model: onnx.ModelProto) -> None:
    """Remove the stack traces and module paths of every node: file names of the machine that exported it, which a model
    that is given away should not tell."""
    for entry in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del entry.metadata_props[:]
        entry.doc_string = ""
    del model.graph.metadata_props[:]
