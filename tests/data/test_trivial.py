"""Trivial methods, against counts by hand and scikit-learn."""

from collections import Counter
from itertools import pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import RidgeClassifier

from throughtime.data import load, text_dataset, trivial_baselines


@given(st.text("abcd", min_size=60, max_size=200).map(lambda text: "ab" + text))
def test_bits_are_those_of_counting_by_hand(text: str) -> None:
    dataset = text_dataset(text, "letters")
    test = dataset.part("test").tolist()
    # The test part of a text this short is its end.
    fitted, size = dataset.symbols.tolist()[: -len(test)], len(dataset.vocabulary)
    single, pairs = Counter(fitted), Counter(pairwise(fitted))
    before = Counter(fitted[:-1])
    bits = {"unigram": [], "bigram": []}
    for last, now in pairwise(test):
        unigram = (single[now] + 1) / (len(fitted) + size)
        followers = max(1, sum(1 for pair in pairs if pair[0] == last))
        mixed = pairs[last, now] + followers * unigram
        bits["unigram"].append(-log2(unigram))
        bits["bigram"].append(-log2(mixed / (before[last] + followers)))
    expected = {name: np.mean(values) for name, values in bits.items()}
    assert trivial_baselines(dataset) == pytest.approx(expected, rel=1e-12)


def test_what_is_fitted_is_all_but_the_test_blocks_joined() -> None:
    letters = np.random.default_rng(0).choice(list("abcd"), 200_000)
    letters[:100_000] = letters[100_000:]
    dataset = text_dataset("".join(letters), "letters")
    blocks = dataset.symbols.reshape(40, 5000)
    fitted = np.delete(blocks, [19, 39], axis=0).flatten().tolist()
    test = blocks[[19, 39]].flatten().tolist()
    single, pairs, size = Counter(fitted), Counter(pairwise(fitted)), 5
    before = Counter(fitted[:-1])
    expected = 0.0
    for last, now in pairwise(test):
        unigram = (single[now] + 1) / (len(fitted) + size)
        expected -= log2((pairs[last, now] + 4 * unigram) / (before[last] + 4))
    measured = trivial_baselines(dataset)["bigram"]
    assert measured == pytest.approx(expected / (len(test) - 1), rel=1e-12)


def test_ridge_is_scikit_learns() -> None:
    digits = load("spoken-digits")
    known = [*digits.read("train"), *digits.read("validation")]
    sequences = [*known, *digits.read("test")]
    fitted, test = slice(len(known)), slice(len(known), None)
    targets = np.array([one[0, 13] for one in sequences])
    sequences = [one[:, :13] for one in sequences]
    features = np.array(
        [np.r_[s.mean(axis=0), s.std(axis=0)] for s in sequences], np.float64
    )
    features = (features - features[fitted].mean(axis=0)) / features[fitted].std(axis=0)
    judge = RidgeClassifier(1.0).fit(features[fitted], targets[fitted])
    expected = judge.score(features[test], targets[test])
    measured = trivial_baselines(digits)["ridge on mean and deviation"]
    assert measured == pytest.approx(expected, abs=1e-9)
