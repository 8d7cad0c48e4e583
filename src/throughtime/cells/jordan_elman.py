"""The simple recurrent network that also sees its own output."""

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.graph import Cell, Parameter, State, Value


class JordanElman(Cell):
    r"""Recurrent network with both contexts, of outputs and of hidden units.

    Jordan, Attractor dynamics and parallelism in a connectionist sequential machine
    (1986), feeds the output back, Elman, Finding structure in time (1990), the hidden
    units.

    .. math::
        h_t &= l(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} + W_{yh} y_{t-1}) \\
        y_t &= l_y(W_{hy} h_t + b_{hy})

    Shapes: x ``(B, F)``, h ``(B, H)``, y ``(B, O)``, which is the output. ``outputs``
    is O, a number or a size such as ``"hidden"``; ``activation`` and
    ``output_activation`` are the functions ``l`` and ``l_y``: ``"tanh"``, ``"relu"``,
    ``"sigmoid"`` or ``"identity"``.
    """

    references = (papers.JORDAN, papers.ELMAN)

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    bias_ih = Parameter("hidden", role="bias")
    bias_hh = Parameter("hidden", role="bias")

    def __init__(
        self,
        outputs: int | str = "hidden",
        activation: str = "tanh",
        output_activation: str = "identity",
    ) -> None:
        self.outputs = outputs
        self.activation = check_activation("JordanElman", activation)
        self.output_activation = check_activation("JordanElman", output_activation)
        self.weight_yh = Parameter("hidden", outputs)
        self.weight_hy = Parameter(outputs, "hidden")
        self.bias_hy = Parameter(outputs, role="bias")
        self.y = State(outputs)
        self.h = State("hidden")

    def step(self, x: Value, y: Value, h: Value) -> tuple[Value, Value]:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        h = ACTIVATIONS[self.activation](a + self.weight_yh @ y)
        y = ACTIVATIONS[self.output_activation](self.weight_hy @ h + self.bias_hy)
        return y, h
