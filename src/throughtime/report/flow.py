"""What error flows back where: by step, by lag, by epoch; saturation, dead units."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import altair as alt

from throughtime.report.figures import (
    HEAT,
    SERIES,
    Figure,
    decades,
    figure,
    layered,
    logarithm,
    named,
    plot,
    positive,
    rule,
    series,
    tooltip,
)
from throughtime.report.reading import Row, RunFolder

_USUAL: Final = 1e-3  # change of weights by an update, beside them
_MOST_CELLS: Final = 60  # of a heat map, in each direction; more are too small to see


def flow(run: RunFolder) -> Iterator[Figure]:
    """Draw the flow of error through time, as diagnosed and as watched."""
    found = run.part("flow")
    if found is not None:
        yield _by_step(found["steps"], found["layers"])
    lags = run.part("lags")
    for place, layer in enumerate(lags["layers"] if lags is not None else ()):
        says = _AS_BEFORE if place else _BY_LAG
        yield _by_lag(lags["sampled"], lags["lags"], layer, says)
    if run.flow:
        yield from _by_epoch(run.flow)


def units(run: RunFolder) -> Iterator[Figure]:
    """Draw which units are saturated or dead, and how much an update changes."""
    saturation = run.part("saturation")
    if saturation:
        yield _saturation(saturation)
    dead = run.part("dead")
    if dead:
        yield _dead(dead)
    updates = run.part("updates")
    if updates:
        yield _updates(updates)


def _by_step(steps: Sequence[int], layers: Sequence[Row]) -> Figure:
    data = [
        {"layer": named(layer), "step": step, "median": m, "low": low, "high": high}
        for layer in layers
        for step, m, low, high in zip(
            steps, layer["median"], layer["low"], layer["high"], strict=True
        )
    ]
    shown = [{**row, **_positive(row, "median", "low", "high")} for row in data]
    chart = plot(shown).encode(x=alt.X("step:Q").title("step").axis(format="d"))
    colour = series("layer:N", (row["layer"] for row in data))
    norms = [row[name] for row in data for name in ("median", "low", "high")]
    value = decades(alt.Y("median:Q").title("‖∂L/∂state‖"), norms)
    band = chart.mark_area(opacity=0.2).encode(
        y=decades(alt.Y("low:Q").title("‖∂L/∂state‖"), norms),
        y2="high:Q",
        color=colour,
    )
    said = tooltip(
        ("layer:N", "state"),
        ("step:Q", "step"),
        ("median:Q", "median"),
        ("low:Q", "10 %"),
        ("high:Q", "90 %"),
    )
    line = chart.mark_line(point={"size": 18}).encode(
        y=value, color=colour, tooltip=said
    )
    return figure(
        "Gradient flow by step",
        "How strongly the loss depends on each state of each step: the median over "
        "sequences, shaded from 10 % to 90 %. A line that sinks towards the first "
        "step vanishes, one that rises there explodes."
        + "".join(_nothing_there(steps, layer) for layer in layers),
        layered(band, line),
        ("state", "step", "median", "10 %", "90 %"),
        (row.values() for row in data),
    )


def _nothing_there(steps: Sequence[int], layer: Row) -> str:
    """Say where the flow is too small for a number, which no logarithm shows."""
    known = [place for place, norm in enumerate(layer["median"]) if norm]
    name = named(layer)
    if not known:
        return f" In {name} it is exactly 0 (too small for a number) at every step."
    if known[0] == 0:
        return ""
    return (
        f" In {name} it is exactly 0 (too small for a number) before step "
        f"{steps[known[0]]}."
    )


def _positive(row: Mapping[str, Any], *names: str) -> Row:
    return {name: positive(row[name]) for name in names}


_AS_BEFORE: Final = "To be read as the map before it."
_BY_LAG: Final = (
    "How strongly the loss of step t depends on the state k steps before: where a row "
    "fades, the memory of this layer ends. Blank is exactly 0, or before the first "
    "step."
)


def _by_lag(
    sampled: Sequence[int], lags: Sequence[int], layer: Row, says: str
) -> Figure:
    # A loss at the end of each sequence has no step of its own.
    steps = ["last" if step < 0 else str(step) for step in sampled]
    data = [
        {"step": step, "lag": lag, "norm": norm, "power": logarithm(norm)}
        for step, norms in zip(steps, layer["by_step"], strict=True)
        for lag, norm in zip(lags, norms, strict=False)
        if norm is not None
    ]
    said = tooltip(
        ("step:O", "step t"), ("lag:O", "lag k"), ("norm:Q", "‖∂L_t/∂s_{t−k}‖")
    )
    chart = (
        plot(data)
        .mark_rect()
        .encode(
            x=alt.X("lag:O")
            .title("lag k: steps back")
            .axis(labelOverlap=True, labelSeparation=6, labelAngle=0),
            y=alt.Y("step:O")
            .sort(None)
            .title("step t of the loss")
            .axis(labelOverlap=True, labelSeparation=6),
            color=_heat("power:Q", "log₁₀ of the norm"),
            tooltip=said,
        )
    )
    return figure(
        f"Gradient flow by time and lag: {named(layer)}",
        says,
        chart,
        ("step t", *(f"lag {lag}" for lag in lags)),
        ((step, *norms) for step, norms in zip(steps, layer["by_step"], strict=True)),
        height=max(80, min(320, 22 * len(sampled))),
    )


def _heat(field: str, title: str) -> alt.Color:
    legend = alt.Legend(title=title, gradientLength=160)
    return alt.Color(field).scale(scheme=HEAT).legend(legend)


_WATCHED: Final = (
    "The mean over the updates that were watched, epoch by epoch: from top to bottom "
    "it shows how far back the network has learned to look."
)


def _by_epoch(epochs: Sequence[Row]) -> Iterator[Figure]:
    """How the flow changed while the network learned, a map for each state."""
    steps = "steps before the last" if epochs[-1]["aligned"] == "end" else "step"
    for place, layer in enumerate(epochs[-1]["layers"]):
        rows = list(_stretches(_thinned(epochs), place))
        said = tooltip(
            ("epoch:O", "epoch"), ("step:Q", steps), ("norm:Q", "‖∂L/∂state‖")
        )
        chart = (
            plot(rows)
            .mark_rect()
            .encode(
                x=alt.X("step:Q").title(steps).axis(format="d"),
                x2="until:Q",
                y=alt.Y("epoch:O")
                .title("epoch")
                .axis(labelOverlap=True, labelSeparation=6),
                color=_heat("power:Q", "log₁₀ of the norm"),
                tooltip=said,
            )
        )
        yield figure(
            f"Gradient flow while it learned: {named(layer)}",
            _AS_BEFORE if place else _WATCHED,
            chart,
            ("epoch", steps, "‖∂L/∂state‖"),
            ((row["epoch"], row["step"], row["norm"]) for row in rows),
            height=max(120, min(320, 16 * len(epochs))),
        )


def _stretches(epochs: Sequence[Row], place: int) -> Iterator[Row]:
    """Give the mean norm of each stretch of steps, of one state."""
    for one in epochs:
        # The last stretch is about as long as the one before it.
        starts = one["steps"]
        end = 2 * starts[-1] - starts[-2] if len(starts) > 1 else 1
        ends = [*starts[1:], end]
        norms = one["layers"][place]["norms"]
        for step, until, norm in zip(starts, ends, norms, strict=True):
            yield {
                "epoch": one["epoch"],
                "step": step,
                "until": until,
                "norm": norm,
                "power": logarithm(norm),
            }


def _thinned(rows: Sequence[Any]) -> Sequence[Any]:
    """As many, evenly spaced, as a heat map shows; the first and the last are in."""
    if len(rows) <= _MOST_CELLS:
        return rows
    last = len(rows) - 1
    places = {round(k * last / (_MOST_CELLS - 1)) for k in range(_MOST_CELLS)}
    return [rows[place] for place in sorted(places)]


def _saturation(found: Sequence[Row]) -> Figure:
    data = [
        {"node": named(one), "function": one["function"], "share": one["share"]}
        for one in found
    ]
    said = tooltip(
        ("node:N", "node"), ("function:N", "function"), ("share:Q", "share saturated")
    )
    chart = (
        plot(data)
        .mark_bar(height={"band": 0.6})
        .encode(
            x=alt.X("share:Q")
            .title("share of values")
            .scale(domain=[0, 1])
            .axis(format="%"),
            y=alt.Y("node:N").title(None).sort(None),
            color=series("function:N", (row["function"] for row in data)),
            tooltip=said,
        )
    )
    return figure(
        "Saturation",
        "The share of values at the flat ends of σ and tanh, where hardly any error "
        "passes.",
        chart,
        ("node", "function", "share saturated"),
        (row.values() for row in data),
        height=40 + 26 * len(data),
    )


def _dead(found: Sequence[Row]) -> Figure:
    return figure(
        "Dead units",
        "Units that were 0 at every step of every sequence looked at: nothing flows "
        "through them.",
        None,
        ("node", "units", "dead"),
        ((named(one), one["units"], one["dead"]) for one in found),
    )


def _updates(found: Sequence[Row]) -> Figure:
    data = [{"parameter": one["parameter"], "ratio": one["ratio"]} for one in found]
    shown = [{**row, "ratio": positive(row["ratio"])} for row in data]
    said = tooltip(("parameter:N", "parameter"), ("ratio:Q", "|Δw| / |w|"))
    points = (
        plot(shown)
        .mark_point(filled=True, opacity=1, size=90, color=SERIES[0])
        .encode(
            x=decades(
                alt.X("ratio:Q").title("|Δw| / |w|"),
                [*(row["ratio"] for row in data), _USUAL],
            ),
            y=alt.Y("parameter:N").title(None).sort(None),
            tooltip=said,
        )
    )
    return figure(
        "Change of the weights by one update",
        "How large an update is beside the weights it changes. About one in a thousand "
        "is usual; far less learns nothing, far more forgets.",
        layered(points, rule(_USUAL, "1/1000", across=False)),
        ("parameter", "|Δw| / |w|"),
        (row.values() for row in data),
        height=40 + 26 * len(data),
    )
