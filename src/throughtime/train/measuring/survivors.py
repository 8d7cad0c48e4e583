"""Which items a model still looks at: those that L1 has left a weight."""

from typing import NamedTuple

import torch

from throughtime.train.model import Model


class Survivors(NamedTuple):
    """What is left of the d items of a model.

    Parameters
    ----------
    count, total
        How many have a weight that is not 0, and d.
    strongest
        The names of some of them, those with the largest weights first, and the
        Euclidean norm of the weights of each.
    """

    count: int
    total: int
    strongest: list[tuple[str, float]]


@torch.no_grad()
def survivors(model: Model, most: int = 8) -> Survivors | None:
    """Say which items of a model have weights; None: its steps name none.

    Parameters
    ----------
    model
        The model.
    most
        How many of the strongest are named.
    """
    network = model.network
    if not network.sparse_input:
        return None
    tables = [getattr(network, name) for name in network.tables]
    norms = torch.stack([table.double().norm(dim=1) for table in tables]).norm(dim=0)
    names = model.schema.items[0].categories
    best = norms.argsort(descending=True, stable=True)[:most].tolist()
    strongest = [(names[k], norms[k].item()) for k in best if norms[k]]
    return Survivors(int(norms.count_nonzero()), len(names), strongest)
