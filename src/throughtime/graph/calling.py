"""Calling a cell's ``step``: its arguments, and names that it has none of."""

import inspect
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from throughtime.errors import CellError
from throughtime.errors.base import did_you_mean
from throughtime.graph.declarations import Cell, declarations, removed
from throughtime.graph.values import Value


def call_step(cell: Cell, arguments: Mapping[str, Value], inputs: Sequence[str]) -> Any:
    """What ``step`` of a cell returns.

    Parameters
    ----------
    cell
        With a value in the place of each declared parameter.
    arguments
        ``x``, the states and the further inputs, in declared order.
    inputs
        Which of them are further inputs; these are given by name.

    Raises
    ------
    CellError
        ``step`` takes other arguments, or reads a name that the cell has not.
    """
    step: Any = cell.step  # type: ignore[attr-defined]
    positional = [name for name in arguments if name not in inputs]
    by_name = {name: arguments[name] for name in inputs}
    values = [arguments[name] for name in positional]
    signature = inspect.signature(step)
    try:
        signature.bind(*values, **by_name)
    except TypeError as error:
        expected = ", ".join([*positional, *inputs])
        gone = [name for name in removed(cell) if f"'{name}'" in str(error)]
        raise CellError(
            cell=type(cell).__name__,
            reason=f"step must take ({expected}): {error}"
            + (f"; the cell sets {gone[0]} = None, which removes it" if gone else ""),
        ) from None
    _check_order(cell, list(signature.parameters), positional)
    try:
        return step(*values, **by_name)
    except CellError:
        raise
    except (AttributeError, TypeError) as error:
        if isinstance(error, AttributeError) and error.obj is cell:
            raise _unknown_name(cell, error) from None
        if "NoneType" in str(error) and removed(cell):
            raise _of_removed(cell, error) from None
        raise


def _check_order(cell: Cell, taken: list[str], given: list[str]) -> None:
    """Refuse an argument that would be bound to the value of another name."""
    for name, value in zip(taken, given, strict=False):
        if name != value and name in given:
            raise CellError(
                cell=type(cell).__name__,
                reason=f"step takes ({', '.join(taken)}), the states were declared "
                f"{', '.join(given[1:])}, so {name} would be the value of {value}; "
                f"write step(self, {', '.join(given)}) and return the states in "
                "that order",
            )


def _place(error: Exception) -> str:
    """File and line at which it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _of_removed(cell: Cell, error: Exception) -> CellError:
    names = " and ".join(removed(cell))
    return CellError(
        cell=type(cell).__name__,
        reason=f"{_place(error)}: {error}; the cell sets {names} to None, which "
        "removes the declaration: write a step that does without, or leave it",
    )


def _unknown_name(cell: Cell, error: AttributeError) -> CellError:
    declared = list(declarations(cell))
    settings = [name for name in vars(cell) if name not in declared]
    missing = str(error.name)
    hint = did_you_mean(missing, [*declared, *settings])
    return CellError(
        cell=type(cell).__name__,
        reason=f"{_place(error)}: the cell has no {missing}{hint}; it declares "
        + (", ".join(declared) or "nothing"),
    )
