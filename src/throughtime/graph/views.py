"""Views of parameters: which part of which matrix or vector a node stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

from throughtime.graph.nodes import Node

VIEWING = frozenset({"slice", "slice_columns", "transpose"})


@dataclass(frozen=True, slots=True)
class View:
    """Rows and columns of a root node, perhaps transposed.

    A vector has the columns 0 to 1.
    """

    root: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    transposed: bool = False


def view(nodes: Sequence[Node], index: int) -> View:
    """The part of its root that a node views; a root views itself."""
    chain: list[Node] = []
    while nodes[index].operation in VIEWING:
        chain.append(nodes[index])
        index = nodes[index].arguments[0]
    shape = nodes[index].shape
    result = View(index, (0, shape[0]), (0, shape[1] if len(shape) == 2 else 1))
    for node in reversed(chain):
        result = _apply(result, node)
    return result


def _apply(before: View, node: Node) -> View:
    if node.operation == "transpose":
        return View(before.root, before.rows, before.columns, not before.transposed)
    start, stop = (int(bound) for bound in node.attributes)
    by_rows = (node.operation == "slice") != before.transposed
    if by_rows:
        low = before.rows[0]
        return View(
            before.root, (low + start, low + stop), before.columns, before.transposed
        )
    low = before.columns[0]
    return View(before.root, before.rows, (low + start, low + stop), before.transposed)
