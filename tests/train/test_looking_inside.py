"""`explain` and `cite` of what `tt.load` gives."""

from pathlib import Path

import pytest

import throughtime as tt
from throughtime.data import SequenceDataset


def test_a_loaded_model_is_explained_and_cited(
    signs: SequenceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = tt.cells.DropConnect(tt.cells.GRU(reset_after=False), 0.2)
    run = tt.fit(cell, signs, hidden_size=4, epochs=1, out=tmp_path / "run", quiet=True)
    model = tt.load(run.path)
    network = "Recurrent(DropConnect(GRU(reset_after=False), 0.2), 2, 4)"
    text = str(tt.explain(model))
    assert text.startswith(f"Model.network: {network}\nIn evaluation: ")
    assert "h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}" in text
    capsys.readouterr()
    tt.cite(model)
    assert "cho2014learning" in capsys.readouterr().out
