"""Random values of a graph, computed with PyTorch operations.

Words of 32 bits are kept in int64 tensors, which every device has.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from throughtime.graph.nodes import Node
from throughtime.graph.random_values import BITS, Draw, draw_of
from throughtime.graph.threefry import block_key, threefry

ALL_BITS = 0xFFFFFFFF


class TensorWords:
    """Words in int64 tensors on one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def number(self, value: int) -> Tensor:
        return torch.tensor(value, dtype=torch.int64, device=self.device)

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        return (left + right) & ALL_BITS

    def xor(self, left: Tensor, right: Tensor) -> Tensor:
        return left ^ right

    def rotate(self, word: Tensor, bits: int) -> Tensor:
        return ((word << bits) | (word >> (32 - bits))) & ALL_BITS


def whole_numbers(key: Tensor, block: int, counter: tuple[Tensor, Tensor]) -> Tensor:
    """Both words of a block at a counter, ``(2, …)``, 24 bits of each.

    Parameters
    ----------
    key
        That of the call, ``(1,)`` int64.
    block
        Of which streams.
    counter
        Units and rows, of shapes that broadcast.
    """
    words = TensorWords(key.device)
    whole = key & ALL_BITS, (key >> 32) & ALL_BITS
    found = threefry(words, block_key(words, whole, block), counter)
    return torch.stack(torch.broadcast_tensors(*found)) >> (32 - BITS)


def normal(first: Tensor, second: Tensor, std: float, like: Tensor) -> Tensor:
    """Normal numbers, each made of two whole ones below 2²⁴ (Box & Muller 1958).

    One gives a radius, the other an angle; ``like`` gives the dtype.
    """
    wide = torch.promote_types(like.dtype, torch.float32)  # holds each of them
    scale = 2.0**-BITS
    radius = torch.sqrt(-2 * torch.log((first + 1).to(wide) * scale))
    angle = second.to(wide) * (scale * 2 * math.pi)
    return (radius * torch.cos(angle) * std).to(like.dtype)


def drawn(
    nodes: Sequence[Node],
    key: Tensor | None,
    counts: Sequence[int],
    like: Tensor,
    first: int = 0,
) -> dict[int, Tensor]:
    """Values of all random nodes: ``(N, n)`` of a step, else of their own shape.

    Parameters
    ----------
    nodes
        Of a graph.
    key
        That of the call, ``(1,)`` int64; None where nothing is drawn.
    counts
        Sequences alive at each step; N is their sum.
    like
        Gives dtype and device.
    first
        The number of the first row.
    """
    found: dict[int, Tensor] = {}
    for index, node in enumerate(nodes):
        if node.family == "random":
            assert key is not None, "a step that draws needs a key"
            found[index] = _drawn(node, key, counts, like, first)
    return found


def _drawn(
    node: Node, key: Tensor, counts: Sequence[int], like: Tensor, first: int
) -> Tensor:
    draw = draw_of(node)
    words = whole_numbers(
        key, draw.block, _counter(node, draw, counts, first, like.device)
    )
    if node.operation == "mask":
        numbers = (words[draw.word] >= draw.threshold).to(like.dtype)
    else:
        numbers = normal(words[0], words[1], draw.amount, like)
    return numbers.view(node.shape) if draw.period == "call" else numbers


def _counter(
    node: Node,
    draw: Draw,
    counts: Sequence[int],
    first: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Unit and row of every number."""
    if draw.period == "call":
        rows = torch.arange(1 if len(node.shape) == 1 else node.size)
    elif draw.period == "step":
        rows = torch.arange(sum(counts)) + first
    else:
        steps = [torch.arange(count) for count in counts]
        rows = torch.cat(steps) if steps else torch.arange(0)
    units = torch.arange(node.shape[-1]) + draw.first
    return units.to(device), rows.to(device)[:, None]
