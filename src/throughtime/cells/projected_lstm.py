"""Long short-term memory with a smaller output."""

from throughtime.cells import papers
from throughtime.cells.lstm import LSTM
from throughtime.graph import Parameter, State, Value


class ProjectedLSTM(LSTM):
    r"""LSTM whose output is a projection (Sak, Senior, Beaufays, arXiv:1402.1128).

    .. math::
        (i, f, g, o) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\,c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= W_{hr}\,(\sigma(o) \tanh(c_t))

    Shapes: x ``(B, F)``, h ``(B, P)``, c ``(B, H)``. ``projection`` is P, a number or
    a size such as ``"hidden/2"``. It is `torch.nn.LSTM` with ``proj_size``.
    """

    references = (papers.PROJECTION, *LSTM.references)

    def __init__(self, projection: int | str = "hidden/2") -> None:
        self.projection = projection
        self.weight_hh = Parameter("4*hidden", projection)
        self.weight_hr = Parameter(projection, "hidden")
        self.h = State(projection)

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        h, c = super().step(x, h, c)
        return self.weight_hr @ h, c
