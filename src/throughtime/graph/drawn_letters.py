"""Letters for parameters that chance has a part in: ``W_hh′`` for ``W_hh`` dropped."""

from collections.abc import Mapping

from throughtime.graph.lines import consumers
from throughtime.graph.nodes import StepGraph, ancestors, dependents
from throughtime.graph.operations import Kind


def drawn_letters(graph: StepGraph, letters: Mapping[str, str]) -> dict[int, str]:
    """Of each random expression of parameters that an equation of the step reads.

    Parameters
    ----------
    graph
        As traced.
    letters
        What each parameter is called in print.
    """
    nodes, users = graph.nodes, consumers(graph.nodes)
    random = [index for index, node in enumerate(nodes) if node.family == "random"]
    taken = set(letters.values())
    found: dict[int, str] = {}
    for index in sorted(dependents(nodes, random)):
        node = nodes[index]
        if node.kind is not Kind.PARAMETER or node.family != "pointwise":
            continue
        if all(_is_made_on(graph, user) for user in users[index]):
            continue
        made_of = [nodes[one] for one in sorted(ancestors(nodes, [index]))]
        names = [str(n.attributes[0]) for n in made_of if n.operation == "parameter"]
        if names:
            letter = letters[names[0]]
            while letter in taken:
                letter += "′"
            taken.add(letter)
            found[index] = letter
    return found


def _is_made_on(graph: StepGraph, index: int) -> bool:
    """Whether a node is a longer expression of parameters."""
    node = graph.nodes[index]
    return node.kind is Kind.PARAMETER and node.family == "pointwise"
