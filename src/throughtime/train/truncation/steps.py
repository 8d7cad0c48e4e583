"""Steps of a stream that were read and are still needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from throughtime.data.stream_batches import Chunk
from throughtime.errors import BadChunk


@dataclass(frozen=True, eq=False)
class Steps:
    """T steps of B rows.

    `inputs` and `targets` are `(T, B, …)`; `living` `(T, B)` says which steps there
    are, `resets` `(T, B)` at which of them a new sequence begins.
    """

    inputs: Tensor
    living: Tensor
    resets: Tensor
    targets: Tensor | None = None

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        """The steps of a chunk, if its parts fit together."""
        if chunk.inputs.dim() < 2:
            raise _refusal("inputs", chunk.inputs.shape, "(T, B, …)")
        steps, rows = chunk.inputs.shape[:2]
        device = chunk.inputs.device
        living = torch.ones(steps, rows, dtype=torch.bool, device=device)
        if chunk.lengths is not None:
            if chunk.lengths.shape != (rows,):
                raise _refusal("lengths", chunk.lengths.shape, (rows,))
            step = torch.arange(steps, device=device)[:, None]
            living = step < chunk.lengths.to(device)
        resets = torch.zeros_like(living)
        if chunk.resets is not None:
            if chunk.resets.shape != living.shape or chunk.resets.dtype != torch.bool:
                raise _refusal("resets", chunk.resets.shape, (steps, rows))
            resets = chunk.resets.to(device) & living
        if chunk.targets is not None and chunk.targets.shape[:2] != (steps, rows):
            raise _refusal("targets", chunk.targets.shape, f"({steps}, {rows}, …)")
        return cls(chunk.inputs, living, resets, chunk.targets)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def rows(self) -> int:
        """B."""
        return self.inputs.shape[1]

    @property
    def lengths(self) -> Tensor:
        """The number of living steps of each row, ``(B,)``."""
        return self.living.sum(0)

    def followed_by(self, other: Self) -> Self:
        """These and those, if each row goes on where it ended."""
        if not len(self):
            return other
        mine, theirs = _shapes(self), _shapes(other)
        if mine != theirs:
            raise _refusal("steps", theirs, mine)
        returned = other.living.any(0) & torch.logical_not(self.living[-1])
        if returned.any():
            raise BadChunk(
                given=f"steps of row {int(returned.nonzero()[0])}, which has ended",
                expected="none",
                advice="let the next sequence begin at the very next step, marked in "
                "resets, or call reset() before other rows",
            )
        targets = None
        if self.targets is not None and other.targets is not None:
            targets = torch.cat([self.targets, other.targets])
        return type(self)(
            torch.cat([self.inputs, other.inputs]),
            torch.cat([self.living, other.living]),
            torch.cat([self.resets, other.resets]),
            targets,
        )

    def part(self, first: int, last: int | None = None) -> Self:
        """The steps from `first` to before `last`."""
        own = slice(first, last)
        targets = None if self.targets is None else self.targets[own]
        return type(self)(self.inputs[own], self.living[own], self.resets[own], targets)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of what there is, by name."""
        return {n: v.clone() for n, v in vars(self).items() if v is not None}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], device: torch.device) -> Self:
        """What `state_dict` gave, on this device."""
        own = {name: value.to(device, copy=True) for name, value in state.items()}
        return cls(**own)


def _shapes(steps: Steps) -> tuple[object, ...]:
    """What does not change along a stream."""
    inputs = tuple(steps.inputs.shape[1:]), steps.inputs.dtype
    if steps.targets is None:
        return inputs
    return *inputs, tuple(steps.targets.shape[1:]), steps.targets.dtype


def _refusal(name: str, given: object, expected: object) -> BadChunk:
    shape = tuple(given) if isinstance(given, torch.Size) else given
    return BadChunk(
        given=f"{name} of shape {shape}",
        expected=expected,
        advice="give time first, and every chunk of a stream the same rows",
    )
