"""The verdict says what was decided, and no more."""

import numpy as np
import pytest

from throughtime.bench.comparing import judging
from throughtime.bench.comparing.competing import Entry
from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.learning import Learned
from throughtime.bench.comparing.pairing import Compared
from throughtime.bench.comparing.verdict import (
    Gain,
    duration,
    gain_of,
    number,
    sentence,
)
from throughtime.data import Split
from throughtime.train.measuring import Predicted

OVER = "summary, which is blind to order"


def compared(effect: float, low: float, high: float, p: float) -> Compared:
    return Compared(effect, low, high, 0.9875, p, 4, "600 test sequences")


def say(found: Compared, gain: Gain | None = None, **said: object) -> str:
    options = {"metric": "accuracy", "higher": True, "seconds": 60.0, **said}
    return sentence("gru", "summary", compared=found, gain=gain, **options)  # type: ignore[arg-type]


def test_better_names_test_effect_interval_and_correction() -> None:
    said = say(compared(0.05, 0.02, 0.08, 0.0004), Gain(OVER, 0.05, 0.02, 8))
    assert said == (
        "The best recurrent network, gru, is better than the best baseline, summary: "
        "its accuracy is higher by 0.05 (98.75 % interval 0.02 to 0.08, paired "
        "sign-flip test over 600 test sequences, p < 0.001, corrected for 4 "
        "comparisons by Holm's method). Each model had 1.0 min. Of the gain of 0.05 of "
        "gru over summary, which is blind to order, 40% is there when it sees the last "
        "8 steps alone; for 60% this network used a longer memory."
    )


def test_worse_says_that_it_is_not_needed_and_turns_the_interval() -> None:
    said = say(
        compared(-0.4, -0.6, -0.2, 0.01), metric="rmse", higher=False, time_up=["gru"]
    )
    assert said.startswith("A recurrent network is not needed here")
    assert "its rmse is lower by 0.4" in said
    assert "98.75 % interval 0.2 to 0.6" in said
    assert said.endswith("Each model had 1.0 min; gru might be better in more time.")


@pytest.mark.parametrize("effect", [0.01, -0.01])
def test_undecided_where_the_interval_contains_zero(effect: float) -> None:
    said = say(compared(effect, -0.02, 0.03, 0.4), time_up=["gru", "lstm", "window"])
    assert said.startswith("Undecided: ")
    assert ("higher by 0.01" if effect > 0 else "lower by 0.01") in said
    assert "contains zero" in said and "interval -0.02 to 0.03" in said
    assert "not shown to be needed" in said
    assert said.endswith("; gru, lstm and window might be better in more time.")


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (compared(0.05, 0.02, 0.08, 0.01), ["hmm"]),
        (compared(-0.05, -0.08, -0.02, 0.01), ["gru", "lstm"]),
        (compared(0.05, -0.08, 0.1, 0.5), ["hmm", "gru", "lstm"]),
    ],
)
def test_all_but_the_winners_may_need_more_time(
    found: Compared, named: list[str]
) -> None:
    cut = {"hmm": True, "ngram": False, "gru": True, "lstm": True, "tcn": True}
    entries = [
        Entry(name, Learned(_never, 1, 1.0, time_up=up), "") for name, up in cut.items()
    ]
    assert judging._unfinished(entries, found) == named


def _never(split: Split) -> Predicted:
    raise AssertionError(split)


def test_too_few_units_are_said_and_no_endless_interval() -> None:
    found = compared(0.1, -np.inf, np.inf, 0.4)._replace(enough=False)
    said = say(found)
    assert said.startswith("Undecided, as there are too few test units to decide: ")
    assert "inf" not in said.replace("interval", "")


def test_equal_is_not_higher_by_nothing_and_nats_are_many() -> None:
    assert "is equal" in say(compared(0.0, -0.1, 0.1, 1.0))
    said = say(compared(0.5, 0.1, 0.9, 0.01), metric="nats_per_frame", higher=False)
    assert "its nats per frame are lower by 0.5" in said


def test_a_gain_that_is_not_shown_is_not_split() -> None:
    gain = Gain(OVER, 0.1, 0.05, 8, shown=False)
    said = say(compared(0.05, 0.02, 0.08, 0.01), gain)
    assert said.endswith(
        "gru gains anything over summary, which is blind to order, is not shown."
    )


@pytest.mark.parametrize(
    ("whole", "near", "told"),
    [
        (0.1, 0.1, "all is there when it sees the last 8 steps alone"),
        (0.1, -0.3, "nothing is left when it sees the last 8 steps alone"),
        (-0.1, -0.3, "gru gains nothing over summary"),
    ],
)
def test_gains_that_are_no_shares_are_told_in_words(
    whole: float, near: float, told: str
) -> None:
    said = say(compared(0.05, 0.02, 0.08, 0.01), Gain(OVER, whole, near, 8))
    assert told in said
    assert "%" not in said.partition("Holm")[2]


def test_the_gain_is_split_at_the_steps_of_the_window() -> None:
    past = History((1, 2, 4, 8, 16), (5.0, 4, 3, 2, 1), 0.5, 9, 9, np.arange(9))
    assert gain_of(past, "marginal", 6.0, higher=False) == Gain("marginal", 5.5, 4.0, 8)
    short = History((1, 2), (0.2, 0.4), 0.8, 9, 9, np.arange(9))
    found = gain_of(short, "summary", 0.3, higher=True)
    assert found == pytest.approx(("summary", 0.5, 0.1, 2, True))


def test_numbers_and_times_have_digits_that_count() -> None:
    assert [number(one) for one in (0.01234, 12.345, 1234.5)] == [
        "0.0123",
        "12.3",
        "1,234",
    ]
    assert [duration(one) for one in (90, 1.5, 0.0025, 2.5e-6, 3e-9)] == [
        "1.5 min",
        "1.5 s",
        "2.5 ms",
        "2.5 µs",
        "3 ns",
    ]
