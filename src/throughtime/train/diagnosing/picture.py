"""`diagnosis.png`: how error flows, by step and by lag, and what is saturated."""

from collections.abc import Callable, Sequence
from textwrap import fill

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from throughtime.diagnose.diagnosis import Diagnosis
from throughtime.train.showing.look import QUIET, STYLE, png

_LETTERS = 105


def draw(diagnosis: Diagnosis, title: str) -> bytes:
    """Draw a diagnosis.

    Parameters
    ----------
    diagnosis
        What was found; what it does not have is said in place of its picture.
    title
        What was looked into.

    Returns
    -------
    bytes
        A PNG: the norm of the gradient by step, its median and what 80 % of the rows
        lie between; by lag, with each layer's horizon; the share of saturated units.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        verdict = fill(diagnosis.verdict.sentence, _LETTERS)
        figure.suptitle(
            f"{title}\n{verdict}", x=0.01, ha="left", fontsize=12, fontweight="bold"
        )
        for axes, (name, part) in zip(figure.subplots(1, 3), _PARTS, strict=True):
            axes.set_title(name, loc="left", color=QUIET, fontsize=10)
            if not part(axes, diagnosis):
                axes.set_axis_off()
                axes.text(0, 0.5, "does not apply here", color=QUIET)
        return png(figure)


def _by_step(axes: Axes, diagnosis: Diagnosis) -> bool:
    if diagnosis.flow is None:
        return False
    steps = diagnosis.flow.steps
    for one in diagnosis.flow.layers:
        label = _label(one.layer, one.direction, one.state)
        (line,) = axes.plot(steps, _positive(one.median), label=label)
        low, high = _positive(one.low), _positive(one.high)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.15)
    _finish(axes, "step", len(diagnosis.flow.layers))
    return True


def _by_lag(axes: Axes, diagnosis: Diagnosis) -> bool:
    if diagnosis.lags is None or diagnosis.memory is None:
        return False
    horizons = {
        (one.layer, one.direction, one.state): one.horizon
        for one in diagnosis.memory.layers
    }
    for one in diagnosis.lags.layers:
        label = _label(one.layer, one.direction, one.state)
        axes.plot(diagnosis.lags.lags, _positive(one.norms), label=label)
    for one, line in zip(diagnosis.lags.layers, list(axes.lines), strict=True):
        horizon = horizons[one.layer, one.direction, one.state]
        if horizon is not None:
            axes.axvline(horizon, color=line.get_color(), linewidth=1, linestyle=":")
    if diagnosis.memory.needed is not None:
        axes.axvline(diagnosis.memory.needed, color=QUIET, linewidth=1)
    below = "lag  (dotted: 1 % is left; grey line: as far as answers look)"
    _finish(axes, below, len(diagnosis.lags.layers))
    return True


def _saturated(axes: Axes, diagnosis: Diagnosis) -> bool:
    nodes = diagnosis.saturation
    if not nodes:
        return False
    names = [_label(one.layer, one.direction, one.node) for one in nodes]
    axes.barh(names[::-1], [one.share for one in nodes][::-1], color="#2563eb")
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the units")
    return True


_PARTS: tuple[tuple[str, Callable[[Axes, Diagnosis], bool]], ...] = (
    ("‖∂L/∂s‖ by step", _by_step),
    ("‖∂L/∂s‖ by lag", _by_lag),
    ("saturated", _saturated),
)


def _positive(values: Sequence[float]) -> list[float]:
    """What a logarithmic axis can show; the rest is a gap."""
    return [one if one > 0 else np.nan for one in values]


def _label(layer: int, direction: int, name: str) -> str:
    return f"{layer}{' reverse' if direction else ''}: {name}"


def _finish(axes: Axes, below: str, drawn: int) -> None:
    # Where no error flows at all, a logarithm has nothing to show.
    if any(np.isfinite(line.get_ydata()).any() for line in axes.lines[:drawn]):
        axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel(below, fontsize=8)
    axes.legend(frameon=False, title="layer: state")
