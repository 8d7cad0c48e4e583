"""Which features a model still looks at: those that L1 has left a weight."""

from typing import NamedTuple

import torch

from throughtime.train.descent.penalties import weights_of_input
from throughtime.train.model import Model


class Survivors(NamedTuple):
    """What is left of the features of a model, or of its items.

    Parameters
    ----------
    count, total
        How many have a weight that is not 0, and how many there are.
    strongest
        The names of some of them, those with the largest weights first, and the
        Euclidean norm of the weights of each.
    """

    count: int
    total: int
    strongest: list[tuple[str, float]]


@torch.no_grad()
def survivors(model: Model, most: int = 8) -> Survivors | None:
    """Say which features of a model have weights.

    Parameters
    ----------
    model
        The model.
    most
        How many of the strongest are named.

    Returns
    -------
    Survivors or None
        None: no weights of the network belong to a feature each.
    """
    network, sparse = model.recurrent, model.recurrent.sparse_input
    matrices = weights_of_input(network)
    if not matrices:
        return None
    found = [
        torch.linalg.vector_norm(one, dim=int(sparse), dtype=torch.float64)
        for one in matrices
    ]
    norms = torch.stack(found).norm(dim=0)
    if sparse:
        names = model.schema.items[0].categories
    else:
        names, norms = _by_column(model.columns.channels, norms)
    best = norms.argsort(descending=True, stable=True)[:most].tolist()
    strongest = [(names[place], norms[place].item()) for place in best if norms[place]]
    return Survivors(int(norms.count_nonzero()), len(names), strongest)


def _by_column(
    channels: list[str], norms: torch.Tensor
) -> tuple[tuple[str, ...], torch.Tensor]:
    """Join the channels of each column."""
    names = tuple(dict.fromkeys(channels))
    places = torch.tensor([names.index(name) for name in channels])
    squares = norms.new_zeros(len(names)).index_add(0, places, norms.cpu().square())
    return names, squares.sqrt()
