"""Hidden Markov models beside hmmlearn, enumeration, and spoken digits."""

import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
from hmmlearn import hmm
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from throughtime.baselines import HiddenMarkov, HiddenMarkovClassifier
from throughtime.baselines.emissions import Chain
from throughtime.data import SequenceDataset, load
from throughtime.errors import (
    BaselinePackageMissing,
    ClassesChanged,
    FeatureCountMismatch,
    LabelsGiven,
    NoSymbols,
    NothingToHoldOut,
    NumberOutOfRange,
    OneClassGiven,
    TargetNeeded,
)


def chain(states: int, draw: np.random.Generator, **emissions: Any) -> Chain:
    return Chain(
        draw.dirichlet(np.ones(states)),
        draw.dirichlet(np.ones(states), states),
        **emissions,
    )


def test_the_forward_algorithm_is_the_sum_over_all_courses() -> None:
    draw = np.random.default_rng(0)
    model = chain(3, draw, symbols=draw.dirichlet(np.ones(4), 3))
    symbols = np.array([2, 0, -1, 3])  # -1: an unknown one says nothing
    assert model.symbols is not None
    seen = np.where(symbols >= 0, model.symbols[:, symbols], 1.0)
    total, last = 0.0, np.zeros(3)
    for course in product(range(3), repeat=4):
        chance = model.start[course[0]]
        for t, state in enumerate(course):
            if t:
                chance *= model.transition[course[t - 1], state]
            chance *= seen[state, t]
        total, last[course[-1]] = total + chance, last[course[-1]] + chance
    densities, states = model.filtered(symbols)
    assert densities.sum() == pytest.approx(np.log(total), rel=1e-12)
    np.testing.assert_allclose(states[-1], last / total, rtol=1e-12)


def test_densities_are_those_of_hmmlearn() -> None:
    draw = np.random.default_rng(1)
    means, variances = draw.normal(size=(3, 2)), draw.uniform(0.5, 2, (3, 2))
    ours = chain(3, draw, means=means, variances=variances)
    theirs = hmm.GaussianHMM(3, covariance_type="diag")
    theirs.startprob_, theirs.transmat_ = ours.start, ours.transition
    theirs.means_, theirs.covars_ = means, variances
    steps = draw.normal(size=(50, 2))
    densities, states = ours.filtered(steps)
    assert densities.sum() == pytest.approx(theirs.score(steps), rel=1e-10)
    # At the last step what is known of the state is what is known of all steps.
    np.testing.assert_allclose(states[-1], theirs.predict_proba(steps)[-1], rtol=1e-8)


def test_steps_far_from_every_state_have_a_density_too() -> None:
    model = Chain(
        np.array([0.5, 0.5]),
        np.full((2, 2), 0.5),
        means=np.zeros((2, 1)),
        variances=np.ones((2, 1)),
    )
    densities, _ = model.filtered(np.full((3, 1), 100.0))
    np.testing.assert_allclose(densities, -5000 - 0.5 * np.log(2 * np.pi))


def coin_of_two(count: int, draw: np.random.Generator) -> list[str]:
    """Two coins, hidden, of which the thrown one seldom changes."""
    state, symbols = 0, list[str]()
    for _ in range(count):
        state ^= int(draw.random() < 0.05)
        symbols.append("H" if draw.random() < (0.95, 0.1)[state] else "T")
    return symbols


def test_states_are_chosen_and_better_than_none() -> None:
    draw = np.random.default_rng(0)
    train = [coin_of_two(200, draw) for _ in range(20)]
    test = [coin_of_two(200, draw) for _ in range(10)]
    model = HiddenMarkov((1, 2), random_state=0).fit(train)
    assert model.states_ == 2
    assert model.n_parameters_ == 2 + 4 + 4
    alone = HiddenMarkov(1, random_state=0).fit(train)
    assert model.bits_per_symbol(test) < 0.65 < 0.95 < alone.bits_per_symbol(test)
    shares = model.predict_proba([["H"] * 5, ["T"] * 5])
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    assert model.predict([["H"] * 5, ["T"] * 5]).tolist() == ["H", "T"]
    drawn = model.sample(30, random_state=0)
    assert drawn == model.sample(30, random_state=0)
    assert set(drawn) == {"H", "T"}
    again = clone(model).fit(train)
    assert again.score(test) == model.score(test)


def test_what_a_symbol_costs_is_what_was_predicted() -> None:
    draw = np.random.default_rng(0)
    text = "".join(coin_of_two(300, draw))
    model = HiddenMarkov(2, random_state=0).fit(text)
    places = [0 if s == "?" else 1 + "HT".index(s) for s in "HHT?TH"]
    shares = [
        model.predict_proba("HHT?TH"[:stop])[0, places[stop]] for stop in range(1, 6)
    ]
    expected = -np.log2(shares).mean()
    assert model.bits_per_symbol("HHT?TH") == pytest.approx(expected, rel=1e-10)


def digits(*parts: Any) -> tuple[list[Any], Any]:
    dataset = load("spoken-digits")
    assert isinstance(dataset, SequenceDataset)
    rows = [one for part in parts for one in dataset.read(part)]
    return [one[:, :-1] for one in rows], np.array([int(one[0, -1]) for one in rows])


@pytest.mark.slow
def test_spoken_digits_are_told_apart() -> None:
    model = HiddenMarkovClassifier(random_state=0)
    model.fit(*digits("train"), validation_data=digits("validation"))
    assert model.score(*digits("test")) >= 0.85


def test_two_words_are_told_apart_by_the_order_of_their_sounds() -> None:
    draw = np.random.default_rng(0)

    def word(rises: bool) -> Any:
        steps = np.sort(draw.integers(0, 3, int(draw.integers(4, 12))))
        steps = steps if rises else steps[::-1]
        return steps[:, None] + draw.normal(0, 0.1, (len(steps), 2))

    y = np.array(["up", "down"] * 40)
    X = [word(one == "up") for one in y]
    model = HiddenMarkovClassifier((1, 3), random_state=0).fit(X[:60], y[:60])
    assert model.states_ == 3
    assert model.score(X[60:], y[60:]) > 0.9
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert model.predict(X)[0] == model.classes_[shares[0].argmax()]
    one = HiddenMarkovClassifier(1, random_state=0)
    assert cross_val_score(one, X, y, cv=2).shape == (2,)
    with pytest.raises(FeatureCountMismatch):
        model.predict([np.zeros((3, 1))])
    with pytest.raises(ClassesChanged):
        model.fit(X[:60], y[:60], validation_data=(X[:2], ["up", "left"]))


def test_what_cannot_be_learned_is_refused() -> None:
    X, y = [np.zeros((3, 1))] * 4, [0, 1, 0, 1]
    for settings, given, error in [
        ({"states": 0}, (X, y), NumberOutOfRange),
        ({"states": ()}, (X, y), NumberOutOfRange),
        ({"rounds": 0}, (X, y), NumberOutOfRange),
        ({"validation": 0}, (X, y), NothingToHoldOut),
        ({}, (X, None), TargetNeeded),
        ({}, (X, [0] * 4), OneClassGiven),
        ({}, (X, [[0, 1]] * 4), LabelsGiven),
    ]:
        with pytest.raises(error):
            HiddenMarkovClassifier(**settings).fit(*given)
    with pytest.raises(NoSymbols):
        HiddenMarkov(2).fit([[]])
    with pytest.raises(NothingToHoldOut):
        HiddenMarkov(validation=0).fit("ab" * 50)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hmmlearn.hmm", None)
    with pytest.raises(
        BaselinePackageMissing, match=r'pip install "throughtime\[baselines\]"'
    ):
        HiddenMarkov(2).fit("ab" * 50)


def test_what_follows_each_symbol_is_what_follows_the_sequence_up_to_it() -> None:
    model = HiddenMarkov(2, starts=1, random_state=0).fit(["abcab", "bbca", "cabba"])
    asked = ["abz", "bcabca"]  # a symbol that nobody knows, too
    for said, sequence in zip(model.predict_steps(asked), asked, strict=True):
        begun = [sequence[: step + 1] for step in range(len(sequence))]
        np.testing.assert_allclose(said, model.predict_proba(begun), rtol=1e-12)


def test_when_time_is_up_there_is_a_model_all_the_same() -> None:
    draw = np.random.default_rng(0)
    text = "".join(draw.choice([*"abc"], 5000))
    hurried = HiddenMarkov((1, 2, 4), time_limit=1e-9, random_state=0).fit(text)
    assert hurried.states_ == 1
    one_round = HiddenMarkov(3, starts=5, time_limit=1e-9, random_state=0).fit(text)
    alone = HiddenMarkov(3, starts=1, rounds=1, random_state=0).fit(text)
    assert one_round.bits_per_symbol(text) == alone.bits_per_symbol(text)
    X = [draw.normal(size=(5, 2)) for _ in range(20)]
    y = [0, 1] * 10
    both = HiddenMarkovClassifier(time_limit=1e-9, random_state=0).fit(X, y)
    assert both.states_ == 1
    assert both.predict_proba(X).shape == (20, 2)
    with pytest.raises(NumberOutOfRange, match="time_limit"):
        HiddenMarkov(time_limit=0).fit(text)
