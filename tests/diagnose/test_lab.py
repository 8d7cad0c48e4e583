"""Every experiment: its table, sentence, picture and numbers, and what it refuses."""

import inspect
import io
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from throughtime.diagnose import lab
from throughtime.diagnose.lab import EXPERIMENTS, Experiment
from throughtime.errors import BadExperiment

NAMES = pytest.mark.parametrize("name", EXPERIMENTS)
OVER_STEPS = pytest.mark.parametrize("name", ["vanishing", "carousel", "bounds"])


def pixels(figure: Figure) -> np.ndarray:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    buffer.seek(0)
    return image.imread(buffer)


@pytest.fixture(scope="module")
def found() -> Callable[[str], Experiment]:
    done = {name: run() for name, run in EXPERIMENTS.items()}
    return done.__getitem__


@NAMES
def test_a_table_has_a_cell_below_each_header(
    found: Callable[[str], Experiment], name: str
) -> None:
    headers, rows = found(name).table()
    assert len(set(headers)) == len(headers) > 2
    assert len(rows) > 2
    for row in rows:
        assert len(row) == len(headers)
        numbers = [one for one in row if not isinstance(one, str)]
        assert all(math.isfinite(one) for one in numbers)


@NAMES
def test_the_sentence_is_one(found: Callable[[str], Experiment], name: str) -> None:
    sentence = found(name).sentence
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert found(name).title[0].isupper()


@NAMES
def test_json_holds_every_number_of_the_table(
    found: Callable[[str], Experiment], name: str
) -> None:
    said = found(name).to_json()
    again = json.loads(json.dumps(said, allow_nan=False))
    assert again == said
    text = json.dumps(said)
    _, rows = found(name).table()
    numbers = [one for row in rows for one in row if not isinstance(one, str)]
    assert all(json.dumps(one) in text for one in numbers)


@OVER_STEPS
def test_the_picture_shows_every_row(
    found: Callable[[str], Experiment], name: str
) -> None:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    found(name).draw(figure)
    _, rows = found(name).table()
    solid = [line for axes in figure.axes for line in axes.get_lines()]
    solid = [line for line in solid if not line.get_label().startswith("_")]
    assert len(solid) == len(rows)
    for axes in figure.axes:
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(labels) == len(set(labels)) > 0
        assert axes.get_yscale() == "log"
    assert (pixels(figure)[..., :3] < 0.9).any(-1).sum() > 2000


@NAMES
def test_the_same_numbers_every_time(
    found: Callable[[str], Experiment], name: str
) -> None:
    assert EXPERIMENTS[name]().to_json() == found(name).to_json()


@OVER_STEPS
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_few_steps_are_each_shown_once(name: str, steps: int) -> None:
    headers, _ = EXPERIMENTS[name](steps=steps).table()
    shown = [one for one in headers if one.startswith("T = ")]
    assert shown[-1] == f"T = {steps}"
    assert len(set(shown)) == len(shown) <= steps


@OVER_STEPS
@pytest.mark.parametrize("steps", [0, -3, 2001, 1.5, True])
def test_steps_are_a_bounded_whole_number(name: str, steps: int) -> None:
    with pytest.raises(BadExperiment, match=r"steps=.*from 1 to 2000"):
        EXPERIMENTS[name](steps=steps)


@pytest.mark.parametrize("run", [lab.vanishing, lab.bounds])
@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_a_weight_is_finite(run: Callable[..., Experiment], weight: float) -> None:
    with pytest.raises(BadExperiment, match="expected a finite number"):
        run(weight=weight)


@pytest.mark.parametrize("run", [lab.vanishing, lab.bounds])
def test_an_activation_is_one_of_four(run: Callable[..., Experiment]) -> None:
    with pytest.raises(BadExperiment, match=r"of linear, relu, tanh, sigmoid.*'tanh'"):
        run(activation="tanhh")


@pytest.mark.parametrize("forget", [-0.1, 1.1, math.nan])
def test_a_gate_lies_between_0_and_1(forget: float) -> None:
    with pytest.raises(BadExperiment, match="forget="):
        lab.carousel(forget=forget)


def test_what_is_chosen_is_what_is_run() -> None:
    (one,) = lab.vanishing(weight=-2, activation="tanh", steps=5).courses
    assert (one.activation, one.weight, len(one.measured)) == ("tanh", -2, 5)
    assert {c.weight for c in lab.vanishing(weight=3, steps=5).courses} == {3}
    assert len(lab.vanishing(activation="relu", steps=5).courses) == 4
    (row,) = lab.carousel(forget=0.25, steps=5).rows
    assert (row.forget, row.measured[-1]) == (0.25, 0.25**5)
    rows = lab.bounds(weight=2, steps=5).rows
    assert [row.matrix for row in rows] == ["2·Q"] * 4


def test_numbers_that_are_too_large_are_infinite() -> None:
    (one,) = lab.vanishing(weight=4, activation="relu", steps=600).courses
    assert one.measured[-1] == one.product[-1] == one.bound[-1] == math.inf
    (row,) = lab.bounds(weight=4, activation="linear", steps=600).rows
    assert row.measured[-1] == row.bound[-1] == math.inf


@pytest.mark.parametrize("weight", [3.0, 6.0, 12.0])
def test_a_saturated_unit_is_measured_as_far_as_its_digits_go(weight: float) -> None:
    (one,) = lab.vanishing(weight=weight, activation="tanh", steps=10).courses
    # 1 − tanh² has a relative error of about 1e-16 / (1 − tanh²), at every step.
    slope = one.product[-1] / one.product[-2] / weight
    assert one.deviation < 10 * 4e-16 / slope


@NAMES
def test_the_first_line_says_what_it_is(name: str) -> None:
    first = (inspect.getdoc(EXPERIMENTS[name]) or "").partition("\n")[0]
    assert first.endswith(".")
    assert len(first) < 85
