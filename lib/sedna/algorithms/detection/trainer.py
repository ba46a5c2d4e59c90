"""The training loop: steps, checkpoints, going back after divergence, early stopping.

Same configuration, data, first weights and thread count give the same bits, however often the process was killed on the
way: the state is a ``Snapshot``, and a step draws its random numbers from the seed and its own index.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sedna.algorithms.detection.checkpoint import Progress, Snapshot
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.guard import DivergenceGuard
from sedna.algorithms.detection.loss import detection_loss
from sedna.algorithms.detection.network import Detector
from sedna.algorithms.detection.precision import bf16_is_faster
from sedna.algorithms.detection.result import ProgressCallback, TrainingProgress, TrainingResult
from sedna.algorithms.detection.sampler import Batch, Sampler
from sedna.common.errors import TrainingDivergedError
from sedna.common.log import LOGGER

_REPORT_EVERY = 10


class Trainer:
    """One run over a detector's weights.

    Args:
        model: trained in place.
        sampler: gives the batch of each step.
        validate: f1_macro of the weights as they are; None switches early stopping off.
        run: identity of the run; a checkpoint of another run is refused.
        checkpoint_dir: where to go on from, and where to leave checkpoints; None keeps them in memory.
        report: called about every ten steps and at every event.
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
        report: ProgressCallback | None,
    ) -> None:
        self._model = model
        self._config = config
        self._sampler = sampler
        self._validate = validate if config.patience else None
        self._run = run
        self._folder = checkpoint_dir
        self._report_to = report
        self._optimizer = _optimizer(model, config)
        self._best: dict[str, Tensor] | None = None
        self._began = time.monotonic()
        self._before = 0.0
        self._rate = 0.0

    def run(self) -> TrainingResult:
        """Train to the end.

        Raises:
            TrainingDivergedError: the guard tripped more often than ``divergence_restores``; the weights are the last
                good ones.
            ConflictError: the checkpoint belongs to another run.
            DataError: a picture cannot be read.
        """
        self._start()
        while self._state.iteration < self._config.max_iteration and not self._state.stopped:
            self._advance()
        if self._best is not None:
            self._model.load_state_dict(self._best)
        state = self._state
        self._say("stopped early" if state.stopped else "finished")
        return TrainingResult(
            iterations=state.iteration,
            loss=state.smoothed_loss,
            restores=state.restores,
            seconds=self._seconds(),
            bf16=state.bf16,
            probe_seconds=state.probe_seconds,
            best_valid=state.best_valid,
            best_iteration=state.best_iteration if self._best is not None else state.iteration,
            stopped_early=state.stopped,
        )

    def _start(self) -> None:
        snapshot = Snapshot.load(self._folder, self._run) if self._folder else None
        if snapshot is None:
            bf16, probe = self._choose_precision()
            self._state = Progress(run=self._run, bf16=bf16, probe_seconds=probe)
            # Written before the first step: a resumed run must not measure the precision anew and decide differently.
            self._keep()
            return
        self._good = snapshot
        self._state = snapshot.progress
        self._before = self._state.seconds
        self._best = snapshot.restore(self._model, self._optimizer)
        self._say(f"resumed at step {self._state.iteration}")

    def _choose_precision(self) -> tuple[bool, tuple[float, float] | None]:
        if self._config.bf16 != "auto" or self._config.max_iteration == 0:
            return self._config.bf16 == "on", None
        self._learning_mode()
        faster, seconds = bf16_is_faster(self._model, self._sampler.batch(0, 0))
        LOGGER.info("FPN step: %.3f s in float32, %.3f s in bfloat16", *seconds)
        return faster, seconds

    def _advance(self) -> None:
        """One step, or one step back."""
        state = self._state
        batch = self._sampler.batch(state.iteration, state.restores)
        loss, norm = self._gradients(batch)
        guard = DivergenceGuard(self._config.divergence_factor, state.smoothed_loss, state.lowest_loss)
        after = guard.after(loss, norm)
        if after is None:
            self._go_back(loss)
            return
        self._optimizer.step()
        iteration = state.iteration + 1
        self._state = state.model_copy(
            update={"iteration": iteration, "smoothed_loss": after.smoothed, "lowest_loss": after.lowest}
        )
        last = iteration == self._config.max_iteration
        if self._validate and (last or iteration % self._config.valid_interval == 0):
            self._look(self._validate())
        if last or self._state.stopped or iteration % self._config.checkpoint_interval == 0:
            self._keep()
        if iteration % _REPORT_EVERY == 0:
            self._say()

    def _gradients(self, batch: Batch) -> tuple[float, float]:
        """Loss and gradient norm of one batch; the gradients are left in the model."""
        self._learning_mode()
        self._rate = learning_rate(self._config, self._state.iteration) * self._state.rate_scale
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate
        self._optimizer.zero_grad(set_to_none=True)
        x_BCHW = batch.x_BCHW.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._state.bf16):
            logits_BNK, distances_BN4 = self._model(x_BCHW)
        loss = detection_loss(logits_BNK, distances_BN4, batch.boxes, (x_BCHW.shape[2], x_BCHW.shape[3])).total
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self._config.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), limit)
        return float(loss.detach()), float(norm)

    def _learning_mode(self) -> None:
        self._model.train()
        if self._config.freeze == "backbone":
            self._model.body.eval()

    def _look(self, score: float) -> None:
        state = self._state
        if state.best_valid is None or score > state.best_valid:
            self._best = {key: value.detach().clone() for key, value in self._model.state_dict().items()}
            change = {"best_valid": score, "best_iteration": state.iteration, "looks_without_gain": 0}
        else:
            looks = state.looks_without_gain + 1
            change = {"looks_without_gain": looks, "stopped": looks >= self._config.patience}
        self._state = state.model_copy(update=change)

    def _keep(self) -> None:
        self._state = self._state.model_copy(update={"seconds": self._seconds()})
        self._good = Snapshot.take(self._state, self._model, self._optimizer, self._best)
        if self._folder:
            self._good.save(self._folder)

    def _go_back(self, loss: float) -> None:
        """Return to the last good state with a lower rate, or give up there."""
        bad, good = self._state, self._good.progress
        self._best = self._good.restore(self._model, self._optimizer)
        restores = bad.restores + 1
        self._state = good.model_copy(
            update={"restores": restores, "rate_scale": bad.rate_scale * self._config.divergence_rate_cut}
        )
        note = f"diverged at step {bad.iteration + 1} (loss {loss:.4g}, rate {self._rate:.3g})"
        note += f", back to step {good.iteration}"
        if restores > self._config.divergence_restores:
            self._say(note)
            raise TrainingDivergedError(
                f"{note}; this was time {restores}, {self._config.divergence_restores} are allowed", where="FPN.train",
                hint="a lower learning_rate, or look for wrong labels",
            )  # fmt: skip
        LOGGER.warning("FPN %s, rate now %.3g of the planned one", note, self._state.rate_scale)
        self._keep()
        self._say(note)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _say(self, note: str = "") -> None:
        if self._report_to is None:
            return
        state = self._state
        seconds = max(self._seconds(), 1e-9)
        left = self._config.max_iteration - state.iteration
        self._report_to(
            TrainingProgress(
                iteration=state.iteration,
                max_iteration=self._config.max_iteration,
                loss=math.nan if state.smoothed_loss is None else state.smoothed_loss,
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
