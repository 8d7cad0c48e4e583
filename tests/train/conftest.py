"""Small data that a small network learns in a second."""

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import throughtime as tt
from throughtime.data import Card, SequenceDataset, classified

# What `fit` is given if nothing is said.
UNSAID: dict[str, Any] = {
    name: argument.default
    for name, argument in signature(tt.fit).parameters.items()
    if argument.default is not argument.empty
}
SENTENCE = "the quick brown fox jumps over the lazy dog.\n"


def make_sequences(count: int = 120, seed: int = 0) -> SequenceDataset:
    """Sequences of 1 to 7 steps; their class is the sign of their first feature."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, 8, count)
    sequences = [draw.normal(3, 2, (n, 2)).astype(np.float32) for n in lengths]
    targets = np.array([int(s[0, 0] > 3) for s in sequences], dtype=np.int64)
    third = count // 3
    splits = {
        "train": np.arange(third),
        "validation": np.arange(third, 2 * third),
        "test": np.arange(2 * third, count),
    }
    card = Card(
        name="signs",
        title="signs",
        origin="drawn",
        licence="none",
        shape="small",
        task="classify",
        split="thirds",
        metric="accuracy",
        baselines={"majority": 0.5},
    )
    return classified("signs", sequences, targets, ("below", "above"), splits, card)


@pytest.fixture(scope="session")
def signs() -> SequenceDataset:
    return make_sequences()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(SENTENCE * 25, encoding="utf-8")
    return path
