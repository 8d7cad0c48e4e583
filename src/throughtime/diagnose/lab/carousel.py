"""The constant error carousel: an LSTM's own state carries error unchanged."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from throughtime.cells import LSTM
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
from throughtime.errors import BadExperiment
from throughtime.graph import Parameter, Value
from throughtime.math import sigmoid, split, tanh
from throughtime.nn.recurrent import Recurrent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS = 4
FORGET_GATES = (1.0, 0.99, 0.9, 0.5)
BIASES = (0.0, 1.0, 2.0, 5.0, 40.0)
"""Of the forget gate; σ(40) is 1 in float64. That of the input gate is -40."""
CLOSED = -40.0
SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Carousel(LSTM):
    r"""An LSTM whose gates f and i are numbers, whatever comes in.

    .. math:: c_t = f\,c_{t-1} + i\,g_t, \qquad h_t = o_t \tanh(c_t)

    Shapes: x ``(B, F)``, h and c ``(B, H)``. f starts at 1, i at 0.
    """

    f = Parameter("hidden", init=1.0)
    i = Parameter("hidden", init=0.0)

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        _, _, g, o = split(a, 4)
        g, o = tanh(g), sigmoid(o)
        c = self.f * c + self.i * g
        h = o * tanh(c)
        return h, c


@dataclass(frozen=True)
class Carried:
    """What is left of an error in c, of one network.

    Parameters
    ----------
    network
        Which.
    forget
        f: the gate, or what the bias of the gate alone makes of it.
    forced
        Whether the gate is this number, whatever the input.
    measured
        ``‖∂c_k/∂c_0‖₂`` at each lag.
    deviation
        The largest difference of the measured Jacobians from ``f^k I``.
    """

    network: str
    forget: float
    forced: bool
    measured: tuple[float, ...]
    deviation: float


@dataclass(frozen=True)
class ErrorCarousel:
    """What `carousel` found.

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
    rows: tuple[Carried, ...]
    backend: str
    title: str = "An LSTM's own state: what is left of the gradient after T steps"

    @property
    def sentence(self) -> str:
        """What it means, in one sentence."""
        last = self.lags[-1]
        said = [
            f"{row.measured[-1]:.3g} with f = {row.forget:g}"
            for row in self.rows
            if row.forced
        ]
        return (
            "The edge from c to c has the weight f and no function, so that after "
            f"{last} steps of an error is left: {', '.join(said)}."
        )

    def table(self) -> Table:
        """Networks, what each leaves at some lags, and the closed form."""
        last = self.lags[-1]
        shown = lags_of(last, 0.01, 0.1, 1.0)
        headers = [
            "network",
            "f",
            *(f"T = {lag}" for lag in shown),
            f"f^{last}",
            "largest deviation from f^k",
        ]
        places = [self.lags.index(lag) for lag in shown]
        rows = [
            [
                row.network,
                row.forget,
                *(row.measured[place] for place in places),
                row.forget**last,
                row.deviation,
            ]
            for row in self.rows
        ]
        return headers, rows

    def draw(self, figure: "Figure") -> None:
        """Draw ‖∂c_T/∂c_0‖ by T: gates that are numbers, beside those of biases."""
        groups = {
            "f is a number": ("f", [row for row in self.rows if row.forced]),
            "an LSTM's own gate, with a bias": (
                r"\sigma(b_f)",
                [row for row in self.rows if not row.forced],
            ),
        }
        shown = {name: group for name, group in groups.items() if group[1]}
        drawn = panels(figure, self.title, list(shown))
        for axes, (symbol, rows) in zip(drawn, shown.values(), strict=True):
            for place, row in enumerate(sorted(rows, key=lambda row: row.forget)):
                colour = shade(place, len(rows))
                label = f"${symbol} = {row.forget:.3g}$"
                axes.plot(self.lags, row.measured, color=colour, label=label)
            legend(axes)
        drawn[0].set_ylabel(r"$\Vert\,\partial c_T\,/\,\partial c_0\,\Vert_2$")
        figure.supxlabel("T steps", fontsize=10)

    def to_json(self) -> dict[str, Any]:
        """Every number, exactly."""
        return {
            "title": self.title,
            "sentence": self.sentence,
            "backend": self.backend,
            "lags": list(self.lags),
            "networks": [
                {
                    "network": row.network,
                    "forget": row.forget,
                    "forced": row.forced,
                    "measured": list(row.measured),
                    "closed_form": [row.forget**lag for lag in self.lags],
                    "deviation": row.deviation,
                }
                for row in self.rows
            ],
        }


def carousel(*, forget: float | None = None, steps: int = 1000) -> ErrorCarousel:
    """The constant error carousel of the LSTM: with f = 1, i = 0 error stays as it is.

    Gates that are numbers in the equations, and beside them an LSTM with biases that
    nearly force its gates. Weights and input are drawn at random from a fixed seed.
    (Hochreiter & Schmidhuber, Long short-term memory, 1997.)

    Parameters
    ----------
    forget
        The gate f, from 0 to 1; without it several, and LSTMs with biases.
    steps
        T.

    Returns
    -------
    ErrorCarousel
        The derivatives of c, measured in float64 by the engine, beside ``f^k``.

    Raises
    ------
    BadExperiment
        A number that cannot be.
    """
    lags = lags_of(check_steps(steps), *SHARES)
    if forget is None:
        networks = [*map(_forced, FORGET_GATES), *map(_biased, BIASES)]
    else:
        networks = [_forced(_checked_gate(forget))]
    rows = tuple(_carried(network, lags) for network in networks)
    return ErrorCarousel(tuple(lags), rows, backend_of(networks[0].module))


def _checked_gate(forget: float) -> float:
    if not 0 <= check_number("forget", forget) <= 1:
        raise BadExperiment(
            argument="forget",
            given=forget,
            expected="a number from 0 to 1",
            advice="give what a gate can be",
        )
    return float(forget)


class _Network(NamedTuple):
    name: str
    module: Recurrent
    gate: float
    forced: bool


def _drawn(cell: LSTM) -> Recurrent:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Recurrent(cell, UNITS, UNITS, dtype=torch.float64)


@torch.no_grad()
def _forced(forget: float) -> _Network:
    module = _drawn(Carousel())
    module.get_parameter("f_l0").fill_(forget)
    return _Network(f"f = {forget:g}, i = 0", module, forget, forced=True)


@torch.no_grad()
def _biased(bias: float) -> _Network:
    """An LSTM whose gates see their input, too."""
    module = _drawn(LSTM())
    biases = module.get_parameter("bias_ih_l0")
    module.get_parameter("bias_hh_l0").zero_()
    biases[:UNITS], biases[UNITS : 2 * UNITS] = CLOSED, bias
    name = f"LSTM, b_f = {bias:g}, b_i = {CLOSED:g}"
    return _Network(name, module, 1 / (1 + math.exp(-bias)), forced=False)


def _carried(network: _Network, lags: list[int]) -> Carried:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(lags[-1], UNITS, generator=generator, dtype=torch.float64)
    start = torch.randn(2, UNITS, generator=generator, dtype=torch.float64)
    found = jacobians(network.module, inputs, list(start), lags, of=1)
    powers = torch.tensor([network.gate**lag for lag in lags], dtype=torch.float64)
    closed = powers[:, None, None] * torch.eye(UNITS, dtype=torch.float64)
    return Carried(
        network.name,
        network.gate,
        network.forced,
        tuple(norms(found).tolist()),
        (found - closed).abs().max().item(),
    )
