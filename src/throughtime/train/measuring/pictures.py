"""A picture of answers beside the truth, as suits what was asked."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from throughtime.data import Question
from throughtime.train.measuring.charts import (
    calibration,
    confusion,
    piano_rolls,
    scatter,
    surprise_by_position,
)
from throughtime.train.measuring.courses import courses
from throughtime.train.measuring.predicted import Predicted, checked, form
from throughtime.train.showing.look import STYLE, png

_LETTERS_PER_INCH = 9.5


def draw(
    question: Question, predicted: Predicted, labels: Sequence[str], title: str
) -> bytes:
    """Draw answers beside the truth.

    Parameters
    ----------
    question, predicted, labels
        As for `metrics`.
    title
        What was measured.

    Returns
    -------
    bytes
        A PNG. Classes: which are taken for which, and of two how far probabilities can
        be believed. Labels: the latter; those of the next step as piano rolls. Symbols:
        bits by position. Real numbers: their course beside the true one, or, with one
        for each sequence, one against the other.
    """
    predicted = checked(question, predicted, labels)
    with rc_context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
        figure = Figure(figsize=(9, 4.2), layout=layout)
        _fill(figure, question, predicted, labels)
        above = fill(title, round(_LETTERS_PER_INCH * figure.get_figwidth()))
        figure.suptitle(above, x=0.01, ha="left", fontsize=12, fontweight="bold")
        return png(figure)


def _fill(
    figure: Figure, question: Question, predicted: Predicted, labels: Sequence[str]
) -> None:
    kind = form(question, predicted)
    if kind == "classes" and len(labels) == 2:
        halves = figure.add_gridspec(1, 2, width_ratios=(1, 1.2))
        left, right = (figure.add_subfigure(half) for half in halves)
        confusion(left, predicted, labels)
        true, probability = predicted.targets, predicted.outputs[:, 1]
        calibration(right, true, probability, f"{labels[1]!r}")
    elif kind == "classes":
        figure.set_size_inches(8, 7)
        confusion(figure, predicted, labels)
    elif kind == "symbols":
        surprise_by_position(figure.subplots(), predicted)
    elif kind == "labels" and question.task == "next":
        piano_rolls(figure, predicted, labels)
    elif kind == "labels":
        figure.set_size_inches(6, 5)
        true, probability = predicted.targets.ravel(), predicted.outputs.ravel()
        calibration(figure, true, probability, "a label")
    elif question.per == "sequence":
        scatter(figure, predicted, labels)
    else:
        courses(figure, question, predicted, labels)
