"""Several processes that train one model, each on its share of every batch, to the result of a single process.

Every process draws the same batch from the same seed and takes a share of its rows; what is computed on shares is put
together again so that losses, statistics and gradients are those of the whole batch. Two ways lead there:

- `Group.split` forwards the own rows and gathers the outputs of all. The loss over them is the whole one in every
  process, whatever it is made of.
- A loss that is summed over rows is computed on the own rows alone, divided by `Group.total` of what it is divided by.

Either way ``average_gradients`` gives the gradient of the whole batch; with shares of n_r rows it is what averaging the
gradients of the shares' means by n_r gives. Batch norm measures all shares together, see `sync_norm`.

Equal up to rounding: sums are taken in another order. A group of one does nothing, and changes no bit.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sedna.algorithms.training.mirror import receive_folder, send_folder
from sedna.common.errors import ConflictError, LinkUnavailableError
from sedna.common.process_rank import ALONE, GROUP_DIR, ProcessRank

if TYPE_CHECKING:
    from torch import distributed

__all__ = ["SINGLE", "Group", "GroupLostError"]

_Value = TypeVar("_Value")


class GroupLostError(LinkUnavailableError):
    """Another process of the group is gone, or does not answer any more."""


class Group:
    """The processes of one training, as one of them sees them; made by `process_group.joined`.

    Every method but `part` and `threads` is called by all processes in the same order.

    Raises (all of these):
        GroupLostError: another process has ended.
    """

    def __init__(self, place: ProcessRank = ALONE, device: torch.device | None = None) -> None:
        self.place = place
        self.device = device or torch.device("cpu")
        self.splitting = False
        """Whether a forward pass over shares is under way, so that batch norm has to measure all of them."""
        self.idle = False
        """Whether what this process forwards counts for nothing."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self  # copies of a network belong to the same processes

    @property
    def rank(self) -> int:
        """Of this process, from 0."""
        return self.place.rank

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.place.size

    @property
    def is_leader(self) -> bool:
        """Whether this is the process that decides, reports and writes."""
        return self.place.is_leader

    def part(self, count: int, rank: int | None = None) -> slice:
        """The rows of ``count`` that a process takes, by default this one. Shares differ by one row at most, and are
        empty where there are fewer rows than processes."""
        rank = self.rank if rank is None else rank
        return slice(count * rank // self.size, count * (rank + 1) // self.size)

    def threads(self, count: int) -> int:
        """CPU threads of this process where the configuration allows ``count`` on a machine; 0 stays 0."""
        return max(1, count // self.place.local_size) if count else 0

    def split(self, network: Callable[[Tensor], Tensor], x_B: Tensor) -> Tensor:
        """``network(x_B)``, computed by all processes together; gradients flow into the own rows.

        Follow it with `average_gradients`.
        """
        if self.size == 1:
            return network(x_B)
        part = self.part(len(x_B))
        self.idle = part.start == part.stop
        with self.measuring():
            # Without a row of its own a process goes along with one of another's, which counts for nothing: not every
            # layer takes a batch of none.
            own = network(x_B[:1])[:0] if self.idle else network(x_B[part])
        return _GatherRows.apply(own.float(), len(x_B), self)  # type: ignore[no-any-return]

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Within the block forward passes are over shares, and batch norm measures all of them together."""
        before, self.splitting = self.splitting, self.size > 1
        try:
            yield
        finally:
            self.splitting = before

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes. All must have gradients of the same parameters."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        # One message: a network has hundreds of tensors, and each message waits for all processes.
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        with self._collective() as messages:
            messages.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def total(self, number: float) -> float:
        """The sum of a number over all processes, the same bits in each."""
        if self.size == 1:
            return number
        own = torch.tensor([number], dtype=torch.float64, device=self.device)
        return float(sum(float(one) for one in self.gather(own)))

    def gather(self, own: Tensor) -> list[Tensor]:
        """The tensors of all processes, which have one shape, in the order of ranks. Without gradients."""
        if self.size == 1:
            return [own]
        found = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with self._collective() as messages:
            messages.all_gather(found, own.contiguous())
        return found

    def gather_rows(self, own: Tensor, count: int) -> Tensor:
        """All ``count`` rows, of which each process has its `part`. Without gradients."""
        if self.size == 1:
            return own
        longest = -(-count // self.size)
        padded = own.new_zeros((longest, *own.shape[1:]))
        padded[: len(own)] = own
        found = self.gather(padded)
        parts = [self.part(count, rank) for rank in range(self.size)]
        return torch.cat([rows[: part.stop - part.start] for rows, part in zip(found, parts, strict=True)])

    def gather_pixels(self, own: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
        """`gather_rows` of pictures in main memory."""
        if self.size == 1:
            return own
        rows = torch.from_numpy(np.ascontiguousarray(own)).to(self.device)
        return np.asarray(self.gather_rows(rows, count).cpu().numpy(), dtype=np.uint8)

    def from_leader(self, make: Callable[[], _Value]) -> _Value:
        """What the leader's ``make`` answers, for all; the others do not call theirs. It must have a JSON form."""
        if self.size == 1:
            return make()
        data = self.broadcast(json.dumps(make()).encode() if self.is_leader else b"")
        value: _Value = json.loads(data)
        return value

    def require_equal(self, value: str, what: str) -> None:
        """Refuse to train on when the processes differ in something.

        Raises:
            ConflictError: they do.
        """
        # All ask all: a process that went on alone would wait for those that stop here.
        if self.total(self.from_leader(lambda: value) != value) == 0:
            return
        raise ConflictError(
            f"the processes of this training differ in {what}", where=f"process {self.rank} of {self.size}",
            hint="the same data, configuration and base model for each of them",
        )  # fmt: skip

    def broadcast(self, data: bytes) -> bytes:
        """The leader's bytes, for all."""
        if self.size == 1:
            return data
        length = torch.tensor([len(data)], dtype=torch.int64, device=self.device)
        with self._collective() as messages:
            messages.broadcast(length, 0)
            content = torch.empty(int(length), dtype=torch.uint8, device=self.device)
            if self.is_leader and data:
                content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
            if len(content):
                messages.broadcast(content, 0)
        return content.cpu().numpy().tobytes()

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.total(0)

    @contextmanager
    def folder(self, path: Path) -> Iterator[Path]:
        """A folder in which this process works as if it were alone: the leader in ``path`` itself, the others in
        copies of it as it is now, which are deleted afterwards. Only what the leader writes stays."""
        if self.size == 1:
            yield path
            return
        if self.is_leader:
            send_folder(path, self.broadcast)
            yield path
            return
        place = os.environ.get(GROUP_DIR)
        if place is None or not Path(place).is_dir():  # who started this process made none
            place = None
        with tempfile.TemporaryDirectory(prefix=f"rank-{self.rank}-", dir=place) as own:
            receive_folder(Path(own), lambda: self.broadcast(b""))
            yield Path(own)

    @contextmanager
    def _collective(self) -> Iterator[distributed]:  # type: ignore[valid-type]
        """The messages of torch, with what they raise as our error."""
        from torch import distributed

        try:
            yield distributed
        except RuntimeError as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise GroupLostError(
                f"another process of this training is gone: {said}", where=f"process {self.rank} of {self.size}"
            ) from error


SINGLE = Group()
"""The group of a process that trains alone."""


class _GatherRows(torch.autograd.Function):
    """Outputs of all processes; backwards the gradient of the own rows."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, count: int, group: Group) -> Tensor:
        ctx.group, ctx.part = group, group.part(count)
        return group.gather_rows(own, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # Times the size, because `average_gradients` divides by it: a loss that every process computes in whole from
        # its own copy of the weights, such as a penalty on them, then counts once and not once a process.
        return gradients[0][ctx.part] * ctx.group.size, None, None
