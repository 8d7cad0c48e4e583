"""The lagged source: its floors are those of an enumeration, and models meet them."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.bench.lagged_source import (
    LaggedSource,
    chain,
    memory_capacity,
    network,
    parts,
    success,
)
from throughtime.errors import NumberOutOfRange

# Kneser-Ney learns a hundred contexts from 50,000 symbols as well as that, in bits.
OF_COUNTING = 0.01


def enumerated_floor(source: LaggedSource, context: int) -> float:
    """Add up the conditional entropy of the last of max(L, k) + 1 symbols."""
    steps = max(source.lag, context) + 1
    joint: dict[tuple[int, ...], float] = {}
    for word in itertools.product(range(source.symbols), repeat=steps):
        share = 1.0
        for place, symbol in enumerate(word):
            drawn = 1 / source.symbols
            if place >= source.lag:
                same = symbol == word[place - source.lag]
                drawn = source.repeat * same + (1 - source.repeat) * drawn
            share *= drawn
        seen = word[steps - 1 - context :]
        joint[seen] = joint.get(seen, 0.0) + share
    known: dict[tuple[int, ...], float] = {}
    for seen, share in joint.items():
        known[seen[:-1]] = known.get(seen[:-1], 0.0) + share
    return -sum(
        share * math.log2(share / known[seen[:-1]]) for seen, share in joint.items()
    )


@given(
    lag=st.integers(1, 3),
    symbols=st.integers(2, 3),
    repeat=st.floats(0.05, 0.95),
    context=st.integers(0, 4),
)
def test_floors_are_those_of_an_enumeration(
    lag: int, symbols: int, repeat: float, context: int
) -> None:
    source = LaggedSource(lag, symbols, repeat)
    expected = enumerated_floor(source, context)
    assert source.floor(context) == pytest.approx(expected, abs=1e-12)


def test_what_is_drawn_depends_on_the_symbol_of_lag_steps_before_alone() -> None:
    source = LaggedSource(4, 3, 0.7)
    text = source.draw(60_000, seed=3)
    assert text == source.draw(60_000, seed=3) != source.draw(60_000, seed=4)
    for lag in range(1, 8):
        same = sum(map(str.__eq__, text, text[lag:])) / (len(text) - lag)
        assert same == pytest.approx(source.right if lag == 4 else 1 / 3, abs=0.01)
    assert source.bits(text) == pytest.approx(source.entropy_rate, abs=0.01)


def test_who_knows_the_source_says_each_symbol_with_its_probability() -> None:
    source = LaggedSource(2, 2, 0.5)  # right 0.75, wrong 0.25
    expected = (1 - 2 * math.log2(0.75) - math.log2(0.25)) / 4
    assert source.bits("ababb") == pytest.approx(expected)


@pytest.mark.parametrize("context", range(5))
def test_chains_stand_at_their_floors(context: int) -> None:
    source = LaggedSource(3, 3, 0.8)
    drawn = parts(source, steps=50_000)
    outcome = chain(source, context, drawn)
    exact = source.bits(drawn.test) if context >= 3 else source.floor(context)
    assert exact - 0.001 < outcome.bits < exact + OF_COUNTING
    assert outcome.success == pytest.approx(int(context >= 3), abs=0.02)


def test_a_network_goes_below_the_floor_of_shorter_chains() -> None:
    source = LaggedSource(3, symbols=2)
    drawn = parts(source, steps=20_000, test_steps=5_000)
    outcome = network(source, "elman", drawn, hidden_size=32, epochs=3)
    assert outcome.bits < source.floor(2) - 0.3
    assert outcome.bits > source.bits(drawn.test)
    assert chain(source, 2, drawn).success < 0.01 < 0.4 < outcome.success


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_every_network_of_the_page_learns_a_lag_of_eight(cell: str) -> None:
    source = LaggedSource(8)
    assert network(source, cell, parts(source)).success > 0.9


def test_success_is_0_for_nothing_and_1_for_all() -> None:
    source = LaggedSource(3, 4, 0.6)
    text = source.draw(500)
    assert success(source, 2.0, text) == 0
    assert success(source, source.bits(text), text) == 1


def test_memory_reaches_to_the_last_lag_before_success_drops() -> None:
    assert memory_capacity({8: 0.4, 2: 1.0, 4: 0.5, 16: 0.9}) == 4
    assert memory_capacity({2: 0.1, 4: 1.0}) == 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"lag": 0}, "lag=0, expected a whole number of at least 1"),
        ({"lag": 2, "symbols": 1}, "symbols=1, expected a whole number of at least 2"),
        ({"lag": 2, "symbols": 27}, "symbols=27"),
        ({"lag": 2, "repeat": 1.0}, "repeat=1.0, expected a number above 0 and below"),
    ],
)
def test_what_is_no_source_is_refused(given: dict[str, float], named: str) -> None:
    with pytest.raises(NumberOutOfRange, match=named):
        LaggedSource(**given)  # type: ignore[bad-argument-type]
