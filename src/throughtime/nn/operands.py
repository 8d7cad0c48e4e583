"""What compiled code reads of parameters: they themselves, sums, other expressions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.backends.reference import evaluate_parameters
from throughtime.graph.operations import Kind
from throughtime.graph.programs import Plan
from throughtime.nn.drawing import drawn_per_call
from throughtime.nn.pool import POOL


class Drawn(NamedTuple):
    """Parameters of a call, and what is drawn with its key, if it has one."""

    parameters: Sequence[Tensor]
    key: Tensor | None
    operands: Mapping[int, Tensor] | None
    """Values of what operands draw, once for the whole call."""


class Operands:
    """Values of a plan's expressions of parameters, and gradients back through them.

    Most are a parameter or a plain sum of some (the two biases), which needs neither
    the interpreter nor autograd.
    """

    def __init__(self, plan: Plan, dtype: torch.dtype) -> None:
        self.plan = plan
        self.dtype = dtype
        self.names = [declared.name for declared in plan.graph.parameters]
        self._sums = [self._sum_of(index) for index in plan.operands]
        self._random = [
            index
            for index, node in enumerate(plan.nodes)
            if node.family == "random" and node.kind is Kind.PARAMETER
        ]
        self._shapes = [plan.nodes[index].shape for index in plan.operands]

    def values(
        self,
        parameters: Sequence[Tensor],
        wanted: Sequence[int],
        draws: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor]:
        """Values of some operands, by their positions; contiguous.

        ``draws`` are values of what they draw.
        """
        sums = [self._sums[position] for position in wanted]
        plain = [positions for positions in sums if positions is not None]
        if len(plain) == len(sums):
            values = [_total(positions, parameters) for positions in plain]
        else:
            named = dict(zip(self.names, parameters, strict=True))
            indices = [self.plan.operands[position] for position in wanted]
            like = self._like(parameters)
            values = evaluate_parameters(self.plan.nodes, indices, named, like, draws)
        return [value.contiguous() for value in values]

    def empty(self) -> list[Tensor]:
        """Room for a gradient of each operand."""
        return [POOL.empty(shape, self.dtype) for shape in self._shapes]

    def drawn(self, parameters: Sequence[Tensor], like: Tensor) -> Drawn:
        """What a call draws; behind the parameters of a graph that does is its key."""
        if len(parameters) == len(self.names):
            return Drawn(parameters, None, None)
        *own, key = parameters
        nodes = self.plan.nodes
        values = {i: drawn_per_call(nodes[i], key, like) for i in self._random}
        return Drawn(own, key, values)

    def gradients(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        draws: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor]:
        """From gradients of the operands to those of the parameters."""
        found: list[Tensor | None] = [None] * len(parameters)
        composed: list[tuple[int, Tensor]] = []
        for index, positions, gradient in zip(
            self.plan.operands, self._sums, gradients, strict=True
        ):
            if positions is None:
                composed.append((index, gradient))
                continue
            for number, position in enumerate(positions):
                # Parameters may not share the memory of their gradients.
                own = gradient.clone() if number else gradient
                before = found[position]
                found[position] = own if before is None else before + own
        if composed:
            self._add_composed(parameters, composed, found, draws)
        return [
            torch.zeros_like(value) if gradient is None else gradient
            for value, gradient in zip(parameters, found, strict=True)
        ]

    def _sum_of(self, index: int) -> list[int] | None:
        """Positions of the parameters whose plain sum an expression is."""
        node = self.plan.nodes[index]
        if node.operation == "parameter":
            return [self.names.index(str(node.attributes[0]))]
        if node.operation != "add":
            return None
        positions: list[int] = []
        for argument in node.arguments:
            same = self.plan.nodes[argument].shape == node.shape
            inner = self._sum_of(argument) if same else None
            if inner is None:
                return None
            positions += inner
        return positions

    def _add_composed(
        self,
        parameters: Sequence[Tensor],
        composed: Sequence[tuple[int, Tensor]],
        found: list[Tensor | None],
        draws: Mapping[int, Tensor] | None,
    ) -> None:
        """Gradients through expressions that are more than sums, by autograd."""
        with torch.enable_grad():
            leaves = [value.detach().requires_grad_() for value in parameters]
            named = dict(zip(self.names, leaves, strict=True))
            indices = [index for index, _ in composed]
            like = self._like(parameters)
            values = evaluate_parameters(self.plan.nodes, indices, named, like, draws)
            pairs = [
                (value, gradient)
                for value, (_, gradient) in zip(values, composed, strict=True)
                if value.requires_grad
            ]
            if not pairs:
                return
            gradients = torch.autograd.grad(
                [value for value, _ in pairs],
                leaves,
                [gradient for _, gradient in pairs],
                allow_unused=True,
            )
        for position, gradient in enumerate(gradients):
            if gradient is not None:
                before = found[position]
                found[position] = gradient if before is None else before + gradient

    def _like(self, parameters: Sequence[Tensor]) -> Tensor:
        return parameters[0] if parameters else torch.empty(0, dtype=self.dtype)


def _total(positions: Sequence[int], parameters: Sequence[Tensor]) -> Tensor:
    first, *others = positions
    total = parameters[first]
    for position in others:
        total = total + parameters[position]
    return total
