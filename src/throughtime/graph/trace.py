"""From the equations of a cell to its step graph: run ``step`` on symbols."""

import copy
from typing import Any

from throughtime.errors import CellError
from throughtime.graph.builder import prune
from throughtime.graph.calling import call_step
from throughtime.graph.declarations import (
    Cell,
    Input,
    Parameter,
    State,
    declarations,
    known_sizes,
    references_of,
    removed,
    title_of,
)
from throughtime.graph.names import start_name
from throughtime.graph.nodes import (
    InputDeclaration,
    ParameterDeclaration,
    StateDeclaration,
    StepGraph,
    ancestors,
    verify,
)
from throughtime.graph.operations import Kind
from throughtime.graph.sizes import SizeError, resolve
from throughtime.graph.tracing import Tracing
from throughtime.graph.values import NOWHERE, Value


def trace(
    cell: Cell, input_size: int, hidden_size: int, *, bias: bool = True
) -> StepGraph:
    """The step graph of a cell for given sizes.

    Raises
    ------
    CellError
        A declaration or what ``step`` returns is not possible.
    ShapeMismatch
        Two operands of an equation do not fit.
    OutsideTheLanguage
        ``step`` does what cannot be written as an equation.
    """
    check_instance(cell)
    return _Tracer(cell, input_size, hidden_size, bias).graph()


def refuse_unused(graph: StepGraph) -> StepGraph:
    """Give a graph back whose parameters all have a use.

    A weight that no result depends on is most often a forgotten edge.

    Raises
    ------
    CellError
        Nothing that ``step`` returns depends on a declared parameter.
    """
    needed = ancestors(graph.nodes, (graph.output, *graph.new_states))
    leaves = [graph.nodes[i] for i in needed if graph.nodes[i].family == "leaf"]
    used = {leaf.attributes[0] for leaf in leaves if leaf.operation == "parameter"}
    unused = [item.name for item in graph.parameters if item.name not in used]
    if unused:
        raise CellError(
            cell=graph.cell,
            reason="nothing that step returns depends on the declared "
            f"{', '.join(unused)}; use it in an equation, or remove the declaration "
            f"(in a subclass with {unused[0]} = None)",
        )
    return graph


def check_instance(cell: object) -> None:
    """Refuse what is no cell, or a class of cells."""
    if isinstance(cell, type) and issubclass(cell, Cell):
        raise CellError(
            cell=cell.__name__,
            reason=f"a class was given where an instance is expected; "
            f"write {cell.__name__}()",
        )
    if not isinstance(cell, Cell):
        raise CellError(
            cell=repr(cell), reason="this is no Cell; derive it from throughtime.Cell"
        )
    if not callable(getattr(cell, "step", None)):
        raise CellError(
            cell=type(cell).__name__, reason="it has no step(self, x, *states)"
        )


class _Tracer:
    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, bias: bool
    ) -> None:
        self.cell = cell
        self.name = type(cell).__name__
        self.sizes = {"input": input_size, "hidden": hidden_size}
        self.known = known_sizes(cell, input_size, hidden_size)
        self.bias = bias
        self.tracing = Tracing(self.name, type(cell), removed(cell))
        self.parameters: list[ParameterDeclaration] = []
        self.states: list[StateDeclaration] = []
        self.inputs: list[InputDeclaration] = []
        self.arguments: dict[str, Value] = {}

    def graph(self) -> StepGraph:
        bound = copy.copy(self.cell)
        self.arguments["x"] = self._leaf("input", "x", self.sizes["input"])
        for name, declaration in declarations(self.cell).items():
            self._declare(bound, name, declaration)
        self._check_starts()
        inputs = [item.name for item in self.inputs]
        with self.tracing:
            result = call_step(bound, self.arguments, inputs)
            output, states = self._result(result)
            names = self._names(states)
        graph = verify(
            prune(
                StepGraph(
                    cell=self.name,
                    input_size=self.sizes["input"],
                    hidden_size=self.sizes["hidden"],
                    parameters=tuple(self.parameters),
                    states=tuple(self.states),
                    inputs=tuple(self.inputs),
                    nodes=tuple(self.tracing.builder.nodes),
                    output=output,
                    new_states=tuple(states),
                    names=names,
                    references=references_of(self.cell),
                    title=title_of(self.cell),
                )
            )
        )
        for rewriting in self.cell.rewritings:
            graph = verify(rewriting(graph))
        return graph

    def _leaf(self, operation: str, name: str, *shape: int) -> Value:
        index = self.tracing.builder.leaf(operation, name, shape)
        return Value(self.tracing, index)

    def _declare(
        self, bound: Cell, name: str, declaration: Parameter | State | Input
    ) -> None:
        if isinstance(declaration, Parameter):
            setattr(bound, name, self._parameter(name, declaration))
            return
        if name == "x":
            raise CellError(
                cell=self.name,
                reason="x is the input of every step, so no state or further input "
                "can have this name; give it another",
            )
        size = self._size(name, declaration.size)
        if isinstance(declaration, State):
            self.states.append(StateDeclaration(name, size, declaration.init))
            self.arguments[name] = self._leaf("state", name, size)
        else:
            self.inputs.append(InputDeclaration(name, size))
            self.arguments[name] = self._leaf("input", name, size)

    def _check_starts(self) -> None:
        """Refuse parameters that are named like where a state starts."""
        starts = {start_name(state.name) for state in self.states if state.learned}
        for parameter in self.parameters:
            if parameter.name in starts:
                raise CellError(
                    cell=self.name,
                    reason=f"{parameter.name} is the name of the learned start of a "
                    "state, so no parameter can have it; give it another",
                )

    def _parameter(self, name: str, declaration: Parameter) -> Value:
        shape = tuple(self._size(name, size) for size in declaration.sizes)
        if declaration.role == "bias" and not self.bias:
            return self._leaf("zeros", "", *shape)
        self.parameters.append(
            ParameterDeclaration(name, shape, declaration.init, declaration.role)
        )
        return self._leaf("parameter", name, *shape)

    def _size(self, name: str, size: int | str) -> int:
        try:
            return resolve(size, self.known)
        except SizeError as error:
            raise CellError(cell=self.name, reason=f"{name}: {error}") from None

    def _result(self, result: Any) -> tuple[int, list[int]]:
        values = list(result) if isinstance(result, (tuple, list)) else [result]
        states = len(self.states)
        if len(values) not in {max(states, 1), states + 1}:
            raise CellError(
                cell=self.name,
                reason=f"step returns {len(values)} values, but the cell has {states} "
                f"states; return {states} or {states + 1}",
            )
        indices = [self._returned(value) for value in values]
        new_states = indices[len(indices) - states :] if states else []
        for state, index in zip(self.states, new_states, strict=True):
            size = self.tracing.node(index).shape
            if size != (state.size,):
                raise CellError(
                    cell=self.name,
                    reason=f"step returns {size[0]} units for state {state.name}, "
                    f"which has {state.size}",
                )
        return indices[0], new_states

    def _returned(self, value: Any) -> int:
        if not isinstance(value, Value) or value.kind is Kind.MASK:
            raise CellError(
                cell=self.name,
                reason=f"step returns {value!r}; it must return values of the step",
            )
        node = self.tracing.node(value.index)
        if node.kind is not Kind.STEP:
            raise CellError(
                cell=self.name,
                reason="step returns a value that depends on neither x nor a state",
            )
        return value.index

    def _names(self, new_states: list[int]) -> tuple[tuple[str, int], ...]:
        """Names of values: locals of every step, marks, then the states."""
        given = {name: value.index for name, value in self.arguments.items()}
        names: dict[str, int] = {}
        for scope in self.tracing.locals():
            for name, value in scope.items():
                made = isinstance(value, Value) and not isinstance(value, Parameter)
                if made and given.get(name) != value.index:
                    names[name] = value.index
        names.update({n: value.index for n, value in self.tracing.marked.items()})
        for state, index in zip(self.states, new_states, strict=True):
            names[state.name] = index
        steps = (Kind.STEP, Kind.MASK)
        return tuple(
            (name, index)
            for name, index in names.items()
            if index != NOWHERE
            and self.tracing.node(index).kind in steps
            and self.tracing.node(index).operation not in {"state", "input"}
        )
