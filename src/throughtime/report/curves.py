"""How a training went: loss, metric, gradient and step width by epoch."""

from collections.abc import Iterable, Iterator, Sequence

import altair as alt

from throughtime.report.figures import (
    SERIES,
    VALIDATION,
    Chart,
    Figure,
    decades,
    figure,
    layered,
    percent,
    plot,
    positive,
    rule,
    series,
    span,
    tooltip,
    written,
)
from throughtime.report.reading import Row, RunFolder

_PARTS = ("training", "validation")
_EPOCH = (
    alt.X("epoch:Q").title("epoch").axis(tickMinStep=1, format="d").scale(zero=False)
)


def curves(run: RunFolder) -> Iterator[Figure]:
    """Draw what `metrics.jsonl` says."""
    if not run.rows:
        return
    yield _measured(run, "loss", _constant(run), "best constant answer")
    if run.metric is not None:
        trivial = run.result["trivial"] if run.result else {}
        yield _measured(run, run.metric, _best(run, trivial), "best trivial")
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


def _measured(
    run: RunFolder, metric: str, trivial: dict[str, float], label: str
) -> Figure:
    data = [
        {"epoch": row["epoch"], "part": part, "value": row[prefix + metric]}
        for row in run.rows
        for part, prefix in zip(_PARTS, ("", "validation_"), strict=True)
    ]
    chart: Chart = _lines(data, metric, series("part:N", _PARTS), trivial.values())
    says = ""
    if run.best is not None:
        kept = run.best[f"validation_{metric}"]
        chart = layered(chart, _ring(run.best["epoch"], kept))
        says = f"The ring marks the epoch whose weights were kept: {run.best['epoch']}."
    for name, value in trivial.items():
        chart = layered(chart, rule(value, label))
        says += f" The dashed line is {name}: {written(value)}."
    return figure(
        words(metric).capitalize(),
        says,
        chart,
        ("epoch", "training", "validation"),
        ((row["epoch"], row[metric], row[f"validation_{metric}"]) for row in run.rows),
    )


def _lines(
    data: list[Row], metric: str, colour: alt.Color, others: Iterable[float] = ()
) -> alt.Chart:
    """Lines by epoch, on an axis that has room for other values, too."""
    scale = span([*(row["value"] for row in data), *others])
    fields = [(f"{colour.shorthand}", ""), ("epoch:Q", "epoch")]
    return (
        plot(data)
        .mark_line(point={"size": 30})
        .encode(
            x=_EPOCH,
            y=alt.Y("value:Q").title(words(metric)).scale(scale),
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


def _constant(run: RunFolder) -> dict[str, float]:
    """The loss of the best constant answer, where a diagnosis knows it."""
    data, findings = run.part("data"), run.part("findings") or ()
    known = (one["measured"].get("constant") for one in findings)
    constant = next((one for one in known if one is not None), None)
    if constant is None or data is None or data["part"] != "validation":
        return {}
    return {"the best constant answer, on validation data": constant}


def _best(run: RunFolder, trivial: dict[str, float | None]) -> dict[str, float]:
    """Of what trivial methods reach, the best."""
    known = {name: value for name, value in trivial.items() if value is not None}
    if not known or run.result is None:
        return {}
    choose = max if run.result["higher_is_better"] else min
    name = choose(known, key=known.__getitem__)
    return {f"{name}, on test data": known[name]}


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
            y=decades(
                alt.Y("norm:Q").title("norm before clipping"),
                [*(row["norm"] for row in data), limit or None],
            ),
            tooltip=said,
        )
    )
    says = "The mean over the updates of an epoch, before clipping."
    if limit:
        chart = layered(chart, rule(limit, f"clipped above {limit:g}"))
        most = max(row["clipped"] or 0 for row in rows)
        says += f" {_clipped(most)}"
    return figure(
        "Norm of the gradient",
        says,
        chart,
        ("epoch", "gradient norm", "share of updates clipped"),
        ((row["epoch"], row["norm"], row["clipped"]) for row in rows),
    )


def _clipped(most: float) -> str:
    """Say the share of an epoch's updates that were clipped, at most."""
    if most == 0:
        return "None was clipped."
    share = percent(most) if most >= 0.01 else "Less than 1 %"
    return f"{share} of an epoch's updates were clipped at most."


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
    colour = series("run:N", order).scale(domain=order)
    return figure(
        f"Validation {words(metric)} of all runs",
        "The same measure by epoch, a line for each run.",
        _lines(data, metric, colour),
        ("run", "epoch", f"validation {words(metric)}"),
        ((row["run"], row["epoch"], row["value"]) for row in data),
    )
