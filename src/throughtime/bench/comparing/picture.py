"""The picture of a comparison: what each model reached, and what history is worth."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from throughtime.bench.comparing.comparison import Chosen, Row
from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.judging import Judgement
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
        if found.history is None or found.chosen is None:
            right.set_axis_off()
        else:
            _draw_history(right, found.history, found.chosen, found.blind, rows)
        return png(figure)


def _draw_models(axes: Axes, rows: Sequence[Row], chosen: Chosen | None) -> None:
    for place, row in enumerate(rows):
        assert row.value is not None
        colour = _COLOURS.get(row.kind, QUIET)
        if row.interval is not None:
            ends = [row.interval.low, row.interval.high]
            axes.plot(ends, [place, place], color=colour, linewidth=3, alpha=0.45)
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
