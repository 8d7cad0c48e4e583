"""A chart with what it says and the same numbers as a table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import altair as alt

Chart: TypeAlias = alt.Chart | alt.LayerChart
Datum = dict[str, Any]

# Colours of the page's own style sheet: so a chart follows light, dark and print.
INK, QUIET = "var(--ink)", "var(--quiet)"
GRID, PAPER = "var(--grid)", "var(--paper)"
SERIES: Final = tuple(f"var(--series-{number})" for number in range(8))
TRAINING, VALIDATION = SERIES[0], SERIES[1]
HEAT: Final = "viridis"

_HEIGHT: Final = 220
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


def series(field: str) -> alt.Color:
    """A colour for each name, in the order in which they come."""
    return alt.Color(field).title(None).sort(None).legend(symbolOpacity=1)


def rule(value: float, label: str, *, across: bool = True) -> alt.LayerChart:
    """A dashed line with its label: across the chart, or upright in it."""
    data = plot([{"value": value, "label": label}])
    if across:
        data = data.encode(y=alt.Y("value:Q"))
        words = data.encode(x=alt.value(0), text="label:N")
    else:
        data = data.encode(x=alt.X("value:Q"))
        words = data.encode(y=alt.value(12), text="label:N")
    said = tooltip(("label:N", "line"), ("value:Q", "at"))
    return layered(
        data.mark_rule(strokeDash=[5, 4]).encode(tooltip=said),
        # Written twice: a thick edge keeps what lies behind away from the label.
        _beside(words, color=PAPER, edge=4),
        _beside(words, color=QUIET, edge=0),
    )


def _beside(words: alt.Chart, *, color: str, edge: int) -> alt.Chart:
    """A label a little above and to the right of its place."""
    return words.mark_text(
        align="left",
        baseline="bottom",
        dx=4,
        dy=-3,
        color=color,
        stroke=color,
        strokeWidth=edge,
        aria=False,
    )


def layered(*charts: Chart) -> alt.LayerChart:
    """Charts on top of each other, with the same axes."""
    return alt.LayerChart(layer=charts)


LOGARITHMIC: Final = alt.Scale(type="log", nice=False)


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
