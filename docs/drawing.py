"""The picture of a step: its named values as nodes, weighted edges between them."""

import io
from collections.abc import Iterator

import matplotlib.pyplot as plt
import networkx as nx

from throughtime.graph import StepGraph
from throughtime.graph.letters import letters
from throughtime.graph.lines import choose_lines

COLUMN, ROW = 1.6, 1.0  # inches between nodes
NODE = 900  # square points
COLOURS = {"given": "#dbeafe", "inside": "#f3f4f6", "kept": "#dcfce7"}


def network(graph: StepGraph) -> nx.DiGraph:
    """Named values and what each is made from; the weights stand on the edges.

    A node is ``given`` (an input, a state of the step before), ``kept`` (a new state,
    the output) or ``inside``.
    """
    lines = choose_lines(graph)
    short = letters([item.name for item in graph.parameters])
    kept = {graph.output, *graph.new_states}
    found = nx.DiGraph()
    for index, node in enumerate(graph.nodes):
        if node.operation in {"input", "state"}:
            before = "{t−1}" if node.operation == "state" else "t"
            found.add_node(index, label=f"{node.attributes[0]}_{before}", kind="given")
    for index, name in lines.symbols.items():
        kind = "kept" if index in kept else "inside"
        found.add_node(index, label=f"{name}_t", kind=kind)
    for index in lines.symbols:
        for source, weight in set(_sources(graph, index, set(found), short)):
            words = found.edges.get((source, index), {"weights": []})["weights"]
            found.add_edge(source, index, weights=[*words, weight] if weight else words)
    return found


def _sources(
    graph: StepGraph, index: int, named: set[int], short: dict[str, str]
) -> Iterator[tuple[int, str]]:
    """Named values that a node reads, each with the matrix it comes through."""
    waiting = [(argument, "") for argument in graph.nodes[index].arguments]
    if graph.nodes[index].operation == "product":
        waiting = [(graph.nodes[index].arguments[1], _weight(graph, index, short))]
    while waiting:
        place, weight = waiting.pop()
        if place in named:
            yield place, weight
        elif graph.nodes[place].operation == "product":
            inner = _weight(graph, place, short)
            through = f"{weight} {inner}" if weight and inner else weight or inner
            waiting.append((graph.nodes[place].arguments[1], through))
        else:
            waiting += [(inner, weight) for inner in graph.nodes[place].arguments]


def _weight(graph: StepGraph, product: int, short: dict[str, str]) -> str:
    """What the matrix of a product is called, if it is a parameter or a part of one."""
    index = graph.nodes[product].arguments[0]
    while graph.nodes[index].arguments:
        index = graph.nodes[index].arguments[0]
    node = graph.nodes[index]
    return short[str(node.attributes[0])] if node.operation == "parameter" else ""


def picture(graph: StepGraph) -> str:
    """Draw a step from left to right, as SVG."""
    found = network(graph)
    for column, nodes in enumerate(nx.topological_generations(found)):
        for node in nodes:
            found.nodes[node]["column"] = column
    places = nx.multipartite_layout(found, subset_key="column")
    columns = {data["column"] for _, data in found.nodes(data=True)}
    rows = max(
        sum(data["column"] == column for _, data in found.nodes(data=True))
        for column in columns
    )
    size = (COLUMN * max(2, len(columns)), ROW * (rows + 0.6))
    # Else every build would write another file.
    with plt.rc_context({"svg.hashsalt": graph.cell, "font.size": 9}):
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        _draw(found, places, axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
        plt.close(figure)
    return text.getvalue()


def _draw(found: nx.DiGraph, places: dict[int, object], axes: plt.Axes) -> None:
    nodes, grey, bent = found.nodes(data=True), "#6b7280", "arc3,rad=0.18"
    nx.draw_networkx_nodes(
        found,
        places,
        ax=axes,
        node_size=NODE,
        node_color=[COLOURS[data["kind"]] for _, data in nodes],
        edgecolors=grey,
    )
    names = {node: _mathematics(data["label"]) for node, data in nodes}
    nx.draw_networkx_labels(found, places, names, ax=axes, font_size=9)
    nx.draw_networkx_edges(
        found,
        places,
        ax=axes,
        edge_color=grey,
        arrowsize=10,
        node_size=NODE,
        connectionstyle=bent,
    )
    words = {
        (start, end): ", ".join(map(_mathematics, sorted(weights)))
        for start, end, weights in found.edges(data="weights")
        if weights
    }
    nx.draw_networkx_edge_labels(
        found, places, words, ax=axes, font_size=8, connectionstyle=bent
    )
    axes.margins(0.12)
    axes.set_axis_off()


def _mathematics(label: str) -> str:
    """``h_{t−1}`` and ``W_ih`` with their index below."""
    name, _, index = label.replace("#", r"\#").partition("_")
    index = index.strip("{}").replace("_", " ")
    return rf"$\mathrm{{{name}}}_{{{index}}}$" if index else name
