"""What a process knows of those that train one model with it, and asks of them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from throughtime.errors import NotShared, RankLost, RanksDiffer, ThroughtimeError
from throughtime.optim.rows import in_order
from throughtime.train.asking.ranges import LARGEST_SEED
from throughtime.train.asking.settings import Settings

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """A process among those of a training; by default the only one.

    Whoever is alone pays nothing: no method sends anything. All others call each method
    at the same point of the training.

    Parameters
    ----------
    rank
        Which process this is, from 0. The first one alone writes and speaks.
    world
        How many there are.
    on_machine
        How many of them are on this machine.
    group
        What `torch.distributed` knows them by.
    """

    rank: int = 0
    world: int = 1
    on_machine: int = 1
    group: Any = None

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.world == 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and speaks."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """The rows of a batch that are this rank's: every world-th one.

        Batches are ordered by length, so the shares are about equally long.
        """
        return slice(self.rank, None, self.world)

    def seed(self, seed: int) -> int:
        """Give each rank another seed: their masks shall not be the same."""
        return (seed + self.rank) % (LARGEST_SEED + 1)

    def threads(self) -> int:
        """Count the threads of this process, if nothing is said of them.

        The machine's are shared by its processes; `OMP_NUM_THREADS` is of one of them.
        """
        said = "OMP_NUM_THREADS" in os.environ
        return max(1, torch.get_num_threads() // (1 if said else self.on_machine))

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype by their sums over all ranks, in equal bits."""
        if self.alone:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._all():
            dist.all_reduce(flat, group=self.group)
        _fill(tensors, flat)

    @torch.no_grad()
    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors of one dtype by those of the first rank."""
        if self.alone:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._all():
            dist.broadcast(flat, 0, group=self.group)
        _fill(tensors, flat)

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Say of each flag whether any rank has set it."""
        if self.alone:
            return flags
        votes = torch.tensor(flags, dtype=torch.uint8)
        with self._all():
            dist.all_reduce(votes, dist.ReduceOp.MAX, group=self.group)
        return tuple(map(bool, votes.tolist()))

    def gather(self, value: Value) -> list[Value]:
        """Give every rank the values of all ranks, in their order."""
        found: list[Any] = [value] * self.world
        if not self.alone:
            with self._all():
                dist.all_gather_object(found, value, group=self.group)
        return found

    def gather_first(self, value: Value) -> list[Value]:
        """Give the first rank the values of all ranks; the others an empty list."""
        if self.alone:
            return [value]
        found: list[Any] = [None] * self.world if self.first else []
        with self._all():
            dist.gather_object(value, found if self.first else None, 0, self.group)
        return found

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Let the first rank make a value for all; its mistakes are those of all."""
        if self.alone:
            return make()
        made: list[Any] = [None]
        if self.first:
            try:
                made = [make()]
            except ThroughtimeError as error:
                made = [_Mistake(error)]
        with self._all():
            dist.broadcast_object_list(made, 0, group=self.group)
        if isinstance(made[0], _Mistake):
            raise made[0].error
        return made[0]

    def check_same(self, what: str, value: object) -> None:
        """Refuse to train together with ranks that were told something else.

        Raises
        ------
        RanksDiffer
            The value of another rank is not that of the first.
        """
        found = self.gather(value)
        for rank, other in enumerate(found):
            if other != found[0]:
                raise RanksDiffer(what=what, rank=rank)

    def check(self, settings: Settings) -> None:
        """Refuse what several processes cannot do.

        Raises
        ------
        NotShared
            The message names it.
        """
        if settings.batch_size < self.world:
            raise NotShared(
                argument="batch_size",
                given=settings.batch_size,
                world=self.world,
                expected="a sequence or stream for each of them",
            )
        if settings.tbptt == "auto" and not self.alone:
            raise NotShared(
                argument="tbptt",
                given=settings.tbptt,
                world=self.world,
                expected="one that does not depend on the rows, such as '10:30'",
            )

    @contextmanager
    def _all(self) -> Iterator[None]:
        """Turn the failure of a meeting into the sentence that a rank is lost."""
        try:
            yield
        except RuntimeError as error:
            raise lost(self.world, error) from error


ALONE: Final = Ranks()


@dataclass(frozen=True)
class _Mistake:
    """What the first rank could not make, on its way to the others."""

    error: ThroughtimeError


def share_gradient(
    ranks: Ranks,
    parameters: Iterable[Tensor],
    loss: Tensor,
    count: Tensor,
    tables: Sequence[Tensor] = (),
) -> Tensor:
    """Make gradients those of the mean loss over the answers of all ranks.

    Parameters
    ----------
    ranks
        All of them.
    parameters
        With the gradients of the sum of this rank's losses.
    loss, count
        The mean of this rank's losses, and of how many answers.
    tables
        Those of the parameters whose gradients are of some rows alone, of each rank its
        own; they become those of the rows of all.

    Returns
    -------
    torch.Tensor
        The mean loss of all.
    """
    learned = [weight for weight in parameters if weight.requires_grad]
    of_rows = [_add_up_rows(ranks, one) for one in tables if one.requires_grad]
    learned = [one for one in learned if not any(one is other for other in tables)]
    for weight in learned:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    gradients = [weight.grad for weight in learned if weight.grad is not None]
    total = torch.stack([loss.detach() * count, count.to(loss)])
    ranks.add_up([*gradients, total])
    answers = total[1].clamp(min=1)
    for gradient in [*gradients, *of_rows]:
        gradient /= answers
    return total[0] / answers


def _add_up_rows(ranks: Ranks, table: Tensor) -> Tensor:
    """Replace a gradient of some rows by its sum over all ranks; give its values."""
    rows, values = torch.empty(0, dtype=torch.int64), table[:0].detach()
    if table.grad is not None:
        gradient = in_order(table.grad)
        rows, values = gradient._indices()[0], gradient._values()
    found = ranks.gather((rows.cpu(), values.cpu()))
    every = [rows for rows, _ in found]
    named, places = torch.unique(torch.cat(every), return_inverse=True)
    added = torch.zeros(len(named), *values.shape[1:], dtype=values.dtype)
    # Rank by rank, each of whose rows are different ones: in equal bits everywhere.
    for (_, own), place in zip(found, places.split(list(map(len, every))), strict=True):
        added.index_add_(0, place, own)
    added = added.to(table.device)
    table.grad = torch.sparse_coo_tensor(
        named[None].to(table.device),
        added,
        table.shape,
        is_coalesced=True,
        check_invariants=False,
    )
    return table.grad._values()


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def lost(world: int, error: Exception) -> RankLost:
    """Say in one sentence what PyTorch said of the others."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    line = re.sub(r"^\[\S+\] ", "", line)  # where in its source PyTorch found it
    return RankLost(world=world, reason=line.partition(". ")[0].rstrip("."))
