"""`python -m benchmarks.markov`: all is measured, laid out and drawn."""

import io

import numpy as np
from rich.console import Console

from benchmarks.markov import (
    CONTEXTS,
    ONE,
    SHORT,
    Trial,
    as_object,
    by_lag,
    floors_table,
    lags_table,
    of_one,
    trials,
)
from benchmarks.picture_of_markov import draw_floors, draw_lags
from throughtime.bench.lagged_source import RECIPES, LaggedSource, Outcome


def made_up(trial: Trial) -> Outcome:
    """A chain learns all of what its context holds, a network lags up to 8."""
    reach = trial.model if isinstance(trial.model, int) else 8
    learned = float(reach >= trial.source.lag)
    floor, rate = trial.source.floor(0), trial.source.entropy_rate
    return Outcome(floor - learned * (floor - rate), learned, 10 ** (1 + reach // 2))


FOUND = {trial: made_up(trial) for trial in trials([4, 16], [0, 1], 1000, 1)}


def printed(table: object) -> str:
    console = Console(width=160, file=io.StringIO())
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_chains_are_counted_at_every_short_lag_and_networks_at_those_asked_for() -> (
    None
):
    learned = by_lag(FOUND)
    assert set(learned) == {*CONTEXTS, *RECIPES}
    assert list(learned[1]) == [*SHORT, 16]
    assert learned["gru"] == {4: [1.0, 1.0], 16: [0.0, 0.0]}
    assert set(of_one(FOUND)) == {*range(ONE.lag + 2), "gru"}


def test_a_trial_is_a_chain_or_a_network() -> None:
    source = LaggedSource(2)
    counted = Trial(source, 2, 0, 5000, 1).run()
    trained = Trial(source, "elman", 0, 2000, 1).run()
    assert counted.success > 0.9 > trained.success
    assert counted.numbers < 150 < trained.numbers


def test_tables_say_bits_and_memory() -> None:
    (line,) = [x for x in printed(floors_table(FOUND)).splitlines() if "chain, 4" in x]
    assert "2.0000" in line
    lines = printed(lags_table(FOUND)).splitlines()
    capacity = {line[1:20].strip(): line.split("│")[-2].strip() for line in lines[4:-1]}
    assert capacity["chain, 3 symbols"] == "3"
    assert capacity["chain, 12 symbols"] == "8"
    assert capacity["LSTM"] == "4"


def test_the_object_names_every_outcome() -> None:
    outcomes = as_object(FOUND)["outcomes"]
    assert len(outcomes) == len(FOUND)
    assert {"lag": 16, "symbols": 4, "model": "GRU", "seed": 1, "success": 0.0} in [
        {key: one[key] for key in ("lag", "symbols", "model", "seed", "success")}
        for one in outcomes
    ]


def test_the_floor_is_drawn_beside_the_chains() -> None:
    left, right = draw_floors(ONE, of_one(FOUND)).axes
    bits, network = left.lines
    np.testing.assert_allclose(bits.get_ydata(), [2.0] * 5 + [ONE.entropy_rate] * 2)
    np.testing.assert_allclose(network.get_ydata(), ONE.entropy_rate)
    (floor,) = left.patches
    assert list(floor.get_data().values) == [2.0, ONE.entropy_rate]
    assert right.get_yscale() == "log"


def test_each_model_has_a_course_over_the_lags() -> None:
    left, right = draw_lags(by_lag(FOUND)).axes
    assert len(left.lines) == len(CONTEXTS) + 1
    assert len(right.lines) == len(RECIPES) + 1
    ends = {text.get_text(): text.get_position()[0] for text in left.texts}
    assert ends["3"] == 3
    assert ends["8, 12"] == 8
    assert {text.get_text() for text in right.texts} == {
        f"{name}: up to lag 4" for name in ("Elman", "GRU", "LSTM")
    }
