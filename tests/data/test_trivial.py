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


@given(
    st.text("abcd", min_size=60, max_size=200).filter(lambda t: len(set(t[:54])) > 1)
)
def test_bits_are_those_of_counting_by_hand(text: str) -> None:
    dataset = text_dataset(text, "letters")
    symbols = dataset.symbols.tolist()
    start = dataset.splits["test"].start
    fitted, size = symbols[:start], len(dataset.vocabulary)
    single, pairs = Counter(fitted), Counter(pairwise(fitted))
    before = Counter(fitted[:-1])
    bits = {"unigram": [], "bigram": []}
    for place in range(start + 1, len(symbols)):
        last, now = symbols[place - 1], symbols[place]
        unigram = (single[now] + 1) / (len(fitted) + size)
        followers = max(1, sum(1 for pair in pairs if pair[0] == last))
        mixed = pairs[last, now] + followers * unigram
        bits["unigram"].append(-log2(unigram))
        bits["bigram"].append(-log2(mixed / (before[last] + followers)))
    expected = {name: np.mean(values) for name, values in bits.items()}
    assert trivial_baselines(dataset) == pytest.approx(expected, rel=1e-12)


def test_ridge_is_scikit_learns() -> None:
    digits = load("spoken-digits")
    fitted = np.concatenate([digits.splits["train"], digits.splits["validation"]])
    test = digits.splits["test"]
    features = np.array(
        [np.r_[s.mean(axis=0), s.std(axis=0)] for s in digits.sequences], np.float64
    )
    features = (features - features[fitted].mean(axis=0)) / features[fitted].std(axis=0)
    judge = RidgeClassifier(1.0).fit(features[fitted], digits.targets[fitted])
    expected = judge.score(features[test], digits.targets[test])
    measured = trivial_baselines(digits)["ridge on mean and deviation"]
    assert measured == pytest.approx(expected, abs=1e-9)
