"""Each operation of a graph as a PyTorch operation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from throughtime.graph.derivatives import SLOPES
from throughtime.graph.nodes import Node
from throughtime.graph.operations import ERROR, Attribute, Kind

Attributes = Sequence[Attribute]
Meaning = Callable[[Sequence[Tensor], Attributes], Tensor]
SOFTPLUS_THRESHOLD = 20.0


def _unary(function: Callable[[Tensor], Tensor]) -> Meaning:
    return lambda values, _: function(values[0])


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Meaning:
    return lambda values, _: function(values[0], values[1])


def _softplus(value: Tensor) -> Tensor:
    return functional.softplus(value, threshold=SOFTPLUS_THRESHOLD)


def _kth_largest(value: Tensor, k: int) -> Tensor:
    """One of the units; those equal to it share the derivative, as that of `amax`."""
    found = value.detach().topk(k, -1).values[..., k - 1 :]
    equal = (value == found) | (value.isnan() & found.isnan())
    return torch.where(equal, value, -torch.inf).amax(-1, keepdim=True)


class _Watch(torch.autograd.Function):
    """A value as it is, whose error reports to a probe."""

    @staticmethod
    def forward(  # type: ignore[bad-override]
        value: Tensor, probe: Tensor, kind: str
    ) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        value, _, ctx.kind = inputs
        ctx.save_for_backward(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,), (value,) = gradients, ctx.saved_tensors
        if ctx.kind == ERROR:
            return gradient, gradient.square().sum(-1, keepdim=True), None
        centre, most = SLOPES[ctx.kind]
        flat = (value - centre).square() > most
        return gradient, flat.sum(-1, keepdim=True).to(gradient), None


MEANINGS: dict[str, Meaning] = {
    "negate": _unary(torch.neg),
    "sigmoid": _unary(torch.sigmoid),
    "tanh": _unary(torch.tanh),
    "relu": _unary(torch.relu),
    "softplus": _unary(_softplus),
    "silu": _unary(functional.silu),
    "gelu": _unary(functional.gelu),
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "log": _unary(torch.log),
    "log1p": _unary(torch.log1p),
    "expm1": _unary(torch.expm1),
    "sqrt": _unary(torch.sqrt),
    "rsqrt": _unary(torch.rsqrt),
    "square": _unary(torch.square),
    "abs": _unary(torch.abs),
    "sign": _unary(torch.sign),
    "reciprocal": _unary(torch.reciprocal),
    "power": lambda values, attributes: torch.pow(values[0], float(attributes[0])),
    "clip": lambda values, attributes: torch.clamp(
        values[0], float(attributes[0]), float(attributes[1])
    ),
    "add": _binary(torch.add),
    "subtract": _binary(torch.sub),
    "multiply": _binary(torch.mul),
    "divide": _binary(torch.div),
    "minimum": _binary(torch.minimum),
    "maximum": _binary(torch.maximum),
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "equal": _binary(torch.eq),
    "not_equal": _binary(torch.ne),
    "where": lambda values, _: torch.where(values[0], values[1], values[2]),
    "softmax": lambda values, _: torch.softmax(values[0], dim=-1),
    "sum": lambda values, _: values[0].sum(-1, keepdim=True),
    "mean": lambda values, _: values[0].mean(-1, keepdim=True),
    "max": lambda values, _: values[0].amax(-1, keepdim=True),
    "kth_largest": lambda values, attributes: _kth_largest(
        values[0], int(attributes[0])
    ),
    "transpose": lambda values, _: values[0].T,
    "product": lambda values, _: values[1] @ values[0].T,
    "watch": lambda values, attributes: _Watch.apply(*values, str(attributes[0])),
    "slice_columns": lambda values, attributes: values[0][
        :, int(attributes[0]) : int(attributes[1])
    ],
}


def meaning(node: Node, values: Sequence[Tensor], like: Tensor) -> Tensor:
    """Value of one node, ``(rows, n)`` of a step, without rows of a parameter."""
    match node.operation:
        case "constant":
            return like.new_full((1,), float(node.attributes[0]))
        case "zeros":
            return like.new_zeros(node.shape)
        case "slice":
            start, stop = (int(bound) for bound in node.attributes)
            if node.kind is Kind.PARAMETER:
                return values[0][start:stop]
            return values[0][..., start:stop]
        case "concat":
            return _concat(node, values)
        case "expand":
            return values[0].expand(*values[0].shape[:-1], node.size)
    return MEANINGS[node.operation](values, node.attributes)


def _concat(node: Node, values: Sequence[Tensor]) -> Tensor:
    if node.kind is Kind.PARAMETER:
        return torch.cat(list(values))
    rows = max((value.shape[:-1] for value in values), key=len)
    return torch.cat([value.expand(*rows, value.shape[-1]) for value in values], -1)


def evaluate(
    nodes: Sequence[Node],
    wanted: Sequence[int],
    known: Mapping[int, Tensor],
    like: Tensor,
) -> dict[int, Tensor]:
    """Values of the wanted nodes, given those of others.

    ``like`` gives dtype and device of constants.
    """
    values = dict(known)
    for index in _order(nodes, wanted, known):
        node = nodes[index]
        arguments = [values[argument] for argument in node.arguments]
        values[index] = meaning(node, arguments, like)
    return values


def _order(
    nodes: Sequence[Node], wanted: Sequence[int], known: Mapping[int, Tensor]
) -> list[int]:
    needed: set[int] = set()
    waiting = [index for index in wanted if index not in known]
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(a for a in nodes[index].arguments if a not in known)
    return sorted(needed)


def evaluate_parameters(
    nodes: Sequence[Node],
    wanted: Sequence[int],
    parameters: Mapping[str, Tensor],
    like: Tensor,
    draws: Mapping[int, Tensor] | None = None,
) -> list[Tensor]:
    """Values of expressions made of parameters, and of what is drawn, alone."""
    known = dict(draws or {}) | {
        index: parameters[str(node.attributes[0])]
        for index, node in enumerate(nodes)
        if node.operation == "parameter"
    }
    values = evaluate(nodes, wanted, known, like)
    return [values[index] for index in wanted]
