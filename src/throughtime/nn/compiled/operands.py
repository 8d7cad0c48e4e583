"""What compiled code reads of parameters: they themselves, sums, other expressions."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from throughtime.backends.reference import evaluate_parameters
from throughtime.graph.operations import Kind
from throughtime.graph.programs import Plan
from throughtime.nn.compiled.drawing import drawn_per_call
from throughtime.nn.compiled.pool import POOL

AUTOGRAD = [
    torch._C._parse_dispatch_key(name)
    for name in ("AutogradFunctionality", "AutogradOther", "AutogradNestedTensor")
]


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
        self._composed = {i for i, sum_ in enumerate(self._sums) if sum_ is None}
        self._random = [
            index
            for index, node in enumerate(plan.nodes)
            if node.family == "random" and node.kind is Kind.PARAMETER
        ]
        self._shapes = [plan.nodes[index].shape for index in plan.operands]

    def values(
        self, parameters: Sequence[Tensor], wanted: Sequence[int]
    ) -> list[Tensor]:
        """Values of some operands, by their positions; contiguous.

        Behind the parameters is the key of a graph that draws.
        """
        composed = sorted(self._composed.intersection(wanted))
        found = self._evaluate(composed, parameters, parameters)
        values: list[Tensor] = []
        for position in wanted:
            sum_ = self._sums[position]
            known = found[position] if sum_ is None else _total(sum_, parameters)
            values.append(known.contiguous())
        return values

    def _evaluate(
        self,
        positions: Sequence[int],
        leaves: Sequence[Tensor],
        parameters: Sequence[Tensor],
    ) -> dict[int, Tensor]:
        """Operands that are more than sums, computed from the leaves."""
        if not positions:
            return {}
        nodes = self.plan.nodes
        like = leaves[0] if self.names else torch.empty(0, dtype=self.dtype)
        draws: dict[int, Tensor] = {}
        if self._random:
            key = parameters[-1]
            draws = {i: drawn_per_call(nodes[i], key, like) for i in self._random}
        named = dict(zip(self.names, leaves, strict=False))
        indices = [self.plan.operands[position] for position in positions]
        values = evaluate_parameters(nodes, indices, named, like, draws)
        return dict(zip(positions, values, strict=True))

    def empty(self) -> list[Tensor]:
        """Room for a gradient of each operand."""
        return [POOL.empty(shape, self.dtype) for shape in self._shapes]

    def gradients(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        elements: int = 0,
    ) -> list[Tensor]:
        """From gradients of the operands to those of the parameters.

        There may be those of several elements, in a first dimension.
        """
        own = parameters[: len(self.names)]
        found: list[Tensor | None] = [None] * len(own)
        for positions, gradient in zip(self._sums, gradients, strict=True):
            for number, position in enumerate(positions or ()):
                # Parameters may not share the memory of their gradients.
                other = _copy(gradient) if number else gradient
                before = found[position]
                found[position] = other if before is None else before + other
        if self._composed:
            self._add_composed(parameters, gradients, found, elements)
        lead = (elements,) if elements else ()
        return [
            value.new_zeros((*lead, *value.shape)) if gradient is None else gradient
            for value, gradient in zip(own, found, strict=True)
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
        gradients: Sequence[Tensor],
        found: list[Tensor | None],
        elements: int,
    ) -> None:
        """Gradients through expressions that are more than sums, by autograd."""
        own = parameters[: len(self.names)]
        with _recording():
            leaves = [value.detach().requires_grad_() for value in own]
            values = self._evaluate(sorted(self._composed), leaves, parameters)
            pairs = [
                (value, gradients[position])
                for position, value in values.items()
                if value.requires_grad
            ]
            if not pairs:
                return
            slopes = torch.autograd.grad(
                [value for value, _ in pairs],
                leaves,
                [gradient for _, gradient in pairs],
                allow_unused=True,
                is_grads_batched=elements > 0,
            )
        for position, slope in enumerate(slopes):
            if slope is not None:
                before = found[position]
                found[position] = slope if before is None else before + slope


def _total(positions: Sequence[int], parameters: Sequence[Tensor]) -> Tensor:
    first, *others = positions
    total = parameters[first]
    for position in others:
        total = total + parameters[position]
    return total


def _copy(value: Tensor) -> Tensor:
    """A copy; torch takes 50 µs for it when its code has left the caches."""
    if not value.is_contiguous():
        return value.clone()
    copy = POOL.empty(value.shape, value.dtype)
    ctypes.memmove(copy.data_ptr(), value.data_ptr(), value.nbytes)
    return copy


@contextmanager
def _recording() -> Iterator[None]:
    """Let autograd record, also inside an operator, where torch keeps it out."""
    kept: Any = torch._C._dispatch_tls_local_exclude_set()
    for key in AUTOGRAD:
        kept = kept.remove(key)
    included = torch._C._dispatch_tls_local_include_set()
    with torch._C._ForceDispatchKeyGuard(included, kept), torch.enable_grad():
        yield
