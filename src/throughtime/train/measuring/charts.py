"""The charts of classes, labels and symbols, and of one number per sequence."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from throughtime.train.measuring.additive import best, surprise
from throughtime.train.measuring.predicted import Array, Predicted
from throughtime.train.showing.look import QUIET, TRAINING, VALIDATION

INK: Final = "#374151"
SHADES: Final = LinearSegmentedColormap.from_list(
    "shades", ["#ffffff", "#c7d5ea", "#6f8fc0", "#1e3a6e"]
)
MOST_CLASSES: Final = 30
"""So many classes have room for their names; of more, the most confused are drawn."""

_COUNTED_CLASSES = 12
_LETTERS_ABREAST = 30
_MOST_COLUMNS = 4
_MOST_STEPS = 100
_POSITIONS = 60
_BINS = 10


def headline(axes: Axes, text: str) -> None:
    """Say above a chart what it shows."""
    axes.set_title(text, loc="left", color=QUIET, fontsize=10)


def confusion(figure: FigureBase, predicted: Predicted, labels: Sequence[str]) -> None:
    """Draw for each true class which answers it got."""
    classes, axes = len(labels), figure.subplots()
    places = predicted.targets * classes + best(predicted)
    counts = np.bincount(places, minlength=classes**2).reshape(classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = _most_confused(counts) if classes > MOST_CLASSES else np.arange(classes)
    both = np.ix_(shown, shown)
    # A few mistakes among many answers shall be seen, too.
    image = axes.imshow(shares[both], cmap=SHADES, norm=PowerNorm(0.5, 0, 1))
    names = [_shortened(labels[place]) for place in shown.tolist()]
    turned = 90 if sum(map(len, names)) > _LETTERS_ABREAST else 0
    size = 10 if classes <= _COUNTED_CLASSES else 7
    axes.set_xticks(range(len(names)), names, rotation=turned, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.set(xlabel="answer", ylabel="truth")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    if classes <= _COUNTED_CLASSES:
        headline(axes, "counts, shaded by share of true class")
        _count(axes, counts, shares)
        return
    of_many = f"; of {classes} classes the {MOST_CLASSES} most confused"
    headline(axes, f"share of each true class{of_many * (classes > MOST_CLASSES)}")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    bar.outline.set_visible(False)


def _most_confused(counts: Array) -> Array:
    wrong = counts - np.diag(counts.diagonal())
    confused = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-confused, kind="stable")[:MOST_CLASSES])


def _count(axes: Axes, counts: Array, shares: Array) -> None:
    for row, column in np.argwhere(counts).tolist():
        colour = "white" if shares[row, column] > 0.3 else INK
        count = f"{counts[row, column]:,}"
        axes.text(column, row, count, ha="center", va="center", color=colour)


def calibration(figure: FigureBase, true: Array, probability: Array, what: str) -> None:
    """Draw how often something was true against how probable it was said to be.

    Parameters
    ----------
    figure
        Where.
    true, probability
        `(n,)`.
    what
        What was true or not, for the axes.
    """
    bins = (probability * _BINS).astype(int).clip(0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = counts > 0
    said = np.bincount(bins, probability, _BINS)[filled] / counts[filled]
    found = np.bincount(bins, true, _BINS)[filled] / counts[filled]
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(said, found, "o-", color=VALIDATION, markersize=5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("how often it was true")
    middles = (np.arange(_BINS) + 0.5) / _BINS
    below.bar(middles, counts, 0.9 / _BINS, color=TRAINING)
    below.set_ylabel("answers")
    below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    below.set_xlabel(f"probability that was given to {what}")
    headline(axes, "are probabilities what they say?")


def scatter(figure: Figure, predicted: Predicted, labels: Sequence[str]) -> None:
    """Draw answers against the truth, a chart for each of the first columns."""
    shown = labels[:_MOST_COLUMNS]
    # Each chart is a square.
    figure.set_size_inches(*((3.4 * len(shown), 3.9) if len(shown) > 1 else (4.5, 4.7)))
    charts = figure.subplots(1, len(shown), squeeze=False)[0]
    for column, (axes, label) in enumerate(zip(charts, shown, strict=True)):
        truth, answers = predicted.targets[:, column], predicted.outputs[:, column]
        known = ~np.isnan(truth)
        both = np.concatenate([truth[known], answers])
        room = 0.04 * (np.ptp(both) or 1.0)
        ends = [both.min() - room, both.max() + room]
        axes.plot(ends, ends, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        opacity = np.clip(200 / len(truth), 0.15, 0.8)
        axes.plot(
            truth, answers, "o", color=VALIDATION, markersize=4, alpha=opacity, mew=0
        )
        axes.set(xlim=ends, ylim=ends, xlabel="truth", aspect="equal")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        headline(axes, label)
    charts[0].set_ylabel("answer")


def piano_rolls(figure: Figure, predicted: Predicted, labels: Sequence[str]) -> None:
    """Draw the labels of one sequence as they came, and as probable as they were."""
    first = predicted.sequences == predicted.sequences.min()
    rows = np.flatnonzero(first)[np.argsort(predicted.steps[first])][:_MOST_STEPS]
    truth, outputs = predicted.targets[rows], predicted.outputs[rows]
    sounding = np.flatnonzero((truth > 0).any(axis=0) | (outputs > 0.5).any(axis=0))
    low, high = (sounding[0], sounding[-1]) if len(sounding) else (0, len(labels) - 1)
    steps = predicted.steps[rows] + 1
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    extent = (steps[0] - 0.5, steps[-1] + 0.5, low - 0.5, high + 0.5)
    for axes, values, text in [
        (left, truth, "what came next"),
        (right, outputs, "how probable it was said to be"),
    ]:
        image = axes.imshow(
            values[:, low : high + 1].T,
            cmap=SHADES,
            norm=PowerNorm(0.5, 0, 1),
            aspect="auto",
            origin="lower",
            extent=extent,
            interpolation="nearest",
        )
        axes.grid(visible=False)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        headline(axes, text)
    apart = max(1, -(-(high - low + 1) // 24))
    ticks = range(low, high + 1, apart)
    left.set_yticks(ticks, [_shortened(labels[tick]) for tick in ticks], fontsize=8)
    bar = figure.colorbar(image, ax=[left, right], shrink=0.6, pad=0.02)
    bar.outline.set_visible(False)


def surprise_by_position(axes: Axes, predicted: Predicted) -> None:
    """Draw the bits that symbols cost by their position in the sequence."""
    bits, positions = surprise(predicted) / np.log(2), predicted.steps
    apart = max(1, -(-(int(positions.max()) + 1) // _POSITIONS))
    bins = positions // apart
    order = np.argsort(bins, kind="stable")
    filled, starts = np.unique(bins[order], return_index=True)
    groups = np.split(bits[order], starts[1:])
    middles = filled * apart + (apart - 1) / 2
    quartiles = np.array([np.quantile(group, [0.25, 0.75]) for group in groups])
    axes.fill_between(middles, *quartiles.T, color=TRAINING, alpha=0.25, linewidth=0)
    means = [group.mean() for group in groups]
    marker = "o" if len(groups) == 1 else ""
    axes.plot(middles, means, color=VALIDATION, marker=marker)
    axes.axhline(bits.mean(), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("position in the sequence")
    axes.set_ylabel("bits per symbol")
    over = f", {apart:,} positions at a time" if apart > 1 else ""
    headline(axes, f"mean, middle half, and mean of all (dashed){over}")


def _shortened(name: str, length: int = 16) -> str:
    shown = name if name.isprintable() and name.strip() else repr(name)
    return shown if len(shown) <= length else shown[: length - 1] + "…"
