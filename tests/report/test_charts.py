"""Every chart is Vega-Lite, has tooltips, and its table has the same numbers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from tests.report.diagnosed import EPOCHS, LAGS, LAYERS, STEPS, diagnosis, flow, lags
from throughtime.report.comparing import figures as shared
from throughtime.report.comparing import table
from throughtime.report.curves import curves
from throughtime.report.figures import Figure, written
from throughtime.report.flow import flow as flow_figures
from throughtime.report.flow import units
from throughtime.report.memory import dynamics, memory
from throughtime.report.reading import RunFolder, read_run
from throughtime.report.surface import surface


@pytest.fixture
def run(diagnosed: Path) -> RunFolder:
    return read_run(diagnosed)


def drawn(run: RunFolder) -> Iterator[Figure]:
    for draw in (curves, flow_figures, units, memory, dynamics, surface):
        yield from draw(run)


def marks(specification: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every layer that draws something."""
    for layer in specification.get("layer", ()):
        yield from marks(layer)
    if "mark" in specification:
        yield specification


def test_every_chart_is_vega_lite_and_says_its_numbers(run: RunFolder) -> None:
    found = [one for one in drawn(run) if one.specification is not None]
    assert len(found) == 20
    for one in found:
        assert one.specification is not None
        given = {k: v for k, v in one.specification.items() if k != "autosize"}
        alt.Chart.from_dict(given, validate=True)
        assert any(
            "tooltip" in layer["encoding"] for layer in marks(one.specification)
        ), one.title
        assert one.title in one.specification["description"]


def test_every_table_is_full_and_straight(run: RunFolder) -> None:
    for one in drawn(run):
        assert one.body, one.title
        assert {len(row) for row in one.body} == {len(one.head)}, one.title


def by_title(run: RunFolder, start: str) -> list[Figure]:
    return [one for one in drawn(run) if one.title.startswith(start)]


def test_a_table_holds_what_was_measured(run: RunFolder) -> None:
    (loss,) = by_title(run, "Loss")[:1]
    assert loss.body[0] == (
        "1",
        written(run.rows[0]["loss"]),
        written(run.rows[0]["validation_loss"]),
    )
    (steps,) = by_title(run, "Gradient flow by step")
    assert len(steps.body) == STEPS * len(LAYERS)
    by_lag = by_title(run, "Gradient flow by time and lag")
    assert len(by_lag) == len(LAYERS)
    assert all(len(one.head) == 1 + LAGS for one in by_lag)
    epochs = by_title(run, "Gradient flow while it learned")
    assert [len(one.body) for one in epochs] == [EPOCHS * STEPS] * len(LAYERS)


def test_a_flow_of_exactly_0_is_no_point_of_a_logarithmic_chart(
    run: RunFolder,
) -> None:
    dead = flow()
    dead["layers"][0]["median"][0] = 0.0
    changed = replace(run, diagnosis={**diagnosis(), "flow": dead})
    (one,) = by_title(changed, "Gradient flow by step")
    assert one.body[0][2] == "0"
    assert one.specification is not None
    values = one.specification["data"]["values"]
    assert values[0]["median"] is None


def test_a_loss_at_the_end_of_each_sequence_is_of_its_last_step(
    run: RunFolder,
) -> None:
    found = lags()
    found["sampled"] = [-1]
    for layer in found["layers"]:
        layer["by_step"] = layer["by_step"][-1:]
    changed = replace(run, diagnosis={**diagnosis(), "lags": found})
    one, *_ = by_title(changed, "Gradient flow by time and lag")
    assert [row[0] for row in one.body] == ["last"]


def test_parts_that_are_missing_draw_nothing(run: RunFolder) -> None:
    bare = replace(run, diagnosis=dict.fromkeys(diagnosis()), rows=[], flow=[])
    assert list(drawn(bare)) == []
    assert list(drawn(replace(run, diagnosis=None, rows=[], flow=[]))) == []


def test_long_trainings_give_small_heat_maps(run: RunFolder) -> None:
    long = [{**run.flow[0], "epoch": number} for number in range(1, 1001)]
    (one, *_) = by_title(replace(run, flow=long), "Gradient flow while it learned")
    assert len(one.body) == 60 * STEPS
    assert (one.body[0][0], one.body[-1][0]) == ("1", "1000")


def test_runs_share_charts_and_a_table(run: RunFolder) -> None:
    other = replace(run, path=run.path.parent / "other")
    compared = table([run, other], ["one", "two"])
    assert [row[0] for row in compared.body] == ["one", "two"]
    assert compared.head[:4] == ("run", "learned", "memory", "to change")
    assert compared.body[0][2:4] == ("23 steps: too short", "--init chrono")
    titles = [one.title for one in shared([run, other], ["one", "two"])]
    assert titles == [
        "Validation loss of all runs",
        "Validation accuracy of all runs",
        "Memory of all runs",
    ]


def test_runs_of_different_metrics_share_their_loss_alone(run: RunFolder) -> None:
    rows = [
        {name.replace("accuracy", "rmse"): value for name, value in row.items()}
        for row in run.rows
    ]
    other = replace(run, rows=rows, diagnosis=None)
    titles = [one.title for one in shared([run, other], ["one", "two"])]
    assert titles == ["Validation loss of all runs"]
    compared = table([run, other], ["one", "two"])
    assert compared.body[1][compared.head.index("validation accuracy")] == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.123456, "0.1235"),
        (-1e-9, "−1e−09"),
        (3, "3"),
    ],
)
def test_numbers_are_written_in_four_digits(value: float | None, text: str) -> None:
    assert written(value) == text
