"""What methods without any notion of sequence reach: the floor under every result.

All are fitted on training and validation data together, since they choose nothing,
and measured on the test part.
"""

import numpy as np
import numpy.typing as npt

from throughtime.data.datasets import (
    Dataset,
    FloatArray,
    IntegerArray,
    SequenceDataset,
    TextDataset,
)


def trivial_baselines(dataset: Dataset) -> dict[str, float]:
    """Return the test result of each trivial method, as a card records it.

    Parameters
    ----------
    dataset
        Sequences: accuracy of always answering the most frequent class, and of ridge
        classifiers on each feature's mean, and mean and deviation, over the
        steps, blind to their order. Text: bits per character of unigrams and of
        bigrams, over every test character but the first. What is fitted is the text
        without its test blocks, joined, as the test blocks are.
    """
    if isinstance(dataset, TextDataset):
        places = np.concatenate([np.asarray(r) for r in dataset.splits["test"]])
        fitted = np.delete(dataset.symbols, places)
        test, size = dataset.part("test"), len(dataset.vocabulary)
        return {
            "unigram": _bits(_unigram(fitted, size)[test[1:]]),
            "bigram": _bits(_bigram(fitted, test, size)),
        }
    mean = np.stack([sequence.mean(axis=0) for sequence in dataset.sequences])
    std = np.stack([sequence.std(axis=0) for sequence in dataset.sequences])
    return {
        "majority": _majority(dataset),
        "ridge on the mean": _ridge(dataset, mean),
        "ridge on mean and deviation": _ridge(dataset, np.hstack([mean, std])),
    }


def _fitted_places(dataset: SequenceDataset) -> IntegerArray:
    return np.concatenate([dataset.splits["train"], dataset.splits["validation"]])


def _majority(dataset: SequenceDataset) -> float:
    counts = np.bincount(dataset.targets[_fitted_places(dataset)])
    return float((dataset.targets[dataset.splits["test"]] == counts.argmax()).mean())


def _ridge(dataset: SequenceDataset, features: FloatArray) -> float:
    """Least squares to targets of 1 and -1 per class, standardised, penalty 1."""
    fitted, test = _fitted_places(dataset), dataset.splits["test"]
    scaled = features.astype(np.float64)
    scaled -= scaled[fitted].mean(axis=0)
    scaled /= scaled[fitted].std(axis=0)
    signs = 2.0 * (dataset.targets[:, None] == np.arange(len(dataset.classes))) - 1.0
    level = signs[fitted].mean(axis=0)
    gram = scaled[fitted].T @ scaled[fitted] + np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled[fitted].T @ (signs[fitted] - level))
    answers = (scaled[test] @ weights + level).argmax(axis=1)
    return float((answers == dataset.targets[test]).mean())


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
