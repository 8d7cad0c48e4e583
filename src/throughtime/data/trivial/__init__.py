"""TRIVIAL METHODS: the floor under every result.

What methods reach that have no notion of a sequence, or of its last step only. All are
fitted on training and validation data together, since they choose nothing, and
measured on the test part in the main metric of the question. A missing value counts
nowhere, neither in what is fitted nor in what is measured.

`classes`, `labels`, `symbols` and `numbers` are apart by the kind of answer; `counted`
reads the steps that count, some at a time.

May import the rest of `data`. Next: `train`, whose networks must do better.
"""

from collections.abc import Callable, Mapping

from throughtime.data.datasets import Dataset, SequenceDataset, TextDataset
from throughtime.data.question import TaskName
from throughtime.data.trivial.classes import classes
from throughtime.data.trivial.counted import asked_next
from throughtime.data.trivial.labels import labels, next_labels
from throughtime.data.trivial.numbers import LAST_TRUE, forecasts, naive_error, numbers
from throughtime.data.trivial.symbols import next_symbols, text

__all__ = ["LAST_TRUE", "naive_error", "trivial_baselines"]


def trivial_baselines(dataset: Dataset, season: int | None = None) -> dict[str, float]:
    """Return the test result of each trivial method, as a card records it.

    Parameters
    ----------
    dataset
        Text: bits per character of unigrams and of bigrams, over every test character
        but the first; what is fitted is the text without its test blocks, joined, as
        the test blocks are. Sequences, by their question:

        - classes: accuracy of the most frequent one and, per sequence, of ridge
          classifiers on each feature's mean, and mean and deviation, over the steps,
          blind to their order, or on how often each item is named; the mean over
          targets where there are several;
        - labels: micro AUROC of their shares and, per sequence, of ridge;
        - the next step's labels: nats per frame of their shares, and of a first-order
          Markov chain for each label;
        - the next symbol: bits per symbol of unigrams and of bigrams;
        - numbers: root-mean-square error of the mean and, per sequence, of ridge, per
          step, of the true value one step before, which no network sees;
        - forecasts: root-mean-square error of the last value; of the mean, where levels
          are forecast; of the value s steps before what is forecast, where changes
          since s > 1 steps before are.
    season
        For forecasts, the steps after which things come again: one more method adds the
        change at this point of the season before to the last value.
    """
    if isinstance(dataset, TextDataset):
        return text(dataset)
    if dataset.question.task == "forecast":
        return forecasts(dataset, season)
    if dataset.question.task == "next":
        labelled = asked_next(dataset.schema, "boolean")
        return next_labels(dataset) if labelled else next_symbols(dataset)
    return _METHODS[dataset.question.task](dataset)


_METHODS: Mapping[TaskName, Callable[[SequenceDataset], dict[str, float]]] = {
    "classify": classes,
    "multilabel": labels,
    "regress": numbers,
}
