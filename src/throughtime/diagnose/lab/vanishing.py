"""One recurrent unit: its gradient over time is a product of numbers."""

import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING, Any

import torch

from throughtime.cells import Elman
from throughtime.diagnose.bounds import gradient_bounds
from throughtime.diagnose.lab.activations import check_activation, in_a_cell
from throughtime.diagnose.lab.carousel import Carousel
from throughtime.diagnose.lab.experiment import (
    Table,
    check_number,
    check_steps,
    lags_of,
    legend,
    panels,
    shade,
)
from throughtime.diagnose.lab.measuring import backend_of, jacobians
from throughtime.nn.recurrent import Recurrent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

START = 0.5
"""h_0."""
SMALLEST = sys.float_info.min / sys.float_info.epsilon
"""Numbers nearer to 0 have fewer digits, which both ways round differently."""
CARRIED = "LSTM's c"
WEIGHTS = {
    "linear": (0.9, 1.0, 1.1, 4.0),
    "relu": (0.9, 1.0, 1.1, 4.0),
    "tanh": (0.9, 1.0, 1.1),
    "sigmoid": (1.0, 4.0),
}
"""Those of the table: w where no other is asked for."""


@dataclass(frozen=True)
class Course:
    """The gradient of one unit, from step to step.

    Parameters
    ----------
    activation
        The function l.
    weight
        w, of the recurrent edge.
    product
        ``∏ w·l′(a_s)`` after 1, 2, … T steps, by the recurrence itself.
    measured
        ``∂h_k/∂h_0``, by backpropagation through time.
    bound
        ``(|w|·sup|l′|)^k``.
    """

    activation: str
    weight: float
    product: tuple[float, ...]
    measured: tuple[float, ...]
    bound: tuple[float, ...]

    @property
    def deviation(self) -> float:
        """The largest difference of both, relative to the product.

        A unit so saturated that its tanh is 1 in float64 has a measured slope of 0.
        """
        pairs = zip(self.product, self.measured, strict=True)
        return max(
            abs(m - p) / max(abs(p), SMALLEST) if m != p else 0.0 for p, m in pairs
        )

    @property
    def verdict(self) -> str:
        """What becomes of an error: ``vanishes``, ``stays 1`` or ``explodes``."""
        left = abs(self.product[-1])
        return "stays 1" if left == 1 else "vanishes" if left < 1 else "explodes"


@dataclass(frozen=True)
class VanishingGradient:
    """What `vanishing` found.

    Parameters
    ----------
    courses
        One per activation and weight.
    backend
        What measured.
    """

    courses: tuple[Course, ...]
    backend: str
    title: str = "One recurrent unit: what is left of the gradient after T steps"

    @property
    def steps(self) -> int:
        """T."""
        return len(self.courses[0].product)

    @property
    def sentence(self) -> str:
        """What it means, in one sentence."""
        said: list[str] = []
        for verdict in ("vanishes", "stays 1", "explodes"):
            own = [course for course in self.courses if course.verdict == verdict]
            groups = itertools.groupby(own, key=lambda course: course.activation)
            named = [
                f"{name} {', '.join(f'{one.weight:g}' for one in of)}"
                for name, of in groups
            ]
            said += [f"{verdict} ({'; '.join(named)})"] if named else []
        return (
            "A step multiplies the gradient by w·l′(a), where l′ is at most 1/4 for "
            "sigmoid, at most 1 for tanh, and 1 for linear units and a ReLU at work; "
            f"with these w it {', '.join(said)}."
        )

    def table(self) -> Table:
        """Activations and weights, what is left after some steps, and the bound."""
        shown = lags_of(self.steps, 0.1, 0.5, 1.0)
        headers = [
            "activation",
            "w",
            *(f"T = {lag}" for lag in shown),
            f"bound, T = {self.steps}",
            "measured, off by",
        ]
        rows = [
            [
                one.activation,
                one.weight,
                *(one.product[lag - 1] for lag in shown),
                one.bound[-1],
                one.deviation,
            ]
            for one in self.courses
        ]
        return headers, rows

    def draw(self, figure: "Figure") -> None:
        """Draw |∂h_T/∂h_0| by T, a panel per activation; the bounds are dashed."""
        names = list(dict.fromkeys(course.activation for course in self.courses))
        weights = sorted({course.weight for course in self.courses})
        lags = range(1, self.steps + 1)
        drawn = panels(figure, self.title, names)
        for axes, name in zip(drawn, names, strict=True):
            for course in self.courses:
                if course.activation != name:
                    continue
                colour = shade(weights.index(course.weight), len(weights))
                left = [abs(one) for one in course.measured]
                axes.plot(lags, course.bound, color=colour, lw=1, ls=(0, (4, 3)))
                axes.plot(lags, left, color=colour, label=f"w = {course.weight:g}")
            legend(axes)
        drawn[0].set_ylabel(r"$|\,\partial h_T\,/\,\partial h_0\,|$")
        figure.supxlabel("T steps (dashed: what it cannot exceed)", fontsize=10)

    def to_json(self) -> dict[str, Any]:
        """Every number, exactly."""
        return {
            "title": self.title,
            "sentence": self.sentence,
            "backend": self.backend,
            "start": START,
            "steps": self.steps,
            "courses": [
                {
                    "activation": one.activation,
                    "weight": one.weight,
                    "product": list(one.product),
                    "measured": list(one.measured),
                    "bound": list(one.bound),
                    "deviation": one.deviation,
                    "verdict": one.verdict,
                }
                for one in self.courses
            ],
        }


def vanishing(
    *, weight: float | None = None, activation: str | None = None, steps: int = 100
) -> VanishingGradient:
    """One input, one recurrent unit, zeros between: the product of w·l′(a), measured.

    From ``h_0 = 0.5``. (Hochreiter, Untersuchungen zu dynamischen neuronalen Netzen,
    1991; Bengio, Simard & Frasconi, Learning long-term dependencies with gradient
    descent is difficult, 1994.)

    Parameters
    ----------
    weight
        w; without it those of the table.
    activation
        ``"linear"``, ``"relu"``, ``"tanh"`` or ``"sigmoid"``; without it all of them.
        Without either, an LSTM's own state stands beside them.
    steps
        T.

    Returns
    -------
    VanishingGradient
        The products, the derivatives that the engine finds in float64, and the bounds.

    Raises
    ------
    BadExperiment
        A value that cannot be.
    """
    check_steps(steps)
    given = None if weight is None else (check_number("weight", weight),)
    names = list(WEIGHTS) if activation is None else [check_activation(activation)]
    chosen = [(name, one) for name in names for one in given or WEIGHTS[name]]
    modules = [_unit(name, one) for name, one in chosen]
    courses = [
        _course(name, one, module, steps)
        for (name, one), module in zip(chosen, modules, strict=True)
    ]
    if weight is None and activation is None:
        courses.append(_carousel(steps))
    return VanishingGradient(tuple(courses), backend_of(modules[0]))


@torch.no_grad()
def _unit(activation: str, weight: float) -> Recurrent:
    cell = Elman(in_a_cell(activation))
    module = Recurrent(cell, 1, 1, bias=False, dtype=torch.float64)
    module.get_parameter("weight_ih_l0").fill_(1.0)
    module.get_parameter("weight_hh_l0").fill_(weight)
    return module


def _carousel(steps: int) -> Course:
    """The unit that does not forget: an LSTM's own state, f = 1 and i = 0."""
    module = Recurrent(Carousel(), 1, 1, dtype=torch.float64)
    start = torch.full((2, 1), START, dtype=torch.float64)
    silence = torch.zeros(steps, 1, dtype=torch.float64)
    found = jacobians(module, silence, list(start), range(1, steps + 1), of=1)
    ones = (1.0,) * steps
    return Course(CARRIED, 1.0, ones, tuple(found.flatten().tolist()), ones)


def _course(activation: str, weight: float, module: Recurrent, steps: int) -> Course:
    start = torch.tensor([START], dtype=torch.float64)
    silence = torch.zeros(steps, 1, dtype=torch.float64)
    found = jacobians(module, silence, [start], range(1, steps + 1))
    bound = gradient_bounds([[weight]], in_a_cell(activation)).factor
    return Course(
        activation,
        weight,
        tuple(_products(_slopes(activation, weight, steps))),
        tuple(found.flatten().tolist()),
        tuple(_products([bound] * steps)),
    )


def _products(factors: Sequence[float]) -> Iterator[float]:
    return itertools.accumulate(factors, mul)


def _slopes(activation: str, weight: float, steps: int) -> list[float]:
    """``w·l′(a)`` of each step, in Python's own numbers: the judge of the engine."""
    h, slopes, function = START, list[float](), _FUNCTIONS[activation]
    for _ in range(steps):
        h, slope = function(weight * h)
        slopes.append(weight * slope)
    return slopes


def _tanh(a: float) -> tuple[float, float]:
    small = math.exp(-2 * abs(a))
    return math.tanh(a), 4 * small / (1 + small) ** 2


def _sigmoid(a: float) -> tuple[float, float]:
    small = math.exp(-abs(a))
    value = 1 / (1 + small)
    return value if a > 0 else small * value, small * value * value


_FUNCTIONS: dict[str, Callable[[float], tuple[float, float]]] = {
    "linear": lambda a: (a, 1.0),
    "relu": lambda a: (max(a, 0.0), 1.0 if a > 0 else 0.0),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
}
"""l(a) and l′(a)."""
