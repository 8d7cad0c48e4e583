"""Regularisers: functions from a cell to a cell.

Each rewrites the equations that the cell's step gives. Parameters, states and inputs
keep their names, so both cells load each other's ``state_dict``. In training masks are
drawn, in evaluation everything random is at its mean.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from throughtime.cells import papers
from throughtime.errors import CellError
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell, Parameter, State, StepGraph
from throughtime.graph.builder import Builder, prune, rebuild
from throughtime.graph.declarations import Rewriting, declarations
from throughtime.graph.operations import Shape
from throughtime.graph.random_values import free_stream
from throughtime.graph.recurrences import recurrent_matrices, recurrent_products
from throughtime.graph.simplify import product_of_concat
from throughtime.graph.trace import check_instance


def Zoneout(cell: Cell, p: float | None = None, /, **probabilities: float) -> Cell:
    """A cell whose units keep their last value now and then (Krueger et al. 2017).

    Each unit of a state takes its new value with probability ``1 - p`` and else stays
    as it was: ``h_t = z * new_h_t + (1 - z) * h_{t-1}``, a mask ``z`` being drawn at
    every step. Evaluation mixes both by these probabilities. An output that is the
    first state is zoned out with it; another one is made of the new values.

    Parameters
    ----------
    cell
        Any cell with states.
    p
        That of every state that is not named.
    **probabilities
        By the names of states, each from 0 up to but not 1: ``h=0.05, c=0.5``.
    """
    check_instance(cell)
    states = _names(cell, State)
    if p is not None:
        probabilities = {**dict.fromkeys(states, p), **probabilities}
    if not probabilities:
        known = ", ".join(states) or "none"
        raise CellError(
            cell="Zoneout",
            reason=f"it needs the probability of a state; those of "
            f"{type(cell).__name__} are: {known}",
        )
    for name in probabilities:
        _check_known("Zoneout", cell, "state", name, states)
    pairs = [(n, _probability("Zoneout", n, p)) for n, p in probabilities.items()]
    return _rewritten(cell, _Zoneout(tuple(pairs)), papers.ZONEOUT)


def DropConnect(
    cell: Cell, p: float, parameters: str | Sequence[str] | None = None
) -> Cell:
    """A cell with some of its weights at 0 (Wan et al. 2013, Merity et al. 2018).

    Each weight is dropped with probability ``p`` for a whole call, at all steps of all
    sequences; the others are divided by ``1 - p``, so that evaluation takes them as
    they are.

    Parameters
    ----------
    cell
        Any cell.
    p
        From 0 up to but not 1.
    parameters
        Names of parameters; without any, every matrix that multiplies a state, or what
        is made of one, on its way to a new state.
    """
    check_instance(cell)
    known = _names(cell, Parameter)
    names = (parameters,) if isinstance(parameters, str) else parameters
    for name in names or ():
        _check_known("DropConnect", cell, "parameter", name, known)
    chosen = None if names is None else tuple(names)
    made = _DropConnect(_probability("DropConnect", "p", p), chosen)
    return _rewritten(cell, made, papers.DROP_CONNECT)


def VariationalDropout(
    cell: Cell, input: float | None = None, hidden: float | None = None
) -> Cell:
    """A cell with one dropout mask for all steps of a sequence (Gal & Ghahramani 2016).

    Each sequence of a call has a mask of its own. What is not dropped is divided by
    ``1 - p``, so that evaluation changes nothing.

    Parameters
    ----------
    cell
        Any cell.
    input
        Probability, from 0 up to but not 1, that a unit of ``x`` is dropped. None: 0,
        if there is the other one.
    hidden
        The same of each vector made of a state, where a matrix multiplies it on its
        way to a new state: the recurrent connections. What a state does unit by unit,
        such as the cell state of an LSTM, is not dropped.
    """
    check_instance(cell)
    if input is None and hidden is None:
        raise CellError(
            cell="VariationalDropout",
            reason="it needs a probability: input=…, hidden=…, or both",
        )
    chances = [
        _probability("VariationalDropout", name, 0.0 if p is None else p)
        for name, p in (("input", input), ("hidden", hidden))
    ]
    return _rewritten(cell, _VariationalDropout(*chances), papers.VARIATIONAL_DROPOUT)


def KWinners(cell: Cell, k: float) -> Cell:
    """A cell whose output is 0 but in its largest units (Makhzani & Frey 2014).

    Ahmad & Scheinkman (2019) use it in layers upon layers. Error flows through the
    winners alone. Units that are equal to the ``k``-th largest win with it, so that
    more than ``k`` may. An output that is the first state is carried on as it wins;
    another one leaves the states as they are. Products that read what wins leave out
    what does not, where that is most of it: see `throughtime.explain`.

    Parameters
    ----------
    cell
        Any cell.
    k
        How many units win: a whole number from 1, or, above 0 and below 1, a share
        of the output's units, rounded, one at least.
    """
    check_instance(cell)
    whole = isinstance(k, int) and not isinstance(k, bool) and k >= 1
    if not whole and not (isinstance(k, float) and 0 < k < 1):
        raise CellError(
            cell="KWinners",
            reason=f"k is {k!r}; give a whole number of units from 1, or a share of "
            "them above 0 and below 1",
        )
    return _rewritten(cell, _KWinners(k), papers.K_SPARSE, papers.K_WINNERS)


def _rewritten(cell: Cell, rewriting: Rewriting, *references: str) -> Cell:
    made = copy.copy(cell)
    made.references = (*cell.references, *references)
    made.rewritings = (*cell.rewritings, rewriting)
    return made


def _names(cell: Cell, kind: type) -> list[str]:
    return [n for n, value in declarations(cell).items() if isinstance(value, kind)]


def _check_known(
    regulariser: str, cell: Cell, kind: str, name: str, known: Iterable[str]
) -> None:
    if name not in known:
        hint = did_you_mean(str(name), known)
        raise CellError(
            cell=regulariser,
            reason=f"{type(cell).__name__} has no {kind} {name!r}{hint}; it has: "
            + (", ".join(known) or "none"),
        )


def _probability(regulariser: str, name: str, value: object) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise CellError(
            cell=regulariser,
            reason=f"{name} is {value!r}; a probability is from 0 up to, but not, 1",
        )
    return float(value)


@dataclass(frozen=True)
class _Zoneout:
    probabilities: tuple[tuple[str, float], ...]

    def text(self, cell: str) -> str:
        return ", ".join([f"Zoneout({cell}", *_settings(self.probabilities)]) + ")"

    def __call__(self, graph: StepGraph) -> StepGraph:
        chances = dict(self.probabilities)
        masks = _Masks(Builder(graph.nodes), graph)
        b, names = masks.builder, dict(graph.names)
        new_states = list(graph.new_states)
        for place, state in enumerate(graph.states):
            p, new = chances.get(state.name, 0.0), new_states[place]
            if not p:
                continue
            old = b.leaf("state", state.name, (state.size,))
            taken = masks.draw(p, "step", (state.size,))
            kept = b.emit("subtract", b.constant(1.0), taken)
            zoned = b.emit("multiply", taken, new), b.emit("multiply", kept, old)
            new_states[place] = b.emit("add", *zoned)
            names[state.name] = new_states[place]
            names.setdefault(f"new_{state.name}", new)
        output = graph.output if graph.has_separate_output else new_states[0]
        return prune(
            replace(
                graph,
                cell=self.text(graph.cell),
                nodes=tuple(b.nodes),
                output=output,
                new_states=tuple(new_states),
                names=tuple(names.items()),
            )
        )


@dataclass(frozen=True)
class _DropConnect:
    p: float
    parameters: tuple[str, ...] | None

    def text(self, cell: str) -> str:
        which = "" if self.parameters is None else f", parameters={self.parameters}"
        return f"DropConnect({cell}, {self.p:g}{which})"

    def __call__(self, graph: StepGraph) -> StepGraph:
        names = self.parameters
        if names is None:
            names = _recurrent_matrices("DropConnect", graph)
        copy_ = _Copy(graph)
        for index, node in enumerate(graph.nodes):
            copy_.node(index)
            if node.operation == "parameter" and node.attributes[0] in names:
                copy_.drop(index, self.p, "call")
        return copy_.graph(self.text(graph.cell))


@dataclass(frozen=True)
class _VariationalDropout:
    input: float
    hidden: float

    def text(self, cell: str) -> str:
        pairs = (("input", self.input), ("hidden", self.hidden))
        chances = [(name, p) for name, p in pairs if p]
        return ", ".join([f"VariationalDropout({cell}", *_settings(chances)]) + ")"

    def __call__(self, graph: StepGraph) -> StepGraph:
        split = rebuild(graph, (product_of_concat,))
        products: set[int] = set()
        if self.hidden:
            products = _recurrent_products("VariationalDropout", split)
        copy_ = _Copy(split)
        for index, node in enumerate(split.nodes):
            if index in products:
                copy_.product_of_dropped(index, self.hidden)
                continue
            copy_.node(index)
            if node.operation == "input" and node.attributes[0] == "x":
                copy_.drop(index, self.input, "sequence")
        return copy_.graph(self.text(graph.cell))


@dataclass(frozen=True)
class _KWinners:
    k: float

    def text(self, cell: str) -> str:
        return f"KWinners({cell}, {self.k})"

    def _count(self, graph: StepGraph) -> int:
        """How many of the output's units win."""
        size = graph.output_size
        if isinstance(self.k, float):
            return max(1, round(self.k * size))
        if self.k > size:
            raise CellError(
                cell="KWinners",
                reason=f"k is {self.k}, but the output of {graph.cell} has {size} "
                f"units; give {size} at most, or a share",
            )
        return self.k

    def __call__(self, graph: StepGraph) -> StepGraph:
        b, every = Builder(graph.nodes), graph.output
        least = b.emit("kth_largest", every, attributes=(self._count(graph),))
        # Not `where(every >= least, …)`: NaN has to stay.
        loses = b.emit("less", every, least)
        winners = b.emit("where", loses, b.constant(0.0), every)
        new_states, names = graph.new_states, dict(graph.names)
        names.update((name, winners) for name, i in graph.names if i == every)
        if not graph.has_separate_output:
            new_states = (winners, *new_states[1:])
            names[graph.states[0].name] = winners
            names.setdefault(f"new_{graph.states[0].name}", every)
        return prune(
            replace(
                graph,
                cell=self.text(graph.cell),
                nodes=tuple(b.nodes),
                output=winners,
                new_states=new_states,
                names=tuple(names.items()),
            )
        )


def _settings(chances: Iterable[tuple[str, float]]) -> list[str]:
    return [f"{name}={p:g}" for name, p in chances]


class _Masks:
    """Draws masks in a graph that grows, each from a stream of its own."""

    def __init__(self, builder: Builder, graph: StepGraph) -> None:
        self.builder = builder
        self._stream = free_stream(graph.nodes)

    def draw(self, p: float, period: str, shape: Shape) -> int:
        attributes = (p, period, self._stream, 0, *shape)
        self._stream += 1
        return self.builder.emit("mask", attributes=attributes)


class _Copy:
    """Copies a graph node by node; what was dropped stands in for what was there."""

    def __init__(self, graph: StepGraph) -> None:
        self.original = graph
        self.builder = Builder()
        self.positions: list[int] = []
        self._masks = _Masks(self.builder, graph)
        self._dropped: dict[int, int] = {}

    def node(self, index: int) -> None:
        """Copy the next node."""
        arguments = [self.positions[a] for a in self.original.nodes[index].arguments]
        self._emit(index, arguments)

    def _emit(self, index: int, arguments: Sequence[int]) -> None:
        node = self.original.nodes[index]
        found = self.builder.emit(
            node.operation,
            *arguments,
            attributes=node.attributes,
            source=node.source,
        )
        self.positions.append(found)

    def drop(self, index: int, p: float, period: str) -> None:
        """Let what was copied last be dropped wherever it is read."""
        self.positions[index] = self._drop(self.positions[index], p, period)

    def product_of_dropped(self, index: int, p: float) -> None:
        """Copy a product whose vector is dropped there."""
        matrix, vector = self.original.nodes[index].arguments
        dropped = self._drop(self.positions[vector], p, "sequence")
        self._emit(index, [self.positions[matrix], dropped])

    def _drop(self, position: int, p: float, period: str) -> int:
        if p and position not in self._dropped:
            b = self.builder
            mask = self._masks.draw(p, period, b.nodes[position].shape)
            scaled = b.emit("divide", mask, b.constant(1.0 - p))
            self._dropped[position] = b.emit("multiply", position, scaled)
        return self._dropped.get(position, position)

    def graph(self, cell: str) -> StepGraph:
        """The graph that was copied, under another name."""
        graph, positions = self.original, self.positions
        return prune(
            replace(
                graph,
                cell=cell,
                nodes=tuple(self.builder.nodes),
                output=positions[graph.output],
                new_states=tuple(positions[index] for index in graph.new_states),
                names=tuple((name, positions[index]) for name, index in graph.names),
            )
        )


def _recurrent_products(regulariser: str, graph: StepGraph) -> set[int]:
    """Products with what is made of a state, on their way to a new state."""
    found = recurrent_products(graph)
    if not found:
        raise CellError(
            cell=regulariser,
            reason=f"no matrix of {graph.cell} multiplies a state on its way to a new "
            "one; it has no such recurrent connections to drop",
        )
    return found


def _recurrent_matrices(regulariser: str, graph: StepGraph) -> list[str]:
    """Names of the matrices in these products."""
    _recurrent_products(regulariser, graph)
    return recurrent_matrices(graph)
