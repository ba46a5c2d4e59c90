"""Lifelong learning over the task sets of ``sedna.algorithms.continual``, with upstream's accuracy matrix.

``testenv.tasks`` names a configuration; the basemodel is one of its methods by name (``DER``, ``EdgeHML``,
``DER+UDA``...), and a hyper-parameter is an option of the method, or a key such as ``train.iterations`` of the
configuration. Every task is tested before the first one is learnt and after each.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ianvs.cases.measurements import Measurements, RoundRecord
from ianvs.grammar import ModuleChoice
from ianvs.grammar.testenv import TaskSet
from ianvs.paradigms.base import Case, ParadigmResult
from sedna.common.errors import SpecError

if TYPE_CHECKING:
    from sedna.algorithms.continual.config import RunConfig
    from sedna.algorithms.continual.data.task import BaseSplitSemiTask
    from sedna.algorithms.continual.training.trainer import Trainer
    from sedna.algorithms.training.progress import TrainingProgress


def run(case: Case) -> ParadigmResult:
    """Learn the tasks one after the other.

    Raises:
        SpecError: unknown configuration, method or option.
        DataError, NotFoundError: the task set cannot be made.
    """
    os.environ["LOCAL_TEST"] = "TRUE"
    case.progress.step(0.0, "loading")
    from sedna.algorithms.continual.data.sets import build_tasks
    from sedna.algorithms.continual.training.trainer import Trainer

    with case.watch.algorithm():
        assert case.testenv.tasks is not None, "checked by the grammar"
        config = run_config(case.testenv.tasks, case.module("basemodel"))
        tasks = build_tasks(config.data, config.seed)
        observer = _Observer(case, list(tasks))
        work = Path(case.output_dir) / "output" / "train"
        observer.trainer = Trainer(config, tasks, work, on_progress=observer, evaluate=False)
        observer.start()
        observer.trainer.run()
    observer.measurements.matrix = tuple(observer.rows)
    return ParadigmResult(None, observer.measurements)


def run_config(tasks: TaskSet, module: ModuleChoice) -> RunConfig:
    """The configuration of the task set, with a method and its hyper-parameters.

    Raises:
        SpecError, NotFoundError: unknown configuration, method or option.
    """
    from sedna.algorithms.continual.config import load_config

    return load_config(tasks.config, [*tasks.options, *options_of(module)])


def options_of(module: ModuleChoice) -> list[str]:
    """The method and its hyper-parameters as ``section.key=value`` texts.

    Raises:
        SpecError: the module brings its own file.
    """
    if module.url:
        raise SpecError(
            "a basemodel of lifelonglearning is a method by name", where=module.url, hint="such as DER, without url"
        )
    options = [f"method.name={module.name}"]
    for key, value in module.hyperparameters.items():
        options.append(f"{key if '.' in key or key == 'seed' else f'method.options.{key}'}={json.dumps(value)}")
    return options


class _Observer:
    """Tests every task when the trainer says that one is done. The trainer resumes by itself; what was tested is kept
    here, and a task that was done but not tested when the process was killed is tested when the trainer is back."""

    trainer: Trainer

    def __init__(self, case: Case, tasks: list[BaseSplitSemiTask]) -> None:
        self._case = case
        self._tasks = tasks
        self.measurements = Measurements()
        self.rows: list[tuple[float, ...]] = []
        self._training_since = 0.0

    def start(self) -> None:
        """Test before the first task, or take over from an earlier process."""
        kept = self._case.checkpoints.restore()
        if kept is None:
            self._add_row()
        else:
            self.rows, self.measurements = kept.parts
            self._case.progress.resume(self.measurements.rounds)
        self._training_since = time.perf_counter()

    def __call__(self, progress: TrainingProgress) -> None:
        from sedna.algorithms.training.progress import RESUMED, TASK_DONE

        share = (len(self.rows) - 1 + progress.iteration / progress.max_iteration) / len(self._tasks)
        self._case.progress.step(min(share, 0.97), f"task {progress.task + 1}/{progress.num_tasks}")
        # A task that was done but not tested when the process was killed is tested when the trainer reports its return.
        if progress.note in (TASK_DONE, RESUMED) and progress.tasks_done == len(self.rows):
            self.measurements.train_seconds += time.perf_counter() - self._training_since
            self._add_row()
            self._training_since = time.perf_counter()

    def _add_row(self) -> None:
        """Accuracy on every task, now."""
        row = tuple(self._accuracy(task) for task in self._tasks)
        self.rows.append(row)
        known = tuple(value for value in row if math.isfinite(value))
        metrics: dict[str, float | tuple[float, ...]] = {}
        if known:
            metrics["accuracy"] = math.fsum(known) / len(known)
        if len(known) == len(row):
            metrics["accuracy_by_task"] = known
        record = RoundRecord(
            piece=str(len(self.rows) - 1),
            inferences=sum(len(task.test) for task in self._tasks),
            hard=0,
            serving_metrics=metrics,
        )
        self.measurements.rounds.append(record)
        # Saved before it is reported: the report of a row that is lost would be repeated with other figures.
        self._case.checkpoints.save(len(self.rows) - 1, (self.rows, self.measurements))
        self._case.progress.round_done(record)

    def _accuracy(self, task: BaseSplitSemiTask) -> float:
        """Share of right answers; NaN for a task that the method has no network for yet."""
        from sedna.algorithms.continual.training.evaluate import evaluate_task

        learnt = len(self.rows)
        try:
            return evaluate_task(self.trainer.method, task, training=False).headline(self.trainer.tasks.cl_type) / 100
        except (IndexError, KeyError):
            if task.task_id < learnt:
                raise
            return math.nan
