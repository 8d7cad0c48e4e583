"""What methods reach that know no more than one step: the floor under every result.

All are fitted on training and validation data together, since they choose nothing,
and measured on the test part.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from throughtime.data.datasets import Dataset, SequenceDataset, TextDataset
from throughtime.data.naive import forecast_baselines, label_baselines
from throughtime.data.schema import Column
from throughtime.data.types import IntegerArray, Split


def trivial_baselines(dataset: Dataset, season: int | None = None) -> dict[str, float]:
    """Return the test result of each trivial method, as a card records it.

    Parameters
    ----------
    dataset
        Sequences with one class each: accuracy of always answering the most frequent
        class, and of ridge classifiers on each feature's mean, and mean and deviation,
        over the steps, blind to their order. Labels of the next step: nats per step of
        each label's share and of a Markov chain for each. Forecasts: root mean square
        error of the last value. Text: bits per character of unigrams and of bigrams,
        over every test character but the first. What is fitted is the text without its
        test blocks, joined, as the test blocks are. Other questions have none.
    season
        For forecasts, the steps after which things come again: one more method adds the
        change at this point of the season before.
    """
    if isinstance(dataset, TextDataset):
        places = np.concatenate([np.asarray(r) for r in dataset.splits["test"]])
        fitted = np.delete(dataset.symbols, places)
        test, size = dataset.part("test"), len(dataset.vocabulary)
        return {
            "unigram": _bits(_unigram(fitted, size)[test[1:]]),
            "bigram": _bits(_bigram(fitted, test, size)),
        }
    if dataset.question.task == "forecast":
        return forecast_baselines(dataset, season)
    if dataset.question.task == "next" and _are_labels(dataset.schema.features):
        return label_baselines(dataset)
    if dataset.question.task != "classify" or dataset.question.per != "sequence":
        return {}
    fitted, test = _Features(dataset, "train", "validation"), _Features(dataset, "test")
    return {
        "majority": _majority(fitted, test),
        "ridge on the mean": _ridge(fitted, test, ["mean"]),
        "ridge on mean and deviation": _ridge(fitted, test, ["mean", "std"]),
    }


def _are_labels(features: Sequence[Column]) -> bool:
    return all(column.kind == "boolean" for column in features)


class _Features:
    """Mean and deviation of each feature over the steps, and the classes."""

    def __init__(self, dataset: SequenceDataset, *parts: Split) -> None:
        features = [frame for part in parts for frame in dataset.part(part)]
        frames = [frame for part in parts for frame in dataset.read(part)]
        [target] = dataset.schema.targets
        [place] = dataset.schema.places([target])
        self.classes = len(target.categories)
        self.targets = np.array([frame[0, place] for frame in frames], dtype=np.int64)
        self.mean = np.stack([one.mean(axis=0) for one in features])
        self.std = np.stack([one.std(axis=0) for one in features])


def _majority(fitted: _Features, test: _Features) -> float:
    counts = np.bincount(fitted.targets)
    return float((test.targets == counts.argmax()).mean())


def _ridge(fitted: _Features, test: _Features, kinds: list[str]) -> float:
    """Least squares to targets of 1 and -1 per class, standardised, penalty 1."""
    known, asked = (
        np.hstack([getattr(one, kind) for kind in kinds]).astype(np.float64)
        for one in (fitted, test)
    )
    mean = known.mean(axis=0)
    std = (known - mean).std(axis=0)
    known, asked = (known - mean) / std, (asked - mean) / std
    signs = 2.0 * (fitted.targets[:, None] == np.arange(fitted.classes)) - 1.0
    level = signs.mean(axis=0)
    gram = known.T @ known + np.eye(known.shape[1])
    weights = np.linalg.solve(gram, known.T @ (signs - level))
    answers = (asked @ weights + level).argmax(axis=1)
    return float((answers == test.targets).mean())


def _unigram(fitted: IntegerArray, size: int) -> npt.NDArray[np.float64]:
    """Probability of each symbol; one is added to every count, `UNKNOWN` included."""
    return (np.bincount(fitted, minlength=size) + 1.0) / (len(fitted) + size)


def _bigram(
    fitted: IntegerArray, test: IntegerArray, size: int
) -> npt.NDArray[np.float64]:
    """Probability of each test symbol but the first after the one before it.

    Counts are mixed with the unigram by the number of different followers (Witten
    and Bell 1991).
    """
    pairs, counts = np.unique(fitted[:-1] * size + fitted[1:], return_counts=True)
    before = np.bincount(fitted[:-1], minlength=size)
    followers = np.bincount(pairs // size, minlength=size)
    asked = test[:-1] * size + test[1:]
    place = np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)
    seen = np.where(pairs[place] == asked, counts[place], 0)
    # A symbol that was never followed has weight 1 for the unigram.
    weight = np.maximum(followers, 1)[test[:-1]]
    single = _unigram(fitted, size)[test[1:]]
    return (seen + weight * single) / (before[test[:-1]] + weight)


def _bits(probabilities: npt.NDArray[np.float64]) -> float:
    return float(-np.log2(probabilities).mean())
