"""A penalty on activity: the same as one that is written by hand, answer by answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.conftest import SENTENCE, UNSAID
from tests.train.learning.training import assert_same, learn
from tests.train.test_tasks import EVERY, EXACT
from throughtime.cells import Elman
from throughtime.data import SequenceBatches, SequenceDataset, text_dataset
from throughtime.errors import NumberOutOfRange
from throughtime.train import fit
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import Answers, make_task

GIVEN = {**UNSAID, "backend": "reference", "dtype": "float64", "hidden_size": 4}
TEXT = text_dataset(SENTENCE * 4, "text")


def made(data: Any, **said: Any) -> tuple[Model, Any, Settings]:
    settings = settle(data, {**GIVEN, "num_layers": 2, **said})
    torch.manual_seed(0)
    model = make_model(Elman("relu"), data, settings)
    return model, make_task(data, settings), settings


def layers_by_hand(model: Model, x: Tensor) -> list[Tensor]:
    """What each layer gives for vectors ``(T, F)`` of one sequence, ``(T, D·H)``."""
    network, found, value = model.network, [], x
    for layer in range(network.num_layers):
        ways = []
        for suffix, turn in [("", False), ("_reverse", True)][: network.directions]:
            w = {n: getattr(network, f"{n}_l{layer}{suffix}") for n in WEIGHTS}
            h, states = x.new_zeros(network.hidden_size), []
            for step in value.flip(0) if turn else value:
                h = w["weight_ih"] @ step + w["bias_ih"] + w["weight_hh"] @ h
                h = (h + w["bias_hh"]).relu()
                states.append(h)
            way = torch.stack(states)
            ways.append(way.flip(0) if turn else way)
        found.append(torch.cat(ways, -1))
        value = found[-1] + value if layer and network.residual else found[-1]
    return found


WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def activity_by_hand(model: Model, x: Tensor) -> Tensor:
    """Σ|h| over units and layers at each step, ``(T,)``."""
    return sum(h.abs().sum(-1) for h in layers_by_hand(model, x))  # type: ignore[return-value]


def gradients(model: Model, loss: Tensor) -> list[Tensor]:
    found = torch.autograd.grad(
        loss, list(model.parameters()), allow_unused=True, retain_graph=True
    )
    return [torch.zeros(1) if one is None else one for one in found]


@pytest.mark.parametrize("name", ["regress per sequence", "classify per step"])
@pytest.mark.parametrize(
    "more",
    [
        {"backend": "llvm"},
        {"bidirectional": True},
        {"residual": True},
        {"weights": True},
    ],
)
def test_loss_and_gradient_are_those_of_a_loop(name: str, more: dict[str, Any]) -> None:
    """Ragged, with NaN behind the ends, some answers missing."""
    dataset, options = EVERY[name], dict(more)
    if options.pop("weights", False):
        dataset = replace(dataset, weights=np.arange(24) / 7)
    model, task, _ = made(dataset, batch_size=9, activity_l1=0.1, **options)
    batch = next(iter(task.epoch(torch.Generator().manual_seed(0))))
    steps = torch.arange(len(batch.frames))[:, None]
    behind = (steps >= batch.lengths)[..., None]
    assert behind.any()
    batch = batch._replace(frames=batch.frames.masked_fill(behind, torch.nan))
    answers: Answers = task.learned(model, batch)
    features, _, _ = task._read(model, batch)
    vectors, _ = model.read(features)
    total = answers.losses.sum()
    for row, length in enumerate(batch.lengths.tolist()):
        mean = activity_by_hand(model, vectors[:length, row]).mean()
        count = int(answers.counts[..., row].sum())  # of steps, or one
        weight = 1.0
        if dataset.weights is not None:
            weight = dataset.weights[batch.sequences[row]]
        total = total + 0.1 * weight * count * mean
    expected = total / answers.counts.sum()
    torch.testing.assert_close(answers.loss(), expected, **EXACT)
    assert answers.loss() > answers.losses.sum() / answers.counts.sum() + 0.01
    mine, theirs = gradients(model, answers.loss()), gradients(model, expected)
    torch.testing.assert_close(mine, theirs, **EXACT)


@pytest.mark.parametrize("rule", [None, "4"])
def test_of_a_text_each_step_adds_its_own(rule: str | None) -> None:
    steps = {"steps": 5} if rule is None else {"tbptt": rule}
    model, task, _ = made(TEXT, batch_size=3, activity_l1=0.1, **steps)
    answers = next(iter(task.training(model, torch.Generator())))
    chunk = next(iter(task.streams))
    x, _ = model.read(chunk.inputs[..., None])
    by_hand = [activity_by_hand(model, x[:, row]).mean() for row in range(3)]
    expected = answers.losses.mean() + 0.1 * torch.stack(by_hand).mean()
    torch.testing.assert_close(answers.loss(), expected, **EXACT)
    mine, theirs = gradients(model, answers.loss()), gradients(model, expected)
    torch.testing.assert_close(mine, theirs, **EXACT)


@pytest.mark.parametrize("rule", ["3", "2:40", "random:3"])
def test_windows_of_a_stream_add_what_whole_sequences_do(rule: str) -> None:
    """Weights frozen, every step known: each adds its own once, whatever is cut."""
    data = EVERY["regress per step"]
    model, task, settings = made(data, batch_size=100, activity_l1=0.1)
    [whole] = task.training(model, torch.Generator().manual_seed(0))
    cut = make_task(data, replace(settings, tbptt=rule, batch_size=3))
    windows = list(cut.training(model, torch.Generator().manual_seed(0)))
    assert len(windows) > 2
    total = sum(one.penalty.sum() for one in windows)  # type: ignore[union-attr]
    torch.testing.assert_close(total, whole.penalty.sum(), rtol=1e-12, atol=1e-12)
    if rule == "2:40":  # none of the error is lost
        mine, theirs = (gradients(model, one) for one in (total, whole.penalty.sum()))
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["regress per sequence", "classify per step"])
def test_parts_of_a_batch_are_the_batch(name: str) -> None:
    """As batches of one update, or shares of several ranks."""
    dataset = EVERY[name]
    model, task, _ = made(dataset, batch_size=12, activity_l1=0.1)
    rows = dataset.splits["train"]
    parts = [
        task.learned(model, *SequenceBatches(dataset.frames, some, len(some)))
        for some in (rows, rows[:3], rows[3:])
    ]
    whole, *others = [(one.loss(), one.weight()) for one in parts]
    mean = sum(loss * weight for loss, weight in others) / whole[1]
    torch.testing.assert_close(mean, whole[0], **EXACT)
    mine, theirs = gradients(model, mean), gradients(model, whole[0])
    torch.testing.assert_close(mine, theirs, **EXACT)


def test_it_is_added_to_replicated_targets_and_never_in_evaluation() -> None:
    data = EVERY["regress per sequence"]
    model, task, settings = made(
        data, batch_size=100, activity_l1=0.1, target_replication=0.5
    )
    [learned] = task.training(model, torch.Generator().manual_seed(0))
    plain = make_task(data, replace(settings, activity_l1=None))
    [without] = plain.training(model, torch.Generator().manual_seed(0))
    assert torch.equal(learned.losses, without.losses)
    assert without.penalty is None and (learned.penalty > 0).all()
    assert all(one.penalty is None for one in task.evaluate(model, "validation"))


@pytest.mark.parametrize("way", [{}, {"tbptt": "3:5"}, {"dataset": TEXT, "steps": 9}])
def test_a_factor_of_0_changes_no_bit(way: dict[str, Any], tmp_path: Path) -> None:
    said = {"dataset": EVERY["regress per step"], "cell": Elman("relu"), **way}
    plain = learn(tmp_path / "plain", **said)
    assert_same(learn(tmp_path / "zero", activity_l1=0.0, **said), plain)


def test_units_of_a_relu_become_zeros(signs: SequenceDataset, tmp_path: Path) -> None:
    zeros: list[float] = []
    for factor in (None, 0.005):
        run = fit(
            Elman("relu"),
            signs,
            out=tmp_path / str(factor),
            hidden_size=32,
            num_layers=2,
            epochs=20,
            patience=20,
            learning_rate=0.01,
            batch_size=10,
            threads=1,
            activity_l1=factor,
        )
        last = run.metrics[-1]
        assert last["accuracy"] > 0.8
        zeros.append(sum(last["zero_fraction"]) / 2)
    assert zeros[1] > zeros[0] + 0.05


@pytest.mark.parametrize("given", [-0.1, float("nan"), float("inf"), "much", True])
def test_what_is_no_factor_is_refused(given: Any, signs: SequenceDataset) -> None:
    with pytest.raises(NumberOutOfRange, match=r"activity_l1=.* finite number of at"):
        settle(signs, {**GIVEN, "activity_l1": given})
