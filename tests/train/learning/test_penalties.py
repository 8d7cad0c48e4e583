"""The optimisers of `throughtime.optim` by name, with penalties of what reads x."""

from pathlib import Path
from typing import Any

import pytest
import torch

import throughtime as tt
from tests.train.learning.training import (
    SIGNS,
    assert_near,
    assert_same,
    cut_and_resumed,
    learn,
    settings_of,
)
from tests.train.tables import booleans, drawn, numbers, table
from throughtime.cells import GRU
from throughtime.data import Question, SequenceDataset
from throughtime.errors import SettingError, UnusedSetting
from throughtime.train.descent.optimizers import PENALISING
from throughtime.train.descent.penalties import weights_of_input
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import OfSequences


def noisy() -> SequenceDataset:
    """Whether the last of column a is above its mean; b to f say nothing."""
    matrices = drawn(80, 7)
    for matrix in matrices:
        matrix[:, 6] = matrix[-1, 0] > 3
    question = Question("multilabel", "sequence")
    return table(matrices, question, numbers(*"abcdef"), booleans("y"))


NOISY = noisy()
WEIGHT = "network.weight_ih_l0"
SAID: dict[str, Any] = {
    "optimizer": "lazy-fobos",
    "learning_rate": 0.5,
    "l1": 0.1,
    "l2": 1e-3,
    "epochs": 8,
    "clip": 0.0,
}


def written_by_hand(rate: float, l1: float, l2: float, epochs: int) -> dict[str, Any]:
    """Forward-backward splitting of one weight, descent of all others."""
    settings = settings_of(NOISY, **SAID)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = make_model(GRU(), NOISY, settings)
    task, order = OfSequences(NOISY, settings), torch.Generator()
    order.manual_seed(settings.seed)
    weights = dict(model.named_parameters())
    for _ in range(epochs):
        for batch in task.epoch(order):
            model.zero_grad()
            task.learned(model, batch).loss().backward()
            with torch.no_grad():
                for name, weight in weights.items():
                    moved = weight - rate * weight.grad  # type: ignore[operator]
                    if name == WEIGHT:
                        kept = (moved.abs() - rate * l1).clamp(min=0)
                        moved = moved.sign() * kept / (1 + rate * l2)
                    weight.copy_(moved)
    return {name: weight.detach().clone() for name, weight in weights.items()}


def test_columns_that_say_nothing_lose_all_their_weights(tmp_path: Path) -> None:
    found = learn(tmp_path, dataset=NOISY, schedule="constant", **SAID)["model"]
    expected = written_by_hand(0.5, 0.1, 1e-3, 8)
    assert_near(found, {name: expected.get(name, found[name]) for name in found})
    zeros = (found[WEIGHT] == 0).double().mean(0)
    assert zeros[0] < 1
    assert (zeros == 1).sum() >= 2  # whole columns
    assert not (found["network.weight_hh_l0"] == 0).any()


@pytest.mark.parametrize("name", PENALISING)
def test_a_training_that_was_cut_off_ends_in_the_same_bits(
    name: str, tmp_path: Path
) -> None:
    said = {"optimizer": name, "l1": 1e-3, "l2": 1e-2, "accumulate": 2}
    whole = learn(tmp_path / "whole", **said)
    assert_same(cut_and_resumed(tmp_path / "cut", 7, **said), whole)


def test_a_run_says_and_repeats_them(tmp_path: Path) -> None:
    said: dict[str, Any] = {"hidden_size": 4, "threads": 1, "batch_size": 8}
    said |= {"optimizer": "LazyFOBOS", "l1": 1e-3, "l2": 1e-4}
    out = tmp_path / "run"
    tt.fit(GRU(), SIGNS, out=out, epochs=1, schedule="constant", **said)
    text = (out / "config.toml").read_text()
    for line in ('optimizer = "lazy-fobos"', "l1 = 0.001", "l2 = 0.0001"):
        assert line in text
    said["optimizer"] = "lazy-fobos"
    more = {**said, "schedule": "constant", "epochs": 2}
    run = tt.fit(GRU(), SIGNS, out=out, resume=True, **more)
    whole = tt.fit(GRU(), SIGNS, out=tmp_path / "whole", **more)
    files = [one.path / "model.safetensors" for one in (run, whole)]
    assert files[0].read_bytes() == files[1].read_bytes()


class Summed(tt.Cell):
    """x is read by a matrix behind a square, by a vector, and by one with the state."""

    square = tt.Parameter("hidden", "input")
    wide = tt.Parameter("hidden", "hidden+input")
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        both = tt.math.concat(h, x)
        return tt.math.tanh(tt.math.abs(self.square) @ (x * x) + self.wide @ both)


class Beside(tt.Cell):
    """No matrix has columns of x alone."""

    wide = tt.Parameter("hidden", "hidden+input")
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        return tt.math.tanh(self.wide @ tt.math.concat(h, x))


def test_weights_that_read_the_input_are_those_of_the_first_layer() -> None:
    def names(network: tt.nn.Recurrent) -> list[str]:
        own: dict[int, str] = {id(w): n for n, w in network.named_parameters()}
        return [own[id(one)] for one in weights_of_input(network)]

    both = ["weight_ih_l0", "weight_ih_l0_reverse"]
    more: dict[str, Any] = {"num_layers": 2, "bidirectional": True}
    cell = tt.cells.VariationalDropout(tt.cells.LSTM(), 0.2)
    for one in (tt.cells.LSTM(), cell, tt.cells.GRU(reset_after=False)):
        assert names(tt.nn.Recurrent(one, 4, 4, **more)) == both
    sparse = tt.nn.Recurrent(tt.cells.LSTM(), 4, 4, sparse_input=True, **more)
    assert names(sparse) == both
    assert names(tt.nn.Recurrent(Summed(), 4, 3)) == ["square_l0"]
    assert names(tt.nn.Recurrent(Beside(), 4, 3)) == []


def test_penalties_without_such_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusedSetting, match=r"l2=0.1, expected none for Beside.*reads"):
        tt.fit(Beside(), SIGNS, optimizer="lazy-sgd", l2=0.1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", PENALISING)
def test_hyphens_and_capitals_may_be_left_out(name: str) -> None:
    kind = PENALISING[name].__name__
    for given in (name, kind, kind.lower(), name.upper()):
        assert settings_of(optimizer=given).optimizer == name


def test_the_step_width_if_nothing_is_said() -> None:
    def told(name: str) -> tuple[float, str]:
        settings = settings_of(optimizer=name, learning_rate=None)
        return settings.learning_rate, settings.schedule

    assert told("lazy-sgd") == told("lazy-fobos") == (0.5, "cosine")
    assert told("lazy-adagrad") == (0.1, "constant")
    assert told("ftrl-proximal") == (0.3, "constant")
    assert told("adam") == (5e-3, "cosine")
    settings_of(optimizer="ftrl-proximal", schedule="step")
    settings_of(optimizer="lazy-adagrad", schedule="plateau")
    settings_of(optimizer="lazy-sgd", weight_decay=0.0, momentum=0.0)
    settings_of(optimizer="ftrl-proximal", optimizer_options={"beta": 0.5})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"optimizer": "adam", "l1": 0.1}, "l1=0.1 does not fit.*weight_decay in its"),
        ({"optimizer": "adagrad", "l2": 0.0}, "l2=0.0 .*lazy-fobos"),
        ({"l1": -1.0}, "l1=-1.0, expected a finite number of at least 0"),
        ({"momentum": 0.9}, "momentum=0.9 does not fit .*velocity.*lazyadagrad"),
        ({"weight_decay": 0.1}, "weight_decay=0.1 does not fit.*by its name, l2"),
        ({"optimizer_options": {"betas": 1}}, "none of that name.*expected none"),
        (
            {"optimizer": "lazy-sgd", "learning_rate": 2.0, "l2": 0.5},
            "l2=0.5 does not fit.*learning_rate . l2 = 1 turns.*lazy-fobos",
        ),
        (
            {"optimizer": "ftrl-proximal", "optimizer_options": {"beta": -1.0}},
            "'beta': -1.0.*at least 0",
        ),
        ({"learning_rate": 1e39, "dtype": "float32"}, "learning_rate=1e.39.*beyond"),
        (
            {"optimizer": "lazy-adagrad", "schedule": "cosine"},
            "schedule='cosine' cannot be used here .*settles every row.*'constant'",
        ),
        (
            {
                "optimizer": "ftrl-proximal",
                "schedule": "cycliclr",
                "schedule_options": {"base_lr": 0.01},
            },
            "schedule='cycliclr' cannot be used here .*sums of every row",
        ),
        (
            {"optimizer": "lazy-adagrad", "warmup": 3},
            "warmup=3 does not fit optimizer='lazy-adagrad'",
        ),
        ({"optimizer": "SparseAdam"}, "takes sparse gradients alone"),
    ],
)
def test_what_does_not_fit_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=f"(?is){words}"):
        settings_of(**{"optimizer": "lazy-fobos", **said})


def test_estimators_have_them() -> None:
    X = drawn(12, 2)
    y = [float(x[-1, 0]) for x in X]
    model = tt.estimators.SequenceRegressor(
        "gru", hidden_size=3, epochs=1, optimizer="lazy-fobos", l1=10.0, random_state=0
    )
    model.fit(X, y)
    assert not model.model_.network.get_parameter("weight_ih_l0").any()
    model.partial_fit(X, y)
