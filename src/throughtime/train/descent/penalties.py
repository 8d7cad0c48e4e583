"""Which weights the penalties l1 and l2 are of: those that read the input."""

from itertools import islice

from torch import nn

from throughtime.errors import UnusedSetting
from throughtime.graph.input_products import input_matrices
from throughtime.nn import Recurrent


def weights_of_input(network: Recurrent) -> list[nn.Parameter]:
    """Give the weights by which the first layer multiplies x, of all directions.

    They have a column for each feature, or a row where the input is sparse. What makes
    x, such as an embedding, is not among them.
    """
    if network.sparse_input:
        return [network.get_parameter(name) for name in network.tables]
    names = input_matrices(network.graphs[0])
    first = islice(network.weights(), network.directions)
    found = [weights[name] for _, weights in first for name in names]
    return [one for one in found if isinstance(one, nn.Parameter)]


def check_penalties(network: Recurrent, l1: float | None, l2: float | None) -> None:
    """Refuse penalties of weights that a network does not have.

    Raises
    ------
    UnusedSetting
        The message names it.
    """
    for argument, given in (("l1", l1), ("l2", l2)):
        if given and not weights_of_input(network):
            cell = network.graphs[0].cell
            reason = f"{cell}, where no matrix of a column for each feature reads x"
            raise UnusedSetting(argument=argument, given=given, reason=reason)
