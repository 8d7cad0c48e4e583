"""Gradient flossing before epochs: what it is of, what it does, and when."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.data.events import events
from tests.train.conftest import SENTENCE, UNSAID, make_sequences
from tests.train.cutting import CutOff, Cutting, take_up
from throughtime.cells import GRU, LSTM, Elman, Feedforward
from throughtime.data import Dataset, Reading, read, text_dataset
from throughtime.errors import (
    FlossingDiverged,
    NumberOutOfRange,
    SingularStep,
    UnusedSetting,
)
from throughtime.train import fit
from throughtime.train.asking.defaults import settle
from throughtime.train.files.folder import CHECKPOINT
from throughtime.train.files.storage import weights_of, write_weights
from throughtime.train.interruption import Interruption
from throughtime.train.learning import Loop
from throughtime.train.learning.checkpoints import read_checkpoint
from throughtime.train.learning.flossing import Flossing
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

SMALL: dict[str, Any] = {"hidden_size": 8, "epochs": 2, "batch_size": 8}
SMALL |= {"dtype": "float64", "save_every": 0.0}
SIGNS = make_sequences(60)
TEXT = text_dataset(SENTENCE * 10, "text")
ITEMS = read(events(30), Reading("who", "when", items="what:how", target="label"))


def made(data: Dataset, cell: tt.Cell, **said: Any) -> Flossing:
    settings = settle(data, {**UNSAID, **SMALL, **said})
    torch.manual_seed(0)
    model = make_model(cell, data, settings)
    return Flossing(model, make_task(data, settings), settings)


class Saying(Cutting):
    """Keeps what it is told."""

    def __init__(self, after: int | None = None) -> None:
        super().__init__(after)
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def loop_in(folder: Path, reporter: Cutting, **said: Any) -> Loop:
    flossing = made(SIGNS, GRU(), **said)
    folder.mkdir(exist_ok=True)
    model, task, settings = flossing.model, flossing.task, flossing.settings
    write_weights(folder / "model.safetensors", weights_of(model), 0)
    return Loop(model, task, settings, folder, reporter, Interruption())


@pytest.mark.parametrize(
    ("data", "cell", "said"),
    [
        (SIGNS, Elman(), {"bidirectional": True, "num_layers": 2}),
        (TEXT, LSTM(), {"batch_size": 2, "steps": 12}),
        (TEXT, Elman(), {"batch_size": 2, "tbptt": "3:5"}),
        (ITEMS, Elman(), {"optimizer": "lazy-fobos", "l1": 1e-3}),
    ],
    ids=["sequences", "text", "truncated", "items"],
)
def test_exponents_come_nearer_to_0(
    data: Dataset, cell: tt.Cell, said: dict[str, Any]
) -> None:
    flossing = made(data, cell, flossing=100, **said)
    network, head = flossing.model.network, flossing.model.head
    before = {name: own.clone() for name, own in flossing.model.named_parameters()}
    words = flossing.run(1)
    first, last = map(float, re.findall(r"(?:from|to) ([\d.e-]+)", words))
    assert last < 0.75 * first
    for name, own in flossing.model.named_parameters():
        kept = own.equal(before[name])
        layer = name.startswith("network.weight_hh")
        assert not (layer and kept), name
        # The output, embeddings and tables of a sparse input have no part in it.
        if not name.startswith("network.") or name[8:] in network.tables:
            assert kept, name
    assert all(own.grad is None for own in flossing.parameters)
    assert head.weight.grad is None


def test_it_reads_the_training_part_alone() -> None:
    known = {tuple(row) for row in _rows(SIGNS, "train")}
    task = made(SIGNS, GRU(), flossing=1).task
    order = torch.Generator().manual_seed(0)
    seen: set[tuple[float, ...]] = set()
    for features, _, lengths in task.pieces(order, 2):
        assert features.shape[1] <= 2
        for row, length in enumerate(lengths):
            steps: Tensor = features[:length, row]  # type: ignore[bad-index]
            seen |= {tuple(step) for step in steps.tolist()}
    assert seen == known
    text = made(TEXT, GRU(), flossing=1, steps=9).task
    symbols = "".join(map(chr, TEXT.part("train") + 65))
    for features, _, lengths in text.pieces(order, 3):
        assert features.shape == (9, 3, 1) and lengths.tolist() == [9] * 3
        for row in features[..., 0].T:  # type: ignore[missing-attribute]
            assert "".join(map(chr, row + 65)) in symbols


def _rows(data: Any, part: str) -> list[list[float]]:
    sequences = [data.frames.read(*piece[:3]) for piece in data.splits[part]]
    return [row[:2] for one in sequences for row in one.tolist()]


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, 0), ({"flossing": 2}, 1), ({"flossing": 2, "flossing_every": 2}, 2)],
)
def test_it_is_done_before_the_epochs_that_were_asked_for(
    tmp_path: Path, said: dict[str, Any], expected: int
) -> None:
    reporter = Saying()
    loop_in(tmp_path / "run", reporter, **{**said, "epochs": 3}).run()
    assert len(reporter.lines) == expected
    assert all(line.startswith("flossing: 2 updates") for line in reporter.lines)


def test_the_checkpoint_behind_it_does_not_do_it_again(tmp_path: Path) -> None:
    whole = loop_in(tmp_path / "whole", Saying(), flossing=2)
    whole.run()
    with pytest.raises(CutOff):
        loop_in(tmp_path / "cut", Saying(0), flossing=2).run()
    kept = read_checkpoint(tmp_path / "cut" / CHECKPOINT)["loop"]
    assert kept["flossed"] == 1 and kept["epoch"]["done"] in (0, 1)
    reporter = Saying()
    again = loop_in(tmp_path / "cut", reporter, flossing=2)
    take_up(again)
    again.run()
    assert reporter.lines == []
    files = [tmp_path / name / "model.safetensors" for name in ("whole", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("cell", "said", "kind", "message"),
    [
        (Feedforward(), {"flossing": 2}, UnusedSetting, "Feedforward, which carries"),
        (GRU(), {"flossing": 0}, NumberOutOfRange, "flossing.*at least 1"),
        (GRU(), {"flossing_every": 2}, UnusedSetting, "a training without flossing"),
        (
            GRU(),
            {"flossing": 2, "flossing_every": 0},
            NumberOutOfRange,
            "flossing_every.*at least 1",
        ),
        (
            GRU(),
            {"flossing": 2, "optimizer": "ftrl-proximal"},
            UnusedSetting,
            "ftrl-proximal.*own sums",
        ),
        (Elman("relu"), {"flossing": 2}, SingularStep, "no flat part, such as tanh"),
    ],
)
def test_what_cannot_be_is_refused(
    cell: tt.Cell, said: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        fit(cell, SIGNS, **{**SMALL, "hidden_size": 2, **said})


def test_a_gradient_that_is_not_finite_ends_it() -> None:
    flossing = made(SIGNS, Elman(), flossing=3, dtype="float32")
    with torch.no_grad():
        # Its logarithm is a number, its gradient, beyond one over it, is none.
        weight = flossing.model.network.get_parameter("weight_hh_l0")
        weight.copy_(1e-37 * torch.eye(8))
    with pytest.raises(FlossingDiverged, match=r"flossing=3.* at update 1"):
        flossing.run(1)
