"""How a parameter starts: the data of a declaration as torch's own draws."""

import math

import torch
from torch import Tensor
from torch.nn import init

from throughtime.errors import UnsuitableInitialisation
from throughtime.graph.nodes import ParameterDeclaration


def check_initialisation(declaration: ParameterDeclaration, cell: str) -> None:
    """Refuse a way to start that needs a matrix where there is a vector."""
    needs_matrix = declaration.init in {"fan_in", "orthogonal", "identity"}
    if needs_matrix and len(declaration.shape) != 2:
        raise UnsuitableInitialisation(
            cell=cell,
            name=declaration.name,
            init=declaration.init,
            shape=declaration.shape,
        )


@torch.no_grad()
def draw(
    parameter: Tensor, declaration: ParameterDeclaration, hidden_size: int
) -> None:
    """Fill a parameter with its first values, from torch's generator."""
    if not parameter.is_contiguous():
        # A seed gives the same, however the numbers lie in memory.
        first = torch.empty_like(parameter, memory_format=torch.contiguous_format)
        draw(first, declaration, hidden_size)
        parameter.copy_(first)
        return
    match declaration.init:
        case "uniform":
            bound = 1 / math.sqrt(hidden_size)
            init.uniform_(parameter, -bound, bound)
        case "fan_in":
            bound = 1 / math.sqrt(parameter.shape[1])
            init.uniform_(parameter, -bound, bound)
        case "orthogonal":
            init.orthogonal_(parameter)
        case "identity":
            init.eye_(parameter)
        case "zeros":
            init.zeros_(parameter)
        case number:
            init.constant_(parameter, float(number))
