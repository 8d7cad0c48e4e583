"""A chart with what it says and the same numbers as a table."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import altair as alt

Chart: TypeAlias = alt.Chart | alt.LayerChart
Datum = dict[str, Any]

# Colours of the page's own style sheet: so a chart follows light, dark and print.
INK, QUIET = "var(--ink)", "var(--quiet)"
GRID, PAPER = "var(--grid)", "var(--paper)"
SERIES: Final = tuple(f"var(--series-{number})" for number in range(8))
TRAINING, VALIDATION = SERIES[0], SERIES[1]
HEAT: Final = "viridis"

AxisOf = TypeVar("AxisOf", alt.X, alt.Y)

_HEIGHT: Final = 220
_MOST_POWERS: Final = 6  # that label an axis
_LEAST_SPAN: Final = 0.2  # of an axis, beside the largest of its values
_CONFIG: Final = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "titleFontWeight": "normal",
        "domainColor": GRID,
        "tickColor": GRID,
        "gridColor": GRID,
        "labelFontSize": 12,
        "titleFontSize": 12,
        # A label stands at its tick, at both ends, too; where two meet, one goes.
        "labelFlush": False,
        "labelOverlap": True,
        "labelSeparation": 6,
    },
    "legend": {
        "orient": "top",
        "labelColor": INK,
        "titleColor": QUIET,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "labelLimit": 260,
        "columns": 3,
    },
    "range": {"category": list(SERIES)},
    "text": {"color": INK},
    "rule": {"color": QUIET},
    "line": {"strokeWidth": 2},
}


@dataclass(frozen=True)
class Figure:
    """A chart, the sentence that reads it, and its numbers.

    Parameters
    ----------
    title
        What is shown.
    says
        What to see in it, and how to read it.
    specification
        Vega-Lite; None where a table alone says all.
    head, body
        The table.
    """

    title: str
    says: str
    specification: dict[str, Any] | None
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


def figure(
    title: str,
    says: str,
    chart: Chart | None,
    head: Sequence[str],
    body: Iterable[Iterable[object]],
    *,
    height: int = _HEIGHT,
) -> Figure:
    """Finish a chart: as wide as the page, described for who cannot see it."""
    rows = tuple(tuple(map(written, row)) for row in body)
    if chart is None:
        return Figure(title, says, None, tuple(head), rows)
    described = " ".join(
        [f"{title}.", says.strip(), "The table below has the numbers."]
    )
    # That it is Vega-Lite is judged by the tests: it takes longer than to draw it.
    specification = chart.properties(
        width="container", height=height, description=described
    ).to_dict(validate=False)
    return Figure(
        title,
        says,
        {**specification, "config": _CONFIG, "autosize": {"type": "fit-x"}},
        tuple(head),
        rows,
    )


def plot(values: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Begin a chart of some rows."""
    return alt.Chart(alt.Data(values=[dict(row) for row in values]))


def tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Say of each field, such as `loss:Q`, under which words it is shown."""
    formats = {"Q": ".4~g"}
    return [
        alt.Tooltip(field, title=words, format=formats[field[-1]])
        if field[-1] in formats
        else alt.Tooltip(field, title=words)
        for field, words in fields
    ]


def series(field: str, names: Iterable[object]) -> alt.Color:
    """A colour for each name, in the order in which they come; one needs no legend."""
    colour = alt.Color(field).title(None).sort(None)
    several = len(set(names)) > 1
    return colour.legend(symbolOpacity=1) if several else colour.legend(None)


def rule(
    value: float, label: str, *, across: bool = True, before: bool = False
) -> alt.LayerChart:
    """A dashed line with its label: across the chart, or upright in it.

    Parameters
    ----------
    value
        Where it is.
    label
        What it is; of a line across it stands at the right end.
    across
        Whether it lies, or stands.
    before
        Whether the label of a line that stands is on its left.
    """
    data = plot([{"value": value, "label": label}])
    if across:
        data = data.encode(y=alt.Y("value:Q"))
        words = data.encode(x=alt.value("width"), text="label:N")
    else:
        data = data.encode(x=alt.X("value:Q"))
        words = data.encode(y=alt.value(12), text="label:N")
    left = across or before
    said = tooltip(("label:N", "line"), ("value:Q", "at"))
    return layered(
        data.mark_rule(strokeDash=[5, 4]).encode(tooltip=said),
        # Written twice: a thick edge keeps what lies behind away from the label.
        _beside(words, color=PAPER, edge=4, left=left),
        _beside(words, color=QUIET, edge=0, left=left),
    )


def _beside(words: alt.Chart, *, color: str, edge: int, left: bool) -> alt.Chart:
    """A label a little above its place, and on one side of it."""
    return words.mark_text(
        align="right" if left else "left",
        baseline="bottom",
        dx=-4 if left else 4,
        dy=-3,
        color=color,
        stroke=color,
        strokeWidth=edge,
        aria=False,
    )


def layered(*charts: Chart) -> alt.LayerChart:
    """Charts on top of each other, with the same axes."""
    return alt.LayerChart(layer=charts)


def decades(channel: AxisOf, values: Iterable[float | None]) -> AxisOf:
    """Make an axis logarithmic, from a power of ten to another, with no other labels.

    Parameters
    ----------
    channel
        The axis.
    values
        All that it has to show; what has no logarithm is left out.
    """
    powers = [power for power in map(logarithm, values) if power is not None] or [0.0]
    low, high = math.floor(min(powers)), math.ceil(max(powers))
    high += low == high
    every = math.ceil((high - low) / _MOST_POWERS)
    shown = range(high, low - 1, -every)
    words = {str(power): _power(power) for power in shown}
    return channel.scale(type="log", nice=False, domain=[10.0**low, 10.0**high]).axis(
        values=[10.0**power for power in shown],
        labelExpr=f"({json.dumps(words)})[round(log(datum.value) / LN10)]",
    )


def _power(power: int) -> str:
    """Write a power of ten: `0.01`, `10⁻⁶`."""
    if -3 <= power <= 3:
        return f"{10.0**power:g}"
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def span(values: Iterable[float | None]) -> alt.Scale:
    """A scale that shows what is small beside the values themselves as small."""
    known = [one for one in values if one is not None and math.isfinite(one)] or [0.0]
    low, high = min(known), max(known)
    least = _LEAST_SPAN * max(abs(low), abs(high)) or 1.0
    if high - low < least:
        middle = (low + high) / 2
        bottom = middle - least / 2
        # What is never below 0 is not shown there.
        low = max(bottom, 0.0) if low >= 0 else bottom
        high = low + least
    return alt.Scale(zero=False, nice=True, domain=[low, high])


def positive(value: float | None) -> float | None:
    """What a logarithmic axis can show; nothing of 0."""
    return value if value is not None and value > 0 else None


def logarithm(value: float | None) -> float | None:
    """The logarithm to base 10 of what has one."""
    return math.log10(value) if value is not None and value > 0 else None


def written(value: object) -> str:
    """A number in four digits, nothing as a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return str(value)


def percent(share: float) -> str:
    """A share in hundredths: `52 %`."""
    return f"{100 * share:.0f} %"


def named(layer: Mapping[str, Any], several: bool = True) -> str:
    """Say which layer, direction and value is meant: `layer 0, h`."""
    parts = [f"layer {layer['layer']}"]
    if layer.get("direction"):
        parts.append("backwards")
    value = layer.get("state") or layer.get("node")
    if value and several:
        parts.append(str(value))
    return ", ".join(parts)


def count(number: int, one: str, many: str | None = None) -> str:
    """Say how many there are: `1 step`, `3 steps`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
