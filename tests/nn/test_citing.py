"""What `cite` prints, of cells, models and models whose cells are gone."""

import io
import re
from typing import Any

import pytest
import torch
from torch import nn

import throughtime as tt
from throughtime import cells, errors
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.serialize import from_json, to_json

EVERY = [getattr(cells, name) for name in cells.__all__]
BUILT_IN = [one for one in EVERY if isinstance(one, type)]
ENTRY = re.compile(r"@(\w+)\{(\w+),\n(?:  \w+ *= \{[^@]*?\},?\n)+\}", re.DOTALL)


class Own(Cell):
    """A cell of somebody who names a paper."""

    references = ("@misc{own,\n  title = {Own}\n}",)
    weight = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return self.weight @ (x + h)


class Unnamed(Own):
    references = ()


def printed(model: Any, capsys: pytest.CaptureFixture[str]) -> str:
    assert tt.cite(model) is None
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_built_in_cell_names_its_papers(kind: type[Cell]) -> None:
    assert kind.references
    for entry in kind.references:
        found = ENTRY.fullmatch(entry)
        assert found, entry
        assert entry.count("{") == entry.count("}")
        for field in ("author", "title", "year"):
            assert re.search(rf"^  {field} *= \{{", entry, re.MULTILINE)
        year = re.search(r"year *= \{(\d{4})\}", entry)
        assert year
        assert year[1] in found[2]


def test_keys_stand_for_one_paper_each() -> None:
    entries = {entry for kind in BUILT_IN for entry in kind.references}
    keys = [ENTRY.fullmatch(entry)[2] for entry in entries]
    assert len(set(keys)) == len(keys)


def test_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(cells.PeepholeLSTM(), capsys)
    assert text.startswith("% PeepholeLSTM\n@inproceedings{gers2000recurrent,\n")
    assert re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE) == [
        "gers2000recurrent",
        "hochreiter1997long",
        "gers2000learning",
    ]


def test_a_paper_of_two_cells_is_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = nn.Sequential(
        tt.nn.Recurrent(cells.PeepholeLSTM(), 2, 3, num_layers=2),
        tt.nn.LSTM(3, 4),
        tt.nn.LSTMCell(4, 4),
    )
    text = printed(model, capsys)
    assert text.count("hochreiter1997long") == 1
    assert [line for line in text.splitlines() if line[:1] == "%"] == [
        "% PeepholeLSTM",
        "% LSTM",
    ]


def test_a_cell_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Own(), capsys) == "% Own\n@misc{own,\n  title = {Own}\n}\n\n"
    text = printed(tt.nn.Recurrent(Unnamed(), 3, 3), capsys)
    assert text == "% Unnamed: it names no reference\n"


def test_graphs_keep_references(capsys: pytest.CaptureFixture[str]) -> None:
    graph = from_json(to_json(trace(Own(), 3, 3)))
    module = tt.nn.Recurrent.from_graphs([graph])
    assert printed(module, capsys) == printed(Own(), capsys)
    headed = tt.nn.Recurrent(Own(), 4, 4, heads=2)
    assert printed(headed, capsys) == printed(Own(), capsys)


def test_a_file_takes_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    expected, file = printed(cells.GRU(), capsys), io.StringIO()
    tt.cite(cells.GRU(), file)
    assert file.getvalue() == expected
    assert not capsys.readouterr().out


@pytest.mark.parametrize("given", ["LSTM", cells.LSTM, nn.LSTM(2, 3), torch.ones(1)])
def test_what_has_no_cells_is_refused(given: Any) -> None:
    with pytest.raises(errors.NotCitable, match=r"cite\(\) was given"):
        tt.cite(given)


@pytest.mark.parametrize("references", ["@misc{a}", ["@misc{a}"], (1,)], ids=str)
def test_references_are_a_tuple_of_texts(references: Any) -> None:
    own = type("Own", (Own,), {"references": references})
    with pytest.raises(errors.CellError, match=r"references is .* tuple of BibTeX"):
        trace(own(), 3, 3)
    with pytest.raises(errors.CellError, match="references"):
        tt.cite(own())


def test_a_regularised_cell_names_the_paper_of_its_regulariser(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = cells.Zoneout(cells.DropConnect(cells.LSTM(), 0.1), h=0.1)
    assert repr(cell) == "Zoneout(DropConnect(LSTM(), 0.1), h=0.1)"
    winners = printed(tt.nn.Recurrent(cells.KWinners(cell, 2), 2, 3), capsys)
    for key in ("krueger2017zoneout", "makhzani2014sparse", "ahmad2019dense"):
        assert f"{{{key}," in winners
    text = printed(tt.nn.Recurrent(cell, 2, 3), capsys)
    for key in ("hochreiter1997long", "merity2018regularizing", "krueger2017zoneout"):
        assert f"{{{key}," in text
