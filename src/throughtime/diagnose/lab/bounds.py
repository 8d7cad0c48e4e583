"""Many recurrent units: what the weights alone say of the gradient, what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from throughtime.cells import Elman
from throughtime.diagnose.bounds import GradientBounds, gradient_bounds
from throughtime.diagnose.lab.activations import check_activation, in_a_cell
from throughtime.diagnose.lab.experiment import (
    Table,
    check_number,
    check_steps,
    lags_of,
    legend,
    panels,
    shade,
)
from throughtime.diagnose.lab.measuring import backend_of, jacobians, norms
from throughtime.nn.recurrent import Recurrent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS = 16
CASES = (
    ("linear", "orthogonal", 0.9),
    ("linear", "orthogonal", 1.1),
    ("linear", "gaussian", 0.8),
    ("relu", "orthogonal", 0.9),
    ("relu", "orthogonal", 1.5),
    ("tanh", "orthogonal", 0.9),
    ("tanh", "orthogonal", 1.5),
    ("sigmoid", "orthogonal", 3.0),
    ("sigmoid", "orthogonal", 6.0),
)
"""Function, kind of matrix, and the number that it is multiplied by."""
SHARES = (0.005, 0.02, 0.04, 0.06, 0.08, *(place / 20 for place in range(2, 21)))
SYMBOLS = {"orthogonal": "Q", "gaussian": "Z/√H"}


@dataclass(frozen=True)
class Compared:
    """The gradient of one network, and its bound.

    Parameters
    ----------
    activation
        The function l.
    matrix
        W, as a formula: Q is orthogonal, Z has independent normal entries.
    bounds
        What W and l say.
    measured
        ``‖∂h_k/∂h_0‖₂`` at each lag.
    bound
        ``(γσ)^k``.
    """

    activation: str
    matrix: str
    bounds: GradientBounds
    measured: tuple[float, ...]
    bound: tuple[float, ...]


@dataclass(frozen=True)
class BoundedGradient:
    """What `bounds` found.

    Parameters
    ----------
    lags
        The k, in steps.
    rows
        One per network.
    backend
        What measured.
    """

    lags: tuple[int, ...]
    rows: tuple[Compared, ...]
    backend: str
    title: str = "Many recurrent units: what is left of the gradient after T steps"

    @property
    def sentence(self) -> str:
        """What it means, in one sentence."""
        below = [row for row in self.rows if row.bounds.must_vanish]
        above = [row for row in self.rows if row.bounds.may_explode]
        shrunk = sum(row.measured[-1] < 1 for row in above)
        said = []
        if below:
            said.append(f"it must vanish where γσ < 1 ({len(below)} of these networks)")
        if above:
            said.append(
                f"it may explode where γσ > 1, and need not ({len(above)} of these "
                f"networks; {shrunk} of them end below 1)"
            )
        return (
            "A step multiplies the gradient by no more than γσ, the largest slope of l "
            f"times the largest singular value of W: {'; '.join(said)}."
        )

    def table(self) -> Table:
        """Networks, their bounds, and what is left after some steps."""
        last = self.lags[-1]
        shown = lags_of(last, 0.1, 0.5, 1.0)
        headers = [
            "activation",
            "W",
            "γσ",
            "ρ(W)",
            *(f"T = {lag}" for lag in shown),
            f"bound, T = {last}",
        ]
        places = [self.lags.index(lag) for lag in shown]
        rows = [
            [
                row.activation,
                row.matrix,
                row.bounds.factor,
                row.bounds.spectral_radius,
                *(row.measured[place] for place in places),
                row.bound[-1],
            ]
            for row in self.rows
        ]
        return headers, rows

    def draw(self, figure: "Figure") -> None:
        """Draw the norms by T, a panel per activation; the bounds are dashed."""
        names = list(dict.fromkeys(row.activation for row in self.rows))
        drawn = panels(figure, self.title, names)
        for axes, name in zip(drawn, names, strict=True):
            own = [row for row in self.rows if row.activation == name]
            for place, row in enumerate(own):
                colour = shade(place, len(own))
                axes.plot(self.lags, row.bound, color=colour, lw=1, ls=(0, (4, 3)))
                label = f"W = {row.matrix}"
                axes.plot(self.lags, row.measured, color=colour, label=label)
            legend(axes)
        drawn[0].set_ylabel(r"$\Vert\,\partial h_T\,/\,\partial h_0\,\Vert_2$")
        figure.supxlabel("T steps (dashed: the bound)", fontsize=10)

    def to_json(self) -> dict[str, Any]:
        """Every number, exactly."""
        return {
            "title": self.title,
            "sentence": self.sentence,
            "backend": self.backend,
            "units": UNITS,
            "lags": list(self.lags),
            "networks": [
                {
                    "activation": row.activation,
                    "matrix": row.matrix,
                    "slope": row.bounds.slope,
                    "singular_value": row.bounds.singular_value,
                    "spectral_radius": row.bounds.spectral_radius,
                    "factor": row.bounds.factor,
                    "measured": list(row.measured),
                    "bound": list(row.bound),
                }
                for row in self.rows
            ],
        }


def bounds(
    *, weight: float | None = None, activation: str | None = None, steps: int = 200
) -> BoundedGradient:
    """Many units: the norm of the product of Jacobians, and the bound (γσ)^T.

    From states drawn at random, without input. (Pascanu, Mikolov & Bengio, On the
    difficulty of training recurrent neural networks, 2013.)

    Parameters
    ----------
    weight
        g, where W = g·Q with an orthogonal Q; without it those of the table.
    activation
        ``"linear"``, ``"relu"``, ``"tanh"`` or ``"sigmoid"``; without it all of them.
    steps
        T.

    Returns
    -------
    BoundedGradient
        The norms that the engine finds in float64, and the bounds.

    Raises
    ------
    BadExperiment
        A value that cannot be.
    """
    lags = lags_of(check_steps(steps), *SHARES)
    if activation is not None:
        check_activation(activation)
    cases = [case for case in CASES if activation in {None, case[0]}]
    if weight is not None:
        gain = check_number("weight", weight)
        named = dict.fromkeys(name for name, *_ in cases)
        cases = [(name, "orthogonal", gain) for name in named]
    rows = tuple(_compared(*case, lags) for case in cases)
    return BoundedGradient(tuple(lags), rows, backend_of(_network("tanh", _drawn(""))))


def _compared(activation: str, kind: str, gain: float, lags: Sequence[int]) -> Compared:
    weight = gain * _drawn(kind)
    module = _network(activation, weight)
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(UNITS, generator=generator, dtype=torch.float64)
    silence = torch.zeros(lags[-1], UNITS, dtype=torch.float64)
    found = jacobians(module, silence, [start], lags)
    known = gradient_bounds(weight, in_a_cell(activation))
    return Compared(
        activation,
        f"{gain:g}·{SYMBOLS[kind]}",
        known,
        tuple(norms(found).tolist()),
        tuple(map(known.over, lags)),
    )


def _drawn(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(UNITS, UNITS, generator=generator, dtype=torch.float64)
    if kind == "gaussian":
        return normal / UNITS**0.5
    return torch.linalg.qr(normal).Q


@torch.no_grad()
def _network(activation: str, weight: Tensor) -> Recurrent:
    cell = Elman(in_a_cell(activation))
    module = Recurrent(cell, UNITS, UNITS, bias=False, dtype=torch.float64)
    module.get_parameter("weight_hh_l0").copy_(weight)
    return module
