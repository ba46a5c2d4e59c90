"""A job to begin with: what a check has made, as its Dataset, its initial model and its algorithm."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sedna.algorithms.hard_example_mining.cross_entropy import CrossEntropyFilter
from sedna.common.types import Prediction

__all__ = ["certainty_threshold", "job_documents", "write_job"]

_NAME = re.compile(r"[^a-z0-9]+")
_HARD_SHARE = 0.2
_LEAST_SURE = 0.5


def write_job(path: Path, documents: list[dict[str, Any]]) -> None:
    """Write the documents of `job_documents`."""
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True), encoding="utf-8")


def certainty_threshold(predictions: Sequence[Prediction]) -> float:
    """A threshold of the miner CrossEntropy under which a fifth of these predictions is hard, and 0.5 at least.

    A network that is trained for seconds on a few pictures is nearly certain of all of them: with a fixed threshold
    its edges would keep nothing, and no round would ever start.
    """
    miner = CrossEntropyFilter()
    judged = (miner.judge(one.probabilities).score for one in predictions if one.probabilities)
    scores = sorted(score for score in judged if score is not None)
    # Hard is what lies below: the first one that is not hard gives the threshold.
    fifth = scores[min(math.ceil(_HARD_SHARE * len(scores)), len(scores) - 1)] if scores else _LEAST_SURE
    return min(max(fifth, _LEAST_SURE), 1.0)


def job_documents(
    algorithm: Mapping[str, Any],
    class_names: tuple[str, ...],
    metric: str,
    miner: Mapping[str, Any],
    folder: Path,
    model: Path,
) -> list[dict[str, Any]]:
    """Dataset, Model and job, with absolute paths.

    Args:
        algorithm: name, module and parameters.
        metric: that the rows of its evaluation allow.
        miner: that fits its answers.
        folder: of the check, with its two indexes.
        model: the file or folder that the check has trained.
    """
    name = _NAME.sub("-", Path(algorithm["module"]).stem.lower()).strip("-") or "mine"
    dataset = {"url": str(folder / "train.txt"), "holdoutUrl": str(folder / "test.txt"), "format": "txt"}
    spec = {
        "dataset": {"name": name, "trainProb": 0.8},
        "initialModel": {"name": name},
        "classNames": list(class_names),
        "trainSpec": {
            "algorithm": dict(algorithm),
            "trigger": {"condition": {"operator": ">=", "threshold": 20, "metric": "num_of_samples"}},
        },
        "deploySpec": {
            "model": {"name": name},
            "gate": {"metric": metric, "maxRegression": 0.05},
            "hardExampleMining": dict(miner),
        },
    }
    head = {"apiVersion": "sedna.io/v1alpha1"}
    return [
        {**head, "kind": "Dataset", "metadata": {"name": name}, "spec": dataset},
        {
            **head,
            "kind": "Model",
            "metadata": {"name": name},
            "spec": {"url": str(model), "format": model.suffix.lstrip(".") or "files"},
        },
        {**head, "kind": "IncrementalLearningJob", "metadata": {"name": name}, "spec": spec},
    ]
