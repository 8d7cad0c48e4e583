"""n-gram models: by hand, sums, floors, and what the card of a text says."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from throughtime.baselines import NGram
from throughtime.baselines.smoothing import SMOOTHINGS
from throughtime.data import UNKNOWN, TextDataset, decode, load
from throughtime.data.trivial import trivial_baselines
from throughtime.errors import (
    NoSymbols,
    NothingToHoldOut,
    NumberOutOfRange,
    OneSymbolText,
    TextTooShort,
    UnknownChoice,
    UnknownPrompt,
)

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 25


def slowly(
    sequences: list[Any], order: int, size: int, context: tuple[Any, ...], symbol: Any
) -> float:
    """Interpolated Kneser-Ney with one discount, as the formula is printed."""
    marked = [("^", *one) for one in sequences]
    counts = [
        Counter(
            one[start : start + k]
            for one in marked
            for start in range(len(one) - k + 1)
            if one[start : start + k] != ("^",)
        )
        for k in range(order + 1)
    ]

    def adjusted(k: int) -> dict[Any, int]:
        if k == order:
            return dict(counts[k])
        before: dict[Any, set[Any]] = defaultdict(set)
        for gram in counts[k + 1]:
            before[gram[1:]].add(gram[0])
        return {
            gram: count if gram[0] == "^" else len(before[gram])
            for gram, count in counts[k].items()
        }

    def share(k: int) -> float:
        if not k:
            return 1 / size
        lower, own = share(k - 1), adjusted(k)
        values = list(own.values())
        once, twice = values.count(1), values.count(2)
        discount = once / (once + 2 * twice) if once else 0.5
        if len(context) < k - 1:
            return lower
        h = context[len(context) - k + 1 :]
        after = {gram: c for gram, c in own.items() if gram[:-1] == h}
        if not after:
            return lower
        total = sum(after.values())
        direct = max(after.get((*h, symbol), 0) - discount, 0) / total
        return direct + discount * len(after) / total * lower

    return share(order)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_kneser_ney_is_what_the_formula_says(order: int) -> None:
    sequences = [tuple("abracadabra"), tuple("barbara"), tuple("cab"), tuple("ad")]
    model = NGram(order).fit(sequences)
    known = model.symbols_.tolist()
    for context in ["", "a", "ab", "rab", "zab", "bracadab", "dz"]:
        found = model.predict_proba([["a"], list(context)] if context else [["a"]])
        before = ("^", *context) if context else ("^", "a")
        expected = [slowly(sequences, order, 5, before, one) for one in known]
        np.testing.assert_allclose(found[-1], expected, rtol=1e-12)


def test_a_beginning_is_context() -> None:
    model = NGram(2).fit([["a", "b"]] * 5 + [["b", "a"]])
    expected = [slowly([*[("a", "b")] * 5, ("b", "a")], 2, 2, ("^",), s) for s in "ab"]
    found = model._next([np.empty(0, np.int64)])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[0] > 0.7


def test_witten_bell_by_hand() -> None:
    model = NGram(2, smoothing="witten-bell").fit([list("abac")])
    # Of 4 symbols 3 differ: p(b) = (1 + 3/3) / (4 + 3); a is followed by b and c.
    single = np.array([2 + 1, 1 + 1, 1 + 1]) / 7
    expected = (np.array([0, 1, 1]) + 2 * single) / (2 + 2)
    np.testing.assert_allclose(model.predict_proba([["a"]])[0], expected, rtol=1e-14)
    # c was never followed.
    np.testing.assert_allclose(model.predict_proba([["c"]])[0], single, rtol=1e-14)


def test_modified_kneser_ney_has_a_discount_for_each_count() -> None:
    # Counts of single symbols: 1, 1, 1, 2, 2, 3, 4 for a to g.
    text = list("abcddeefffgggg")
    model = NGram(1, smoothing="modified-kneser-ney").fit([text])
    once, twice, three, four = 3, 2, 1, 1
    single = once / (once + 2 * twice)
    taken = [
        1 - 2 * single * twice / once,
        2 - 3 * single * three / twice,
        3 - 4 * single * four / three,
    ]
    counts = np.array([1, 1, 1, 2, 2, 3, 4])
    discounts = np.array([taken[min(c, 3) - 1] for c in counts])
    expected = (counts - discounts + discounts.sum() / 7) / counts.sum()
    np.testing.assert_allclose(model.predict_proba([["a"]])[0], expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 3, 6])
def test_probabilities_sum_to_one_after_anything(smoothing: str, order: int) -> None:
    draw = np.random.default_rng(0)
    train = [list(draw.integers(0, 12, n) ** 2 // 12) for n in range(1, 60)]
    model = NGram(order, smoothing=smoothing).fit(train)
    contexts = [list(draw.integers(0, 14, n % 9 + 1)) for n in range(200)]
    contexts += [one[:-1] for one in train[2:]]
    shares = model.predict_proba(contexts)
    assert shares.shape == (len(contexts), len(model.symbols_))
    assert abs(shares.sum(axis=1) - 1).max() < 1e-12
    assert shares.min() > 0


def test_what_a_symbol_costs_is_what_was_predicted() -> None:
    model = NGram(4).fit(TEXT)
    text = "the lazy fox jumps@over"
    places = [model.symbols_.tolist().index(UNKNOWN if s == "@" else s) for s in text]
    shares = [
        model.predict_proba(text[:stop])[0, places[stop]]
        for stop in range(1, len(text))
    ]
    expected = -np.log2(shares).mean()
    assert model.bits_per_symbol(text) == pytest.approx(expected, rel=1e-12)
    assert model.score(text) == -model.bits_per_symbol(text)


def test_unseen_symbols_do_not_count_in_sequences() -> None:
    model = NGram(2).fit([list("abcabc"), list("cab")])
    together = model.bits_per_symbol([list("ab"), list("ab")])
    assert model.bits_per_symbol([list("ab"), list("az")]) == together
    with pytest.raises(NoSymbols, match="counts"):
        model.score([list("az"), ["a"]])


def test_an_order_one_source_has_its_entropy_and_no_more() -> None:
    draw = np.random.default_rng(0)
    chain = np.array([[0.8, 0.15, 0.05], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1]])
    symbols = [0]
    for chance in draw.random(60_000):
        symbols.append(int(np.searchsorted(chain[symbols[-1]].cumsum(), chance)))
    values, vectors = np.linalg.eig(chain.T)
    resting = np.real(vectors[:, np.argmax(np.real(values))])
    resting /= resting.sum()
    floor = float(-(resting[:, None] * chain * np.log2(chain)).sum())
    train, test = symbols[:40_000], symbols[40_000:]
    for order in (2, 3, 4):  # longer ones find nothing more, and little noise
        bits = NGram(order).fit([train]).bits_per_symbol([test])
        assert bits == pytest.approx(floor, abs=0.02)
    single = float(-(resting * np.log2(resting)).sum())
    assert NGram(1).fit([train]).bits_per_symbol([test]) == pytest.approx(
        single, abs=0.02
    )


def test_a_lag_of_three_is_out_of_reach_of_shorter_models() -> None:
    draw = np.random.default_rng(1)
    symbols = draw.integers(0, 2, 3).tolist()
    for chance in draw.random(20_000):
        symbols.append(symbols[-3] ^ int(chance < 0.1))
    train, test = symbols[:15_000], symbols[15_000:]
    bits = [NGram(n).fit([train]).bits_per_symbol([test]) for n in (1, 2, 3, 4)]
    noise = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))
    assert bits[:3] == pytest.approx([1, 1, 1], abs=0.01)
    assert bits[3] == pytest.approx(noise, abs=0.02)


def test_the_order_is_the_best_on_what_is_apart() -> None:
    train, apart = TEXT[:800], "the dog jumps over the quick fox.\n" * 3
    model = NGram(max_order=6).fit(train, validation_data=apart)
    each = [NGram(n).fit(train).bits_per_symbol(apart) for n in range(1, 7)]
    np.testing.assert_allclose(model.validation_bits_, each, rtol=1e-12)
    assert model.order_ == int(np.argmin(each)) + 1
    same = NGram(model.order_).fit(train)
    assert same.bits_per_symbol(apart) == model.bits_per_symbol(apart)
    assert same.validation_bits_ is None
    assert same.n_parameters_ == model.n_parameters_


def test_orders_beyond_every_sequence_change_nothing() -> None:
    walks = [list("ab"), list("ba"), list("abc")]
    shares = [NGram(n).fit(walks).predict_proba([list("ab")]) for n in (4, 9)]
    assert np.array_equal(*shares)


def test_draws_are_the_same_from_the_same_number() -> None:
    model = NGram(8).fit(TEXT)
    drawn = model.sample(60, random_state=0)
    assert drawn == model.sample(60, random_state=0)
    assert set(drawn) <= set(TEXT)
    likeliest = model.sample(20, 0, prompt="the quick ")
    assert likeliest == "brown fox jumps over"
    assert model.predict("the quick bro") == ["w"]
    walks = [[10, 11, 12], [11, 12, 13], [12, 13, 10]] * 4
    assert NGram(2).fit(walks).sample(3, 0, prompt=[10]) == [11, 12, 13]
    with pytest.raises(UnknownPrompt):
        model.sample(3, prompt="@")


def test_the_card_of_the_bundled_text_tells_what_is_measured() -> None:
    dataset = load("shakespeare")
    assert isinstance(dataset, TextDataset)
    train, validation, test = (
        decode(dataset.part(part), dataset.vocabulary)
        for part in ("train", "validation", "test")
    )
    model = NGram().fit(train, validation_data=validation)
    told = dataset.card.baselines[f"Kneser-Ney {model.order_}-gram"]
    assert model.bits_per_symbol(test) == pytest.approx(told, abs=5e-5)
    # Pairs are close to those that are counted elsewhere, smoothed almost so.
    pairs = NGram(2, smoothing="witten-bell").fit(train + validation)
    expected = trivial_baselines(dataset)["bigram"]
    assert pairs.bits_per_symbol(test) == pytest.approx(expected, abs=1e-3)


def test_conventions_of_scikit_learn() -> None:
    model = NGram(3, smoothing="witten-bell")
    assert clone(model).get_params() == model.get_params()
    walks = [(np.arange(6) + k) % 4 for k in range(40)]
    scores = cross_val_score(NGram(random_state=0), walks, cv=3)
    assert np.all(scores > -1)


@pytest.mark.parametrize(
    ("settings", "given", "error"),
    [
        ({"order": 0}, TEXT, NumberOutOfRange),
        ({"max_order": 0}, TEXT, NumberOutOfRange),
        ({"smoothing": "laplace"}, TEXT, UnknownChoice),
        ({"validation": 1.5}, TEXT, NumberOutOfRange),
        ({"validation": 0}, TEXT, NothingToHoldOut),
        ({}, "short", TextTooShort),
        ({}, "a" * 100, OneSymbolText),
        ({}, [["a"], []], NoSymbols),
        ({}, 5, NoSymbols),
    ],
)
def test_what_cannot_be_counted_is_refused(
    settings: dict[str, Any], given: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        NGram(**settings).fit(given)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_what_follows_each_symbol_is_what_follows_the_sequence_up_to_it(
    smoothing: str,
) -> None:
    chain = NGram(3, smoothing=smoothing).fit(["abcab", "bbca", "cabba"])
    asked = ["abz", "bcabca"]  # a symbol that nobody knows, too
    for said, sequence in zip(chain.predict_steps(asked), asked, strict=True):
        begun = [sequence[: step + 1] for step in range(len(sequence))]
        np.testing.assert_allclose(said, chain.predict_proba(begun), rtol=1e-12)
        np.testing.assert_allclose(said.sum(axis=1), 1)
