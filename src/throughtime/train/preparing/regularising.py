"""The regularisers of the engine, as a training is asked for them."""

from collections.abc import Mapping, Sequence

from throughtime.cells import DropConnect, KWinners, VariationalDropout, Zoneout
from throughtime.graph import Cell
from throughtime.train.asking.settings import Settings, check_choice

_PLACES = ("input", "hidden")


def regularised(cell: Cell, settings: Settings) -> Cell:
    """Wrap a cell as it is asked: weights are dropped, then vectors, then states.

    Winners are taken last: Zoneout mixes new states with old ones, whose winners are
    others.

    Raises
    ------
    CellError, UnknownChoice
        The cell has no such state or connection, a probability is none, or units
        are not so many.
    """
    if settings.drop_connect:
        cell = DropConnect(cell, settings.drop_connect)
    dropped = settings.variational_dropout
    if dropped is not None:
        chances = _each(dropped, _PLACES)
        for name in chances:
            check_choice("variational_dropout", name, _PLACES)
        cell = VariationalDropout(cell, **chances)
    if settings.zoneout is not None:
        chances = settings.zoneout
        named = isinstance(chances, Mapping)
        cell = Zoneout(cell, **chances) if named else Zoneout(cell, chances)
    if settings.k_winners is not None:
        cell = KWinners(cell, settings.k_winners)
    return cell


def _each(given: float | Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Give a probability to each name, where one is given for all."""
    if isinstance(given, Mapping):
        return dict(given)
    return dict.fromkeys(names, given)
