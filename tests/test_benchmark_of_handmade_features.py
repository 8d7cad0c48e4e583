"""`python -m benchmarks.handmade_features`: data, features and what is printed."""

import io

import numpy as np
import pytest
from rich.console import Console
from sklearn.datasets import load_digits

from benchmarks.handmade_features import (
    KNOWN,
    PIXELS,
    SPOKEN,
    Network,
    Training,
    by_hand,
    load,
    rows,
    table_of,
)


def test_the_second_half_of_the_digits_is_the_test() -> None:
    images, labels = load_digits(return_X_y=True)
    train, answers = rows(load(PIXELS), ("train", "validation"))
    test, expected = rows(load(PIXELS), ("test",))
    half = len(images) // 2
    assert len(train) == half
    assert {one.shape for one in [*train, *test]} == {(64, 1)}
    assert sorted(answers) == sorted(labels[:half])
    np.testing.assert_array_equal(expected, labels[half:])
    np.testing.assert_allclose(np.stack(test)[:, :, 0] * 16, images[half:])


@pytest.mark.parametrize("name", [SPOKEN, PIXELS])
def test_features_made_by_hand_reach_what_is_known(name: str) -> None:
    found = by_hand(load(name))
    for words, accuracy in KNOWN[name].items():
        assert found[words] == pytest.approx(accuracy, abs=6e-4)
    assert ("all values at once, ridge" in found) == (name == PIXELS)


@pytest.mark.slow
def test_a_network_is_trained_on_raw_sequences() -> None:
    found = Training(PIXELS, Network("gru", hidden_size=16), 0, 2).run()
    assert found["validation_loss"] < np.log(10)
    assert found["accuracy"] > 0.15


def test_a_table_says_mean_and_spread_over_the_seeds() -> None:
    result = {
        "by hand": {"mean, ridge": 0.7132, "mean, logistic regression": 0.5},
        "network": str(Network("gru")),
        "accuracies": [0.9, 0.94, 0.95],
    }
    console = Console(width=120, file=io.StringIO())
    with console.capture() as capture:
        console.print(table_of(SPOKEN, result))
    lines = capture.get().splitlines()
    (ridge,) = [line for line in lines if "mean, ridge" in line]
    assert ridge.count("0.713") == 2
    (network,) = [line for line in lines if "raw sequences" in line]
    assert "0.930 (0.900 to 0.950)" in network
    assert "3 seeds" in network
