"""Several runs side by side: a table of their numbers, and shared charts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from throughtime.report.curves import shared_curves, words
from throughtime.report.figures import (
    LOGARITHMIC,
    Figure,
    figure,
    plot,
    positive,
    series,
    tooltip,
    written,
)
from throughtime.report.reading import Row, RunFolder
from throughtime.report.verdict import Verdict, judge


@dataclass(frozen=True)
class Compared:
    """A row for each run."""

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


def table(runs: Sequence[RunFolder], names: Sequence[str]) -> Compared:
    """Set the numbers of all runs beside each other."""
    rows = [_row(run, name) for run, name in zip(runs, names, strict=True)]
    head = tuple(dict.fromkeys(heading for row in rows for heading in row))
    return Compared(
        head,
        tuple(tuple(written(row.get(heading)) for heading in head) for row in rows),
    )


def _row(run: RunFolder, name: str) -> dict[str, object]:
    verdict, settings, best = judge(run), run.document["settings"], run.best
    row: dict[str, object] = {
        "run": name,
        "learned": verdict.learned.word,
        "memory": verdict.memory.word,
        "to change": _first_of(verdict),
    }
    if best is not None and run.metric is not None:
        of_best = best[f"validation_{run.metric}"]
        row[f"validation {words(run.metric)}"] = of_best
    for measured, value in (run.result["test"] if run.result else {}).items():
        row[f"test {words(measured)}"] = value
    if best is not None:
        row["validation loss"] = best["validation_loss"]
        row["best epoch"] = f"{best['epoch']} of {len(run.rows)}"
    row["cell"] = run.cell
    row["units"] = settings["hidden_size"]
    row["layers"] = settings["num_layers"]
    row["seconds"] = sum(one["seconds"] for one in run.rows)
    return row


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
            y=alt.Y("share:Q")
            .title("share of lag 0")
            .scale(LOGARITHMIC)
            .axis(format="~g"),
            color=series("run:N").scale(domain=[n for n, _ in diagnosed]),
            tooltip=tooltip(("run:N", "run"), ("lag:Q", "lag"), ("share:Q", "share")),
        )
    )
    return figure(
        "Memory of all runs",
        "How much error is left k steps back, in the top layer, beside lag 0.",
        chart,
        ("run", "lag", "share of lag 0"),
        (row.values() for row in data),
    )
