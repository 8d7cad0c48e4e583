"""A stream with everything in it, and the gradient that a loop over its steps has."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import throughtime as tt
from tests.facts.judges import draw
from throughtime.data.stream_batches import Chunk
from throughtime.train.truncation import Truncation

F, H = 3, 5


def build(backend: str = "auto", cell: Any = None, layers: int = 2) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    cell = tt.cells.LSTM() if cell is None else cell
    return tt.nn.Recurrent(cell, F, H, layers, backend=backend, dtype=torch.float64)


def stream(steps: int, rows: int = 4, *, seed: int = 0, marks: float = 0.04) -> Chunk:
    """Ragged, with resets: the first row has all steps, the second none at all."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, steps + 1, (rows,), generator=generator)
    lengths[0] = steps
    if rows > 1:
        lengths[1] = 0
    resets = torch.rand(steps, rows, generator=generator) < marks
    x, y = draw(steps, rows, F, seed=seed), draw(steps, rows, H, seed=seed + 1)
    behind = torch.arange(steps)[:, None] >= lengths
    x[behind] = torch.nan
    return Chunk(x, y, lengths, resets)


def losses(output: Tensor, targets: Tensor | None) -> Tensor:
    assert targets is not None
    return (output - targets).square().sum(-1) / 2


def gradients(truncation: Truncation, chunks: Any) -> list[Tensor]:
    """Added up over all windows, weights frozen."""
    parameters = list(truncation.module.parameters())
    total = [torch.zeros_like(one) for one in parameters]
    for window in truncation.windows(chunks):
        loss = window.sum(losses(window.run(), window.targets))
        for own, slope in zip(
            total, torch.autograd.grad(loss, parameters), strict=True
        ):
            own += slope
    return total


def whole_gradients(module: tt.nn.Recurrent, chunk: Chunk) -> list[Tensor]:
    """Of the whole stream, in one call."""
    output, _ = module(chunk.inputs, lengths=chunk.lengths, resets=chunk.resets)
    assert chunk.lengths is not None
    living = torch.arange(len(chunk.inputs))[:, None] < chunk.lengths
    loss = losses(output, chunk.targets)[living].sum()
    return list(torch.autograd.grad(loss, list(module.parameters())))


def capped_gradients(
    module: tt.nn.Recurrent, chunk: Chunk, k1: int, k2: int
) -> list[Tensor]:
    """By definition, for weights that stay: each loss through a loop of its own.

    The loss of a step in a window that ends with step e flows back to step e − k2.
    """
    parameters = list(module.parameters())
    total = [torch.zeros_like(one) for one in parameters]
    steps = len(chunk.inputs)
    assert chunk.lengths is not None
    assert chunk.resets is not None
    assert chunk.targets is not None
    for row in range(chunk.inputs.shape[1]):
        length = int(chunk.lengths[row])
        for step in range(length):
            end = min(step - step % k1 + k1, steps)
            first = max(end - k2, 0) if k2 > k1 else step - step % k1
            state: Any = None
            for t in range(step + 1):
                if t == first and state is not None:
                    state = tuple(value.detach() for value in state)
                if chunk.resets[t, row]:
                    state = None
                output, state = module.step(chunk.inputs[t, row][None], state)
            loss = losses(output, chunk.targets[step, row][None]).sum()
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            for own, slope in zip(total, found, strict=True):
                own += 0 if slope is None else slope
    return total


def cut(chunk: Chunk, sizes: Sequence[int]) -> list[Chunk]:
    """The same stream in pieces of these steps."""
    pieces, first = [], 0
    assert chunk.lengths is not None
    assert chunk.resets is not None
    assert chunk.targets is not None
    for size in sizes:
        own = slice(first, first + size)
        lengths = (chunk.lengths - first).clamp(0, size)
        pieces.append(
            Chunk(chunk.inputs[own], chunk.targets[own], lengths, chunk.resets[own])
        )
        first += size
    assert first == len(chunk.inputs)
    return pieces
