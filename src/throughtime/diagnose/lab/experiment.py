"""What every experiment gives: a title, a sentence, a table, a picture, numbers."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from throughtime.errors import BadExperiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_STEPS = 2000
"""So that every step of every row is kept in little memory."""
SHOWN = (1e-20, 1e10)
"""Gradients that a picture has room for."""
Colour = tuple[float, float, float, float]
Table = tuple[Sequence[str], Sequence[Sequence[str | float]]]


class Experiment(Protocol):
    """The results of one experiment, which say themselves what they mean."""

    @property
    def title(self) -> str:
        """What was measured."""
        ...

    @property
    def sentence(self) -> str:
        """What it means, in one sentence."""
        ...

    def table(self) -> Table:
        """Headers and rows."""
        ...

    def draw(self, figure: "Figure") -> None:
        """Draw the results on an empty figure of matplotlib."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Every number, exactly."""
        ...


def check_steps(steps: int) -> int:
    """Give a number of steps back if it is one, else raise `BadExperiment`."""
    whole = isinstance(steps, int) and not isinstance(steps, bool)
    if not whole or not 1 <= steps <= MOST_STEPS:
        raise BadExperiment(
            argument="steps",
            given=steps,
            expected=f"a whole number from 1 to {MOST_STEPS}",
            advice="leave steps out for that of the table",
        )
    return steps


def check_number(argument: str, given: float) -> float:
    """Give a finite number back, else raise `BadExperiment`."""
    if not math.isfinite(given):
        raise BadExperiment(
            argument=argument,
            given=given,
            expected="a finite number",
            advice="give one",
        )
    return float(given)


def lags_of(steps: int, *shares: float) -> list[int]:
    """Some of the steps, at shares of their number, each once."""
    return sorted({max(1, round(share * steps)) for share in shares})


def panels(figure: "Figure", title: str, names: Sequence[str]) -> "list[Axes]":
    """Make panels side by side, with a common logarithmic axis for gradients."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    every = list(figure.subplots(1, len(names), sharey=True, squeeze=False)[0])
    for axes, name in zip(every, names, strict=True):
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_yscale("log")
        axes.set_ylim(*SHOWN)
    return every


def legend(axes: "Axes") -> None:
    """Say which line is which, readable where lines pass behind it."""
    axes.legend(loc="best", framealpha=0.85, edgecolor="none")


def shade(place: int, count: int) -> Colour:
    """Return the colour of one of several ordered lines, dark to light."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.85 * place / max(1, count - 1))
