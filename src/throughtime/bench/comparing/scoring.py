"""What is kept of a model's answers: what each adds to the metric, and which it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from throughtime.bench.comparing.examples import labels, question_of
from throughtime.data import Dataset, TextDataset
from throughtime.data.types import IntegerArray
from throughtime.errors import AnswersDiffer
from throughtime.train.measuring import Predicted
from throughtime.train.measuring.additive import BUILDERS, Additive
from throughtime.train.measuring.intervals import in_order
from throughtime.train.measuring.predicted import Array, checked, form
from throughtime.train.metrics import HIGHER_IS_BETTER

METRICS: Final = {
    "classes": "accuracy",
    "symbols": "bits_per_symbol",
    "labels": "nats_per_frame",
    "numbers": "rmse",
}
"""What answers of each form are compared in: a mean over answers, or its root."""


@dataclass(frozen=True, eq=False)
class Scored:
    """How good n answers are.

    Parameters
    ----------
    additive
        The metric; what each answer adds is a sum and a count.
    targets
        `(n,)` or `(n, K)`, what was true.
    sequences, steps
        `(n,)`, which answers they are, in order.
    higher
        Whether more of the metric is better.
    """

    additive: Additive
    targets: Array
    sequences: IntegerArray
    steps: IntegerArray
    higher: bool

    @property
    def value(self) -> float:
        """The metric."""
        return self.additive.value()

    @property
    def loss(self) -> float:
        """The metric, or less by as much as it is better."""
        return -self.value if self.higher else self.value

    def of(self, kept: npt.NDArray[np.bool_] | IntegerArray) -> Self:
        """Return the score of some answers."""
        parts = self.additive.parts[kept]
        return replace(
            self,
            additive=self.additive._replace(parts=parts),
            targets=self.targets[kept],
            sequences=self.sequences[kept],
            steps=self.steps[kept],
        )


def metric_of(dataset: Dataset, predicted: Predicted) -> str:
    """Name what the answers are compared in."""
    name = METRICS[form(question_of(dataset), predicted)]
    return name.replace("symbol", symbol_of(dataset))


def symbol_of(dataset: Dataset) -> str:
    """Say what a symbol is called."""
    return "character" if isinstance(dataset, TextDataset) else "symbol"


def score(dataset: Dataset, predicted: Predicted) -> Scored:
    """Measure answers; those whose truth nobody knows count nowhere."""
    question = question_of(dataset)
    known = in_order(checked(question, predicted, labels(dataset)))
    kind = form(question, known)
    return Scored(
        BUILDERS[kind][METRICS[kind]](known),
        known.targets,
        known.sequences,
        known.steps,
        METRICS[kind] in HIGHER_IS_BETTER,
    )


def common(scores: Sequence[Scored]) -> list[Scored]:
    """Keep the answers that all have given, and see that they are to the same truth.

    Raises
    ------
    AnswersDiffer
        None is common to all, or what is true of one differs.
    """
    kept = _keys(scores[0])
    for one in scores[1:]:
        kept = np.intersect1d(kept, _keys(one), assume_unique=True)
    if not len(kept):
        raise AnswersDiffer(given="no answer that all of them give")
    found = [one.of(np.isin(_keys(one), kept)) for one in scores]
    for one in found[1:]:
        if not np.array_equal(one.targets, found[0].targets, equal_nan=True):
            raise AnswersDiffer(given="another truth beside an answer")
    return found


def _keys(scored: Scored) -> IntegerArray:
    """Return one number for each answer: a step is one of less than 2³² of them."""
    return (scored.sequences << 32) + scored.steps
