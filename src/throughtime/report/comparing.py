"""Several runs side by side: a table of their numbers, and shared charts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from throughtime.report.curves import shared_curves, words
from throughtime.report.figures import (
    Figure,
    count,
    decades,
    figure,
    plot,
    positive,
    series,
    tooltip,
    written,
)
from throughtime.report.reading import Row, RunFolder
from throughtime.report.remembering import reach
from throughtime.report.verdict import Verdict, judge


@dataclass(frozen=True)
class Compared:
    """A sentence for each run but the first, and a table with a column for each run."""

    says: tuple[str, ...]
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


def table(runs: Sequence[RunFolder], names: Sequence[str]) -> Compared:
    """Set the numbers of all runs beside each other, and say what differs."""
    measured = [_measured(run) for run in runs]
    settings = [_settings(run) for run in runs]
    differing = [name for name in _all(settings) if _differ(settings, name)]
    rows = [
        *((name, [one.get(name) for one in measured]) for name in _all(measured)),
        *((name, [one.get(name) for one in settings]) for name in differing),
        ("seconds", [sum(row["seconds"] for row in run.rows) for run in runs]),
    ]
    return Compared(
        tuple(_sentences(runs, names, settings)),
        ("", *names),
        tuple((name, *map(written, values)) for name, values in rows),
    )


def _all(rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """The names of all rows, in the order in which they come."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _differ(rows: Sequence[Mapping[str, object]], name: str) -> bool:
    return any(row.get(name) != rows[0].get(name) for row in rows)


def _measured(run: RunFolder) -> dict[str, object]:
    verdict, best = judge(run), run.best
    row: dict[str, object] = {}
    if run.result is not None:
        first = run.result["metric"]
        for name in dict.fromkeys((first, *run.result["test"])):
            row[f"test {words(name)}"] = run.result["test"][name]
    row["learned"] = verdict.learned.word
    row["memory"] = verdict.memory.word
    reached = reach(run)
    row["gradient reaches"] = None if reached is None else count(reached, "step")
    row["to change"] = _first_of(verdict)
    if best is not None and run.metric is not None:
        for name in (run.metric, "loss"):
            row[f"validation {words(name)}"] = best[f"validation_{name}"]
        row["best epoch"] = f"{best['epoch']} of {len(run.rows)}"
    return row


def _settings(run: RunFolder) -> dict[str, object]:
    """All that was asked for, as text."""
    data = run.document["data"]
    asked: dict[str, object] = {
        "data": data.get("source") or data["name"],
        "cell": run.cell,
        **{
            f"data {name}": value for name, value in (data.get("reading") or {}).items()
        },
        **run.document["settings"],
    }
    return {name.replace("_", " "): _text(value) for name, value in asked.items()}


def _text(value: object) -> str:
    if value is None or value in ({}, []):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentences(
    runs: Sequence[RunFolder],
    names: Sequence[str],
    settings: Sequence[Mapping[str, object]],
) -> Iterator[str]:
    """Say of each run but the first what differs from that, and what came of it."""
    for run, name, own in zip(runs[1:], names[1:], settings[1:], strict=True):
        pair = (settings[0], own)
        differing = [
            f"{setting} {settings[0].get(setting, 'none')} → {own.get(setting, 'none')}"
            for setting in _all(pair)
            if _differ(pair, setting)
        ]
        what = ", ".join(differing) or "the same settings"
        came = ", ".join(_outcome(runs[0], run))
        yield f"{name} beside {names[0]}: {what}{came and f'; {came}'}."


def _outcome(first: RunFolder, other: RunFolder) -> Iterator[str]:
    one, two = first.result, other.result
    if one and two and one["metric"] == two["metric"]:
        metric = one["metric"]
        before, after = (written(result["test"][metric]) for result in (one, two))
        yield f"test {words(metric)} {before} → {after}"
    reached = reach(first), reach(other)
    if None not in reached:
        yield f"its gradient reaches {reached[0]} → {reached[1]} steps back"


def _first_of(verdict: Verdict) -> str | None:
    """The first thing to change, as short as can be."""
    for said in verdict.changes:
        return said.word if said.tone == "unknown" else said.remedy or said.word
    return None


def figures(runs: Sequence[RunFolder], names: Sequence[str]) -> Iterator[Figure]:
    """Draw what runs share: their curves, and how their error flows back."""
    yield from shared_curves(runs, names)
    diagnosed = [
        (name, run.part("lags"))
        for run, name in zip(runs, names, strict=True)
        if run.part("lags") is not None
    ]
    if len(diagnosed) > 1:
        yield _by_lag(diagnosed)


def _by_lag(diagnosed: Sequence[tuple[str, Row]]) -> Figure:
    data: list[dict[str, Any]] = []
    order = [name for name, _ in diagnosed]
    for name, lags in diagnosed:
        top = lags["layers"][-1]
        first = top["norms"][0]
        data += [
            {"run": name, "lag": lag, "share": None if not first else norm / first}
            for lag, norm in zip(lags["lags"], top["norms"], strict=True)
            if norm is not None
        ]
    chart = (
        plot([{**row, "share": positive(row["share"])} for row in data])
        .mark_line(point={"size": 24})
        .encode(
            x=alt.X("lag:Q").title("lag k: steps back").axis(format="d"),
            y=decades(
                alt.Y("share:Q").title("share of lag 0"),
                [row["share"] for row in data],
            ),
            color=series("run:N", order).scale(domain=order),
            tooltip=tooltip(("run:N", "run"), ("lag:Q", "lag"), ("share:Q", "share")),
        )
    )
    return figure(
        "Memory of all runs",
        "How large the gradient is k steps back, in the top layer, beside lag 0.",
        chart,
        ("run", "lag", "share of lag 0"),
        (row.values() for row in data),
    )
