"""RNN, LSTM, GRU and their cells are used like torch.nn's, and refuse like them."""

import copy
import inspect
import pickle
import re
from typing import Any

import pytest
import torch
from torch import nn

from tests.compare import assert_close
from tests.nn.twins import KINDS, as_list, results, twins
from throughtime import errors
from throughtime import nn as ours
from throughtime.cells import GRU, LSTM, Elman
from throughtime.nn import Recurrent

LAYERS = ["RNN", "LSTM", "GRU"]
CELLS = ["RNNCell", "LSTMCell", "GRUCell"]
EQUATIONS = {"RNN": Elman(), "relu": Elman("relu"), "LSTM": LSTM(), "GRU": GRU()}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True, "dropout": 0.25},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_same_seed_draws_the_same_weights(
    kind: str, settings: dict[str, Any]
) -> None:
    mine, theirs = twins(kind, 3, 5, **settings)
    torch.manual_seed(0)
    chosen = {"dtype": torch.float64, **settings}
    general = Recurrent(EQUATIONS[kind], 3, 5, **chosen)
    expected = list(theirs.named_parameters())
    for module in (mine, general):
        found = list(module.named_parameters())
        assert [name for name, _ in found] == [name for name, _ in expected]
        for (_, ours_), (_, reference) in zip(found, expected, strict=True):
            assert torch.equal(ours_, reference)


@pytest.mark.parametrize("kind", [*KINDS, *CELLS])
@pytest.mark.parametrize("bias", [False, True])
def test_state_dicts_are_interchangeable(kind: str, bias: bool) -> None:
    mine, theirs = twins(kind, 3, 5, bias=bias)
    for giver, taker in ((mine, theirs), (theirs, mine)):
        with torch.no_grad():
            for parameter in giver.parameters():
                parameter.uniform_(-0.5, 0.5)
        taker.load_state_dict(giver.state_dict(), strict=True)
        assert list(giver.state_dict()) == list(taker.state_dict())
        x = torch.randn(4, 3, dtype=torch.float64)
        final, reference = taker(x), giver(x)
        final = final[1] if kind in KINDS else final
        reference = reference[1] if kind in KINDS else reference
        for value, expected in zip(as_list(final), as_list(reference), strict=True):
            assert_close(value, expected)


@pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
def test_signatures_begin_like_torchs(kind: str) -> None:
    theirs = {
        "RNN": "input_size hidden_size num_layers nonlinearity bias batch_first "
        "dropout bidirectional device dtype",
        "LSTM": "input_size hidden_size num_layers bias batch_first dropout "
        "bidirectional proj_size device dtype",
        "GRU": "input_size hidden_size num_layers bias batch_first dropout "
        "bidirectional device dtype",
        "RNNCell": "input_size hidden_size bias nonlinearity device dtype",
        "LSTMCell": "input_size hidden_size bias device dtype",
        "GRUCell": "input_size hidden_size bias device dtype",
    }[kind].split()
    parameters = inspect.signature(getattr(ours, kind)).parameters.values()
    named_only = inspect.Parameter.KEYWORD_ONLY
    assert [p.name for p in parameters if p.kind is not named_only] == theirs
    forward = inspect.signature(getattr(ours, kind).forward).parameters
    assert list(forward)[:3] == ["self", "input", "hx"]


@pytest.mark.parametrize("kind", LAYERS)
def test_an_argument_that_torch_has_not_is_refused(kind: str) -> None:
    module, x = getattr(ours, kind)(3, 5), torch.zeros(4, 2, 3)
    with pytest.raises(TypeError, match=rf"^{kind} takes no .*'lengths'.*Packed"):
        module(x, lengths=torch.tensor([4, 3]))
    with pytest.raises(errors.UnknownArgument, match=r"'resets'.*leave it out"):
        module(x, resets=None)


def test_positions_mean_what_they_mean_in_torch() -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "RNN": (3, 5, 2, "relu", False, True, 0.5, True),
        "LSTM": (3, 5, 2, False, True, 0.5, True, 0, "cpu", torch.float64),
        "GRU": (3, 5, 2, False, True, 0.5, True),
        "RNNCell": (3, 5, False, "relu", "cpu", torch.float64),
        "LSTMCell": (3, 5, False, "cpu", torch.float64),
        "GRUCell": (3, 5, False, "cpu", torch.float64),
    }
    for kind, given in arguments.items():
        mine, theirs = getattr(ours, kind)(*given), getattr(nn, kind)(*given)
        assert repr(mine) == repr(theirs)
        assert next(mine.parameters()).dtype == next(theirs.parameters()).dtype
        names = "input_size hidden_size bias num_layers batch_first dropout "
        names += "bidirectional proj_size mode nonlinearity"
        for name in names.split():
            if hasattr(theirs, name):
                assert getattr(mine, name) == getattr(theirs, name)


@pytest.mark.parametrize("kind", KINDS)
def test_all_weights_are_torchs(kind: str) -> None:
    mine, theirs = twins(kind, 3, 5, num_layers=2, bidirectional=True)
    for found, expected in zip(mine.all_weights, theirs.all_weights, strict=True):
        for parameter, reference in zip(found, expected, strict=True):
            assert torch.equal(parameter, reference)
    assert mine.all_weights[0][0] is mine.weight_ih_l0
    assert mine.flatten_parameters() is None


def test_a_cell_without_bias_says_so_like_torch() -> None:
    mine, theirs = twins("GRUCell", 3, 5, bias=False)
    assert mine.bias_ih is theirs.bias_ih is None


@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_pickles(kind: str) -> None:
    mine, theirs = twins(kind, 3, 5, num_layers=2)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    for module in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        for value, reference in zip(
            results(module, x), results(theirs, x), strict=True
        ):
            assert_close(value, reference)


BUILDS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("LSTM", (0, 5), {}),
    ("LSTM", (3, 0), {}),
    ("LSTM", (3, 5.0), {}),
    ("GRU", ("3", 5), {}),
    ("GRU", (3, 5, 0), {}),
    ("RNN", (3, 5), {"bias": "no"}),
    ("RNN", (3, 5), {"batch_first": 1}),
    ("RNN", (3, 5), {"nonlinearity": "sigmoid"}),
    ("RNN", (3, 5), {"proj_size": 2}),
    ("GRU", (3, 5), {"proj_size": 2}),
    ("LSTM", (3, 5), {"proj_size": -1}),
    ("LSTM", (3, 5), {"proj_size": 5}),
    ("LSTM", (3, 5), {"dropout": 2}),
    ("LSTM", (3, 5), {"dropout": True}),
    ("GRU", (3, 5), {"unknown": 1}),
]


@pytest.mark.parametrize(("kind", "sizes", "settings"), BUILDS, ids=str)
def test_what_torch_refuses_to_build_is_refused(
    kind: str, sizes: tuple[Any, ...], settings: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError)) as theirs:
        getattr(nn, kind)(*sizes, **settings)
    with pytest.raises(theirs.type) as mine:
        getattr(ours, kind)(*sizes, **settings)
    if "unknown" not in settings:
        assert isinstance(mine.value, errors.ThroughtimeError)


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(*shape, dtype=dtype)


WRONG_CALLS: list[tuple[Any, Any]] = [
    (zeros(4, 2, 9), None),
    (zeros(3), None),
    (zeros(4, 2, 3, 1), None),
    (zeros(4, 2, 3, dtype=torch.float64), None),
    (zeros(0, 2, 3), None),
    (zeros(4, 2, 3), zeros(1, 2, 5)),
    (zeros(4, 2, 3), zeros(2, 2, 4)),
    (zeros(4, 2, 3), zeros(2, 5)),
    (zeros(4, 3), zeros(2, 1, 5)),
    (zeros(4, 3), zeros(1, 5)),
]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("number", range(len(WRONG_CALLS)))
def test_what_torch_refuses_to_run_is_refused(kind: str, number: int) -> None:
    x, state = WRONG_CALLS[number]
    if kind == "LSTM" and state is not None:
        state = (state, state)
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        getattr(nn, kind)(3, 5, 2)(x, state)
    with pytest.raises(theirs.type) as mine:
        getattr(ours, kind)(3, 5, 2)(x, state)
    assert isinstance(mine.value, errors.ThroughtimeError)
    # Somebody who searches for torch's words finds the same cause.
    shared = re.split(r"[,.:]| got | instead|tensor", str(theirs.value))[0]
    assert shared.removeprefix(f"{kind}: ").split(" (")[0] in str(mine.value)


@pytest.mark.parametrize("kind", CELLS)
def test_cells_refuse_what_torchs_refuse(kind: str) -> None:
    def call(module: nn.Module, x: torch.Tensor, h: torch.Tensor | None) -> None:
        module(x, (h, h) if kind == "LSTMCell" and h is not None else h)

    for x, h in [
        (zeros(2, 2, 3), None),
        (zeros(2, 4), None),
        (zeros(2, 3), zeros(3, 5)),
        (zeros(2, 3), zeros(2, 4)),
        (zeros(2, 3), zeros(1, 2, 5)),
    ]:
        with pytest.raises((RuntimeError, ValueError)) as theirs:
            call(getattr(nn, kind)(3, 5), x, h)
        with pytest.raises(theirs.type) as mine:
            call(getattr(ours, kind)(3, 5), x, h)
        assert isinstance(mine.value, errors.ThroughtimeError)


def test_a_cell_wants_all_its_states() -> None:
    with pytest.raises(errors.StateCountMismatch, match="h, c"):
        ours.LSTMCell(3, 5)(zeros(2, 3), (zeros(2, 5),))
