"""A model answers one time step at a time, with the bits of whole sequences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import throughtime as tt
from throughtime.errors import StreamMismatch, TwoDirections, ValueMissing
from throughtime.graph import Cell, Input, Parameter, State
from throughtime.math import sigmoid, tanh
from throughtime.train import Model
from throughtime.train.streaming import ModelStream

STEPS, BATCH = 23, 5
SETTINGS: dict[str, Any] = {
    "hidden_size": 5,
    "epochs": 1,
    "threads": 1,
    "batch_size": 8,
}


class Decaying(Cell):
    """A tanh unit that forgets with the time since the step before."""

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    rate = Parameter("hidden", 1)
    h = State("hidden")
    gap = Input(1)

    def step(self, x: Any, h: Any, gap: Any) -> Any:
        kept = h * sigmoid(self.rate @ gap)
        return tanh(self.weight_ih @ x + self.weight_hh @ kept)


def sequences(features: int = 3, count: int = 24) -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    return [draw.normal(2, 3, (int(n), features)) for n in draw.integers(9, 20, count)]


def trained(where: Path, cell: Cell, data: Any, **options: Any) -> Model:
    run = tt.fit(cell, data, out=where / "run", **{**SETTINGS, **options})
    return run.model


def batch(features: int = 3, gaps: bool = False) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn((STEPS, BATCH, features), generator=draw, dtype=torch.float64)
    if gaps:
        values[torch.rand(values.shape, generator=draw) < 0.3] = torch.nan
    return values


def stepped(model: Model, input: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
    stream = model.stream(BATCH)
    rows = range(len(input))
    outputs = [stream(input[t], **{k: v[t] for k, v in inputs.items()}) for t in rows]
    return torch.stack(outputs)


@torch.no_grad()
def whole(model: Model, input: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
    return model(input, **inputs)[0]


TARGETS = {
    "classes": lambda x: np.where(x[:, 0] > 2, "high", "low"),
    "labels": lambda x: (x[:, :2] > 2).astype(int),
    "numbers": lambda x: x[:, 0] + x[:, 1],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_answers_per_step_have_the_bits_of_the_batch(
    tmp_path: Path, kind: str, dtype: str
) -> None:
    data = sequences()
    target = [TARGETS[kind](one) for one in data]
    model = trained(tmp_path, tt.cells.LSTM(), data, target=target, dtype=dtype)
    input = batch()
    assert torch.equal(stepped(model, input), whole(model, input))


@pytest.mark.parametrize("missing", ["forward", "mean", "zero"])
def test_gaps_are_filled_from_the_steps_before(tmp_path: Path, missing: str) -> None:
    data = sequences()
    for one in data:
        one[3, 1] = np.nan
    target = [TARGETS["classes"](one) for one in data]
    model = trained(tmp_path, tt.cells.GRU(), data, target=target, missing=missing)
    input = batch(gaps=True)
    assert torch.equal(stepped(model, input), whole(model, input))


@pytest.mark.parametrize(("horizon", "difference"), [(1, 0), (2, 1), (3, 4)])
def test_forecasts_go_on_from_the_levels_before(
    tmp_path: Path, horizon: int, difference: int
) -> None:
    model = trained(
        tmp_path,
        tt.cells.GRU(),
        sequences(2),
        task="forecast",
        horizon=horizon,
        difference=difference,
        missing="forward",
    )
    input = batch(2, gaps=True)
    found, expected = stepped(model, input), whole(model, input)
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("pool", ["last", "max", "mean"])
def test_one_answer_is_that_of_the_steps_so_far(tmp_path: Path, pool: Any) -> None:
    data = sequences()
    target = ["high" if one[:, 0].mean() > 2 else "low" for one in data]
    model = trained(tmp_path, tt.cells.LSTM(), data, target=target, pool=pool)
    input = batch()
    found = stepped(model, input)
    for t in (0, 1, STEPS - 1):
        expected = whole(model, input[: t + 1])
        if pool == "mean":  # added up in another order
            torch.testing.assert_close(found[t], expected)
        else:
            assert torch.equal(found[t], expected)


def test_further_inputs_are_given_by_name(tmp_path: Path) -> None:
    data = sequences()
    target = [TARGETS["classes"](one) for one in data]
    inputs = {"gap": "x2"}
    model = trained(tmp_path, Decaying(), data, target=target, inputs=inputs)
    input = batch()
    x, gap = input[..., :2], input[..., 2:]
    assert torch.equal(stepped(model, x, gap=gap), whole(model, x, gap=gap))
    with pytest.raises(StreamMismatch, match="expected gap"):
        model.stream(BATCH)(x[0])


def test_a_step_comes_back_as_what_it_was(tmp_path: Path) -> None:
    data = sequences()
    target = [TARGETS["classes"](one) for one in data]
    model = trained(tmp_path, tt.cells.LSTM(), data, target=target)
    stream, input = model.stream(), batch()[:, 0]
    tensor = stream(input[0])
    stream.reset()
    array = stream(input[0].numpy())
    assert isinstance(tensor, torch.Tensor)
    assert isinstance(array, np.ndarray)
    assert array.shape == (2,)
    assert array.dtype == np.float32
    assert np.array_equal(array, tensor.numpy())


def test_one_array_may_hold_step_after_step(tmp_path: Path) -> None:
    model = trained(
        tmp_path, tt.cells.GRU(), sequences(2), task="forecast", difference=1
    )
    input = batch(2)[:, 0].numpy()
    stream, step = model.stream(), np.empty(2)
    for t, answer in enumerate(whole(model, batch(2))[:, 0].numpy()):
        step[:] = input[t]
        assert np.array_equal(stream(step), answer)


def test_a_state_is_saved_and_restored(tmp_path: Path) -> None:
    model = trained(
        tmp_path, tt.cells.LSTM(), sequences(2), task="forecast", missing="forward"
    )
    input = batch(2, gaps=True)[:, 0]
    stream = model.stream()
    for step in input[:7]:
        stream(step)
    kept = stream.state
    expected = [stream(step) for step in input[7:]]
    other = model.stream()
    other.state = kept
    for step, answer in zip(input[7:], expected, strict=True):
        assert torch.equal(other(step), answer)


def test_what_cannot_be_answered_is_refused(tmp_path: Path) -> None:
    data = sequences()
    target = [TARGETS["classes"](one) for one in data]
    model = trained(tmp_path, tt.cells.LSTM(), data, target=target, bidirectional=True)
    with pytest.raises(TwoDirections, match="bidirectional"):
        model.stream()
    model = trained(tmp_path / "one", tt.cells.LSTM(), data, target=target)
    stream = ModelStream(model)
    with pytest.raises(StreamMismatch, match="shape"):
        stream(np.zeros(4))
    with pytest.raises(ValueMissing):
        stream(np.full(3, np.nan))
    assert stream.state.steps == 0
