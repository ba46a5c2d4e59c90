"""A finished run of ``sedna train`` as a model file, so that a job can start from it or an edge serve it."""

from __future__ import annotations

from pathlib import Path

from sedna.algorithms.continual.job.model_file import ClassifierHeader, write_model
from sedna.algorithms.continual.job.onnx_export import export_onnx
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.training.trainer import Trainer
from sedna.algorithms.training.model_file import model_path


def save_run(trainer: Trainer, path: Path) -> Path:
    """Write the network that predicts, over all classes of the run, and its ONNX form beside it.

    The model tells classes apart without being told the task, also after a task-il run. No sample counts as learnt by
    it: a job that starts from it learns from every sample that it is given.
    """
    method, run = trainer.method, trainer.config
    network = method.final_network()
    assert isinstance(network, Classifier)  # see round.require_one_network
    pipeline = trainer.tasks.pipeline
    header = ClassifierHeader(
        class_names=trainer.tasks.class_names,
        network=run.model.name,
        width=run.model.width,
        image_size=method.bench.image_shape[1],
        mean=pipeline.normalisation.mean,
        std=pipeline.normalisation.std,
        flip=pipeline.flip,
        mirror=method.predicts_mirrored,
        method=run.method.name,
        rounds=len(trainer.tasks),
    )
    path = model_path(path)
    network = network.cpu().eval()
    write_model(path, header, network, ())
    export_onnx(path.with_suffix(".onnx"), network, header)
    return path
