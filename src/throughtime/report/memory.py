"""How far back a network sees: by its gradients, its data and its dynamics."""

from collections.abc import Iterator, Sequence

import altair as alt

from throughtime.report.figures import (
    LOGARITHMIC,
    SERIES,
    Figure,
    figure,
    layered,
    named,
    plot,
    positive,
    rule,
    series,
    tooltip,
)
from throughtime.report.reading import Row, RunFolder


def memory(run: RunFolder) -> Iterator[Figure]:
    """Draw the memory's horizon, and how much of the past the data need."""
    lags, found = run.part("lags"), run.part("memory")
    if lags is not None:
        yield _horizon(lags, [] if found is None else found["layers"])
    if found is not None and found.get("curve"):
        yield _history(found)


def dynamics(run: RunFolder) -> Iterator[Figure]:
    """Draw the Lyapunov spectrum, and list fixed points."""
    spectrum = run.part("spectrum")
    if spectrum:
        yield _spectrum(spectrum)
    points = run.part("fixed_points")
    if points:
        yield _fixed_points(points)


def _horizon(lags: Row, horizons: Sequence[Row]) -> Figure:
    data = [
        {"state": named(layer), "lag": lag, "share": _beside(norm, layer["norms"][0])}
        for layer in lags["layers"]
        for lag, norm in zip(lags["lags"], layer["norms"], strict=True)
    ]
    shown = [{**row, "share": positive(row["share"])} for row in data]
    chart = (
        plot(shown)
        .mark_line(point={"size": 24})
        .encode(
            x=alt.X("lag:Q").title("lag k: steps back").axis(format="d"),
            y=alt.Y("share:Q")
            .title("share of lag 0")
            .scale(LOGARITHMIC)
            .axis(format="~g"),
            color=series("state:N"),
            tooltip=tooltip(
                ("state:N", "state"), ("lag:Q", "lag"), ("share:Q", "share of lag 0")
            ),
        )
    )
    says = "How much of the error is left k steps back, beside what there is at lag 0."
    drawn: alt.Chart | alt.LayerChart = chart
    if horizons:
        threshold = horizons[0]["threshold"]
        drawn = layered(chart, rule(threshold, f"threshold {threshold:g}"))
        ends = (f"{named(one)} {_steps(one['horizon'])}" for one in horizons)
        says += f" It falls below the threshold at lag: {'; '.join(ends)}."
    return figure(
        "Memory horizon",
        says,
        drawn,
        ("state", "lag", "share of lag 0"),
        (row.values() for row in data),
    )


def _beside(norm: float | None, first: float | None) -> float | None:
    return None if norm is None or not first else norm / first


def _steps(horizon: float | None) -> str:
    return "none of those looked at" if horizon is None else f"{horizon:.0f}"


_WAYS = {
    "cut": "every state is reset k steps before the answer",
    "shuffled": "all that lies further back than k steps is shuffled",
}


def _history(found: Row) -> Figure:
    data = [{name: row.get(name) for name in _CURVE} for row in found["curve"]]
    chart = plot(data).encode(
        x=alt.X("history:Q").title("steps of history that are left").axis(format="d")
    )
    loss = alt.Y("low:Q").title("loss").scale(zero=False)
    band = chart.mark_area(opacity=0.2, color=SERIES[1]).encode(y=loss, y2="high:Q")
    said = tooltip(
        ("history:Q", "steps of history"),
        ("loss:Q", "loss"),
        ("low:Q", "from"),
        ("high:Q", "to"),
    )
    line = chart.mark_line(
        point={"size": 30, "color": SERIES[1]}, color=SERIES[1]
    ).encode(y=alt.Y("loss:Q").title("loss").scale(zero=False), tooltip=said)
    full = rule(found["full_loss"], "with all of the history")
    drawn = layered(band, line, full)
    way = _WAYS[found["how"]]
    says = f"The loss where only k steps of the past are left: {way}."
    if found.get("needed") is not None:
        needed = rule(found["needed"], f"needed: {found['needed']:g}", across=False)
        drawn = layered(band, line, full, needed)
        says += (
            f" From {found['needed']:g} steps on it is within noise of the full one."
        )
    return figure(
        "How much of the past the data need",
        says,
        drawn,
        ("steps of history", "loss", "from", "to"),
        (row.values() for row in data),
    )


_CURVE = ("history", "loss", "low", "high")


def _spectrum(found: Sequence[Row]) -> Figure:
    data = [
        {"layer": named(layer), "number": number, "exponent": exponent}
        for layer in found
        for number, exponent in enumerate(layer["exponents"], 1)
    ]
    said = tooltip(("layer:N", "layer"), ("number:Q", "number"), ("exponent:Q", "λ"))
    points = (
        plot(data)
        .mark_line(point={"size": 30})
        .encode(
            x=alt.X("number:Q")
            .title("number, by size")
            .axis(tickMinStep=1, format="d"),
            y=alt.Y("exponent:Q").title("Lyapunov exponent λ per step"),
            color=series("layer:N"),
            tooltip=said,
        )
    )
    return figure(
        "Lyapunov spectrum",
        _dynamics(found),
        layered(points, rule(0, "0: neither grows nor shrinks")),
        ("layer", "number", "exponent"),
        (row.values() for row in data),
    )


def _dynamics(found: Sequence[Row]) -> str:
    said = ["Below 0 a disturbance of the state dies out, above 0 it grows."]
    for layer in found:
        largest = max((one for one in layer["exponents"] if one is not None), default=0)
        horizon, dimension = layer.get("horizon"), layer.get("kaplan_yorke")
        said.append(
            f"{named(layer).capitalize()}: largest {largest:.3g}".replace("-", "−")
        )
        if horizon is not None:
            said[-1] += f", so a disturbance changes e-fold in {horizon:.3g} steps"
        if dimension is not None:
            said[-1] += f", Kaplan–Yorke dimension {dimension:.3g}"
        said[-1] += "."
    return " ".join(said)


def _fixed_points(found: Sequence[Row]) -> Figure:
    return figure(
        "Fixed and slow points",
        "States that one step hardly moves. A largest |eigenvalue| below 1 holds what "
        "comes near; each unstable direction lets it go.",
        None,
        ("layer", "kind", "found", "speed", "largest |eigenvalue|", "unstable"),
        (
            (
                named(one),
                one["kind"],
                one["count"],
                one["speed"],
                one["largest"],
                one["unstable"],
            )
            for one in found
        ),
    )
