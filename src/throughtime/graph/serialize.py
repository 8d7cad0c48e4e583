"""Step graphs as versioned JSON, both ways: a saved model needs no user's source.

Nodes are written without shape and kind, which follow from the operation; so a text
cannot contradict itself. Source lines stay out. Infinities and NaN, which JSON does
not know, are written as ``{"float": "inf"}``.
"""

import json
import math
from typing import Any, NoReturn, TypeVar

from throughtime.errors import InvalidGraph, UnknownFormat
from throughtime.graph.declarations import INITIALISATIONS
from throughtime.graph.nodes import (
    LEARNED,
    InputDeclaration,
    Node,
    ParameterDeclaration,
    StateDeclaration,
    StepGraph,
    infer,
    verify,
)
from throughtime.graph.operations import (
    OPERATIONS,
    Attribute,
    ShapeError,
    check_attributes,
)

FORMAT = "throughtime step graph"
VERSION = 4
_FIELDS = {
    "format",
    "version",
    "cell",
    "input_size",
    "hidden_size",
    "parameters",
    "states",
    "inputs",
    "nodes",
    "output",
    "new_states",
    "names",
    "references",
    "title",
    "heads",
    "zeros",
}
# Since which version; a text of an older one lacks them.
_SINCE = {"references": 2, "title": 3, "heads": 3, "zeros": 4}
_Kind = TypeVar("_Kind")


def text_of(graph: StepGraph) -> str:
    """`to_json`, written once per graph object."""
    text = getattr(graph, "_text", "")
    if not text:
        text = to_json(graph)
        # The graph is immutable, so its text never changes.
        object.__setattr__(graph, "_text", text)
    return text


def to_json(graph: StepGraph) -> str:
    """One line of JSON; equal graphs give equal texts."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "cell": graph.cell,
        "input_size": graph.input_size,
        "hidden_size": graph.hidden_size,
        "parameters": [
            [item.name, list(item.shape), _written(item.init), item.role]
            for item in graph.parameters
        ],
        "states": [[s.name, s.size, _written(s.init)] for s in graph.states],
        "inputs": [[item.name, item.size] for item in graph.inputs],
        "nodes": [
            [node.operation, list(node.arguments), list(map(_written, node.attributes))]
            for node in graph.nodes
        ],
        "output": graph.output,
        "new_states": list(graph.new_states),
        "names": [list(pair) for pair in graph.names],
        "references": list(graph.references),
        "title": graph.title,
        "heads": graph.heads,
        "zeros": list(graph.zeros),
    }
    return json.dumps(
        document, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def from_json(text: str) -> StepGraph:
    """The graph that `to_json` wrote, verified.

    Raises
    ------
    UnknownFormat
        The text is damaged, of another kind, or of a newer version.
    """
    document = _document(text)
    graph = StepGraph(
        cell=_a(str, document["cell"], "cell"),
        input_size=_size(document["input_size"], "input_size"),
        hidden_size=_size(document["hidden_size"], "hidden_size"),
        parameters=tuple(map(_parameter, _list(document["parameters"], "parameters"))),
        states=tuple(map(_state, _list(document["states"], "states"))),
        inputs=tuple(map(_input, _list(document["inputs"], "inputs"))),
        nodes=_nodes(_list(document["nodes"], "nodes")),
        output=_a(int, document["output"], "output"),
        new_states=_integers(document["new_states"], "new_states"),
        names=tuple(map(_name, _list(document["names"], "names"))),
        references=_references(document.get("references", [])),
        title=_a(str, document.get("title", document["cell"]), "title"),
        heads=_size(document.get("heads", 1), "heads"),
        zeros=tuple(
            _word(n, "zeros") for n in _list(document.get("zeros", []), "zeros")
        ),
    )
    try:
        return verify(graph)
    except InvalidGraph as error:
        _refuse(str(error).removesuffix("."))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        _refuse(f"it is no JSON ({error})")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        _refuse(f'it has no "format": "{FORMAT}"')
    version = _a(int, document.get("version"), "version")
    if version > VERSION:
        _refuse(
            f"it has version {version}, newer than the {VERSION} that this "
            "installation knows; install a newer throughtime"
        )
    if version < 1:
        _refuse(f"there is no version {version}")
    fields = {name for name in _FIELDS if _SINCE.get(name, 1) <= version}
    missing, foreign = fields - document.keys(), document.keys() - fields
    if missing or foreign:
        found = [f"lacks {name}" for name in sorted(missing)]
        found += [f"has an unknown {name}" for name in sorted(foreign)]
        _refuse("it " + " and ".join(found))
    return document


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _nodes(items: list[Any]) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for position, item in enumerate(items):
        field = f"node {position}"
        operation, arguments, attributes = _row(item, 3, field)
        if not isinstance(operation, str) or operation not in OPERATIONS:
            _refuse(f"{field} has the unknown operation {operation!r}")
        before = _integers(arguments, field)
        if any(not 0 <= argument < position for argument in before):
            _refuse(f"{field} has an argument that does not come before it")
        read = tuple(_attribute(value, field) for value in _list(attributes, field))
        try:
            check_attributes(operation, read)
            shape, kind = infer(operation, [nodes[a] for a in before], read)
        except ShapeError as error:
            _refuse(f"{field} ({operation}) does not fit: {error.advice.rstrip('.')}")
        nodes.append(Node(operation, before, shape, kind, read))
    return tuple(nodes)


def _parameter(item: object) -> ParameterDeclaration:
    name, shape, init, role = _row(item, 4, "parameters")
    started = _attribute(init, "parameters")
    if isinstance(started, str) and started not in INITIALISATIONS:
        _refuse(f"parameters holds the unknown init {started!r}")
    if role not in (None, "bias"):
        _refuse(f"parameters holds the unknown role {role!r}")
    sizes = tuple(_size(size, "parameters") for size in _list(shape, "parameters"))
    return ParameterDeclaration(_word(name, "parameters"), sizes, started, role)


def _state(item: object) -> StateDeclaration:
    name, size, init = _row(item, 3, "states")
    start = _attribute(init, "states")
    if start != LEARNED:
        start = _a(float, start, "states")
    return StateDeclaration(_word(name, "states"), _size(size, "states"), start)


def _input(item: object) -> InputDeclaration:
    name, size = _row(item, 2, "inputs")
    return InputDeclaration(_word(name, "inputs"), _size(size, "inputs"))


def _name(item: object) -> tuple[str, int]:
    name, index = _row(item, 2, "names")
    return _a(str, name, "names"), _a(int, index, "names")


def _references(value: object) -> tuple[str, ...]:
    return tuple(_a(str, one, "references") for one in _list(value, "references"))


def _word(value: object, field: str) -> str:
    """Read the name of a declaration, which was once an attribute of a class."""
    name = _a(str, value, field)
    if not name.isidentifier():
        _refuse(f"{field} holds {name!r} where a name is expected")
    return name


def _size(value: object, field: str) -> int:
    size = _a(int, value, field)
    if size < 1:
        _refuse(f"{field} holds {size} where a size above 0 is expected")
    return size


def _integers(value: object, field: str) -> tuple[int, ...]:
    return tuple(_a(int, item, field) for item in _list(value, field))


def _row(value: object, length: int, field: str) -> list[Any]:
    row = _list(value, field)
    if len(row) != length:
        _refuse(f"{field} has a row of {len(row)} entries instead of {length}")
    return row


def _list(value: object, field: str) -> list[Any]:
    return _a(list, value, field)


def _a(kind: type[_Kind], value: object, field: str) -> _Kind:
    # By exact type: a bool is an int to isinstance, but never a position or a size.
    if type(value) is not kind:
        _refuse(f"{field} holds {value!r} where {kind.__name__} is expected")
    return value  # type: ignore[return-value]


def _written(value: Attribute) -> Attribute | dict[str, str]:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _attribute(value: object, field: str) -> Attribute:
    if isinstance(value, dict):
        number = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
        named = value.get("float")
        if len(value) == 1 and isinstance(named, str) and named in number:
            return number[named]
    if type(value) in {int, float, str}:
        return value  # type: ignore[return-value]
    _refuse(f"{field} holds {value!r} where a number or a text is expected")


def _refuse(reason: str) -> NoReturn:
    raise UnknownFormat(reason=reason)
