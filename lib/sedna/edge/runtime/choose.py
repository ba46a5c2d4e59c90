"""Which runtime opens a model: decided by its manifest."""

from __future__ import annotations

from pathlib import Path

from sedna.common.errors import ModelError
from sedna.common.plugin import Plugin
from sedna.edge.runtime.base import ModelRuntime
from sedna.edge.runtime.estimator import EstimatorRuntime
from sedna.store.models import ModelManifest

__all__ = ["open_runtime"]


def open_runtime(
    folder: Path, manifest: ModelManifest, *, threads: int = 1, plugin: Plugin | None = None
) -> ModelRuntime:
    """Open the model whose files lie in ``folder``.

    ``runtime: onnx`` needs exactly one .onnx file and ONNX Runtime, nothing else; ``torch`` and ``python`` need the
    packages of the algorithm that the manifest names.

    Args:
        folder: the files of the manifest, already verified.
        manifest: says how to run them.
        threads: CPU threads one prediction may use (ONNX; estimators have their own parameter).
        plugin: the version of the user's file that the algorithm is taken from; None = what everybody knows.

    Raises:
        ModelError: the files cannot be opened.
        UnknownClassError, MissingPackageError: the algorithm is not there.
    """
    names = [file.name for file in manifest.files]
    if manifest.runtime == "onnx":
        graphs = [name for name in names if name.endswith(".onnx")]
        if len(graphs) != 1:
            raise ModelError(
                f"has {len(graphs)} .onnx files",
                where=f"model {manifest.version} of {manifest.job}",
                hint="exactly one",
            )
        from sedna.edge.runtime.onnx import open_onnx

        return open_onnx(folder / graphs[0], threads)
    return EstimatorRuntime(manifest, folder, plugin)
