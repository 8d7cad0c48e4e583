"""The demonstration fails where the LSTM has not learned."""

import pytest

from examples.demo import NEEDED, Result, check, contestants


def results(accuracy: float) -> list[Result]:
    return [Result(one, accuracy, 1, 1.0, 1, [accuracy]) for one in contestants()]


def test_an_lstm_that_learned_too_little_ends_with_an_error() -> None:
    check(results(NEEDED))
    with pytest.raises(SystemExit, match=r"accuracy is 0\.9400, expected at least"):
        check(results(0.94))
