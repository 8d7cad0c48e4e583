"""The recurrent connections of a step: where a matrix multiplies a state."""

from throughtime.graph.nodes import StepGraph, ancestors, dependents


def recurrent_products(graph: StepGraph) -> set[int]:
    """Products with what is made of a state, on their way to a new state."""
    nodes = graph.nodes
    states = [i for i, node in enumerate(nodes) if node.operation == "state"]
    late, needed = dependents(nodes, states), ancestors(nodes, graph.new_states)
    return {
        index
        for index in needed
        if nodes[index].operation == "product" and nodes[index].arguments[1] in late
    }


def recurrent_matrices(graph: StepGraph) -> list[str]:
    """Names of the parameters that are matrices in these products."""
    nodes, products = graph.nodes, recurrent_products(graph)
    inside = ancestors(nodes, [nodes[i].arguments[0] for i in products])
    matrices = [nodes[i] for i in inside if len(nodes[i].shape) == 2]
    return [str(n.attributes[0]) for n in matrices if n.operation == "parameter"]
