"""What the gradient cannot exceed, from the weights alone.

A step ``h_t = l(W h_{t-1} + …)`` has the Jacobian ``diag(l′(a_t)) W``, whose largest
singular value is at most γσ: γ the largest slope of l, σ that of W. Over k steps no
more than ``(γσ)^k`` of an error is left (Pascanu, Mikolov & Bengio, On the difficulty
of training recurrent neural networks, 2013).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from throughtime.backends.reference.interpreter import evaluate_parameters
from throughtime.errors import NoGradientBounds
from throughtime.errors.base import did_you_mean
from throughtime.graph import StepGraph
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.nn.layers import Layers

SLOPES = {
    "identity": 1.0,
    "relu": 1.0,
    "tanh": 1.0,
    "sigmoid": 0.25,
    "softplus": 1.0,
    "erf": 2 / math.sqrt(math.pi),
}
"""γ, the least upper bound of ``|l′|``."""


@dataclass(frozen=True)
class GradientBounds:
    """Bounds of ``‖∂h_t/∂h_{t−k}‖₂`` for ``h_t = l(W h_{t−1} + …)``.

    Parameters
    ----------
    activation
        The function l.
    slope
        γ, the least upper bound of ``|l′|``.
    singular_value
        σ, the largest singular value of W.
    spectral_radius
        ρ, the largest magnitude of an eigenvalue of W.
    """

    activation: str
    slope: float
    singular_value: float
    spectral_radius: float

    @property
    def factor(self) -> float:
        """γσ, the most by which a step multiplies the gradient."""
        return self.slope * self.singular_value

    @property
    def must_vanish(self) -> bool:
        """Whether γσ < 1, which suffices for the gradient to vanish."""
        return self.factor < 1

    @property
    def may_explode(self) -> bool:
        """Whether γσ > 1, without which no gradient explodes; it need not."""
        return self.factor > 1

    def over(self, lag: int) -> float:
        """``(γσ)^k``: the most that is left of an error after k steps."""
        try:
            return self.factor**lag
        except OverflowError:
            return math.inf

    @property
    def sentence(self) -> str:
        """What the bounds say, in words."""
        said = f"γσ = {self.factor:.4g}"
        if self.must_vanish:
            return f"{said} < 1: the gradient must vanish"
        if self.may_explode:
            return f"{said} > 1: the gradient may explode, and need not"
        return f"{said}: the gradient does not explode, and need not vanish"


def gradient_bounds(weight: ArrayLike | Tensor, activation: str) -> GradientBounds:
    """Bound the gradient through ``h_t = l(W h_{t−1} + …)``.

    Parameters
    ----------
    weight
        W, ``(H, H)``, or a vector ``(H,)`` where each unit sees itself alone.
    activation
        The function l: ``"identity"``, ``"relu"``, ``"tanh"``, ``"sigmoid"``,
        ``"softplus"`` or ``"erf"``.

    Returns
    -------
    GradientBounds
        By how much a step can multiply the gradient.

    Raises
    ------
    NoGradientBounds
        W is not square or not finite, or the slope of l is not known.
    """
    if activation not in SLOPES:
        raise NoGradientBounds(
            what=f"activation={activation!r}",
            given=f"its largest slope is not known{did_you_mean(activation, SLOPES)}",
            expected=f"one of {', '.join(SLOPES)}",
            advice="give one",
        )
    if not isinstance(weight, Tensor):  # else numbers of a list are rounded to float32
        weight = torch.from_numpy(np.array(weight, dtype=np.float64))
    matrix = weight.detach().to("cpu", torch.float64)
    matrix = matrix.diag() if matrix.dim() == 1 else matrix
    square = matrix.dim() == 2 and matrix.shape[0] == matrix.shape[1] > 0
    if not square or not matrix.isfinite().all():
        raise NoGradientBounds(
            what="weight",
            given=f"shape {tuple(matrix.shape)}" + " with NaN or infinity" * square,
            expected="a square matrix of finite numbers",
            advice="give the matrix that multiplies the state",
        )
    return GradientBounds(
        activation,
        SLOPES[activation],
        torch.linalg.matrix_norm(matrix, 2).item(),
        torch.linalg.eigvals(matrix).abs().max().item(),
    )


def layer_bounds(module: Layers) -> dict[tuple[int, int], GradientBounds]:
    """Bound the gradient through each layer and direction of a module.

    Parameters
    ----------
    module
        Of a cell whose new state is ``l(W h + …)`` and its only state, such as `Elman`
        and `IndRNN`, with heads or `DropConnect` (at the mean of its masks) as well.

    Returns
    -------
    dict
        ``(layer, direction) -> GradientBounds``.

    Raises
    ------
    NoGradientBounds
        The cell has another form: what its gates do depends on the data.
    """
    found = {}
    for place, (_, parameters) in enumerate(module.weights()):
        layer, direction = divmod(place, module.directions)
        read = _Reading(module.variants.evaluated[layer], parameters)
        found[layer, direction] = gradient_bounds(*read.step())
    return found


class _Affine(NamedTuple):
    """A value ``l(M h + what does not depend on h)``; without ``l`` it is affine."""

    matrix: Tensor
    function: str = ""


@dataclass
class _Reading:
    """How the values of a step depend on its only state, read from the graph."""

    graph: StepGraph
    parameters: dict[str, Tensor]
    known: dict[int, _Affine | None] = field(default_factory=dict)

    def step(self) -> tuple[Tensor, str]:
        """W and l of the step."""
        states = len(self.graph.states)
        if states != 1:
            raise self.refusal(f"it has {states or 'no'} states")
        new = self.value(self.graph.new_states[0])
        if new is None:
            raise self.refusal("its new state does not depend on the old one")
        return new.matrix, new.function or "identity"

    def value(self, index: int) -> _Affine | None:
        """None stands for a value that does not depend on the state."""
        if index not in self.known:
            self.known[index] = self.read(self.graph.nodes[index])
        return self.known[index]

    def read(self, node: Node) -> _Affine | None:
        if node.operation == "state":
            like = next(iter(self.parameters.values()))
            return _Affine(torch.eye(node.size, dtype=like.dtype, device=like.device))
        given = list(map(self.value, node.arguments))
        depending = [one for one in given if one is not None]
        if not depending:
            return None
        if node.operation in {"slice", "concat"}:
            return self.rearranged(node, given)
        if any(one.function for one in depending):
            raise self.refusal("a function is applied to the state more than once")
        if node.operation in SLOPES:
            return _Affine(depending[0].matrix, node.operation)
        return _Affine(self.combined(node, given))

    def combined(self, node: Node, given: Sequence[_Affine | None]) -> Tensor:
        """M of what is made from affine values."""
        matrices = [None if one is None else one.matrix for one in given]
        match node.operation, matrices:
            case "negate", [Tensor() as own]:
                return -own
            case "add", [left, right]:
                return _total(left, right)
            case "subtract", [left, right]:
                return _total(left, None if right is None else -right)
            case "product", [None, Tensor() as own]:
                return self.parameter(node.arguments[0]) @ own
            case "multiply", [None, Tensor() as own]:
                return self.parameter(node.arguments[0])[:, None] * own
            case "multiply" | "divide", [Tensor() as own, None]:
                factor = self.parameter(node.arguments[1])[:, None]
                return own * factor if node.operation == "multiply" else own / factor
        raise self.refusal(f"the state goes through {node.operation!r}")

    def rearranged(self, node: Node, given: Sequence[_Affine | None]) -> _Affine:
        """Some units, or units of several values side by side."""
        parts = [one for one in given if one is not None]
        functions = {one.function for one in parts}
        if len(functions) > 1 or len(parts) < len(given):
            raise self.refusal("its units do not all do the same")
        if node.operation == "slice":
            start, stop = (int(bound) for bound in node.attributes)
            return parts[0]._replace(matrix=parts[0].matrix[start:stop])
        return _Affine(torch.cat([one.matrix for one in parts]), functions.pop())

    def parameter(self, index: int) -> Tensor:
        """What is made of parameters and numbers alone, evaluated."""
        nodes = self.graph.nodes
        if nodes[index].kind is not Kind.PARAMETER:
            raise self.refusal("the state is multiplied by what changes with the data")
        like = next(iter(self.parameters.values()))
        (value,) = evaluate_parameters(nodes, [index], self.parameters, like)
        return value.detach()

    def refusal(self, reason: str) -> NoGradientBounds:
        """The error for a cell of another form."""
        return NoGradientBounds(
            what=self.graph.title or self.graph.cell,
            given=reason,
            expected="one state, renewed as l(W h + …)",
            advice="measure its gradients instead of bounding them",
        )


def _total(left: Any, right: Any) -> Tensor:
    return right if left is None else left if right is None else left + right
