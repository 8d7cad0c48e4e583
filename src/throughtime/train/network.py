"""What a model needs of the network between its reader and its head."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Network(Protocol):
    """Layers that read sequences: `Recurrent`, or what stands in its place."""

    @property
    def directions(self) -> int:
        """D: 2 where the output needs steps to come, else 1."""

    @property
    def output_size(self) -> int:
        """Count the units of a direction."""

    @property
    def leaves_zeros(self) -> bool:
        """Say whether many of the units are exactly 0."""

    @property
    def state_names(self) -> Sequence[str]:
        """Name what one call hands on to the next; empty: it remembers no step."""

    @property
    def __call__(self) -> Callable[..., tuple[Any, ...]]:
        """Run, as `Recurrent.forward` does, with ``lengths`` and ``return_layers``.

        The answer is ``(T, B, D·H)``, the state, a sequence of tensors, and if asked
        for the output of each layer. Output behind a sequence's end is 0.
        """
