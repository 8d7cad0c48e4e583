"""Mistakes in the equations of a cell, found while they are traced."""

from throughtime.errors.base import ThroughtimeError


class CellError(ThroughtimeError, ValueError):
    """Something in the declaration or the equations of a cell is not possible."""

    message = "{cell}: {reason}"


class ShapeMismatch(CellError):
    """Two operands of an equation do not fit each other."""

    message = "{cell}, {place}: `{operation}` cannot join {shapes}. {advice}"


class OutsideTheLanguage(CellError, TypeError):
    """A step does something that cannot be written as an equation."""

    message = "{cell}, {place}: {reason}. {advice}"


class UnknownFormat(ThroughtimeError, ValueError):
    """A stored graph that this version cannot read."""

    message = "This is not a step graph that throughtime can read: {reason}."


class InvalidGraph(ThroughtimeError, ValueError):
    """A graph that breaks its own grammar; a pass over it has a fault."""

    message = "Node {index} ({operation}) breaks the grammar of graphs: {reason}."
