"""All that is said of answers: metrics, an interval, a picture, lines to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.data import Question
from throughtime.data.types import FloatArray
from throughtime.train.measuring.intervals import Interval, interval
from throughtime.train.measuring.metrics import main_metric, measure
from throughtime.train.measuring.pictures import draw
from throughtime.train.measuring.predicted import Predicted, checked
from throughtime.train.progress import words


@dataclass(frozen=True)
class Evaluation:
    """How good answers are.

    Parameters
    ----------
    metric
        The main metric, which baselines are compared in.
    values
        Every metric that is defined, by name.
    left_out
        Why others are not.
    interval
        The 95 % confidence interval of the main metric; None where it is not defined,
        or there is one answer only.
    answers, sequences
        How many answers were measured, of how many sequences.
    picture
        A PNG.
    """

    metric: str
    values: Mapping[str, float]
    left_out: Mapping[str, str]
    interval: Interval | None
    answers: int
    sequences: int
    picture: bytes

    def lines(self, split: str = "test") -> list[str]:
        """Say it: the main metric first, with its interval and how that came."""
        said = [f"{split} {_headline(self.metric, self.values, self.interval)}"]
        if self.interval is not None:
            said.append(f"  {self.interval.method}")
        said += [
            f"  {words(name)} {_number(value)}"
            for name, value in self.values.items()
            if name != self.metric
        ]
        said += [
            f"  {words(name)} is not defined: {reason}"
            for name, reason in self.left_out.items()
        ]
        return said

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: everything but the picture."""
        found = None if self.interval is None else self.interval._asdict()
        return {
            "metric": self.metric,
            "metrics": dict(self.values),
            "not_defined": dict(self.left_out),
            "interval": found,
            "answers": self.answers,
            "sequences": self.sequences,
        }


def evaluate(
    question: Question,
    predicted: Predicted,
    labels: Sequence[str],
    *,
    title: str,
    training: FloatArray | None = None,
    seed: int = 0,
    symbol: str = "symbol",
) -> Evaluation:
    """Measure answers, say how sure the result is, and draw them.

    Parameters
    ----------
    question, predicted, labels, training
        As for `metrics`.
    title
        What was measured; stands above the picture.
    seed
        Draws the resamples of the interval.
    symbol
        What a symbol is called: of a text, `"character"`, so that the metric is
        `bits_per_character`.

    Raises
    ------
    BadTarget
        The arrays do not fit each other, or hold numbers that cannot be.
    """
    predicted = checked(question, predicted, labels)
    measured = measure(question, predicted, labels, training=training)
    main = main_metric(question, predicted)
    found = None
    if main in measured.values:
        found = interval(
            main, question, predicted, labels, training=training, seed=seed
        )
    values = {
        name.replace("symbol", symbol): value for name, value in measured.values.items()
    }
    metric = main.replace("symbol", symbol)
    above = f"{title}: {_headline(metric, values, found)}"
    return Evaluation(
        metric=metric,
        values=values,
        left_out=measured.left_out,
        interval=found,
        answers=len(predicted.outputs),
        sequences=len(np.unique(predicted.sequences)),
        picture=draw(question, predicted, labels, above),
    )


def _headline(metric: str, values: Mapping[str, float], found: Interval | None) -> str:
    if metric not in values:
        return f"{words(metric)} is not defined"
    said = f"{words(metric)} {_number(values[metric])}"
    if found is None:
        return said
    return f"{said} ({_number(found.low)} to {_number(found.high)})"


def _number(value: float) -> str:
    """Write a number with four digits behind the point, or four that count."""
    size = abs(value)
    plain = size == 0 or 0.001 <= size < 1000
    return f"{value:.4f}" if plain else f"{value:.5g}"
