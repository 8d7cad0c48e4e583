"""What a cell declares: parameters, states, further inputs, and its step."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from throughtime.errors import CellError
from throughtime.graph.nodes import LEARNED, StepGraph
from throughtime.graph.sizes import Size
from throughtime.graph.values import Value

INITIALISATIONS = ("uniform", "fan_in", "orthogonal", "identity", "zeros")


class Parameter(Value):
    """A vector ``Parameter(rows)`` or a matrix ``Parameter(rows, columns)``.

    Parameters
    ----------
    rows, columns
        A size: a number, ``input``, ``hidden``, an attribute of the cell, or a
        sum, product or whole quotient of these, such as ``"4*hidden"``.
    init
        A number, or one of ``"uniform"`` (between ±1/√hidden), ``"fan_in"``
        (between ±1/√columns), ``"orthogonal"``, ``"identity"``, ``"zeros"``.
    role
        ``"bias"`` marks what ``bias=False`` leaves out.
    """

    __slots__ = ("init", "role", "sizes")
    __hash__ = object.__hash__

    def __init__(
        self,
        rows: Size,
        columns: Size | None = None,
        *,
        init: str | float = "uniform",
        role: str | None = None,
    ) -> None:
        unknown = isinstance(init, str) and init not in INITIALISATIONS
        if unknown or not _is_number_or_text(init):
            raise CellError(
                cell="Parameter",
                reason=f"init is {init!r}; it must be a number or one of "
                + ", ".join(INITIALISATIONS),
            )
        if role not in {None, "bias"}:
            raise CellError(
                cell="Parameter", reason=f"role is {role!r}; it must be None or 'bias'"
            )
        self.sizes: tuple[Size, ...] = (rows,) if columns is None else (rows, columns)
        self.init = init
        self.role = role

    def __repr__(self) -> str:
        return f"Parameter({', '.join(map(repr, self.sizes))})"


def _is_number_or_text(init: object) -> bool:
    """Whether it is a text or a number; NaN is, as it says, no number."""
    known = isinstance(init, (str, int, float)) and not isinstance(init, bool)
    return known and init == init


class State:
    """A vector carried from step to step.

    Parameters
    ----------
    size
        As of a `Parameter`.
    init
        Where it starts: a number, or ``"learned"``, which makes it a parameter
        ``<state>_init_l<layer>`` of the module, 0 at first.
    """

    def __init__(self, size: Size, *, init: float | str = 0.0) -> None:
        number = not isinstance(init, str) and _is_number_or_text(init)
        if not number and init != LEARNED:
            raise CellError(
                cell="State",
                reason=f"init is {init!r}; it must be a number or 'learned'",
            )
        self.size = size
        self.init: float | str = init if isinstance(init, str) else float(init)


class Input:
    """One more input per step beside ``x``, named by its attribute."""

    def __init__(self, size: Size) -> None:
        self.size = size


Declaration = Parameter | State | Input


class Rewriting(Protocol):
    """Makes other equations of those of a cell, such as a regulariser."""

    def __call__(self, graph: StepGraph) -> StepGraph:
        """The rewritten graph."""

    def text(self, cell: str) -> str:
        """How the result is written, where the cell is written so."""


class Cell:
    """One time step of a recurrent network, written as equations.

    A subclass declares `Parameter`, `State` and `Input` attributes and defines
    ``step(self, x, *states, **inputs)``, which returns the new states in
    declared order; the first is the output. With one value more than there are
    states, the first is the output and the rest the states.

    ``references`` are the papers that the equations come from, as BibTeX entries;
    `throughtime.cite` prints them.
    """

    references: tuple[str, ...] = ()
    rewritings: tuple[Rewriting, ...] = ()
    """What is done to its equations once they are traced, the first one first."""

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if not isinstance(value, (Parameter, State, Input))
            and name[0] != "_"
            and name not in {"rewritings", "references"}
        )
        text = f"{type(self).__name__}({settings})"
        for rewriting in self.rewritings:
            text = rewriting.text(text)
        return text


def declarations(cell: Cell) -> dict[str, Declaration]:
    """Declared names in order: bases first, then the instance's own.

    A redeclared name keeps its place; ``name = None`` removes it.
    """
    found: dict[str, Declaration] = {}
    for name, value in _attributes(cell):
        if isinstance(value, (Parameter, State, Input)):
            found[name] = value
        elif value is None:
            found.pop(name, None)
    return found


def removed(cell: Cell) -> list[str]:
    """Names that a base declares, and the cell has no more: ``name = None``."""
    declared = {
        name
        for name, value in _attributes(cell)
        if isinstance(value, (Parameter, State, Input))
    }
    return sorted(declared - declarations(cell).keys())


def _attributes(cell: Cell) -> Iterator[tuple[str, Any]]:
    for base in reversed(type(cell).__mro__):
        yield from vars(base).items()
    yield from vars(cell).items()


def known_sizes(cell: Cell, input_size: int, hidden_size: int) -> Mapping[str, object]:
    """The names that a size of this cell may use."""
    settings = dict(_attributes(cell))
    return {**settings, "input": input_size, "hidden": hidden_size}


def title_of(cell: Cell) -> str:
    """What it is called, with the settings that are not the default ones."""
    own = vars(cell)
    settings = ", ".join(
        f"{name}={own[name]!r}"
        for name, argument in inspect.signature(type(cell)).parameters.items()
        if isinstance(own.get(name), (bool, int, float, str))
        and own[name] != argument.default
    )
    text = type(cell).__name__ + (f"({settings})" if settings else "")
    for rewriting in cell.rewritings:
        text = rewriting.text(text)
    return text


def references_of(cell: Cell) -> tuple[str, ...]:
    """The papers of a cell, if they are given as texts."""
    given: object = cell.references
    if isinstance(given, tuple) and all(isinstance(one, str) for one in given):
        return given
    raise CellError(
        cell=type(cell).__name__,
        reason=f"references is {given!r}; it must be a tuple of BibTeX entries",
    )
