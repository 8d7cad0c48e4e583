"""First and second derivatives of every cell, begun anew, with masks, in all forms."""

from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.nn.test_second_derivatives import CELLS, SETTINGS, built, draw, results
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Feedforward,
    IndRNN,
    LeakyElman,
    PeepholeLSTM,
    VariationalDropout,
    Zoneout,
)
from throughtime.graph import Cell, State
from throughtime.graph.declarations import declarations

KINDS = [getattr(tt.cells, name) for name in tt.cells.__all__]
KNOWN = {type(cell) for cell in CELLS}
NEW: list[Cell] = [k() for k in KINDS if isinstance(k, type) and k not in KNOWN]
MARKS = torch.tensor([[0, 1], [1, 0], [0, 0]], dtype=torch.bool)
RESET: dict[str, dict[str, Any]] = {
    "resets": {"resets": MARKS, "given": True},
    "resets, stacked in both directions": {
        "resets": MARKS,
        "lengths": [3, 2],
        "bidirectional": True,
        "num_layers": 2,
    },
}
WAYS = {**SETTINGS, **RESET}


class Warm(LSTM):
    """An LSTM whose cell starts where it is learned."""

    c = State("hidden", init="learned")


REGULARISED: list[Cell] = [
    Zoneout(LSTM(), h=0.3, c=0.5),
    DropConnect(GRU(), 0.5),
    VariationalDropout(PeepholeLSTM(), input=0.4, hidden=0.4),
    Zoneout(DropConnect(Warm(), 0.3), c=0.4),
    LeakyElman("tanh", noise=0.3),
]


WITHOUT_PRODUCTS = (IndRNN, Feedforward)
"""They multiply no state by a matrix that could be dropped."""


def with_all(cell: Cell) -> Cell:
    """The cell with every regulariser that it takes, one upon the other."""
    declared = declarations(cell)
    states = [name for name, one in declared.items() if isinstance(one, State)]
    made = VariationalDropout(cell, input=0.4)
    if not isinstance(cell, WITHOUT_PRODUCTS):
        made = DropConnect(VariationalDropout(made, hidden=0.3), 0.3)
    return Zoneout(made, **dict.fromkeys(states, 0.3)) if states else made


def check(cell: Cell, setting: str) -> None:
    settings = dict(WAYS[setting])
    steps, given = settings.pop("steps", 3), settings.pop("given", False)
    lengths, resets = settings.pop("lengths", None), settings.pop("resets", None)
    size = 2
    module = built(cell, size, size, **settings)
    batch = 2 if lengths is None else len(lengths)
    _, state = module(draw(steps, batch, size))
    initial = [draw(*value.shape) for value in state] if given else []
    leaves = [draw(steps, batch, size), *initial, *module.parameters()]
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]

    def call(*leaves: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(0)  # the same masks
        ragged = {"lengths": lengths, "resets": resets}
        found = results(module, list(leaves), len(initial), **ragged)
        return tuple(value for value in found if value.requires_grad)

    assert torch.autograd.gradcheck(call, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(
        call, leaves, fast_mode=True, check_undefined_grad=False
    )


@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=repr)
def test_sequences_that_begin_anew(cell: Cell) -> None:
    check(cell, "resets")


@pytest.mark.parametrize("cell", REGULARISED[:2], ids=repr)
def test_regularised_cells_with_fixed_masks(cell: Cell) -> None:
    check(cell, "three steps")


@pytest.mark.slow
@pytest.mark.parametrize("setting", RESET)
@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_cells_that_begin_anew_in_all_forms(cell: Cell, setting: str) -> None:
    check(cell, setting)


@pytest.mark.slow
@pytest.mark.parametrize("setting", WAYS)
@pytest.mark.parametrize("cell", NEW, ids=repr)
def test_cells_of_papers_in_all_forms(cell: Cell, setting: str) -> None:
    check(cell, setting)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["given states", *RESET])
@pytest.mark.parametrize("cell", [*CELLS, *NEW], ids=repr)
def test_every_cell_with_every_regulariser(cell: Cell, setting: str) -> None:
    check(with_all(cell), setting)


@pytest.mark.slow
@pytest.mark.parametrize("setting", WAYS)
@pytest.mark.parametrize("cell", REGULARISED, ids=repr)
def test_regularised_cells_in_all_forms(cell: Cell, setting: str) -> None:
    check(cell, setting)
