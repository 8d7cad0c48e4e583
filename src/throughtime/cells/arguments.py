"""Arguments of cells that are numbers."""

import math

from throughtime.errors import CellError


def check_number(
    cell: str,
    name: str,
    value: float,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Give a finite number back that lies between two others, else raise."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and above < value < below:
        return value
    bounds = [f"above {above:g}"] if above > -math.inf else []
    bounds += [f"below {below:g}"] if below < math.inf else []
    described = " ".join(["a finite number", " and ".join(bounds)]).rstrip()
    raise CellError(cell=cell, reason=f"{name} is {value!r}; it must be {described}")
