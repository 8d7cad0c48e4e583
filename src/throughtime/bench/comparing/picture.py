"""The picture of a comparison: what each model reached, and what history is worth."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from throughtime.bench.comparing.comparison import Chosen, Row
from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.judging import Judgement
from throughtime.bench.comparing.verdict import number
from throughtime.train.metrics import HIGHER_IS_BETTER
from throughtime.train.showing.look import QUIET, STYLE, TRAINING, VALIDATION, png
from throughtime.train.showing.progress import words

_COLOURS = {"recurrent": VALIDATION, "baseline": TRAINING, "window": TRAINING}


def draw(data: str, metric: str, found: Judgement) -> bytes:
    """Draw the metric of each model with its interval, and the network's by history.

    Parameters
    ----------
    data
        Their name.
    metric
        What was compared in.
    found
        What came out.

    Returns
    -------
    bytes
        A PNG.
    """
    rows = [row for row in found.rows if row.value is not None]
    with rc_context(STYLE):
        height = 1.6 + 0.34 * max(6, len(rows))
        figure = Figure(figsize=(9.5, height), layout="constrained")
        figure.suptitle(
            f"{data}: {words(metric)}",
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
        left, right = figure.subplots(1, 2)
        _draw_models(left, rows, found.chosen)
        better = "higher" if metric in HIGHER_IS_BETTER else "lower"
        left.set_xlabel(f"{words(metric)} ({better} is better)")
        if found.history is None or found.chosen is None:
            right.set_axis_off()
        else:
            _draw_history(right, found.history, found.chosen, found.blind, rows)
            right.set_ylabel(words(metric))
        return png(figure)


def _draw_models(axes: Axes, rows: Sequence[Row], chosen: Chosen | None) -> None:
    low, high = shown([row.value for row in rows if row.value is not None])
    for place, row in enumerate(rows):
        assert row.value is not None
        colour = _COLOURS.get(row.kind, QUIET)
        if row.interval is not None:
            ends = [row.interval.low, row.interval.high]
            ends = np.clip(ends, low, high).tolist()
            axes.plot(ends, [place, place], color=colour, linewidth=3, alpha=0.45)
        if not low <= row.value <= high:
            _point_outside(axes, row.value, place, above=row.value > high)
            continue
        is_chosen = chosen is not None and row.name in chosen
        axes.plot(row.value, place, "o", color=colour, markersize=9 if is_chosen else 5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_title(
        "test part, 95 % intervals; large: chosen on validation",
        loc="left",
        color=QUIET,
        fontsize=9,
    )


def shown(values: Sequence[float]) -> tuple[float, float]:
    """Return between which values the axis goes: those far from all others are not.

    Far is what Tukey (*Exploratory Data Analysis*, 1977) calls so: beyond three times
    the distance of the quartiles from them.
    """
    if not values:
        return -np.inf, np.inf
    first, third = np.quantile(values, [0.25, 0.75])
    far = 3 * (third - first)
    return float(first - far), float(third + far)


def _point_outside(axes: Axes, value: float, place: int, above: bool) -> None:
    """Write a value beyond the axis at its edge, with an arrow there."""
    axes.text(
        0.99 if above else 0.01,
        place,
        f"{number(value)} →" if above else f"← {number(value)}",
        transform=axes.get_yaxis_transform(),
        ha="right" if above else "left",
        va="center",
        color=QUIET,
    )


def _draw_history(
    axes: Axes, past: History, chosen: Chosen, blind: str | None, rows: Sequence[Row]
) -> None:
    axes.plot(
        past.steps,
        past.values,
        "o-",
        color=VALIDATION,
        markersize=4,
        label=f"{chosen.network}, history cut",
    )
    axes.axhline(past.whole, color=VALIDATION, linestyle=":", label="whole history")
    values = {row.name: row.value for row in rows}
    for name, style in [(chosen.baseline, "--"), (blind, "-.")]:
        value = values.get(name or "")
        if value is not None and not (
            name == blind == chosen.baseline and style != "--"
        ):
            axes.axhline(value, color=TRAINING, linestyle=style, label=name)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(past.steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(past.steps, [str(k) for k in past.steps])
    axes.set_xlabel("steps that are seen")
    axes.set_title("what history is worth", loc="left", color=QUIET, fontsize=9)
    axes.legend(frameon=False, labelcolor="#374151", fontsize=8)
