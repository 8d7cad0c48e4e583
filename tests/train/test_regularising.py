"""Regularisers and starts as a training is asked for them: those of the functions."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import throughtime as tt
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Elman,
    Feedforward,
    KWinners,
    VariationalDropout,
    Zoneout,
)
from throughtime.data import SequenceDataset
from throughtime.errors import CellError, NotGated, NothingToStart, UnknownChoice
from throughtime.train import fit

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "batch_size": 10, "threads": 1}

SAME: list[tuple[dict[str, Any], tt.Cell]] = [
    ({"zoneout": 0.3}, Zoneout(LSTM(), h=0.3, c=0.3)),
    ({"zoneout": {"c": 0.5}}, Zoneout(LSTM(), c=0.5)),
    ({"drop_connect": 0.4}, DropConnect(LSTM(), 0.4)),
    ({"variational_dropout": 0.2}, VariationalDropout(LSTM(), input=0.2, hidden=0.2)),
    ({"k_winners": 3}, KWinners(LSTM(), 3)),
    ({"k_winners": 0.5, "zoneout": 0.3}, KWinners(Zoneout(LSTM(), h=0.3, c=0.3), 0.5)),
    ({"variational_dropout": {"hidden": 0.2}}, VariationalDropout(LSTM(), hidden=0.2)),
    (
        {"zoneout": {"h": 0.1}, "drop_connect": 0.2, "variational_dropout": 0.3},
        Zoneout(
            VariationalDropout(DropConnect(LSTM(), 0.2), input=0.3, hidden=0.3), h=0.1
        ),
    ),
]


@pytest.mark.parametrize(("said", "cell"), SAME)
def test_they_wrap_the_cell_as_the_functions_do(
    said: dict[str, Any], cell: tt.Cell, signs: SequenceDataset, tmp_path: Path
) -> None:
    run = fit(LSTM(), signs, out=tmp_path / "asked", **said, **QUICK)
    fit(cell, signs, out=tmp_path / "wrapped", **QUICK)
    files = [tmp_path / name / "model.safetensors" for name in ("asked", "wrapped")]
    assert files[0].read_bytes() == files[1].read_bytes()
    document = json.loads((tmp_path / "asked/model.json").read_text())
    assert document["model"]["graphs"][0]["cell"] == run.cell
    assert run.cell == repr(cell).replace("LSTM()", "LSTM")
    assert "Zoneout" not in run.cell or "1 − " in str(tt.explain(run.model))


@pytest.mark.parametrize(
    ("cell", "said", "error", "words"),
    [
        (GRU(), {"zoneout": {"c": 0.1}}, CellError, "GRU has no state 'c'.*: h"),
        (GRU(), {"zoneout": 1.0}, CellError, "h is 1.0; a probability"),
        (GRU(), {"zoneout": "much"}, CellError, "h is 'much'; a probability"),
        (Feedforward(), {"zoneout": 0.1}, CellError, "those of Feedforward are: none"),
        (Feedforward(), {"drop_connect": 0.1}, CellError, "no matrix of Feedforward"),
        (
            GRU(),
            {"k_winners": 5},
            CellError,
            "k is 5, but the output of .* has 4 units",
        ),
        (GRU(), {"k_winners": 0}, CellError, "k is 0; give a whole number"),
        (GRU(), {"drop_connect": 1.0}, CellError, "p is 1.0; a probability"),
        (
            GRU(),
            {"variational_dropout": {"hiden": 0.1}},
            UnknownChoice,
            "variational_dropout='hiden' is not known .did you mean 'hidden'",
        ),
        (Elman(), {"init": "chrono"}, NotGated, "init='chrono' is asked of Elman"),
        (Elman(), {"forget_bias": 1.0}, NotGated, "forget_bias=1.0 is asked of Elman"),
        (Feedforward(), {"init": "identity"}, NothingToStart, "asked of Feedforward"),
    ],
)
def test_what_the_cell_does_not_have_is_refused(
    cell: tt.Cell,
    said: dict[str, Any],
    error: type[Exception],
    words: str,
    signs: SequenceDataset,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=words):
        fit(cell, signs, out=tmp_path / "run", **said, **QUICK)
    assert not (tmp_path / "run").exists()


def first_weights(signs: SequenceDataset, out: Path, **said: Any) -> dict[str, Any]:
    fit(LSTM(), signs, out=out, **said, **QUICK)
    return load_file(out / "initial.safetensors")


def test_a_start_is_that_of_initialise(signs: SequenceDataset, tmp_path: Path) -> None:
    found = first_weights(signs, tmp_path / "bias", init="identity", forget_bias=1.5)
    eye = torch.eye(4).repeat(4, 1)
    assert torch.equal(found["network.weight_hh_l0"], eye)
    assert found["network.weight_ih_l0"].std() < 0.002
    expected = torch.tensor([0.0, 1.5, 0.0, 0.0]).repeat_interleave(4)
    assert torch.equal(found["network.bias_ih_l0"], expected)
    chrono = first_weights(signs, tmp_path / "chrono", init="chrono")
    total = chrono["network.bias_ih_l0"] + chrono["network.bias_hh_l0"]
    # The longest sequence has 7 steps.
    assert bool((total[4:8].exp() >= 1).all())
    assert bool((total[4:8].exp() <= 6).all())
    assert torch.equal(total[:4], -total[4:8])
