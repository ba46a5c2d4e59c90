"""One round of a job as one task of a continual-learning method."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sedna.algorithms.continual.config import RunConfig, build_config
from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.sets import ContinualLearningTasks, SplitSemiImages
from sedna.algorithms.continual.job.config import JobConfig
from sedna.algorithms.continual.job.samples import empty_set
from sedna.algorithms.continual.methods.base import BaseLearningMethod
from sedna.algorithms.continual.methods.registry import MethodConfig, method_class
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.training.trainer import Trainer
from sedna.algorithms.continual.transforms.pipeline import Normalisation, ViewPipeline
from sedna.algorithms.training.distributed import SINGLE, Group
from sedna.algorithms.training.progress import OnProgress
from sedna.algorithms.training.sync_norm import plain
from sedna.common.errors import SpecError


@dataclass(frozen=True)
class RoundResult:
    """What a round leaves: a network, whether it predicts with the mirror image too, and figures for people."""

    network: Classifier
    mirror: bool
    figures: dict[str, Any]


def train_round(
    config: JobConfig,
    network: Classifier,
    new: ImageSet,
    old: ImageSet,
    unlabelled: ImageSet,
    work_dir: Path,
    on_progress: OnProgress | None,
    group: Group = SINGLE,
) -> RoundResult:
    """Learn ``new``, remember ``old``; goes on where an interrupted call with equal arguments left ``work_dir``.

    Processes of a ``group`` learn together, each in a folder of its own.

    Raises:
        SpecError: the method cannot serve a job, or an option is wrong.
        TrainingDivergedError, StorageFullError, ConflictError: see ``Trainer``.
    """
    run = run_config(config)
    task = _task(config, new, old, unlabelled)

    def prepare(method: BaseLearningMethod) -> None:
        method.start_from(network)
        method.remember(old, first_index=len(new))

    trainer = Trainer(
        run,
        ContinualLearningTasks([task]),
        work_dir,
        on_progress=on_progress,
        evaluate=False,
        prepare=prepare,
        identity=_identity(network, old),
        group=group,
    )
    result = trainer.run()
    best = trainer.method.final_network()
    assert isinstance(best, Classifier)  # methods with one network only, see run_config
    figures = result.model_dump(
        include={"method", "iterations", "seconds_per_iteration", "precision", "threads", "restores", "memory_bytes"}
    )
    return RoundResult(plain(best).cpu().eval(), trainer.method.predicts_mirrored, figures)


def _task(config: JobConfig, new: ImageSet, old: ImageSet, unlabelled: ImageSet) -> SplitSemiImages:
    """The round as a task whose classes are all that were ever labelled."""
    # Not only the new ones: a class that is remembered must not be masked out of the losses.
    classes = sorted({*new.y_N.tolist(), *old.y_N.tolist()})
    return SplitSemiImages(
        0,
        classes,
        new,
        unlabelled if len(unlabelled) else new,  # without others the labelled ones serve
        empty_set(config.class_names, config.image_size),
        pipeline=ViewPipeline(Normalisation(config.mean, config.std), config.padding, config.flip),
        uratio=config.uratio,
        cl_type="domain-il",
        seed=config.seed,
        complete=False,
    )


def run_config(config: JobConfig) -> RunConfig:
    """The settings of a job as those of a run.

    Raises:
        SpecError: the method keeps a network a task, so there is no one model to deploy; or an option is wrong.
    """
    content = {
        "seed": config.seed,
        "model": {"name": config.network, "width": config.width},
        "method": {"name": config.method, "options": config.method_options},
        "memory": {"capacity": config.memory, "disk_capacity": config.disk_memory, "minibatch": config.replay},
        "train": {
            **{key: getattr(config, key) for key in ("iterations", "batch_size", "learning_rate", "momentum")},
            **{key: getattr(config, key) for key in ("threads", "precision", "memory_format", "device")},
            "checkpoint_interval": config.checkpoint_interval,
            "epoch_length": config.checkpoint_interval,
        },
    }
    chosen = {} if config.weight_decay is None else {"train": {"weight_decay": config.weight_decay}}
    run = build_config(content, where="EdgeHML", chosen=chosen)
    require_one_network(run.method, "EdgeHML.method")
    return run


def require_one_network(method: MethodConfig, where: str) -> None:
    """Refuse a method that does not end with one network that can be deployed and trained further.

    Raises:
        SpecError: it is such a method.
    """
    if not method_class(method).SERVES_JOBS:
        raise SpecError(
            f"{method.name} cannot be the algorithm of a job",
            where=where,
            hint="EdgeHML, EdgeHML++, SFT, ER or DER, with or without terms",
        )


def _identity(network: Classifier, old: ImageSet) -> str:
    """Tells two rounds apart that have the same new samples."""
    digest = hashlib.sha256(str(old.checksum()).encode())
    for key, value in network.state_dict().items():
        digest.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
