"""All that is said of answers: metrics, an interval, a picture, lines to print."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data import Question
from throughtime.data.types import FloatArray
from throughtime.errors import UnknownTableFormat
from throughtime.train.files.folder import write
from throughtime.train.measuring.intervals import Interval, interval
from throughtime.train.measuring.metrics import main_metric, measure
from throughtime.train.measuring.pictures import draw
from throughtime.train.measuring.predicted import Predicted, checked
from throughtime.train.showing.look import DPI
from throughtime.train.showing.progress import words


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
    target
        The column that the answers are about, where several are classified.
    """

    metric: str
    values: Mapping[str, float]
    left_out: Mapping[str, str]
    interval: Interval | None
    answers: int
    sequences: int
    picture: bytes
    target: str | None = None

    def lines(self, split: str = "test") -> list[str]:
        """Say it: the main metric first, with its interval and how that came."""
        of = "" if self.target is None else f", target {self.target}:"
        headline = _headline(self.metric, self.values, self.interval)
        said = [f"{split}{of} {headline}"]
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture.

        Parameters
        ----------
        path
            Where; it ends in `.png`. A file that is there is replaced.

        Raises
        ------
        UnknownTableFormat, CannotWrite
            It ends otherwise, or the system does not let us.
        """
        write(check_picture(path), self.picture)

    def show(self) -> None:
        """Make the picture the current figure of `matplotlib.pyplot`, in its size.

        A notebook shows it below its cell; elsewhere `matplotlib.pyplot.show` does.
        """
        # Loaded here: it looks for a window to draw in.
        import matplotlib.pyplot as plt

        image = plt.imread(io.BytesIO(self.picture))
        height, width = image.shape[:2]
        plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI).figimage(image)

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
            **({} if self.target is None else {"target": self.target}),
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
    target: str | None = None,
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
    target
        The column that the answers are about, where several are classified.

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
    title = title if target is None else f"{title}, {target}"
    above = f"{title}: {_headline(metric, values, found)}"
    return Evaluation(
        metric=metric,
        values=values,
        left_out=measured.left_out,
        interval=found,
        answers=len(predicted.outputs),
        sequences=len(np.unique(predicted.sequences)),
        picture=draw(question, predicted, labels, above),
        target=target,
    )


def check_picture(path: str | os.PathLike[str]) -> Path:
    """Refuse a file for a picture that is not named as one.

    Raises
    ------
    UnknownTableFormat
        It does not end in `.png`.
    """
    if Path(path).suffix.lower() != ".png":
        raise UnknownTableFormat(path=path, known=".png")
    return Path(path)


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
