"""What estimators are made with: the settings of `fit`, under their own names.

They are read from `fit` itself, so that a new setting is one of the estimators', too.
"""

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any, Final

from throughtime.cells.built_in import BUILT_IN, built_in
from throughtime.errors import UnknownCell
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell
from throughtime.train import fit
from throughtime.train.asking.settings import Settings

# scikit-learn has its own name for it.
_ELSEWHERE: Final = {"seed"}

SETTINGS: Final[dict[str, Any]] = {
    name: parameter.default
    for name, parameter in inspect.signature(fit).parameters.items()
    if name in {setting.name for setting in fields(Settings)} - _ELSEWHERE
}
"""The settings of a training that an estimator takes, with their defaults."""

COMMON: Final[dict[str, Any]] = {
    "inputs": None,
    "missing": "error",
    "validation": 0.1,
    "random_state": None,
    "out": None,
    "quiet": True,
}
"""What every estimator takes beside them."""


def parameters(
    *, without: Collection[str] = (), **own: Any
) -> Callable[[type[Any]], type[Any]]:
    """Give a class the constructor that scikit-learn expects of an estimator.

    It stores what it is given under the same names, and does nothing else.

    Parameters
    ----------
    without
        Common parameters that this class has no use for.
    **own
        Parameters of this class alone, with their defaults.
    """
    common = {name: value for name, value in COMMON.items() if name not in without}
    defaults = {"cell": "lstm", **SETTINGS, **own, **common}
    kinds = {"cell": Parameter.POSITIONAL_OR_KEYWORD}
    signature = Signature(
        [
            Parameter("self", Parameter.POSITIONAL_OR_KEYWORD),
            *(
                Parameter(name, kinds.get(name, Parameter.KEYWORD_ONLY), default=value)
                for name, value in defaults.items()
            ),
        ]
    )

    def store(self: Any, *args: Any, **given: Any) -> None:
        bound = signature.bind(self, *args, **given)
        bound.apply_defaults()
        for name in defaults:
            setattr(self, name, bound.arguments[name])

    def give(kind: type[Any]) -> type[Any]:
        init: Any = functools.update_wrapper(store, kind.__init__)
        init.__signature__ = signature
        kind.__init__ = init
        return kind

    return give


def cell_of(given: str | Cell) -> Cell:
    """Return the cell that a parameter says.

    Raises
    ------
    UnknownCell
        It is no name of a built-in cell.
    """
    if not isinstance(given, str):
        return given  # what is no cell is refused as everywhere
    cell = built_in(given)
    if cell is None:
        raise UnknownCell(
            given=given, hint=did_you_mean(given, BUILT_IN), known=", ".join(BUILT_IN)
        )
    return cell
