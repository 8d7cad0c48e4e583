"""The simple recurrent network in continuous time."""

from math import sqrt

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.cells.arguments import check_number
from throughtime.errors import CellError
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import abs, concat, noise, split


class LeakyElman(Cell):
    r"""Simple recurrent network in continuous time, as neuroscience uses it.

    After Song, Yang, Wang, Training excitatory-inhibitory recurrent neural networks
    for cognitive tasks (2016): Euler steps of
    ``τ dv/dt = -v + W_ih x + b_ih + W_hh l(v) + b_hh``.

    .. math::
        v_t &= (1 - \alpha)\,v_{t-1}
            + \alpha\,(W_{ih} x_t + b_{ih} + W_{hh}\,l(v_{t-1}) + b_{hh}),
            \quad \alpha = \Delta t / \tau \\
        r_t &= l(v_t)

    The state v ``(B, H)`` is a current, the output r ``(B, H)`` a firing rate; x is
    ``(B, F)``.

    ``activation`` is the function ``l``: ``"relu"``, ``"tanh"``, ``"sigmoid"`` or
    ``"identity"``. ``tau`` and ``dt`` are the time constant and the length of a step,
    in the same unit. ``noise`` above 0 is the standard deviation s of the recurrent
    noise: ``√(2α) s ξ`` is added to v, ξ standard normal. ``excitatory`` is the
    fraction of units that only excite others; the rest only inhibit (Dale's law): the
    recurrent weights are \|W_hh\| with one sign per column, and those of inhibitory
    units count as many times more as there are fewer of them, which balances both at
    the start.
    """

    references = (papers.EXCITATORY_INHIBITORY, papers.ELMAN)

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    bias_ih = Parameter("hidden", role="bias")
    bias_hh = Parameter("hidden", role="bias")
    v = State("hidden")

    def __init__(
        self,
        activation: str = "relu",
        *,
        tau: float = 100.0,
        dt: float = 20.0,
        noise: float = 0.0,
        excitatory: float | None = None,
    ) -> None:
        self.activation = check_activation("LeakyElman", activation)
        self.tau = check_number("LeakyElman", "tau", tau, above=0)
        self.dt = check_number("LeakyElman", "dt", dt, above=0)
        if dt > tau:
            reason = f"dt is {dt}, longer than tau, {tau}; give shorter steps"
            raise CellError(cell="LeakyElman", reason=reason)
        self.noise = noise
        if noise != 0:
            self.noise = check_number("LeakyElman", "noise", noise, above=0)
        self.excitatory = excitatory
        if excitatory is not None:
            check_number("LeakyElman", "excitatory", excitatory, above=0, below=1)

    def step(self, x: Value, v: Value) -> tuple[Value, Value]:
        rate = ACTIVATIONS[self.activation]
        alpha = self.dt / self.tau
        a = self.weight_ih @ x + self.bias_ih + self._recurrent(rate(v)) + self.bias_hh
        v = (1 - alpha) * v + alpha * a
        if self.noise:
            v = v + noise(sqrt(2 * alpha) * self.noise)
        r = rate(v)
        return r, v

    def _recurrent(self, rates: Value) -> Value:
        if self.excitatory is None:
            return self.weight_hh @ rates
        units = rates.shape[0]
        exciting = round(self.excitatory * units)
        if not 0 < exciting < units:
            reason = (
                f"excitatory={self.excitatory} leaves {exciting} of {units} units "
                "that excite; give a fraction that leaves both kinds"
            )
            raise CellError(cell="LeakyElman", reason=reason)
        inhibiting = units - exciting
        excite, inhibit = split(rates, [exciting, inhibiting])
        signed = concat(excite, -exciting / inhibiting * inhibit)
        return abs(self.weight_hh) @ signed
