"""Masks and noise of parameters: drawn once per call, before compiled code runs."""

import torch
from torch import Tensor

from throughtime.backends.reference.random_numbers import normal
from throughtime.graph.nodes import Node
from throughtime.graph.random_values import draw_of


def drawn_per_call(node: Node, key: Tensor, like: Tensor) -> Tensor:
    """The value of a random node that is made for parameters.

    Parameters
    ----------
    node
        Of the period ``"call"``.
    key
        That of the call, ``(1,)`` int64 on the CPU.
    like
        Gives the dtype.
    """
    # Needs llvmlite, which the other backends do without.
    from throughtime.backends.llvm.random_matrices import drawer

    made, draw = drawer(), draw_of(node)
    size = torch.Size(node.shape).numel()
    extent = (node.size if len(node.shape) == 2 else 1, node.shape[-1])
    address, stream = key.data_ptr(), (draw.block, draw.word)
    if node.operation == "mask":
        mask = torch.empty(size + made.padding, dtype=torch.float32)
        made.fill_mask(address, stream, draw.threshold, *extent, mask.data_ptr())
        return mask[:size].view(node.shape).to(like.dtype)
    words = torch.empty((2, size + made.padding), dtype=torch.int32)
    for word, out in enumerate(words):
        made.fill_words(address, (draw.block, word), *extent, out.data_ptr())
    numbers = words[:, :size].view(2, *node.shape)
    return normal(numbers[0], numbers[1], draw.amount, like)


def placed_key(key: Tensor, first: int) -> Tensor:
    """A call's key, and behind it the number of the first row that is computed."""
    return torch.cat([key, key.new_tensor([first])])
