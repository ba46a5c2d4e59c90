from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image

from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import ContinualLearningTasks, build_tasks
from sedna.algorithms.continual.data.synthetic import make_shapes
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.base import Losses
from sedna.algorithms.continual.methods.registry import METHODS
from sedna.algorithms.continual.methods.sft import SFT
from sedna.algorithms.continual.training.checkpoint import FILE_NAME
from sedna.algorithms.continual.training.trainer import Trainer
from sedna.algorithms.training.progress import TrainingProgress, log_line
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import ConflictError, DataError, ModelError, SpecError, StorageFullError, TrainingDivergedError

MakeConfig = Callable[..., RunConfig]


class _StoppedError(Exception):
    """Stands for whatever ends a process in the middle of a run."""


class _Recorder(SFT):
    ALG_NAME = "recorder"
    calls: list[str] = []  # noqa: RUF012 - one list for the one instance of a test

    def _note(self, name: str) -> None:
        self.calls.append(f"{name}{'' if self.network.training else ' (eval)'}")

    def before_run(self) -> None:
        self._note("before_run")

    def after_run(self) -> None:
        self._note("after_run")

    def before_task(self, task: BaseSplitSemiTask) -> None:
        self._note(f"before_task {task.task_id}")

    def after_task(self, task: BaseSplitSemiTask) -> None:
        self._note(f"after_task {task.task_id}")

    def before_iter(self, iteration: int) -> None:
        self._note(f"before_iter {iteration}")

    def forward_train(self, batch: TrainBatch) -> Losses:
        self._note("forward_train")
        return super().forward_train(batch)

    def after_backward(self, iteration: int) -> None:
        assert all(p.grad is not None for p in self.network.parameters())
        self._note(f"after_backward {iteration}")

    def after_iter(self, iteration: int) -> None:
        self._note(f"after_iter {iteration}")

    def before_val(self, task_id: int) -> None:
        self._note(f"before_val {task_id}")

    def after_val(self, task_id: int) -> None:
        self._note(f"after_val {task_id}")


@pytest.fixture
def with_method() -> Callable[[type[SFT]], None]:
    """Registers a method, as a user does."""

    def register(kind: type[SFT]) -> None:
        ClassFactory.register_cls(kind, ClassType.ALGORITHM, alias=kind.ALG_NAME)

    return register


def _run(config: RunConfig, folder: Path, **kwargs: Any) -> Trainer:
    trainer = Trainer(config, build_tasks(config.data, config.seed), folder, **kwargs)
    trainer.run()
    return trainer


def _final_state(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in the last checkpoint but the places of records in the file of the disk tier."""
    with safetensors.safe_open(folder / FILE_NAME, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if "disk_positions" not in key}  # noqa: SIM118


def test_all_ten_hooks_are_called_in_order(
    smoke_config: MakeConfig, with_method: Callable[[type[SFT]], None], tmp_path: Path
) -> None:
    with_method(_Recorder)
    _Recorder.calls.clear()
    _run(smoke_config("recorder", data={"num_tasks": 2}, train={"iterations": 2, "checkpoint_interval": 1}), tmp_path)

    def steps(k: int) -> list[str]:
        return [f"before_iter {k}", "forward_train", f"after_backward {k}", f"after_iter {k}"]

    def tests(j: int) -> list[str]:
        return [f"before_val {j} (eval)", f"after_val {j} (eval)"]

    assert _Recorder.calls == [
        "before_run",
        "before_task 0", *steps(0), *steps(1), "after_task 0 (eval)", *tests(0),
        "before_task 1 (eval)", *steps(0), *steps(1), "after_task 1 (eval)", *tests(0), *tests(1),
        "after_run (eval)",
    ]  # fmt: skip


def test_evaluating_in_between_changes_nothing(smoke_config: MakeConfig, tmp_path: Path) -> None:
    plain = _run(smoke_config("EdgeHML", data={"num_tasks": 2}), tmp_path / "a")
    watched = _run(
        smoke_config("EdgeHML", data={"num_tasks": 2}, train={"evaluate_epochs": True, "epoch_length": 4}),
        tmp_path / "b",
    )
    assert plain.result().accuracy == watched.result().accuracy
    assert torch.equal(_flat(plain), _flat(watched))


def _flat(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in trainer.method.network.parameters()])


@pytest.mark.parametrize("name", [*METHODS, "DER+FlexMatch"])
@pytest.mark.parametrize("stop_at", [(0, 7), (1, 13)])
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    name: str, stop_at: tuple[int, int], smoke_config: MakeConfig, tmp_path: Path
) -> None:
    config = smoke_config(name, data={"num_tasks": 2}, train={"iterations": 16, "epoch_length": 1})
    whole = _run(config, tmp_path / "whole")

    def stop(progress: TrainingProgress) -> None:
        if (progress.task, progress.iteration) == stop_at:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        _run(config, tmp_path / "parts", on_progress=stop)
    resumed = _run(config, tmp_path / "parts")
    expected, got = _final_state(tmp_path / "whole"), _final_state(tmp_path / "parts")
    assert expected.keys() == got.keys()
    assert [key for key in expected if not torch.equal(expected[key], got[key])] == []
    assert whole.result().accuracy == resumed.result().accuracy
    assert resumed.result().iterations == 32


def test_a_finished_run_is_not_trained_again(smoke_config: MakeConfig, tmp_path: Path) -> None:
    config = smoke_config("ER", data={"num_tasks": 2}, train={"iterations": 4})
    first = _run(config, tmp_path).result()
    again = _run(config, tmp_path).result()
    assert again == first


def test_equal_seeds_give_equal_runs_and_others_do_not(smoke_config: MakeConfig, tmp_path: Path) -> None:
    runs = [
        _run(smoke_config("EdgeHML", seed=seed, data={"num_tasks": 2}), tmp_path / str(number))
        for number, seed in enumerate((0, 0, 1))
    ]
    assert runs[0].result().accuracy == runs[1].result().accuracy
    assert torch.equal(_flat(runs[0]), _flat(runs[1]))
    assert not torch.equal(_flat(runs[0]), _flat(runs[2]))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("DER", {"alpha": 0.0}),
        ("DER++", {"alpha": 0.0, "beta": 0.0}),
        ("EdgeHML", {"lambda_sup_replay": 0.0, "lambda_unsup": 0.0, "lambda_unsup_replay": 0.0}),
    ],
)
def test_without_their_own_losses_methods_are_sft_bit_for_bit(
    name: str, options: dict[str, float], smoke_config: MakeConfig, tmp_path: Path
) -> None:
    plain = _run(smoke_config("SFT", data={"num_tasks": 2}), tmp_path / "sft")
    limit = _run(smoke_config(name, options=options, data={"num_tasks": 2}), tmp_path / "limit")
    assert torch.equal(_flat(plain), _flat(limit))
    assert plain.result().accuracy == limit.result().accuracy


def test_task_il_is_never_worse_than_class_il(smoke_config: MakeConfig, tmp_path: Path) -> None:
    result = _run(smoke_config("ER"), tmp_path).result()
    for task_row, class_row in zip(result.accuracy, result.class_il_accuracy, strict=True):
        assert all(inside >= outside for inside, outside in zip(task_row, class_row, strict=True))
    assert [len(row) for row in result.accuracy] == [1, 2, 3]


def test_a_class_il_run_is_judged_without_the_number_of_the_task(smoke_config: MakeConfig, tmp_path: Path) -> None:
    told, blind = (
        _run(smoke_config("ER", data={"cl_type": kind}), tmp_path / kind).result() for kind in ("task-il", "class-il")
    )
    assert blind.accuracy == blind.class_il_accuracy
    assert blind.average_accuracy[-1] < told.average_accuracy[-1]


def test_a_task_without_test_pictures_is_refused_at_the_start(smoke_config: MakeConfig, tmp_path: Path) -> None:
    config = smoke_config("SFT")
    tasks = build_tasks(config.data, 0)
    tasks[1].test = tasks[1].test.take(np.arange(0))
    with pytest.raises(DataError, match=r"task 1 .*has no test picture"):
        Trainer(config, tasks, tmp_path)
    Trainer(config, tasks, tmp_path, evaluate=False)


def test_progressive_networks_and_independent_ones_forget_nothing(smoke_config: MakeConfig, tmp_path: Path) -> None:
    for name in ("PNN", "independent"):
        assert _run(smoke_config(name), tmp_path / name).result().forgetting == 0


class _Momentum(SFT):
    """Notes whether the optimizer had momentum before the first step of each task."""

    ALG_NAME = "momentum"
    had: list[bool] = []  # noqa: RUF012 - one list for the one instance of a test

    def before_iter(self, iteration: int) -> None:
        if iteration == 0:
            self.had.append(bool(self.trainer_of_test._optimizer.state))

    trainer_of_test: Trainer


class _FreshMomentum(_Momentum):
    ALG_NAME = "fresh momentum"
    FRESH_OPTIMIZER = True


@pytest.mark.parametrize(("kind", "expected"), [(_Momentum, [False, True]), (_FreshMomentum, [False, False])])
def test_momentum_carries_over_unless_a_method_starts_anew(
    kind: type[_Momentum], expected: list[bool], smoke_config: MakeConfig,
    with_method: Callable[[type[SFT]], None], tmp_path: Path,
) -> None:  # fmt: skip
    with_method(kind)
    _Momentum.had.clear()
    config = smoke_config(kind.ALG_NAME, data={"num_tasks": 2}, train={"iterations": 3})
    kind.trainer_of_test = Trainer(config, build_tasks(config.data, 0), tmp_path)
    kind.trainer_of_test.run()
    assert _Momentum.had == expected


class _NotANumber(SFT):
    """A loss that becomes NaN in iteration 7, as often as it is told."""

    ALG_NAME = "nan"
    left = 1

    def forward_train(self, batch: TrainBatch) -> Losses:
        losses = super().forward_train(batch)
        if batch.iteration == 7 and type(self).left:
            type(self).left -= 1
            losses["loss_broken"] = losses["loss_sup"] * float("nan")
        return losses


def test_a_loss_that_becomes_nan_goes_back_to_the_checkpoint_and_on(
    smoke_config: MakeConfig, with_method: Callable[[type[SFT]], None], tmp_path: Path
) -> None:
    with_method(_NotANumber)
    _NotANumber.left = 1
    notes: list[str] = []
    config = smoke_config("nan", data={"num_tasks": 1}, train={"checkpoint_interval": 5})
    trainer = _run(config, tmp_path, on_progress=lambda progress: notes.append(progress.note))
    assert "diverged at iteration 7 of task 0; back to iteration 5, rate x 0.3" in notes
    result = trainer.result()
    assert result.restores == 1
    assert result.iterations == 30
    assert torch.isfinite(_flat(trainer)).all()


class _BeginsHigh(SFT):
    """A loss that is far above that of guessing where a task begins, as that of a network which is sure of other
    classes, and falls from there."""

    ALG_NAME = "high"

    def forward_train(self, batch: TrainBatch) -> Losses:
        losses = super().forward_train(batch)
        losses["loss_high"] = losses["loss_sup"] * 0 + 1000 * 0.5**batch.iteration
        return losses


def test_a_task_that_begins_with_a_large_loss_is_learned(
    smoke_config: MakeConfig, with_method: Callable[[type[SFT]], None], tmp_path: Path
) -> None:
    with_method(_BeginsHigh)
    trainer = _run(smoke_config("high", data={"num_tasks": 2}, train={"iterations": 12}), tmp_path)
    assert trainer.result().restores == 0


class _Explodes(SFT):
    """A loss that grows a hundred times from where a task began."""

    ALG_NAME = "explodes"

    def forward_train(self, batch: TrainBatch) -> Losses:
        losses = super().forward_train(batch)
        if batch.iteration > 3:
            losses["loss_high"] = losses["loss_sup"] * 0 + 1e4
        return losses


def test_a_loss_that_leaves_where_its_task_began_is_divergence(
    smoke_config: MakeConfig, with_method: Callable[[type[SFT]], None], tmp_path: Path
) -> None:
    with_method(_Explodes)
    with pytest.raises(TrainingDivergedError, match="left its range at iteration 4 of task 0"):
        _run(smoke_config("explodes", data={"num_tasks": 1}, train={"iterations": 12}), tmp_path)


def test_a_loss_that_stays_nan_ends_the_run_with_a_good_checkpoint(
    smoke_config: MakeConfig, with_method: Callable[[type[SFT]], None], tmp_path: Path
) -> None:
    with_method(_NotANumber)
    _NotANumber.left = 100
    config = smoke_config("nan", data={"num_tasks": 1}, train={"checkpoint_interval": 5})
    with pytest.raises(TrainingDivergedError, match=r"iteration 7 of task 0, after 3 returns"):
        _run(config, tmp_path)
    _NotANumber.left = 0
    resumed = _run(config, tmp_path)
    assert resumed.result().iterations >= 30
    assert torch.isfinite(_flat(resumed)).all()


def test_a_method_that_cannot_learn_the_tasks_is_refused_before_anything_is_trained(
    smoke_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="PNN cannot learn class-il tasks"):
        _run(smoke_config("PNN", data={"cl_type": "class-il"}), tmp_path)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_folder_of_another_run_or_with_rubbish_is_refused(smoke_config: MakeConfig, tmp_path: Path) -> None:
    _run(smoke_config("SFT", data={"num_tasks": 1}, train={"iterations": 2}), tmp_path)
    with pytest.raises(ConflictError, match="another configuration"):
        _run(smoke_config("SFT", data={"num_tasks": 1}, train={"iterations": 3}), tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="is no checkpoint"):
        _run(smoke_config("SFT", data={"num_tasks": 1}, train={"iterations": 2}), tmp_path)


def test_a_memory_file_of_another_run_is_refused(smoke_config: MakeConfig, tmp_path: Path) -> None:
    _run(smoke_config("EdgeHML", data={"num_tasks": 1}, train={"iterations": 2}), tmp_path)
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(ConflictError, match="disk_tier"):
        _run(smoke_config("EdgeHML", data={"num_tasks": 1}, train={"iterations": 3}), tmp_path)


def test_batches_of_one(smoke_config: MakeConfig, tmp_path: Path) -> None:
    one = {"iterations": 4, "batch_size": 1}
    result = _run(smoke_config("EdgeHML", data={"num_tasks": 1}, train=one), tmp_path / "a").result()
    assert result.iterations == 4
    with pytest.raises(DataError, match=r"batch of one .*even_batches"):
        _run(smoke_config("SFT", model={"name": "vgg11", "width": None}, train=one), tmp_path / "b")


def test_a_full_second_tier_stops_the_run_and_it_goes_on_when_there_is_room(
    smoke_config: MakeConfig, tmp_path: Path
) -> None:
    config = smoke_config(
        "EdgeHML", data={"num_tasks": 2}, options={"threshold": 0.4}, memory={"disk_capacity": 400},
        train={"iterations": 16, "checkpoint_interval": 4},
    )  # fmt: skip
    whole = _run(config, tmp_path / "whole")
    used = whole.result().disk_bytes
    assert used > 30 * 768
    trainer = Trainer(config, build_tasks(config.data, 0), tmp_path / "small")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    tier = trainer.method.memory.disk  # type: ignore[attr-defined]
    limit = 4096 + used // 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(StorageFullError, match=r"disk_tier|checkpoint"):
            trainer.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tier.path.exists()
    resumed = _run(config, tmp_path / "small")
    assert torch.equal(_flat(whole), _flat(resumed))


def test_a_picture_that_rots_while_a_run_is_interrupted_is_named_and_the_run_goes_on_once_it_is_back(
    smoke_config: MakeConfig, tmp_path: Path
) -> None:
    shapes = make_shapes(16, 8, seed=0)
    for index, (pixels, label) in enumerate(zip(shapes.x_NCHW, shapes.y_N.tolist(), strict=True)):
        for part in ("train", "test"):
            path = tmp_path / "data" / part / f"class {label}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)
    data = {"kind": "folder", "root": str(tmp_path / "data")}
    config = smoke_config("EdgeHML", data=data, train={"iterations": 6, "epoch_length": 1, "checkpoint_interval": 2})
    whole = _run(config, tmp_path / "whole")

    def stop(progress: TrainingProgress) -> None:
        if (progress.task, progress.iteration) == (1, 3):
            raise _StoppedError

    with pytest.raises(_StoppedError):
        _run(config, tmp_path / "parts", on_progress=stop)
    rotten = tmp_path / "data" / "train" / "class 3" / "21.png"
    good = rotten.read_bytes()
    rotten.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"class 3/21\.png: "):
        _run(config, tmp_path / "parts")
    skipping = smoke_config("EdgeHML", data={**data, "on_corrupt": "skip"}, train={"iterations": 6})
    with pytest.raises(ConflictError, match="other data"):
        _run(skipping, tmp_path / "parts")
    rotten.write_bytes(good)
    resumed = _run(config, tmp_path / "parts")
    assert torch.equal(_flat(whole), _flat(resumed))


def test_a_second_tier_that_is_gone_is_told(smoke_config: MakeConfig, tmp_path: Path) -> None:
    config = smoke_config("EdgeHML", options={"threshold": 0.4}, data={"num_tasks": 1}, train={"iterations": 12})
    _run(config, tmp_path)
    (tmp_path / "disk_tier.bin").unlink()
    with pytest.raises(DataError, match=r"disk_tier\.bin: is gone"):
        _run(config, tmp_path)


def test_progress_has_an_end_in_sight(smoke_config: MakeConfig, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    _run(smoke_config("SFT", data={"num_tasks": 2}), tmp_path, on_progress=seen.append)
    assert [(p.task, p.iteration) for p in seen] == [
        (0, 10), (0, 20), (0, 30), (0, 30), (1, 10), (1, 20), (1, 30), (1, 30),
    ]  # fmt: skip
    assert [p.note for p in seen] == ["", "", "", "task done"] * 2
    assert all(p.samples_per_second > 0 for p in seen)
    assert seen[-1].eta_seconds == 0
    assert seen[-1].accuracy is not None
    assert "eta 0 s" in log_line(seen[-1])
    rates = [p.learning_rate for p in seen[:3]]
    assert rates == pytest.approx([0.03, 0.03, 0.0003])


def test_the_data_belongs_to_the_run(smoke_config: MakeConfig, smoke_tasks: ContinualLearningTasks) -> None:
    config = smoke_config("SFT")
    other = build_tasks(config.data, 1)
    assert config.fingerprint(smoke_tasks.checksum()) != config.fingerprint(other.checksum())
    moved = config.model_copy(update={"data": config.data.model_copy(update={"root": "/elsewhere"})})
    assert moved.fingerprint("x") == config.fingerprint("x")


def test_a_gpu_that_is_not_there_is_refused_at_the_start(smoke_config: MakeConfig, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    config = smoke_config("SFT", train={"device": "cuda"})
    with pytest.raises(SpecError, match=r"^train\.device: there is no CUDA device"):
        Trainer(config, build_tasks(config.data, 0), tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
