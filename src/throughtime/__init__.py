"""Recurrent networks from the equations of one time step.

The rooms, each standing only on those to its right::

    cli > (report | bench) > serve > baselines > estimators > train
        > (diagnose | data | export) > optim > nn > (cells | backends)
        > math > graph > errors

This file only opens doors: it loads no torch until something needs it, and nobody
inside the package imports it. Start reading at `cells`, then `graph`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.graph import Cell, Input, Parameter, State
    from throughtime.nn import CarriedState, cite, convert, explain
    from throughtime.train import fit, load

    from . import (
        baselines,
        bench,
        cells,
        data,
        diagnose,
        errors,
        estimators,
        math,
        nn,
        optim,
        report,
        train,
    )

__all__ = [
    "CarriedState",
    "Cell",
    "Input",
    "Parameter",
    "State",
    "baselines",
    "bench",
    "cells",
    "cite",
    "convert",
    "data",
    "diagnose",
    "errors",
    "estimators",
    "explain",
    "fit",
    "load",
    "math",
    "nn",
    "optim",
    "report",
    "train",
]

# The room behind each name that is no room itself.
_ROOMS = {
    "CarriedState": "nn",
    "Cell": "graph",
    "Input": "graph",
    "Parameter": "graph",
    "State": "graph",
    "cite": "nn",
    "convert": "nn",
    "explain": "nn",
    "fit": "train",
    "load": "train",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = import_module(f"{__name__}.{_ROOMS.get(name, name)}")
    value = getattr(room, name) if name in _ROOMS else room
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
