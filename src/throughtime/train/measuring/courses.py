"""The course of real numbers over time, beside the true one."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from throughtime.data import Question
from throughtime.data.types import IntegerArray
from throughtime.train.measuring.predicted import Predicted
from throughtime.train.showing.look import QUIET, TRAINING, VALIDATION

_MOST_CHARTS: Final = 3
_MOST_STEPS: Final = 150
_FARTHER: Final = "#0f766e"


def courses(
    figure: Figure, question: Question, predicted: Predicted, labels: Sequence[str]
) -> None:
    """Draw the first columns of some sequences, each to its end.

    A forecast is drawn at the step that it is of, and beside it persistence: the value
    of the step before.
    """
    sequences = np.unique(predicted.sequences)
    columns = range(len(labels))
    charts = [(sequence, column) for sequence in sequences for column in columns]
    charts = charts[:_MOST_CHARTS]
    figure.set_size_inches(9, 1.2 + 2.2 * max(len(charts), 1.3))
    rows = figure.subplots(len(charts), 1, squeeze=False)[:, 0]
    for axes, (sequence, column) in zip(rows, charts, strict=True):
        of_sequence = np.flatnonzero(predicted.sequences == sequence)
        order = of_sequence[np.argsort(predicted.steps[of_sequence], kind="stable")]
        shown = order[-_MOST_STEPS:]
        if question.task == "forecast":
            _forecast(axes, predicted, shown, column, len(labels))
        else:
            _course(axes, predicted, shown, column)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        text = labels[column]
        if len(sequences) > 1:
            text = f"{text}, sequence {sequence}"
        axes.set_title(text, loc="left", color=QUIET, fontsize=10)
    rows[-1].set_xlabel("step")
    handles, texts = rows[0].get_legend_handles_labels()
    figure.legend(
        handles,
        texts,
        loc="outside lower left",
        ncols=4,
        frameon=False,
        labelcolor="#374151",
    )


def _course(axes: Axes, predicted: Predicted, shown: IntegerArray, column: int) -> None:
    steps = predicted.steps[shown]
    truth, answers = predicted.targets[shown, column], predicted.outputs[shown, column]
    axes.plot(steps, truth, color=TRAINING, linewidth=2.6, label="truth")
    axes.plot(steps, answers, color=VALIDATION, linewidth=1.4, label="answer")


def _forecast(
    axes: Axes,
    predicted: Predicted,
    shown: IntegerArray,
    column: int,
    columns: int,
) -> None:
    steps = predicted.steps[shown] + 1
    truth = predicted.targets[shown, column]
    axes.plot(steps, truth, color=TRAINING, linewidth=2.6, label="truth")
    before = np.append(np.nan, truth[:-1])
    dashed = (0, (3, 2))
    axes.plot(
        steps, before, color=QUIET, linewidth=1, linestyle=dashed, label="persistence"
    )
    answers = predicted.outputs[shown, column]
    axes.plot(steps, answers, color=VALIDATION, linewidth=1.4, label="1 step ahead")
    horizon = predicted.outputs.shape[1] // columns
    if horizon > 1:
        far = predicted.outputs[shown, (horizon - 1) * columns + column]
        label = f"{horizon} steps ahead"
        axes.plot(steps + horizon - 1, far, color=_FARTHER, linewidth=1.2, label=label)
