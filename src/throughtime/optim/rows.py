"""Which rows of a parameter something reads, or has a gradient for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from throughtime.errors.optim import UnsuitableGradient

_LOOKUPS = (nn.Embedding, nn.EmbeddingBag)


def rows_read(
    module: nn.Module, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """Give the rows of a parameter that a call of a module will read.

    Embeddings say it by their input. Any other module may say it by a method
    ``rows_read(name, *args, **kwargs)``, called with the name of the parameter and the
    arguments of the call.

    Returns
    -------
    Tensor | None
        Row numbers ``(n,)``, in any order and maybe repeated; None: nobody knows.
    """
    say = getattr(module, "rows_read", None)
    if say is not None:
        rows = say(name, *args, **kwargs)
    elif any(type(module).forward is kind.forward for kind in _LOOKUPS):
        rows = args[0] if args else kwargs.get("input")
    else:
        return None
    if not isinstance(rows, Tensor):
        return None
    return rows.detach().reshape(-1).to(torch.int64)


def gradient_rows(parameter: Tensor, name: str) -> tuple[Tensor | None, Tensor]:
    """Give the rows of a gradient and its values; None: all rows."""
    gradient = parameter.grad
    assert gradient is not None
    if gradient.layout == torch.strided:
        return None, gradient
    if gradient.layout != torch.sparse_coo or gradient.sparse_dim() != 1:
        layout, sparse = gradient.layout, gradient.sparse_dim()
        given = f"{layout}, sparse in {sparse} dimensions"
        raise UnsuitableGradient(parameter=name, given=given)
    gradient = in_order(gradient)
    return gradient._indices()[0], gradient._values()


def in_order(gradient: Tensor) -> Tensor:
    """Give a sparse gradient with its rows in order, each once."""
    rows = gradient._indices()[0]
    # Autograd forgets that rows were given so.
    if bool((rows[1:] > rows[:-1]).all()):
        return gradient
    return gradient.coalesce()
