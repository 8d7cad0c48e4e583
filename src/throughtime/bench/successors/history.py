"""What convolution and attention share: they read a history, and carry no state.

A recurrent network holds what it has read in a state of fixed size. Its successors look
at the inputs again, up to so many steps back. So what a call hands to the next are the
last inputs of each row, and how many there are: with them long texts can be answered
stretch by stretch, and every answer sees its history. While it learns, nothing is
handed on: each stretch begins anew.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class History(nn.Module, ABC):
    """Layers that look at inputs again, up to `reach` steps back.

    Parameters
    ----------
    input_size
        F, with all further inputs.
    output_size
        H.
    reach
        How many inputs of each row are handed on to the next call.
    """

    directions = 1
    leaves_zeros = False
    state_names = ("inputs", "counts")

    def __init__(self, input_size: int, output_size: int, reach: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.reach = input_size, output_size, reach

    def forward(
        self,
        input: Tensor,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
        return_layers: bool = False,
        **inputs: Tensor,
    ) -> tuple[Any, ...]:
        """Run over whole sequences, or over a stretch behind what is known of it.

        Parameters
        ----------
        input
            ``(T, B, F)``.
        state
            What an earlier call returned; None or nothing in it: sequences begin.
        lengths
            ``(B,)``, the steps that count; None: all. What lies behind is not read;
            there the output is 0.
        return_layers
            Whether to give the output of every layer as well.
        **inputs
            Further inputs ``(T, B, n)``, read beside `input` in the order of their
            names.

        Returns
        -------
        output : torch.Tensor
            ``(T, B, H)``.
        state : tuple of torch.Tensor
            The last inputs of each row, ``(n, B, F)``, and how many there are,
            ``(B,)``; empty while it learns.
        layers : tuple of torch.Tensor
            With ``return_layers``: ``(T, B, H)`` each, 0 behind a sequence's end.
        """
        x = torch.cat([input, *(inputs[name] for name in sorted(inputs))], -1)
        steps, rows = x.shape[:2]
        if lengths is None:
            lengths = torch.full((rows,), steps)
        lengths = lengths.to(x.device)
        known = lengths.new_zeros(rows)
        if state:
            x, known = _behind(x, state[0], state[1].to(x.device))
        if not len(x):  # layers need a step
            x = x.new_zeros(1, rows, x.shape[2])
        x, lengths = zeroed(x, known + lengths), known + lengths
        found = [_from(layer, known, steps) for layer in self.layers(x, lengths)]
        after = () if self.training else self._last(x, lengths)
        if return_layers:
            return found[-1], after, tuple(found)
        return found[-1], after

    @abstractmethod
    def layers(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """Give the output ``(T, B, H)`` of each layer, 0 behind a sequence's end.

        Of ``(T, B, F)`` there are ``(B,)`` steps that count; all others are 0.
        """

    def _last(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        counts = lengths.clamp(max=self.reach)
        most = int(counts.max()) if len(counts) else 0
        return _from(x, lengths - counts, most), counts


def zeroed(values: Tensor, lengths: Tensor) -> Tensor:
    """Put 0, also for NaN, behind the end of each row of ``(T, B, n)``."""
    step = torch.arange(len(values), device=values.device)[:, None]
    return values.where((step < lengths)[..., None], 0)


def _behind(x: Tensor, before: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Put the steps ``(T, B, F)`` of each row right behind those known of it."""
    step = torch.arange(len(before) + len(x), device=x.device)[:, None]
    # Where a row knows less than others, its own steps begin earlier.
    place = torch.where(step < counts, step, step - counts + len(before))
    place = place.clamp(max=len(step) - 1)[..., None]
    joined = torch.cat([before.to(x), x])
    return joined.gather(0, place.expand_as(joined)), counts


def _from(values: Tensor, first: Tensor, steps: int) -> Tensor:
    """Give so many steps of each row of ``(T, B, n)``, from its own first one."""
    if not first.any() and steps == len(values):
        return values
    place = torch.arange(steps, device=values.device)[:, None] + first
    place = place.clamp(max=max(len(values) - 1, 0))[..., None]
    return values.gather(0, place.expand(-1, -1, values.shape[-1]))
