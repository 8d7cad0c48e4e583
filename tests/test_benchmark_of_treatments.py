"""`python -m benchmarks.treatments`: its trainings run, and all of them are drawn."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sick_cases import recall
from benchmarks.treatments import (
    READ,
    TREATMENTS,
    Outcome,
    draw_all,
    table_of,
    trained,
)


def test_each_treatment_has_a_panel_and_two_rows() -> None:
    fading = Outcome(0.5, [0, 1, 2], [1.0, 1e-3, 1e-6])
    flat = Outcome(1.0, [0, 1, 2], [2.0, 2.0, 2.0])
    found = {(one.without, 7): fading for one in TREATMENTS}
    found |= {(one.flags, 7): flat for one in TREATMENTS}
    figure = draw_all(found, 7)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == len(TREATMENTS)
    for axes in panels:
        without, treated = (line.get_ydata() for line in axes.lines)
        np.testing.assert_allclose(without, [1, 1e-3, 1e-6])
        np.testing.assert_allclose(treated, 1)
        assert axes.get_title(loc="left").startswith("--")
    assert table_of(found, [7]).row_count == len(found)


@pytest.mark.slow
def test_a_training_is_diagnosed(tmp_path: Path) -> None:
    recall(60, 5, np.random.default_rng(0)).write_parquet(tmp_path / "recall.parquet")
    words = f"recall.parquet {READ} --hidden-size 4 --epochs 2"
    found = trained(words, "--cell elman --flow-penalty 1", 3, tmp_path)
    assert 0 <= found.accuracy <= 1
    assert found.lags == [0, 1, 2, 3, 4, 5]
    assert all(norm > 0 for norm in found.norms)
