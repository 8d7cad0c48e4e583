"""Runs whose names try to break out of a page."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from tests.report.diagnosed import write_diagnosis, write_flow

HOSTILE = "<script>alert('run')<script>&amp;"


def table(path: Path, sequences: int = 60) -> Path:
    """Rising and falling sequences, with a class that no page should ever run."""
    draw = np.random.default_rng(0)
    lines = ["key,x,class"]
    for key in range(sequences):
        name = ("<b>rising</b>", "</script>")[key % 2]
        slope = (0.5, -0.5)[key % 2]
        numbers = slope * np.arange(6) + draw.normal(0, 0.5, 6)
        lines += [f"{key},{number:.4f},{name}" for number in numbers]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as training leaves it."""
    folder = tmp_path_factory.mktemp("reported")
    data = table(folder / f"{HOSTILE}.csv")
    run = tt.fit(
        tt.cells.LSTM(),
        str(data),
        sequence="key",
        target=["class"],
        hidden_size=6,
        num_layers=2,
        epochs=5,
        batch_size=8,
        threads=1,
        out=folder / HOSTILE,
    )
    return run.path


@pytest.fixture
def plain(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "copy" / trained.name))


@pytest.fixture
def diagnosed(plain: Path) -> Path:
    """The same with all that can be known of it."""
    write_diagnosis(plain)
    write_flow(plain)
    return plain
