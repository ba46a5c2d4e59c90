"""Try a model as an edge would serve it, in a process of its own: ``python -m sedna.edge.trial``.

Reads a `TrialOrder` as JSON from standard input, and answers on standard output with a `TrialAnswer`. The user's class
may print what it likes; that goes to standard error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import sedna.algorithms  # noqa: F401  (a model may be of a built-in)
from sedna.common.errors import SednaError
from sedna.common.plugin import load_version, plugin_errors
from sedna.common.types import Prediction, Value
from sedna.datasources import read_pictures
from sedna.edge.runtime import open_runtime
from sedna.edge.selftest import check_prediction, run_self_test
from sedna.store.models import ModelManifest

__all__ = ["TrialAnswer", "TrialOrder", "main", "try_model"]


class TrialOrder(Value):
    """A model, the user's file that opens it, and pictures to ask it about."""

    module: str
    folder: str
    manifest: ModelManifest
    pictures: tuple[str, ...]


class TrialAnswer(Value):
    """One prediction a picture; or the step that failed, with the message."""

    predictions: tuple[Prediction, ...] = ()
    step: str = ""
    message: str = ""


def try_model(order: TrialOrder) -> TrialAnswer:
    """Load, self-test and predict in this process."""
    folder = Path(order.folder)
    step = "load"
    try:
        with plugin_errors(order.module):
            plugin = load_version(order.module)
        runtime = open_runtime(folder, order.manifest, plugin=plugin)
        step = "self-test"
        run_self_test(runtime, folder, order.manifest)
        step = "predict"
        found = runtime.predict(read_pictures(order.pictures))
        for prediction in found:
            check_prediction(prediction, len(order.manifest.class_names))
    except SednaError as error:
        return TrialAnswer(step=step, message=str(error))
    return TrialAnswer(predictions=tuple(found))


def main() -> int:
    """Answer one question."""
    order = TrialOrder.model_validate_json(sys.stdin.read())
    # Descriptor 1 and not sys.stdout: libraries in C print as well, and one line of theirs would spoil the answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)
        answer.write(try_model(order).model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
