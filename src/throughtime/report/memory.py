"""How far back a network sees: by its gradients, its data and its dynamics."""

from collections.abc import Iterator, Sequence

import altair as alt

from throughtime.report.figures import (
    SERIES,
    Figure,
    count,
    decades,
    figure,
    layered,
    named,
    plot,
    positive,
    rule,
    series,
    span,
    tooltip,
)
from throughtime.report.reading import Row, RunFolder


def memory(run: RunFolder) -> Iterator[Figure]:
    """Draw the memory's horizon, and how much of the past the network uses."""
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
    thresholds = [one["threshold"] for one in horizons[:1]]
    chart = (
        plot(shown)
        .mark_line(point={"size": 24})
        .encode(
            x=alt.X("lag:Q").title("lag k: steps back").axis(format="d"),
            y=decades(
                alt.Y("share:Q").title("share of lag 0"),
                [*(row["share"] for row in data), *thresholds],
            ),
            color=series("state:N", (row["state"] for row in data)),
            tooltip=tooltip(
                ("state:N", "state"), ("lag:Q", "lag"), ("share:Q", "share of lag 0")
            ),
        )
    )
    says = "How large the gradient is k steps back, beside that at lag 0."
    says += "".join(_nothing_left(lags["lags"], layer) for layer in lags["layers"])
    drawn: alt.Chart | alt.LayerChart = chart
    for threshold in thresholds:
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


def _nothing_left(lags: Sequence[int], layer: Row) -> str:
    """Say where the gradient is too small for a number, which no logarithm shows."""
    known = [place for place, norm in enumerate(layer["norms"]) if norm]
    if not known or known[-1] == len(lags) - 1 or layer["norms"][-1] is None:
        return ""
    return (
        f" In {named(layer)} it is exactly 0 (too small for a number) beyond lag "
        f"{lags[known[-1]]}."
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
    values = [row[name] for row in data for name in ("loss", "low", "high")]
    scale = span([*values, found["full_loss"]])
    loss = alt.Y("low:Q").title("loss").scale(scale)
    band = chart.mark_area(opacity=0.2, color=SERIES[1]).encode(y=loss, y2="high:Q")
    said = tooltip(
        ("history:Q", "steps of history"),
        ("loss:Q", "loss"),
        ("low:Q", "from"),
        ("high:Q", "to"),
    )
    line = chart.mark_line(
        point={"size": 30, "color": SERIES[1]}, color=SERIES[1]
    ).encode(y=alt.Y("loss:Q").title("loss").scale(scale), tooltip=said)
    drawn = layered(band, line, rule(found["full_loss"], "with all of the history"))
    way = _WAYS[found["how"]]
    says = f"The loss where only k steps of the past are left: {way}."
    if found.get("needed") is not None:
        drawn = layered(drawn, _used(found))
        says += (
            f" From {found['needed']:g} steps on it is within noise of the full one."
        )
    elif found.get("reason"):
        says += f" How much is used cannot be told: {found['reason']}."
    return figure(
        "How much of the past this network uses",
        says,
        drawn,
        ("steps of history", "loss", "from", "to"),
        (row.values() for row in data),
    )


def _used(found: Row) -> alt.LayerChart:
    """A line at what is used; its label lies inside the chart."""
    used, most = found["needed"], max(row["history"] for row in found["curve"])
    return rule(used, f"used: {used:g}", across=False, before=2 * used > most)


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
            color=series("layer:N", (row["layer"] for row in data)),
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
            changes = "grows e-fold" if largest > 0 else "shrinks to 1/e"
            said[-1] += f", so a disturbance {changes} in {horizon:.3g} steps"
        if dimension:
            said[-1] += f", Kaplan–Yorke dimension {dimension:.3g}"
        said[-1] += "."
    return " ".join(said)


def _fixed_points(found: Sequence[Row]) -> Figure:
    stable = sum(one["unstable"] == 0 for one in found)
    return figure(
        "Fixed and slow points",
        f"{count(len(found), 'fixed or slow point')} under mean input, {stable} of "
        "them stable: states that one step hardly moves. A largest |eigenvalue| below "
        "1 holds what comes near; each unstable direction lets it go.",
        None,
        (
            "layer",
            "kind",
            "searches that ended here",
            "speed",
            "largest |eigenvalue|",
            "unstable directions",
        ),
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
