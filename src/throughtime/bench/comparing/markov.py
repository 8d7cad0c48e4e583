"""Baselines with a Markov chain in them: n-grams, hidden Markov models, chains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from throughtime.baselines import (
    HiddenMarkov,
    HiddenMarkovClassifier,
    KeyChain,
    NGram,
)
from throughtime.bench.comparing.blind import over_classes
from throughtime.bench.comparing.examples import (
    columns_of,
    filled_features,
    labels,
    symbols_of,
    text_of,
    truth,
)
from throughtime.bench.comparing.learning import Baseline, Fitted, always
from throughtime.data import Dataset, Split, TextDataset
from throughtime.data.trivial.counted import Floats
from throughtime.errors import SymbolsMissing

_LONGEST = 8
_STATES = (2, 4, 8, 16)
_PACKAGES = ("hmmlearn.hmm",)
_STATES_OF_A_CLASS = (1, 2, 3, 4, 6, 8)


def _ngram(smoothing: str) -> Callable[[Dataset, None, float, int], Fitted]:
    """Count once, and choose the order itself: that is one pass for all of them."""

    def learn(dataset: Dataset, _: None, seconds: float, seed: int) -> Fitted:
        model = NGram(max_order=_LONGEST, smoothing=smoothing)
        train, apart = (_symbols(dataset, part) for part in ("train", "validation"))
        model.fit(train, validation_data=apart)
        return _saying(dataset, model)._replace(chosen=model.order_)

    return learn


def _hidden(dataset: Dataset, states: int, seconds: float, seed: int) -> Fitted:
    model = HiddenMarkov(states, starts=1, time_limit=seconds, random_state=seed)
    model.fit(_symbols(dataset, "train"))
    return _saying(dataset, model)


def _saying(dataset: Dataset, model: NGram | HiddenMarkov) -> Fitted:
    """Answer with a model that has learned."""
    width = len(labels(dataset))

    def outputs(split: Split) -> Sequence[Floats]:
        said = model.predict_steps(_symbols(dataset, split))
        if isinstance(dataset, TextDataset):
            return said
        return [over_classes(one, model.symbols_, width) for one in said]

    return Fitted(outputs, model.n_parameters_)


def _symbols(dataset: Dataset, split: Split) -> Any:
    """Return a text, or sequences of symbols; those of training are all known.

    Raises
    ------
    SymbolsMissing
        One of them is not.
    """
    if isinstance(dataset, TextDataset):
        return text_of(dataset, split)
    found = symbols_of(dataset, split)
    if split == "train" and any((one < 0).any() for one in found):
        raise SymbolsMissing(data=dataset.name)
    return found


def _of_classes(dataset: Any, states: int, seconds: float, seed: int) -> Fitted:
    model = HiddenMarkovClassifier(states, time_limit=seconds, random_state=seed)
    y = np.concatenate(list(truth(dataset, "train")))[:, 0]
    known = y >= 0
    X = filled_features(dataset, "train")
    X = [one for one, there in zip(X, known, strict=True) if there]
    model.fit(X, y[known].astype(np.int64))
    width = len(labels(dataset))

    def outputs(split: Split) -> Sequence[Floats]:
        said = model.predict_proba(filled_features(dataset, split))
        return list(over_classes(said, model.classes_, width)[:, None])

    return Fitted(outputs, model.n_parameters_)


def _chain(dataset: Any, _: None, seconds: float, seed: int) -> Fitted:
    model = KeyChain().fit(columns_of(dataset, "train"))

    def outputs(split: Split) -> Sequence[Floats]:
        return model.predict_proba(columns_of(dataset, split))

    return Fitted(outputs, model.shares_.size)


MARKOV: Final[Mapping[str, Baseline]] = {
    "ngram": Baseline(
        _ngram("modified-kneser-ney"), always(None), "order {}, three discounts"
    ),
    "kneser-ney": Baseline(
        _ngram("kneser-ney"), always(None), "order {}, one discount"
    ),
    "hmm": Baseline(_hidden, always(*_STATES), "{} state{s}", _PACKAGES),
    "class-hmm": Baseline(
        _of_classes, always(*_STATES_OF_A_CLASS), "{} state{s} each", _PACKAGES
    ),
    "chain": Baseline(_chain, always(None)),
}
