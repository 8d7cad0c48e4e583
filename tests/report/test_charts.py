"""Every chart is Vega-Lite, has tooltips, and its table has the same numbers."""

import json
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
from throughtime.report.figures import Figure, decades, series, span, written
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
    assert "exactly 0 (too small for a number) before step 1." in one.says


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
    assert compared.head == ("", "one", "two")
    assert compared.body[0][0] == "test accuracy"
    rows = {name: values for name, *values in compared.body}
    assert rows["gradient reaches"] == ["23 steps"] * 2
    assert rows["to change"] == ["--init chrono"] * 2
    assert compared.says[0].startswith("two beside one: the same settings; ")
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
    rows = {name: values for name, *values in compared.body}
    assert rows["validation accuracy"][1] == "–"


def test_a_sentence_says_what_differs_and_what_came_of_it(run: RunFolder) -> None:
    document = json.loads(json.dumps(run.document))
    document["settings"].update(init="orthogonal", epochs=7)
    document["training"]["result"]["test"]["accuracy"] = 1.0
    found = diagnosis()
    for layer in found["memory"]["layers"]:
        layer["horizon"] *= 2
    compared = table(
        [run, replace(run, document=document, diagnosis=found)], ["a", "b"]
    )
    assert run.result is not None
    before = written(run.result["test"]["accuracy"])
    assert compared.says == (
        "b beside a: init default → orthogonal, epochs 5 → 7; test accuracy "
        f"{before} → 1, its gradient reaches 23 → 46 steps back.",
    )
    names = [row[0] for row in compared.body]
    assert {"init", "epochs"} < set(names)
    assert "optimizer" not in names


@pytest.mark.parametrize(
    ("values", "domain", "labels"),
    [
        ([0.02, None, 3.0], [0.01, 10.0], [10.0, 1.0, 0.1, 0.01]),
        ([0.0, 1.0], [1.0, 10.0], [10.0, 1.0]),
        ([1e-21, 1.0], [1e-21, 1.0], [1.0, 1e-4, 1e-8, 1e-12, 1e-16, 1e-20]),
    ],
)
def test_logarithmic_axes_have_powers_of_ten_alone(
    values: list[float | None], domain: list[float], labels: list[float]
) -> None:
    axis = decades(alt.Y("value:Q"), values).to_dict()
    assert axis["scale"]["domain"] == pytest.approx(domain, rel=1e-9)
    assert axis["axis"]["values"] == pytest.approx(labels, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([0.693, 0.694], [0.5 * (0.693 + 0.694) - 0.0694, None]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.0], [0.0, 1.0]),
        ([None], [0.0, 1.0]),
    ],
)
def test_noise_does_not_fill_a_chart(
    values: list[float | None], domain: list[float | None]
) -> None:
    low, high = span(values).to_dict()["domain"]
    assert low == pytest.approx(domain[0])
    assert high == pytest.approx(low + 0.2 * 0.694 if domain[1] is None else domain[1])


def test_a_single_series_has_no_legend() -> None:
    assert series("part:N", ["one", "one"]).to_dict()["legend"] is None
    assert series("part:N", ["one", "two"]).to_dict()["legend"] is not None


def test_the_loss_has_the_best_constant_answer_beside_it(run: RunFolder) -> None:
    finding = {**diagnosis()["findings"][0], "measured": {"constant": 0.75}}
    changed = replace(run, diagnosis={**diagnosis(), "findings": [finding]})
    (loss,) = by_title(changed, "Loss")[:1]
    assert "the best constant answer, on validation data: 0.75" in loss.says


@pytest.mark.parametrize(
    ("parts", "start"),
    [
        ({}, "On a saddle: the loss falls in 10 % of directions."),
        ({"verdict": "plateau"}, "On a plateau"),
        ({"verdict": "slope"}, "On a slope"),
        ({"verdict": "minimum", "smallest": 0.1}, "On a minimum"),
        (
            {"verdict": "minimum", "smallest": -0.0022, "index": 0.0654},
            "Flat, nearly a minimum: the loss falls in 6.5 % of directions, by little",
        ),
    ],
)
def test_the_place_of_the_weights_agrees_with_its_numbers(
    run: RunFolder, parts: dict[str, Any], start: str
) -> None:
    found = {**diagnosis()["surface"], **parts}
    changed = replace(run, diagnosis={**diagnosis(), "surface": found})
    (place,) = by_title(changed, "Where the weights lie")
    assert place.says.startswith(start)


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
