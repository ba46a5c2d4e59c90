"""Trains a method on a sequence of tasks: iterations, hooks, schedule, checkpoints, divergence, evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.data.task import BaseSplitSemiTask
from sedna.algorithms.continual.methods.base import BaseLearningMethod, total_loss
from sedna.algorithms.continual.methods.registry import build_method
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.metrics import average_accuracy
from sedna.algorithms.continual.rng import seed_torch
from sedna.algorithms.continual.training.checkpoint import FILE_NAME, KEY, TasksRunState
from sedna.algorithms.continual.training.evaluate import evaluate_task
from sedna.algorithms.continual.training.optimizer import learning_rate, make_optimizer
from sedna.algorithms.continual.training.probe import probe_precision
from sedna.algorithms.continual.training.result import RunResult
from sedna.algorithms.training.checkpoint import (
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from sedna.algorithms.training.device import choose_device, cpu_threads, repeatable_kernels
from sedna.algorithms.training.distributed import SINGLE, Group
from sedna.algorithms.training.guard import DivergenceGuard, loss_ceiling
from sedna.algorithms.training.precision import Precision
from sedna.algorithms.training.progress import RESUMED, TASK_DONE, OnProgress, TrainingProgress
from sedna.common.errors import DataError, TrainingDivergedError


class Trainer:
    """One run. The work folder holds its checkpoint and the files of its memory; a run that was killed goes on from
    there when it is started again, and ends with the same bits as one that was never interrupted.

    Args:
        work_dir: folder of this run alone.
        evaluate: test all tasks so far after each task.
        prepare: called with the fresh method, to give it weights or memories from before the run.
        identity: tells apart runs that differ in what ``prepare`` does.
        group: processes that train together, to the weights of one process up to rounding. Each has a work folder of
            its own; progress is that of the leader.

    Raises (`run`):
        SpecError: the method cannot learn these tasks, or an option is wrong. Raised before anything is trained.
        DataError: a task has no test picture. Raised at once.
        ConflictError: the folder belongs to another run.
        TrainingDivergedError: the loss left its range once more than allowed; the last good checkpoint stays.
        StorageFullError: a checkpoint or the second tier of the memory cannot be written; the run can be resumed.
    """

    def __init__(
        self,
        config: RunConfig,
        tasks: ContinualLearningTasks,
        work_dir: Path,
        *,
        on_progress: OnProgress | None = None,
        evaluate: bool = True,
        prepare: Callable[[BaseLearningMethod], None] | None = None,
        identity: str = "",
        group: Group = SINGLE,
    ) -> None:
        self.config = config
        self.train_config = config.train
        self.tasks = tasks
        self.work_dir = work_dir
        self._group = group
        self._on_progress = on_progress if group.is_leader else None
        self._evaluate_tasks = evaluate
        if evaluate and (untested := next((task for task in tasks if len(task.test) == 0), None)) is not None:
            raise DataError("has no test picture", where=untested.where, hint="at least one")
        self._run = config.fingerprint(f"{tasks.checksum()}{identity}")
        group.require_equal(self._run, "data, configuration or base model")
        work_dir.mkdir(parents=True, exist_ok=True)
        self.method: BaseLearningMethod = self._build()
        if prepare is not None:
            prepare(self.method)
        self._optimizer = make_optimizer(self.train_config, self.method.parameters())
        self._last_loss: float | None = None

    def _build(self) -> BaseLearningMethod:
        """Precision (of the checkpoint, if there is one) and method; also sets the position of the run."""
        bench = Workbench.of(self.tasks, self.work_dir, seed=self.config.seed)
        bench = bench.with_settings(self.config.model, self.train_config, self.config.memory, self._run)
        stored = self._stored()
        device = choose_device(self.train_config.device, where="train.device")
        if stored is not None:
            # A resumed run keeps the precision of its first process, whatever a probe would say today.
            self._state = stored[0]
            probe = tuple(self._state.probe.items())
            precision = Precision(self._state.bf16, self._state.channels_last, probe, device)
        else:
            precision = self._choose_precision(bench, device)
            self._state = TasksRunState(
                run=self._run,
                bf16=precision.bf16,
                channels_last=precision.channels_last,
                probe=dict(precision.probe),
            )
        bench = bench.with_precision(precision).with_group(self._group)
        self.tasks.use_pipeline(bench.pipeline)
        return build_method(self.config.method, bench)

    def _choose_precision(self, bench: Workbench, device: torch.device) -> Precision:
        """Measured by the leader, since others may find other times."""
        found = Precision(device=device)
        if self._group.is_leader:
            with cpu_threads(self._group.threads(self.train_config.threads)):
                found = probe_precision(self.train_config, bench.network().to(device), bench.image_shape)
        bf16, channels_last = self._group.from_leader(lambda: [found.bf16, found.channels_last])
        return Precision(bf16, channels_last, found.probe, device)

    def run(self) -> RunResult:
        """Train and evaluate every task that is not done yet."""
        device = self.method.bench.device
        threads = self._group.threads(self.train_config.threads)
        with cpu_threads(threads), repeatable_kernels(device), torch.random.fork_rng(devices=[]):
            try:
                resumed = self._resume()
                if not resumed:
                    self._save()  # divergence in the first steps needs a state to return to
                self.method.before_run()
                if resumed:
                    self._report(RESUMED)
                while self._state.task < len(self.tasks):
                    self._run_task(self.tasks[self._state.task])
                self.method.after_run()
                return self.result()
            finally:
                self.method.close()

    def _stored(self) -> tuple[TasksRunState, dict[str, Tensor]] | None:
        return read_checkpoint(self.work_dir / FILE_NAME, TasksRunState, self._run, key=KEY)

    def _run_task(self, task: BaseSplitSemiTask) -> None:
        self._enter(task)
        while self._state.iteration < self.train_config.iterations:
            if not self._iterate(self.method.training_task(task), self._state.iteration):
                self._go_back()
                self._enter(task)
                continue
            self._after_iteration(task)
        self.method.set_mode(training=False)
        self.method.after_task(task)
        # Before the save: the accuracies are part of the checkpoint, so that no task is tested twice or never.
        if self._evaluate_tasks:
            self._evaluate(task.task_id)
        self._state = self._state.model_copy(
            update={"task": task.task_id + 1, "iteration": 0, "guard": None, "first_loss": None}
        )
        self._save()
        self._report(TASK_DONE)

    def _enter(self, task: BaseSplitSemiTask) -> None:
        """Begin a task, or go on with it when it was resumed in its middle."""
        # A task that is resumed in its middle has begun already, and the checkpoint holds what its hooks did.
        if self._state.iteration == 0:
            self._begin(task)
            if self.method.FRESH_OPTIMIZER:
                self._optimizer = make_optimizer(self.train_config, self.method.parameters())
        self.method.set_mode(training=True)

    def _begin(self, task: BaseSplitSemiTask) -> None:
        for term in self.method.terms:
            term.before_task(task)
        self.method.task_id = task.task_id
        self.method.before_task(task)

    def _iterate(self, task: BaseSplitSemiTask, iteration: int) -> bool:
        """One step; False if training diverged at it (the weights were not moved)."""
        start, cpu_start = time.perf_counter(), time.process_time()
        method, config = self.method, self.train_config
        # Dropout and the like draw from torch itself: seeded by the place in the run, they repeat after a restart.
        seed_torch(self.config.seed, "step", task.task_id, iteration, self._state.restores)
        rate = learning_rate(config, iteration) * self._state.rate_scale
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        method.before_iter(iteration)
        batch = task.batch(iteration, config.batch_size, even=config.even_batches, retry=self._state.restores)
        loss = total_loss(method.losses(batch))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._group.average_gradients(method.parameters())
        # Clip and guard come after it: a method may add to the gradients, and they must see what the optimizer will.
        method.after_backward(iteration)
        # Every process has the loss of the whole batch; the last bits may differ where the machines do.
        found = (float(loss.detach()), self._gradient_norm())
        value, norm = self._group.from_leader(lambda: list(found))
        first = self._state.first_loss
        ceiling = loss_ceiling(config.divergence_factor, method.bench.num_classes, first)
        guard = DivergenceGuard(ceiling=ceiling, smoothed=self._state.guard).after(value, norm)
        if guard is None:
            return False
        # Only after the guard has looked: weights that a step with a NaN has touched are lost.
        self._optimizer.step()
        method.after_iter(iteration)
        self._last_loss = guard.smoothed
        self._state = self._state.model_copy(
            update={
                "iteration": iteration + 1,
                "guard": guard.smoothed,
                "first_loss": value if first is None else first,
                "steps": self._state.steps + 1,
                "seconds": self._state.seconds + time.perf_counter() - start,
                "cpu_seconds": self._state.cpu_seconds + time.process_time() - cpu_start,
                "view_seconds": self._state.view_seconds + batch.view_seconds,
            }
        )
        return True

    def _gradient_norm(self) -> float:
        parameters = [p for group in self._optimizer.param_groups for p in group["params"] if p.grad is not None]
        limit = self.train_config.gradient_clip or float("inf")
        return float(torch.nn.utils.clip_grad_norm_(parameters, limit))

    def _after_iteration(self, task: BaseSplitSemiTask) -> None:
        done = self._state.iteration
        if done % self.train_config.checkpoint_interval == 0 and done < self.train_config.iterations:
            self._save()  # before the report, so that whoever stops the run there loses nothing
        if done % self.train_config.epoch_length == 0:
            accuracy = None
            if self.train_config.evaluate_epochs:
                accuracy = evaluate_task(self.method, task, training=True).headline(self.tasks.cl_type)
            self._report("", accuracy)

    def _evaluate(self, last: int) -> None:
        results = [evaluate_task(self.method, task, training=False) for task in self.tasks[: last + 1]]
        update = {"accuracy": (*self._state.accuracy, tuple(r.headline(self.tasks.cl_type) for r in results))}
        if not self.method.knows_task:
            update["class_il_accuracy"] = (*self._state.class_il_accuracy, tuple(r.class_il for r in results))
        self._state = self._state.model_copy(update=update)

    def _go_back(self) -> None:
        """Return to the last checkpoint with a lower rate and other random numbers."""
        failed_at = f"iteration {self._state.iteration} of task {self._state.task}"
        restores = self._state.restores + 1
        scale = self._state.rate_scale * self.train_config.divergence_rate_cut
        if restores > self.train_config.divergence_restores:
            raise TrainingDivergedError(
                f"the loss left its range at {failed_at}, after {restores - 1} returns to the last checkpoint",
                where=str(self.work_dir),
                hint="lower train.learning_rate, or look at the data of this task",
            )
        resumed = self._resume()
        assert resumed, "a run has a checkpoint from its start"
        self._state = self._state.model_copy(update={"restores": restores, "rate_scale": scale})
        self._report(f"diverged at {failed_at}; back to iteration {self._state.iteration}, rate x {scale:.3g}")

    def _save(self) -> None:
        state = self.method.state() | optimizer_tensors(self._optimizer)
        write_checkpoint(self.work_dir / FILE_NAME, self._state, state, key=KEY)
        # Only now: until the new checkpoint is there, the old one still needs the records that it refers to.
        self.method.state_saved()

    def _resume(self) -> bool:
        """Load the checkpoint, if there is one. Hooks of the tasks so far run again first, so that a method meets
        their data; everything they change is then put back."""
        stored = self._stored()
        if stored is None:
            return False
        self._state, state = stored
        started = self._state.task + (1 if self._state.iteration else 0)
        for task in list(self.tasks)[:started]:
            self._begin(task)
        self.method.load_state(state)
        self._optimizer = make_optimizer(self.train_config, self.method.parameters())
        restore_optimizer(self._optimizer, state)
        return True

    def _report(self, note: str, accuracy: float | None = None) -> None:
        if self._on_progress is None:
            return
        state, config = self._state, self.train_config
        left = (len(self.tasks) - state.task) * config.iterations - state.iteration
        each = state.seconds / max(1, state.steps)
        done = note == TASK_DONE  # the state stands before the next task already
        iteration = config.iterations if state.task == len(self.tasks) or done else state.iteration
        if done and state.accuracy:
            accuracy = average_accuracy(state.accuracy)[-1]
        self._on_progress(
            TrainingProgress(
                iteration=iteration,
                max_iteration=config.iterations,
                loss=self._last_loss,
                learning_rate=learning_rate(config, min(iteration, config.iterations - 1)) * state.rate_scale,
                samples_per_second=config.batch_size / each if each else 0.0,
                eta_seconds=each * left,
                note=note,
                task=min(state.task - done, len(self.tasks) - 1),
                tasks_done=state.task,
                num_tasks=len(self.tasks),
                accuracy=accuracy,
            )
        )

    def result(self) -> RunResult:
        """The figures so far."""
        state, use = self._state, self.method.memory_use()
        steps = max(1, state.steps)
        precision = self.method.bench.precision
        return RunResult(
            method=self.config.method.name,
            seed=self.config.seed,
            accuracy=state.accuracy,
            class_il_accuracy=state.class_il_accuracy,
            seconds_per_iteration=state.seconds / steps,
            cpu_seconds_per_iteration=state.cpu_seconds / steps,
            view_seconds_per_iteration=state.view_seconds / steps,
            memory_bytes=use.memory,
            disk_bytes=use.disk,
            parameter_bytes=use.parameters,
            iterations=state.steps,
            precision=f"{'bf16' if precision.bf16 else 'fp32'}{' channels_last' if precision.channels_last else ''}",
            probe=dict(precision.probe),
            threads=self.train_config.threads or torch.get_num_threads(),
            restores=state.restores,
        )
