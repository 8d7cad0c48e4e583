"""How a training went: loss, metric, gradient and step width by epoch."""

from collections.abc import Iterator, Sequence

import altair as alt

from throughtime.report.figures import (
    LOGARITHMIC,
    SERIES,
    VALIDATION,
    Chart,
    Figure,
    figure,
    layered,
    percent,
    plot,
    positive,
    rule,
    series,
    tooltip,
    written,
)
from throughtime.report.reading import Row, RunFolder

_EPOCH = alt.X("epoch:Q").title("epoch").axis(tickMinStep=1, format="d")


def curves(run: RunFolder) -> Iterator[Figure]:
    """Draw what `metrics.jsonl` says."""
    if not run.rows:
        return
    yield _measured(run, "loss", {})
    if run.metric is not None:
        trivial = run.result["trivial"] if run.result else {}
        yield _measured(run, run.metric, _best(run, trivial))
    if any(row.get("gradient_norm") is not None for row in run.rows):
        yield _gradients(run)
    if any(row.get("learning_rate") is not None for row in run.rows):
        yield _step_widths(run)


def shared_curves(runs: Sequence[RunFolder], names: Sequence[str]) -> Iterator[Figure]:
    """Draw loss and metric of several runs in the same charts."""
    learned = [(run, name) for run, name in zip(runs, names, strict=True) if run.rows]
    metrics = {run.metric for run, _ in learned}
    measured = ["loss", *(metrics if len(metrics) == 1 else ())]
    for metric in filter(None, measured):
        yield _shared(learned, metric)


def words(metric: str) -> str:
    """Say a metric's name in words."""
    return metric.replace("_", " ")


def _measured(run: RunFolder, metric: str, trivial: dict[str, float]) -> Figure:
    data = [
        {"epoch": row["epoch"], "part": part, "value": row[prefix + metric]}
        for row in run.rows
        for part, prefix in (("training", ""), ("validation", "validation_"))
    ]
    chart: Chart = _lines(data, metric, series("part:N"))
    says = ""
    if run.best is not None:
        kept = run.best[f"validation_{metric}"]
        chart = layered(chart, _ring(run.best["epoch"], kept))
        says = f"The ring marks the epoch whose weights were kept: {run.best['epoch']}."
    for name, value in trivial.items():
        chart = layered(chart, rule(value, "best trivial"))
        says += f" The dashed line is {name}: {written(value)} on test data."
    return figure(
        words(metric).capitalize(),
        says,
        chart,
        ("epoch", "training", "validation"),
        ((row["epoch"], row[metric], row[f"validation_{metric}"]) for row in run.rows),
    )


def _lines(data: list[Row], metric: str, colour: alt.Color) -> alt.Chart:
    fields = [(f"{colour.shorthand}", ""), ("epoch:Q", "epoch")]
    return (
        plot(data)
        .mark_line(point={"size": 30})
        .encode(
            x=_EPOCH,
            y=alt.Y("value:Q").title(words(metric)).scale(zero=False),
            color=colour,
            tooltip=tooltip(*fields, ("value:Q", words(metric))),
        )
    )


def _ring(epoch: int, value: float | None) -> alt.Chart:
    said = tooltip(("epoch:Q", "kept: epoch"), ("value:Q", "validation"))
    mark = plot([{"epoch": epoch, "value": value}]).mark_point(
        size=140, color=VALIDATION, filled=False, strokeWidth=2
    )
    return mark.encode(x=_EPOCH, y=alt.Y("value:Q"), tooltip=said)


def _best(run: RunFolder, trivial: dict[str, float | None]) -> dict[str, float]:
    """Of what trivial methods reach, the best."""
    known = {name: value for name, value in trivial.items() if value is not None}
    if not known or run.result is None:
        return {}
    choose = max if run.result["higher_is_better"] else min
    name = choose(known, key=known.__getitem__)
    return {name: known[name]}


def _gradients(run: RunFolder) -> Figure:
    limit = run.document["settings"].get("clip")
    rows = [
        {
            "epoch": row["epoch"],
            "norm": row.get("gradient_norm"),
            "clipped": row.get("clip_rate"),
        }
        for row in run.rows
    ]
    data = [{**row, "norm": positive(row["norm"])} for row in rows]
    said = tooltip(
        ("epoch:Q", "epoch"),
        ("norm:Q", "gradient norm"),
        ("clipped:Q", "share clipped"),
    )
    chart: Chart = (
        plot(data)
        .mark_line(point={"size": 30, "color": SERIES[2]}, color=SERIES[2])
        .encode(
            x=_EPOCH,
            y=alt.Y("norm:Q").title("norm before clipping").scale(LOGARITHMIC),
            tooltip=said,
        )
    )
    says = "The mean over the updates of an epoch, before clipping."
    if limit:
        chart = layered(chart, rule(limit, f"clipped above {limit:g}"))
        most = max(row["clipped"] or 0 for row in rows)
        says += f" At most {percent(most)} of an epoch's updates were clipped."
    return figure(
        "Norm of the gradient",
        says,
        chart,
        ("epoch", "gradient norm", "share of updates clipped"),
        ((row["epoch"], row["norm"], row["clipped"]) for row in rows),
    )


def _step_widths(run: RunFolder) -> Figure:
    data = [
        {"epoch": row["epoch"], "rate": row.get("learning_rate")} for row in run.rows
    ]
    chart = (
        plot(data)
        .mark_line(point={"size": 30, "color": SERIES[3]}, color=SERIES[3])
        .encode(
            x=_EPOCH,
            y=alt.Y("rate:Q").title("learning rate"),
            tooltip=tooltip(("epoch:Q", "epoch"), ("rate:Q", "learning rate")),
        )
    )
    return figure(
        "Learning rate",
        "Of the last update of each epoch.",
        chart,
        ("epoch", "learning rate"),
        ((row["epoch"], row["rate"]) for row in data),
        height=140,
    )


def _shared(learned: Sequence[tuple[RunFolder, str]], metric: str) -> Figure:
    data = [
        {"run": name, "epoch": row["epoch"], "value": row[f"validation_{metric}"]}
        for run, name in learned
        for row in run.rows
    ]
    order = [name for _, name in learned]
    colour = series("run:N").scale(domain=order)
    return figure(
        f"Validation {words(metric)} of all runs",
        "The same measure by epoch, a line for each run.",
        _lines(data, metric, colour),
        ("run", "epoch", f"validation {words(metric)}"),
        ((row["run"], row["epoch"], row["value"]) for row in data),
    )
