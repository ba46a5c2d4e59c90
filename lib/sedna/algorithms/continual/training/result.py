"""What a run reports."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from sedna.algorithms.continual.metrics import average_accuracy, forgetting

Rows = tuple[tuple[float, ...], ...]


class RunResult(BaseModel):
    """Figures of one run; accuracies in percent, times in seconds, sizes in bytes.

    ``class_il_accuracy`` is empty for methods whose prediction uses the number of the task.

    ``seconds_per_iteration`` is wall time of a training step with its augmentation, evaluation and checkpoints left
    out; ``cpu_seconds_per_iteration`` the processor time of the same, which other programs on the machine disturb
    less; ``view_seconds_per_iteration`` the part spent on augmentation.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    seed: int
    accuracy: Rows
    class_il_accuracy: Rows
    seconds_per_iteration: float
    cpu_seconds_per_iteration: float
    view_seconds_per_iteration: float
    memory_bytes: int
    disk_bytes: int
    parameter_bytes: int
    iterations: int
    precision: str
    probe: dict[str, float]
    threads: int
    restores: int = 0

    @property
    def average_accuracy(self) -> list[float]:
        """AA_t after each task."""
        return average_accuracy(self.accuracy)

    @property
    def forgetting(self) -> float:
        """See `metrics.forgetting`."""
        return forgetting(self.accuracy)

    @property
    def total_memory_bytes(self) -> int:
        """Records in memory and on disk, and numbers kept beside the network."""
        return self.memory_bytes + self.disk_bytes + self.parameter_bytes
