"""Updates: clipping of the fresh gradient, and several batches to one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import utils
from torch.optim import SGD, Adam

from tests.train.learning.training import (
    SIGNS,
    assert_near,
    by_hand,
    learn,
    settings_of,
)
from tests.train.tables import drawn, numbers, table
from throughtime.cells import GRU
from throughtime.data import Question, SequenceBatches, SequenceDataset
from throughtime.train.learning.updates import NotFinite, Updates
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import OfSequences

PLAIN: dict[str, Any] = {"optimizer": "sgd", "schedule": "constant", "epochs": 2}
RATE = 0.02


def per_step() -> SequenceDataset:
    """A number at each of 1 to 7 steps: batches differ in their answers."""
    columns = numbers("a", "b", "y")
    question = Question("regress", "step")
    return table(drawn(70, 3), question, columns[:2], columns[2:])


@pytest.mark.parametrize(("norm", "value"), [(0.05, 0.0), (0.0, 0.01), (0.03, 0.01)])
def test_the_fresh_gradient_is_clipped(
    norm: float, value: float, tmp_path: Path
) -> None:
    def clip(model: Model) -> None:
        if value:
            utils.clip_grad_value_(model.parameters(), value)
        if norm:
            utils.clip_grad_norm_(model.parameters(), norm)

    said = {**PLAIN, "clip": norm, "clip_value": value}
    found = learn(tmp_path, **said)
    expected = by_hand(lambda m: SGD(m.parameters(), RATE), before_update=clip, **said)
    assert_near(found["model"], expected)
    assert found["rows"][0]["clip_rate"] == 1.0


@pytest.mark.parametrize("said", [{"clip": 0.01}, {"clip": 0.0, "clip_value": 1e-3}])
def test_a_step_is_as_long_as_the_clipped_gradient(said: dict[str, Any]) -> None:
    """Clipped before the backward pass, the very first step would be longer."""
    settings = settings_of(**PLAIN, **said)
    model = make_model(GRU(), SIGNS, settings)
    task = OfSequences(SIGNS, settings)
    before = utils.parameters_to_vector(model.parameters()).detach().clone()
    batch = next(iter(task.epoch(torch.Generator())))
    assert Updates(model, settings, 1).take(task.learned(model, batch)).clipped
    step = before - utils.parameters_to_vector(model.parameters()).detach()
    if "clip_value" in said:
        assert step.abs().max().item() == pytest.approx(RATE * 1e-3)
    else:
        assert step.norm().item() == pytest.approx(RATE * 0.01, rel=1e-4)


def test_an_infinite_gradient_is_not_clipped_to_a_number() -> None:
    settings = settings_of(clip_value=0.1)
    model = make_model(GRU(), SIGNS, settings)
    task = OfSequences(SIGNS, settings)
    batch = next(iter(task.epoch(torch.Generator())))
    answers = task.learned(model, batch)
    model.head.weight.register_hook(lambda gradient: gradient + torch.inf)
    before = model.head.weight.detach().clone()
    with pytest.raises(NotFinite, match="The norm of the gradient"):
        Updates(model, settings, 1).take(answers)
    assert torch.equal(model.head.weight, before)


def of_larger_batches(
    dataset: SequenceDataset, together: int, make: Any, **said: Any
) -> dict[str, Tensor]:
    """Train by hand, the sequences of several batches in one."""
    settings = settings_of(dataset, **said)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = make_model(GRU(), dataset, settings)
    task, order = OfSequences(dataset, settings), torch.Generator().manual_seed(0)
    optimizer = make(model.parameters())
    pieces = dataset.splits["train"]
    for _ in range(settings.epochs):
        rows = [batch.pieces for batch in task.epoch(order)]
        for start in range(0, len(rows), together):
            some = pieces[torch.cat(rows[start : start + together]).numpy()]
            (batch,) = SequenceBatches(dataset.frames, some, len(some))
            optimizer.zero_grad()
            task.learned(model, batch).loss().backward()
            utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
    return dict(model.state_dict())


MAKE: dict[str, Any] = {
    "sgd": lambda parameters: SGD(parameters, RATE),
    "adam": lambda parameters: Adam(parameters, RATE),
}


@pytest.mark.parametrize("dataset", [SIGNS, per_step()], ids=["sequences", "steps"])
@pytest.mark.parametrize("optimizer", MAKE)
@pytest.mark.parametrize("together", [2, 4])
def test_several_batches_are_one_larger_batch(
    dataset: SequenceDataset, optimizer: str, together: int, tmp_path: Path
) -> None:
    # 35 sequences are 9 batches: an epoch ends with an update of one batch, of 3.
    said = {**PLAIN, "optimizer": optimizer, "batch_size": 4, "clip": 0.5}
    found = learn(tmp_path, dataset=dataset, accumulate=together, **said)
    expected = of_larger_batches(dataset, together, MAKE[optimizer], **said)
    assert_near(found["model"], expected)
    assert {row["updates"] for row in found["rows"]} == {-(-9 // together)}


def test_more_batches_to_an_update_than_an_epoch_has(tmp_path: Path) -> None:
    whole = learn(tmp_path / "a", batch_size=35)
    parts = learn(tmp_path / "b", batch_size=8, accumulate=99)
    assert_near(parts["model"], whole["model"])
    assert [row["updates"] for row in parts["rows"]] == [1, 1]
