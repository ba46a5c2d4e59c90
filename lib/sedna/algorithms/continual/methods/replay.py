"""What ER, DER and DER++ share: a buffer over the stream of presented labelled pictures.

Every labelled picture of every iteration is offered, so the buffer holds duplicates of a picture in different views.
It keeps the weak view as it was shown (uint8, before normalisation), and replays it without a new augmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sedna.algorithms.continual.data.images import ImageSet, Pixels
from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import Rows, image_columns, sample_id
from sedna.algorithms.continual.memory.hierarchical import memory_columns
from sedna.algorithms.continual.methods.base import (
    BaseLearningMethod,
    MemoryUse,
    MethodOptions,
    State,
    to_arrays,
    to_tensors,
)
from sedna.algorithms.continual.methods.workbench import Workbench

_BATCH = 64


class ReplayMethod(BaseLearningMethod):
    """Base of the methods with one buffer in memory."""

    NEEDS_MEMORY = True
    STORES_LOGITS: ClassVar[bool] = False

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        shape = bench.image_shape
        columns = memory_columns(shape, bench.num_classes) if self.STORES_LOGITS else image_columns(shape)
        memory = bench.memory
        self.buffer = ReplayBuffer(memory.capacity, columns, policy=memory.policy, seed=bench.seed, purpose="replay")

    def draw(self, batch: TrainBatch, purpose: str) -> Rows:
        """A minibatch of stored records."""
        return self.buffer.draw(self.bench.memory.minibatch, batch.generator(purpose))

    def replayed(self, rows: Rows) -> Tensor:
        """Stored views, normalised."""
        return self.bench.pipeline.normalise(rows["image"])

    def shown(self, batch: TrainBatch) -> Pixels:
        """What the buffer keeps of the labelled pictures of an iteration: the weak views, as they were shown."""
        return batch.weak_images

    def store(self, batch: TrainBatch, logits_BC: Tensor | None = None) -> None:
        """Offer the labelled pictures of an iteration, with this iteration's logits if the method stores them."""
        rows: Rows = {
            "image": self.shown(batch),
            "label": batch.y_B.cpu().numpy(),
            "task": np.full(len(batch.y_B), batch.task_id),
            "id": np.asarray([sample_id(batch.task_id, int(index)) for index in batch.index_B]),
        }
        if self.STORES_LOGITS:
            assert logits_BC is not None
            # Main memory: thousands of records must not crowd a GPU.
            rows["logits"] = logits_BC.detach().cpu().numpy()
        self.buffer.offer_all(rows)

    def remember(self, images: ImageSet, first_index: int) -> None:
        """See `BaseLearningMethod`; the logits are those of the network now."""
        self.set_mode(training=False)
        with torch.no_grad():
            for start in range(0, len(images), _BATCH):
                pictures = images.x_NCHW[start : start + _BATCH]
                count = len(pictures)
                rows: Rows = {
                    "image": pictures,
                    "label": images.y_N[start : start + _BATCH],
                    # The round of a job is its only task, 0: what it remembers is masked with it.
                    "task": np.zeros(count, np.int64),
                    "id": np.arange(count) + first_index + start,
                }
                if self.STORES_LOGITS:
                    rows["logits"] = self.forward(self.bench.pipeline.normalise(pictures)).cpu().numpy()
                self.buffer.offer_all(rows)

    def memory_use(self) -> MemoryUse:
        """The buffer."""
        return MemoryUse(memory=self.buffer.nbytes)

    def state(self) -> State:
        """Network and buffer."""
        return super().state() | to_tensors(self.buffer.state(), "buffer.")

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        super().load_state(state)
        self.buffer.load_state(to_arrays(state, "buffer."))
