"""`curve.png`: how loss and metric went, with the result in the title."""

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from throughtime.train.metrics import HIGHER_IS_BETTER
from throughtime.train.showing.look import QUIET, STYLE, TRAINING, VALIDATION, png
from throughtime.train.showing.progress import Row, words


def draw_curve(
    rows: Sequence[Row],
    metric: str,
    title: str,
    best_epoch: int,
    baselines: Mapping[str, float],
) -> bytes:
    """Draw the course of a training.

    Parameters
    ----------
    rows
        What `metrics.jsonl` holds, an epoch each.
    metric
        The metric's name.
    title
        What was trained, and its test result.
    best_epoch
        The epoch whose weights were kept.
    baselines
        Results of trivial methods in the same metric; the best is drawn.

    Returns
    -------
    bytes
        A PNG.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        left, right = figure.subplots(1, 2)
        _draw(left, rows, "loss", best_epoch)
        left.set_title("loss", loc="left", color=QUIET, fontsize=10)
        _draw(right, rows, metric, best_epoch)
        right.set_title(words(metric), loc="left", color=QUIET, fontsize=10)
        _draw_baseline(right, metric, baselines)
        left.legend(frameon=False, labelcolor="#374151")
        return png(figure)


def _draw(axes: Axes, rows: Sequence[Row], name: str, best_epoch: int) -> None:
    epochs = [row["epoch"] for row in rows]
    training = [row[name] for row in rows]
    validation = [row[f"validation_{name}"] for row in rows]
    # A single epoch is no line; a dot shows it.
    marker = "o" if len(rows) == 1 else ""
    axes.plot(epochs, training, color=TRAINING, label="training", marker=marker)
    axes.plot(epochs, validation, color=VALIDATION, label="validation", marker=marker)
    if best_epoch:
        at = epochs.index(best_epoch)
        axes.plot(
            best_epoch,
            validation[at],
            "o",
            color=VALIDATION,
            markersize=9,
            markerfacecolor="none",
            markeredgewidth=1.5,
            label=f"kept: epoch {best_epoch}",
            zorder=3,
        )
    if rows[-1].get("interrupted"):  # none comes after it
        axes.plot(
            epochs[-1],
            training[-1],
            "x",
            color=TRAINING,
            label=f"interrupted: epoch {epochs[-1]}",
            zorder=3,
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_baseline(axes: Axes, metric: str, baselines: Mapping[str, float]) -> None:
    if not baselines:
        return
    higher_is_better = metric in HIGHER_IS_BETTER
    choose = max if higher_is_better else min
    name = choose(baselines, key=baselines.__getitem__)
    axes.axhline(baselines[name], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    # The label stands beside its line: room for it between line and axis.
    bottom, top = axes.get_ylim()
    room = 0.1 * (top - bottom)
    at = baselines[name]
    axes.set_ylim(min(bottom, at - room), max(top, at + room))
    axes.annotate(
        f"{name}: {at:.3f} on test data",
        (1, at),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4 if higher_is_better else -4),
        textcoords="offset points",
        ha="right",
        va="bottom" if higher_is_better else "top",
        color=QUIET,
        fontsize=9,
        # A curve may pass behind it.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
