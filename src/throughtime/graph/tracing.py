"""One tracing of a step: where its lines are, what its values are called."""

import inspect
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from numbers import Real
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn

from throughtime.errors import OutsideTheLanguage, ShapeMismatch
from throughtime.graph.builder import Builder
from throughtime.graph.nodes import Node
from throughtime.graph.operations import OPERATIONS, Attribute, Shape, ShapeError

_current: ContextVar["Tracing | None"] = ContextVar("tracing", default=None)


class Tracing:
    """Collects the nodes that one run of ``step`` makes.

    ``step`` of every base class counts, so that a step which calls
    ``super().step()`` has all its lines and locals seen.
    """

    def __init__(self, cell: str, cell_type: type, removed: Sequence[str] = ()) -> None:
        self.cell = cell
        self.removed = removed
        self.builder = Builder()
        self.marked: dict[str, Any] = {}
        self._streams = 0
        self._codes = _step_codes(cell_type)
        self._frames: dict[int, FrameType] = {}

    def __enter__(self) -> "Tracing":
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        self._frames.clear()

    def node(self, index: int) -> Node:
        return self.builder.nodes[index]

    def streams(self, count: int) -> int:
        """The first of so many random streams that nothing else draws from."""
        # Two streams come from one block of words, so a pair begins at an even one.
        first = -(-self._streams // count) * count
        self._streams = first + count
        return first

    def emit(
        self, operation: str, *indices: int, attributes: tuple[Attribute, ...] = ()
    ) -> int:
        place = self._place()
        try:
            return self.builder.emit(
                operation, *indices, attributes=attributes, source=place
            )
        except ShapeError as error:
            raise ShapeMismatch(
                cell=self.cell,
                place=place,
                operation=OPERATIONS[operation].symbol or operation,
                shapes=" and ".join(_shape(self.node(i).shape) for i in indices),
                advice=error.advice,
            ) from None

    def operand(self, operand: Any, operation: str) -> int:
        """Position of an operand; a number becomes a constant."""
        index = getattr(operand, "index", None)
        if isinstance(index, int) and getattr(operand, "_tracing", None) is self:
            return index
        if isinstance(operand, Real) and not isinstance(operand, bool):
            return self.builder.constant(float(operand))
        if operand is None and self.removed:
            self.outside(
                f"`{operation}` was given None; the cell sets "
                f"{' and '.join(self.removed)} to None, which removes the declaration",
                "Write a step that does without, or leave it",
            )
        self.outside(
            f"`{operation}` was given {_describe(operand)}",
            "Only arguments of step, parameters of the cell, numbers and what is "
            "made from them can stand in an equation. A vector of numbers is a "
            "Parameter, or several numbers times the parts that split gives; parts are "
            "joined by concat(*parts)",
        )

    def outside(self, reason: str, advice: str) -> NoReturn:
        raise OutsideTheLanguage(
            cell=self.cell, place=self._place(), reason=reason, advice=advice
        )

    def locals(self) -> list[dict[str, Any]]:
        """Locals of each step that ran, innermost first, outermost last."""
        frames = sorted(self._frames.values(), key=_depth, reverse=True)
        return [dict(frame.f_locals) for frame in frames]

    def _place(self) -> str:
        """File and line of the innermost step on the stack; keeps its frame."""
        frame: FrameType | None = sys._getframe(1)
        place = ""
        while frame is not None:
            if frame.f_code in self._codes:
                self._frames[id(frame)] = frame
                if not place:
                    name = Path(frame.f_code.co_filename).name
                    place = f"{name}:{frame.f_lineno}"
            frame = frame.f_back
        return place or "outside step"


def current_tracing() -> Tracing:
    """The tracing under way.

    Raises
    ------
    OutsideTheLanguage
        There is none: an equation was written outside ``step``.
    """
    tracing = _current.get()
    if tracing is None:
        raise OutsideTheLanguage(
            cell="throughtime",
            place="outside step",
            reason="an equation has a meaning only while a step is traced",
            advice="Write it inside the step of a Cell",
        )
    return tracing


def _step_codes(cell_type: type) -> set[CodeType]:
    codes: set[CodeType] = set()
    for base in cell_type.__mro__:
        step = base.__dict__.get("step")
        if step is not None:
            codes.add(inspect.unwrap(step).__code__)
    return codes


def _depth(frame: FrameType) -> int:
    depth = 0
    current: FrameType | None = frame
    while current is not None:
        depth += 1
        current = current.f_back
    return depth


def _shape(shape: Shape) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _describe(operand: object) -> str:
    module = type(operand).__module__.partition(".")[0]
    origin = f" of {module}" if module not in {"builtins", "__main__"} else ""
    return f"a {type(operand).__name__}{origin}"
