"""The flow penalty in a training: its gradient beside that of the loss."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.train.conftest import SENTENCE, UNSAID
from tests.train.learning.items import ITEMS
from tests.train.learning.training import SIGNS, assert_same, learn
from tests.train.test_tasks import EVERY, EXACT
from throughtime.cells import GRU, LSTM, Elman, Feedforward
from throughtime.data import SequenceBatches, SequenceDataset, text_dataset
from throughtime.diagnose import FlowPenalty
from throughtime.errors import NumberOutOfRange, UnusedSetting
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.learning.flow import Flow
from throughtime.train.learning.updates import Updates
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import Answers, make_task

GIVEN = {**UNSAID, "backend": "reference", "dtype": "float64", "hidden_size": 4}
TEXT = text_dataset(SENTENCE * 4, "text")


def made(data: Any, **said: Any) -> tuple[Model, Any, Settings]:
    settings = settle(data, {**GIVEN, "num_layers": 2, **said})
    torch.manual_seed(0)
    return make_model(LSTM(), data, settings), make_task(data, settings), settings


def gradients(model: Model) -> list[Tensor]:
    found = [torch.zeros(1) if w.grad is None else w.grad for w in model.parameters()]
    model.zero_grad()
    return found


def of_parts(
    model: Model, task: Any, dataset: SequenceDataset, parts: list[slice]
) -> list[Tensor]:
    """What an update of several batches adds up, as the mean over all answers."""
    flow, weights = Flow(model.network, 0.5), []
    for part in parts:
        rows = dataset.splits["train"][part]
        with flow.noted():
            [batch] = SequenceBatches(dataset.frames, rows, len(rows))
            answers = task.learned(model, batch)
        weights.append(float(answers.weight()))
        (answers.loss() * weights[-1]).backward()
        flow.add(answers, weights[-1])
    return [gradient / sum(weights) for gradient in gradients(model)]


@pytest.mark.parametrize("name", ["regress per sequence", "classify per step"])
def test_parts_of_a_batch_are_the_batch(name: str) -> None:
    """As batches of one update, or shares of several ranks."""
    dataset = EVERY[name]
    model, task, _ = made(dataset)
    whole = of_parts(model, task, dataset, [slice(None)])
    parts = of_parts(model, task, dataset, [slice(3), slice(3, None)])
    torch.testing.assert_close(parts, whole, **EXACT)


def test_an_update_goes_along_the_gradient_of_both() -> None:
    said = {"optimizer": "sgd", "learning_rate": 0.1, "clip": 0.0}
    model, task, settings = made(SIGNS, flow_penalty=0.5, **said)
    batch = next(iter(task.epoch(torch.Generator().manual_seed(0))))
    flow = FlowPenalty(model.network)
    with flow:
        answers = task.learned(model, batch)
    loss = answers.loss()
    loss.backward()
    (0.5 * flow.penalty().mean()).backward()  # each sequence has one answer
    expected = [
        weight.detach() - 0.1 * gradient
        for weight, gradient in zip(model.parameters(), gradients(model), strict=True)
    ]
    updates = Updates(model, settings, 1)
    with updates.flow.noted():
        answers = task.learned(model, batch)
    assert updates.take(answers).loss == pytest.approx(loss.item())  # without it
    torch.testing.assert_close(
        [weight.detach() for weight in model.parameters()], expected, **EXACT
    )


def test_both_are_clipped_together(tmp_path: Path) -> None:
    said: dict[str, Any] = {"optimizer": "sgd", "schedule": "constant", "clip": 1e-3}
    said |= {"epochs": 1, "backend": "reference"}
    before = learn(tmp_path / "a", learning_rate=1e-9, **said)["model"]
    after = learn(tmp_path / "b", flow_penalty=1e6, learning_rate=1.0, **said)
    moved = [after["model"][name] - before[name] for name in before]
    length = torch.cat([one.flatten() for one in moved]).norm().item()
    assert after["rows"][0]["clip_rate"] == 1.0
    assert 0 < length <= 1e-3 * after["rows"][0]["updates"] * 1.001


def test_of_a_window_each_row_adds_its_own() -> None:
    """Of a text an answer is each step's; windows overlap, none of a state is lost."""
    model, task, _ = made(TEXT, batch_size=3, tbptt="2:5")
    flow, penalty = Flow(model.network, 0.5), FlowPenalty(model.network)
    with flow.noted():
        answers: Answers = next(iter(task.training(model, torch.Generator())))
    answers.loss().backward()
    gradients(model)
    flow.add(answers, 1.0)
    found = gradients(model)
    with penalty:
        answers = next(iter(task.training(model, torch.Generator())))
    answers.loss().backward()
    gradients(model)
    (0.5 * penalty.penalty().mean()).backward()
    torch.testing.assert_close(found, gradients(model), **EXACT)


WAYS: list[dict[str, Any]] = [
    {},
    {"dataset": TEXT, "steps": 9, "batch_size": 3},
    {"dataset": EVERY["regress per step"], "tbptt": "3:5"},
    {"dataset": EVERY["regress per step"], "tbptt": "auto"},
    {"dataset": TEXT, "tbptt": "random:4", "batch_size": 3},
    {"dataset": ITEMS},
]


@pytest.mark.parametrize("way", WAYS)
def test_every_training_takes_it(way: dict[str, Any], tmp_path: Path) -> None:
    said = {**way, "epochs": 1, "backend": "reference"}
    plain = learn(tmp_path / "plain", **said)
    zero = learn(tmp_path / "zero", flow_penalty=0.0, **said)
    assert_same(zero, plain)
    other = learn(tmp_path / "some", flow_penalty=1.0, **said)["model"]
    recurrent = other["network.weight_hh_l0"]
    assert recurrent.isfinite().all()
    assert not torch.allclose(recurrent, plain["model"]["network.weight_hh_l0"])


def test_nothing_is_noted_after_a_training(tmp_path: Path) -> None:
    said: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "backend": "reference"}
    run = tt.fit(GRU(), SIGNS, out=tmp_path / "run", flow_penalty=0.5, **said)
    assert run.model.network.recorder is None
    assert "flow_penalty = 0.5" in (tmp_path / "run/config.toml").read_text()


@pytest.mark.parametrize("given", [-0.1, float("nan"), float("inf"), "much", True])
def test_what_is_no_factor_is_refused(given: Any) -> None:
    with pytest.raises(NumberOutOfRange, match=r"flow_penalty=.* finite number of at"):
        settle(SIGNS, {**GIVEN, "flow_penalty": given})


def test_where_nothing_flows_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusedSetting, match=r"flow_penalty=0.5, .*Feedforward, which"):
        tt.fit(Feedforward(), SIGNS, out=tmp_path / "run", flow_penalty=0.5)
    assert not (tmp_path / "run").exists()


def error_ratio(model: Model, task: Any) -> float:
    """How far error is from keeping its size, in what was not learned from."""
    flow = FlowPenalty(model.network)
    with flow:
        [answers] = [task.learned(model, b) for b in task._whole("validation", 99)]
    answers.loss().backward()
    return flow.penalty().mean().item()


def test_error_keeps_its_size_in_a_network_that_was_held_to_it(tmp_path: Path) -> None:
    left = []
    for factor in (None, 1.0):
        run = tt.fit(
            Elman(),
            SIGNS,
            out=tmp_path / str(factor),
            hidden_size=16,
            epochs=20,
            patience=20,
            batch_size=8,
            learning_rate=0.01,
            flow_penalty=factor,
            threads=1,
            backend="reference",
        )
        settings = settle(SIGNS, {**GIVEN, "hidden_size": 16})
        left.append(error_ratio(run.model, make_task(SIGNS, settings)))
    assert left[1] < left[0] / 2
