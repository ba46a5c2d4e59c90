"""The training loop: steps, checkpoints, going back after divergence, early stopping.

Same configuration, data, first weights, machine and thread count give the same bits, however often the process was
killed on the way: the state is a `Checkpoint`, and a step draws its random numbers from the seed and its own index.

Several processes (`Group`) take a share of each batch and end with the weights of one process, up to rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sedna.algorithms.detection.checkpoint import Checkpoint, DetectorRunState
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.loss import detection_loss
from sedna.algorithms.detection.network import Detector
from sedna.algorithms.detection.result import TrainingResult
from sedna.algorithms.detection.sampler import Batch, Sampler
from sedna.algorithms.training.device import repeatable_kernels
from sedna.algorithms.training.distributed import SINGLE, Group
from sedna.algorithms.training.guard import DivergenceGuard
from sedna.algorithms.training.precision import Precision, choose_precision
from sedna.algorithms.training.progress import OnProgress, TrainingProgress
from sedna.algorithms.training.sync_norm import plain, synchronised
from sedna.common.errors import TrainingDivergedError
from sedna.common.log import LOGGER

_REPORT_EVERY = 10


class DetectorTrainer:
    """One run over a detector's weights.

    Args:
        model: trained in place, on the device where it is.
        sampler: gives the batch of each step.
        validate: f1_macro of the weights as they are; None switches early stopping off.
        run: identity of the run; a checkpoint of another run is refused.
        checkpoint_dir: where to go on from, and where to leave checkpoints; None keeps them in memory.
        on_progress: called about every ten steps and at every event, in the leader of the group.
        group: processes that train together; each has a folder of its own.
    """

    def __init__(
        self,
        model: Detector,
        config: FPNConfig,
        sampler: Sampler,
        *,
        validate: Callable[[], float] | None,
        run: str,
        checkpoint_dir: Path | None,
        on_progress: OnProgress | None,
        group: Group = SINGLE,
    ) -> None:
        self._model = model
        self._group = group
        self._part = group.part(config.batch_size)
        self._device = next(model.parameters()).device
        self._config = config
        self._sampler = sampler
        self._validate = validate if config.patience else None
        self._run = run
        self._folder = checkpoint_dir
        self._on_progress = on_progress if group.is_leader else None
        self._optimizer = _optimizer(model, config)
        self._best: dict[str, Tensor] | None = None
        self._began = time.monotonic()
        self._seconds_before = 0.0
        self._rate = 0.0

    def run(self) -> TrainingResult:
        """Train to the end.

        Raises:
            TrainingDivergedError: the guard tripped more often than ``divergence_restores``; the weights are the last
                good ones.
            ConflictError: the checkpoint belongs to another run.
            DataError: a picture cannot be read.
        """
        self._group.require_equal(self._run, "data, configuration or first weights")
        synchronised(self._model, self._group)
        try:
            with repeatable_kernels(self._device):
                self._start()
                while self._state.iteration < self._config.max_iteration and not self._state.stopped:
                    self._advance()
        finally:
            plain(self._model)
        # Early stopping keeps the weights of the best look, not those of the last step.
        if self._best is not None:
            self._model.load_state_dict(self._best)
        state = self._state
        self._report("stopped early" if state.stopped else "finished")
        return TrainingResult(
            iterations=state.iteration,
            loss=state.smoothed_loss,
            restores=state.restores,
            seconds=self._seconds(),
            device=self._device.type,
            bf16=state.bf16,
            channels_last=state.channels_last,
            probe_seconds=state.probe_seconds,
            best_valid=state.best_valid,
            best_iteration=state.best_iteration if self._best is not None else state.iteration,
            stopped_early=state.stopped,
        )

    def _start(self) -> None:
        stored = Checkpoint.load(self._folder, self._run) if self._folder else None
        if stored is None:
            self._precision = self._choose_precision()
            self._state = DetectorRunState(
                run=self._run,
                bf16=self._precision.bf16,
                channels_last=self._precision.channels_last,
                probe_seconds=dict(self._precision.probe) or None,
            )
            # Written before the first step: a resumed run must not measure the precision anew and decide differently.
            self._save()
            return
        self._last_good = stored
        self._state = stored.state
        self._seconds_before = self._state.seconds
        self._precision = Precision(self._state.bf16, self._state.channels_last, device=self._device)
        self._model.to(memory_format=self._precision.memory_format)
        self._best = stored.restore(self._model, self._optimizer)
        self._report(f"resumed at step {self._state.iteration}")

    def _choose_precision(self) -> Precision:
        """Measured by the leader, since others may find other times."""
        group, found = self._group, Precision(device=self._device)
        if group.is_leader:
            found = self._measure_precision()
        bf16, channels_last = group.from_leader(lambda: [found.bf16, found.channels_last])
        self._model.to(memory_format=Precision(bf16, channels_last).memory_format)
        return Precision(bf16, channels_last, found.probe, self._device)

    def _measure_precision(self) -> Precision:
        config = self._config
        # Without a step to do, measuring gains nothing.
        bf16 = config.allowed_bf16 if config.max_iteration else config.allowed_bf16[:1]
        layouts = config.allowed_channels_last if config.max_iteration else config.allowed_channels_last[:1]
        self._set_train_mode()
        first = self._sampler.batch(0, 0) if len(bf16) * len(layouts) > 1 else None

        def loss_of(precision: Precision) -> Tensor:
            assert first is not None, "a single combination is not measured"
            return self._loss(first, precision, SINGLE)

        chosen = choose_precision(self._model, loss_of, bf16=bf16, channels_last=layouts)
        for name, seconds in chosen.probe:
            LOGGER.info("FPN step in %s: %.3f s%s", name, seconds, " (chosen)" if name == chosen.name else "")
        return chosen

    def _advance(self) -> None:
        """One step, or one step back."""
        state = self._state
        # With the restores in its seed, or the batch that training diverged at would come again after every return.
        batch = self._sampler.batch(state.iteration, state.restores, self._part)
        loss, norm = self._gradients(batch)
        guard = DivergenceGuard(
            growth=self._config.divergence_factor, smoothed=state.smoothed_loss, lowest=state.lowest_loss
        )
        after = guard.after(loss, norm)
        if after is None:
            self._go_back(loss)
            return
        # Only after the guard has looked: weights that a step with a NaN has touched are lost.
        self._optimizer.step()
        iteration = state.iteration + 1
        self._state = state.model_copy(
            update={"iteration": iteration, "smoothed_loss": after.smoothed, "lowest_loss": after.lowest}
        )
        last = iteration == self._config.max_iteration
        if self._validate and (last or iteration % self._config.valid_interval == 0):
            self._compare_with_best(self._group.from_leader(self._validate))
        if last or self._state.stopped or iteration % self._config.checkpoint_interval == 0:
            self._save()  # before the report, so that whoever stops the run there loses nothing
        if iteration % _REPORT_EVERY == 0:
            self._report()

    def _gradients(self, batch: Batch) -> tuple[float, float]:
        """Loss and gradient norm of one batch; the gradients are left in the model."""
        self._set_train_mode()
        self._rate = learning_rate(self._config, self._state.iteration) * self._state.rate_scale
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate
        self._optimizer.zero_grad(set_to_none=True)
        with self._group.measuring():
            loss = self._loss(batch, self._precision, self._group)
        (loss * self._group.size).backward()  # type: ignore[no-untyped-call]
        self._group.average_gradients(self._model.parameters())
        limit = self._config.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), limit)
        # The guard must come to one answer in all processes, though one alone may have met a NaN.
        whole = self._group.total(float(loss.detach()))
        found: list[float] = self._group.from_leader(lambda: [whole, float(norm)])
        return found[0], found[1]

    def _loss(self, batch: Batch, precision: Precision, group: Group) -> Tensor:
        """Of the rows of this process: the sum over the group is the loss of the batch."""
        x_BCHW = batch.x_BCHW.to(self._device).contiguous(memory_format=precision.memory_format)
        with precision.autocast():
            logits_BNK, distances_BN4 = self._model(x_BCHW)
        size = (x_BCHW.shape[2], x_BCHW.shape[3])
        return detection_loss(logits_BNK, distances_BN4, batch.boxes, size, group).total

    def _set_train_mode(self) -> None:
        """Anew before every step, because a look at the validation data leaves the model in eval mode."""
        self._model.train()
        if self._config.freeze == "backbone":
            self._model.body.eval()  # its batch norm statistics would move although its weights do not

    def _compare_with_best(self, score: float) -> None:
        state = self._state
        if state.best_valid is None or score > state.best_valid:
            self._best = {key: value.detach().clone() for key, value in self._model.state_dict().items()}
            change = {"best_valid": score, "best_iteration": state.iteration, "looks_without_gain": 0}
        else:
            looks = state.looks_without_gain + 1
            change = {"looks_without_gain": looks, "stopped": looks >= self._config.patience}
        self._state = state.model_copy(update=change)

    def _save(self) -> None:
        """Keep the state as the last good one, in memory and in the folder."""
        self._state = self._state.model_copy(update={"seconds": self._seconds()})
        self._last_good = Checkpoint.take(self._state, self._model, self._optimizer, self._best)
        if self._folder:
            self._last_good.save(self._folder)

    def _go_back(self, loss: float) -> None:
        """Return to the last good state with a lower rate, or give up there."""
        bad, good = self._state, self._last_good.state
        self._best = self._last_good.restore(self._model, self._optimizer)
        restores = bad.restores + 1
        self._state = good.model_copy(
            update={"restores": restores, "rate_scale": bad.rate_scale * self._config.divergence_rate_cut}
        )
        note = f"diverged at step {bad.iteration + 1} (loss {loss:.4g}, rate {self._rate:.3g})"
        note += f", back to step {good.iteration}"
        if restores > self._config.divergence_restores:
            self._report(note)
            raise TrainingDivergedError(
                f"{note}; this was time {restores}, {self._config.divergence_restores} are allowed", where="FPN.train",
                hint="a lower learning_rate, or look for wrong labels",
            )  # fmt: skip
        # On disk at once: a process killed before the next checkpoint would repeat the step that diverged.
        self._save()
        LOGGER.warning("FPN %s, rate now %.3g of the planned one", note, self._state.rate_scale)
        self._report(note)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _report(self, note: str = "") -> None:
        if self._on_progress is None:
            return
        state = self._state
        seconds = max(self._seconds(), 1e-9)
        left = self._config.max_iteration - state.iteration
        self._on_progress(
            TrainingProgress(
                iteration=state.iteration,
                max_iteration=self._config.max_iteration,
                loss=state.smoothed_loss,
                learning_rate=self._rate,
                samples_per_second=state.iteration * self._config.batch_size / seconds,
                eta_seconds=seconds / state.iteration * left if state.iteration else math.nan,
                note=note,
            )
        )


def learning_rate(config: FPNConfig, iteration: int) -> float:
    """The planned rate of a step (from 0): linear warm-up, then constant or half a cosine down to 0."""
    warm = min(1.0, (iteration + 1) / (config.warmup_iterations + 1))
    if config.schedule == "constant":
        return config.learning_rate * warm
    return config.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * iteration / config.max_iteration))


def _optimizer(model: Detector, config: FPNConfig) -> torch.optim.Optimizer:
    if config.freeze == "backbone":
        model.body.requires_grad_(False)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(
        parameters, config.learning_rate, betas=(config.momentum, 0.999), weight_decay=config.weight_decay
    )
