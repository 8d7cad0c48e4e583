"""Graphs as JSON: equal after the round trip, refused when damaged."""

import json
import math as numbers
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from tests.graph.oracle import cell_of, traced
from tests.graph.random_cells import Choices, RandomCell, choices
from throughtime import cells, math
from throughtime.errors import UnknownFormat
from throughtime.graph import Cell, Parameter, State, StepGraph, trace
from throughtime.graph.serialize import FORMAT, VERSION, from_json, to_json
from throughtime.graph.simplify import simplify

BUILT_IN = [
    cells.Elman("relu"),
    cells.LSTM(),
    cells.GRU(),
    cells.GRU(reset_after=False),
    cells.PeepholeLSTM(),
    cells.Feedforward(),
]
LSTM_TEXT = to_json(trace(cells.LSTM(), 2, 3))


def assert_survives(graph: StepGraph) -> None:
    text = to_json(graph)
    again = from_json(text)
    assert again == graph
    assert hash(again) == hash(graph)
    assert to_json(again) == text
    json.loads(text, parse_constant=pytest.fail)
    pairs = zip(again.nodes, graph.nodes, strict=True)
    for one, other in pairs:
        assert list(map(type, one.attributes)) == list(map(type, other.attributes))
        assert one.shape == other.shape
        assert one.source == ""


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", BUILT_IN, ids=repr)
def test_built_in_cells(cell: Cell, bias: bool) -> None:
    graph = trace(cell, 2, 3, bias=bias)
    assert_survives(graph)
    assert_survives(simplify(graph))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(choices)
def test_random_cells(lines: Choices) -> None:
    assert_survives(traced(RandomCell(lines)))


@given(strategies.floats())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_number(number: float) -> None:
    cell = cell_of(
        lambda self, x, h: math.clip(h * number, -numbers.inf, number) + self.p,
        h=State("hidden", init=0.0 if numbers.isnan(number) else number),
        p=Parameter("hidden", init="zeros" if numbers.isnan(number) else number),
    )
    assert_survives(traced(cell))


def test_names_in_any_script_survive() -> None:
    cell = cell_of(lambda self, x: math.name(math.tanh(x), 'Aktivierung "α"\n'))
    assert_survives(traced(cell))


def test_no_line_of_the_source_is_written() -> None:
    assert "lstm.py" not in LSTM_TEXT
    assert "\n" not in LSTM_TEXT


def test_the_text_of_a_version_is_pinned() -> None:
    # A change of this text is a new version, and the old one must still be read.
    graph = replace(trace(cells.Elman(), 1, 2), references=("@misc{one}",))
    text = (
        '{"format":"throughtime step graph","version":4,"cell":"Elman","input_size":1,'
        '"hidden_size":2,"parameters":[["weight_ih",[2,1],"uniform",null],'
        '["weight_hh",[2,2],"uniform",null],["bias_ih",[2],"uniform","bias"],'
        '["bias_hh",[2],"uniform","bias"]],"states":[["h",2,0.0]],"inputs":[],'
        '"nodes":[["input",[],["x",1]],["parameter",[],["weight_ih",2,1]],'
        '["parameter",[],["weight_hh",2,2]],["parameter",[],["bias_ih",2]],'
        '["parameter",[],["bias_hh",2]],["state",[],["h",2]],["product",[1,0],[]],'
        '["add",[6,3],[]],["product",[2,5],[]],["add",[7,8],[]],["add",[9,4],[]],'
        '["tanh",[10],[]]],"output":11,"new_states":[11],"names":[["a",10],["h",11]],'
        '"references":["@misc{one}"],"title":"Elman","heads":1,"zeros":[]}'
    )
    assert to_json(graph) == text
    third = text.replace('"version":4', '"version":3').replace(',"zeros":[]', "")
    assert from_json(third) == graph
    second = third.replace('"version":3', '"version":2')
    second = second.replace(',"title":"Elman","heads":1', "")
    assert from_json(second) == graph
    first = second.replace('"version":2', '"version":1')
    first = first.replace(',"references":["@misc{one}"]', "")
    assert from_json(first) == replace(graph, references=())


DAMAGED: dict[str, tuple[Any, str]] = {
    "empty": ("", "no JSON"),
    "cut off": (LSTM_TEXT[:-40], "no JSON"),
    "not JSON": ("import os", "no JSON"),
    "JSON's impossible numbers": ('{"format": NaN}', "NaN is no JSON"),
    "very deep": ("[" * 100_000, "no JSON"),
    "another kind": ('{"format":"onnx"}', "it has no"),
    "a list": ("[]", "it has no"),
    "null": ("null", "it has no"),
}
CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "newer": (
        {"version": VERSION + 1},
        f"version {VERSION + 1}, newer.*install a newer",
    ),
    "older than any": ({"version": 0}, "no version 0"),
    "a version in words": ({"version": "1"}, "version holds '1'"),
    "a version that is true": ({"version": True}, "version holds True"),
    "unknown field": ({"extra": 1}, "unknown extra"),
    "cell": ({"cell": 3}, "cell holds 3 where str"),
    "size": ({"input_size": 2.0}, "input_size holds 2.0 where int"),
    "nodes": ({"nodes": {}}, "nodes holds {} where list"),
    "row": ({"nodes": [["input", []]]}, "node 0 has a row of 2 entries instead of 3"),
    "operation": ({"nodes": [["evil", [], []]]}, "unknown operation 'evil'"),
    "operation's type": ({"nodes": [[[], [], []]]}, r"unknown operation \[\]"),
    "later argument": ({"nodes": [["tanh", [0], []]]}, "does not come before"),
    "negative argument": (
        {"nodes": [["input", [], ["x", 2]], ["tanh", [-1], []]]},
        "does not come before",
    ),
    "attributes": ({"nodes": [["input", [], ["x", "2"]]]}, "expected str, int"),
    "no attributes": ({"nodes": [["constant", [], []]]}, "expected float"),
    "whole constant": ({"nodes": [["constant", [], [1]]]}, "expected float"),
    "attribute's type": ({"nodes": [["constant", [], [None]]]}, "holds None"),
    "unknown number": ({"nodes": [["constant", [], [{"float": "1"}]]]}, "holds {"),
    "no size": ({"nodes": [["input", [], ["x", 0]]]}, "at least 1"),
    "arity": ({"nodes": [["tanh", [], []]]}, "takes 1 operands, not 0"),
    "empty concat": ({"nodes": [["concat", [], []]]}, "node 0"),
    "program's leaf": ({"nodes": [["stream", [], ["saved", 0, 3]]]}, "node 0"),
    "size of x": ({"input_size": 3}, r"no input 'x' of shape \(2,\) is declared"),
    "no state": ({"states": [], "new_states": []}, "no state 'h'"),
    "other parameters": ({"parameters": []}, "no parameter 'weight_ih'"),
    "initial value": ({"states": [["h", 3, "zero"], ["c", 3, 0.0]]}, "states holds"),
    "output": ({"output": 99}, "no such node"),
    "negative output": ({"output": -1}, "no such node"),
    "parameter as output": ({"output": 1}, "must be a value of the step"),
    "new states": ({"new_states": [24]}, "2 states, 1 new values"),
    "size of a state": ({"new_states": [24, 11]}, "state c has 3 units"),
    "names": ({"names": [["a", 99]]}, "no such node"),
    "names' form": ({"names": {"a": 1}}, "names holds"),
    "twice": ({"inputs": [["h", 3]]}, "'h' is declared twice"),
    "references": ({"references": "one"}, "references holds 'one' where list"),
    "a reference": ({"references": [1]}, "references holds 1 where str"),
    "title": ({"title": 1}, "title holds 1 where str"),
    "heads": ({"heads": 0}, "heads holds 0"),
    "older than a field": ({"version": 1}, "unknown references"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_texts_are_refused(name: str) -> None:
    text, message = DAMAGED[name]
    with pytest.raises(UnknownFormat, match=message):
        from_json(text)


@pytest.mark.parametrize("name", CHANGED)
def test_changed_texts_are_refused(name: str) -> None:
    change, message = CHANGED[name]
    document = json.loads(LSTM_TEXT) | change
    with pytest.raises(UnknownFormat) as caught:
        from_json(json.dumps(document))
    assert re.search(message, str(caught.value)), str(caught.value)


def test_every_field_is_needed() -> None:
    for field in json.loads(LSTM_TEXT):
        document = json.loads(LSTM_TEXT)
        del document[field]
        with pytest.raises(UnknownFormat, match=field):
            from_json(json.dumps(document))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(strategies.data())
def test_one_changed_character_never_breaks_the_reader(
    data: strategies.DataObject,
) -> None:
    place = data.draw(strategies.integers(0, len(LSTM_TEXT) - 1))
    new = data.draw(strategies.sampled_from('0159-.,[]{}"nulxeI '))
    text = LSTM_TEXT[:place] + new + LSTM_TEXT[place + 1 :]
    try:
        graph = from_json(text)
    except UnknownFormat:
        return
    assert from_json(to_json(graph)) == graph


def test_names_are_kept_and_can_be_left_out() -> None:
    graph = trace(cells.LSTM(), 2, 3)
    bare = replace(graph, names=())
    assert from_json(to_json(graph)).names == graph.names
    assert from_json(to_json(bare)) == bare
    assert json.loads(LSTM_TEXT)["format"] == FORMAT
