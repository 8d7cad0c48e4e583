"""Forward mode: from a step graph to the graph of its tangent, a cell as well.

For values ``v`` that change at the rates ``v'``, the tangent cell computes the rate at
which the output changes; its states are those of the cell and their rates. A derivative
of a derivative is a derivative of the tangent: ``⟨gradient, output'⟩`` is linear in the
rates with the gradients of the cell as its coefficients. Whatever runs a cell, forward
and backward, so gives derivatives of every order.
"""

from collections.abc import Collection
from dataclasses import replace

from throughtime.graph.builder import Builder, prune, rebuild
from throughtime.graph.derivatives import DERIVATIVES, Contributions, DerivativeRule
from throughtime.graph.nodes import (
    InputDeclaration,
    Node,
    ParameterDeclaration,
    StateDeclaration,
    StepGraph,
)
from throughtime.graph.operations import Kind, Shape
from throughtime.graph.simplify import ALGEBRA, unwatched

ALIKE = frozenset({"slice", "slice_columns", "transpose", "expand", "sum", "mean"})
"""Operations of one argument that do with a rate what they do with a value."""


def tangent(graph: StepGraph, changing: Collection[str]) -> StepGraph:
    """The cell that computes rates of change.

    Its inputs, states and parameters are those of the graph, and behind them in the
    same order the rates of those that change: of all states, and of the inputs and
    parameters in ``changing``. Its output is the rate of the output alone. Rates of
    states begin at 0 if nobody gives them.

    Parameters
    ----------
    graph
        The step.
    changing
        Names of inputs and parameters.
    """
    # What is reported of the error is no part of a derivative of it.
    return _Forward(rebuild(graph, (unwatched,)), changing).run()


class _Forward:
    def __init__(self, graph: StepGraph, changing: Collection[str]) -> None:
        self.graph = graph
        self.builder = Builder(graph.nodes, rules=ALGEBRA)
        self.prefix = _prefix(graph)
        states = {state.name for state in graph.states}
        self.changing = {"input": changing, "parameter": changing, "state": states}
        # Rates of nodes; who has none does not change.
        self.rates: dict[int, int] = {}

    def run(self) -> StepGraph:
        graph = self.graph
        for index, node in enumerate(graph.nodes):
            rate = self._rate(index, node)
            if rate is not None:
                self.rates[index] = self._fitted(rate, node.shape)
        ends = [self._end(index) for index in (graph.output, *graph.new_states)]
        return prune(
            replace(
                graph,
                title=f"tangent of {graph.title}",
                parameters=graph.parameters + self._parameters(),
                states=graph.states + self._states(),
                inputs=graph.inputs + self._inputs(),
                nodes=tuple(self.builder.nodes),
                output=ends[0],
                new_states=(*graph.new_states, *ends[1:]),
                names=(),
            )
        )

    def _parameters(self) -> tuple[ParameterDeclaration, ...]:
        return tuple(
            replace(declared, name=self.prefix + declared.name, init="zeros")
            for declared in self.graph.parameters
            if declared.name in self.changing["parameter"]
        )

    def _states(self) -> tuple[StateDeclaration, ...]:
        return tuple(
            replace(state, name=self.prefix + state.name, init=0.0)
            for state in self.graph.states
        )

    def _inputs(self) -> tuple[InputDeclaration, ...]:
        every = (InputDeclaration("x", self.graph.input_size), *self.graph.inputs)
        return tuple(
            replace(declared, name=self.prefix + declared.name)
            for declared in every
            if declared.name in self.changing["input"]
        )

    def _rate(self, index: int, node: Node) -> int | None:
        if node.operation in self.changing:
            name = str(node.attributes[0])
            if name not in self.changing[node.operation]:
                return None
            return self.builder.leaf(node.operation, self.prefix + name, node.shape)
        rates = [self.rates.get(argument) for argument in node.arguments]
        if node.kind is Kind.MASK or all(rate is None for rate in rates):
            return None
        match node.operation:
            case "concat":
                return self._concat(node, rates)
            case "product":
                return self._product(node, rates)
            case "max" | "kth_largest":
                return self._of_ties(index, node, rates[0])
            case operation if operation in ALIKE:
                # One argument, whose rate is known to be there.
                (rate,) = (rate for rate in rates if rate is not None)
                return self.builder.emit(operation, rate, attributes=node.attributes)
        return self._pointwise(index, node, rates)

    def _concat(self, node: Node, rates: list[int | None]) -> int:
        pieces = [
            self._zeros(self.builder.nodes[argument].shape) if rate is None else rate
            for argument, rate in zip(node.arguments, rates, strict=True)
        ]
        return self.builder.emit("concat", *pieces)

    def _product(self, node: Node, rates: list[int | None]) -> int | None:
        matrix, vector = node.arguments
        of_matrix, of_vector = rates
        total = None
        if of_vector is not None:
            total = self.builder.emit("product", matrix, of_vector)
        if of_matrix is not None:
            total = self._sum(total, self.builder.emit("product", of_matrix, vector))
        return total

    def _of_ties(self, index: int, node: Node, rate: int | None) -> int:
        """The mean rate of the units that are equal to the one number."""
        assert rate is not None, "a reduction has one argument"
        b = self.builder
        # 1 where equal, without a mask: it also serves parameters.
        sign = b.emit("sign", b.emit("subtract", node.arguments[0], index))
        tie = b.emit("subtract", b.constant(1), b.emit("abs", sign))
        total = b.emit("sum", b.emit("multiply", tie, rate))
        return b.emit("divide", total, b.emit("sum", tie))

    def _pointwise(self, index: int, node: Node, rates: list[int | None]) -> int | None:
        """The rule of the adjoint for each argument: its Jacobian is symmetric."""
        table = KINKS if node.kind is Kind.PARAMETER else {}
        rule = table.get(node.operation, DERIVATIVES[node.operation])
        total = None
        for position, rate in enumerate(rates):
            if rate is None:
                continue
            whole = self._fitted(rate, node.shape)
            found = rule(self.builder, node, index, whole)[position]
            if found is not None:
                total = self._sum(total, found)
        return total

    def _sum(self, total: int | None, term: int) -> int:
        return term if total is None else self.builder.emit("add", total, term)

    def _zeros(self, shape: Shape) -> int:
        if len(shape) == 2:
            return self.builder.leaf("zeros", "", shape)
        return self._fitted(self.builder.constant(0.0), shape)

    def _fitted(self, rate: int, shape: Shape) -> int:
        """A rate in the shape of its value."""
        if self.builder.nodes[rate].shape == shape:
            return rate
        if len(shape) == 2:
            return self.builder.emit("add", self._zeros(shape), rate)
        return self.builder.emit("expand", rate, attributes=(shape[0],))

    def _end(self, index: int) -> int:
        """The rate of an end, which has to be a value of the step."""
        b = self.builder
        rate = self.rates.get(index)
        if rate is None:
            rate = self._zeros(b.nodes[index].shape)
        if b.nodes[rate].kind is Kind.STEP:
            return rate
        return b.emit("where", b.emit("equal", index, index), rate, rate)


def _positive(b: Builder, value: int) -> int:
    """1 where a value is greater than 0, else 0."""
    return b.emit("relu", b.emit("sign", value))


def _relu(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return (b.emit("multiply", g, _positive(b, y)),)


def _softplus(b: Builder, node: Node, y: int, g: int) -> Contributions:
    v = node.arguments[0]
    slope = b.emit("sigmoid", v)
    linear = _positive(b, b.emit("subtract", v, b.constant(20)))
    missing = b.emit("multiply", linear, b.emit("subtract", b.constant(1), slope))
    return (b.emit("multiply", g, b.emit("add", slope, missing)),)


def _clip(b: Builder, node: Node, y: int, g: int) -> Contributions:
    v = node.arguments[0]
    low, high = (b.constant(float(bound)) for bound in node.attributes)
    below = _positive(b, b.emit("subtract", low, v))
    above = _positive(b, b.emit("subtract", v, high))
    inside = b.emit("subtract", b.emit("subtract", b.constant(1), below), above)
    return (b.emit("multiply", g, inside),)


def _extremum(winning: int) -> DerivativeRule:
    """Rule of ``maximum`` (1) and ``minimum`` (-1): the winner's rate, or the mean."""

    def rule(b: Builder, node: Node, y: int, g: int) -> Contributions:
        sign = b.emit("sign", b.emit("subtract", *node.arguments))
        lead = b.emit("multiply", sign, b.constant(0.5 * winning))
        first = b.emit("add", lead, b.constant(0.5))
        second = b.emit("subtract", b.constant(0.5), lead)
        return b.emit("multiply", g, first), b.emit("multiply", g, second)

    return rule


KINKS: dict[str, DerivativeRule] = {
    "relu": _relu,
    "softplus": _softplus,
    "clip": _clip,
    "maximum": _extremum(1),
    "minimum": _extremum(-1),
}
"""Rules without a mask, which parameters do not have."""


def _prefix(graph: StepGraph) -> str:
    """What stands before the names of rates; tangents have tangents as well."""
    names = [item.name for item in (*graph.parameters, *graph.states, *graph.inputs)]
    order = 1
    while any(name.startswith(f"rate{order}_") for name in names):
        order += 1
    return f"rate{order}_"
