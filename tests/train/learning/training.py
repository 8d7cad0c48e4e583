"""Trainings that are watched from inside, and the same ones written by hand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

import throughtime as tt
from tests.train.conftest import UNSAID, make_sequences
from tests.train.cutting import Cutting, run_on
from throughtime.cells import GRU
from throughtime.data import Dataset, SequenceDataset, Split
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.interruption import Interruption
from throughtime.train.learning import Loop
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.preparing.regularising import regularised
from throughtime.train.tasks import Answers, OfSequences, make_task

SIGNS = make_sequences(105)  # 35 to learn from: with batches of 8 the last has 3
SMALL = {"hidden_size": 4, "epochs": 2, "batch_size": 8, "dtype": "float64"}
SMALL |= {"learning_rate": 0.02, "save_every": 0.0}


class StoppedWhileValidated(OfSequences):
    """A task in whose second validation somebody asks to stop."""

    def __init__(self, dataset: SequenceDataset, settings: Settings) -> None:
        super().__init__(dataset, settings)
        self.interruption, self.validations = Interruption(), 0

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        self.validations += 1
        self.interruption.wanted = self.validations == 2
        return super().evaluate(model, split)


def settings_of(dataset: Dataset = SIGNS, **said: Any) -> Settings:
    return settle(dataset, {**UNSAID, **SMALL, **said})


def learn(
    folder: Path,
    after: int | None = None,
    dataset: Dataset = SIGNS,
    cell: tt.Cell | None = None,
    kind: type[OfSequences] | None = None,
    **said: Any,
) -> dict[str, Any]:
    """Train, or go on with the training in a folder; give its last checkpoint.

    With `after` it is cut off behind so many batches, of which all are in the
    checkpoint but those of an update that is not complete.
    """
    settings = settings_of(dataset, **said)
    folder.mkdir(exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = make_model(regularised(cell or GRU(), settings), dataset, settings)
        task = (kind or make_task)(dataset, settings)
        interruption = getattr(task, "interruption", Interruption())
        loop = Loop(model, task, settings, folder, Cutting(after), interruption)
        return run_on(loop, after)


def cut_and_resumed(
    folder: Path, after: int, again: int = 2, **said: Any
) -> dict[str, Any]:
    """Train, cut off twice."""
    learn(folder, after, **said)
    learn(folder, again, **said)
    return learn(folder, **said)


def by_hand(
    make: Callable[[Model], Optimizer],
    after_update: Callable[[Model], None] = lambda model: None,
    before_update: Callable[[Model], None] = lambda model: None,
    after_epoch: Callable[[Model], None] = lambda model: None,
    **said: Any,
) -> dict[str, Tensor]:
    """Train with nothing but PyTorch; give the last weights."""
    settings = settings_of(**said)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = make_model(GRU(), SIGNS, settings)
    task, order = OfSequences(SIGNS, settings), torch.Generator()
    order.manual_seed(settings.seed)
    optimizer = make(model)
    for _ in range(settings.epochs):
        for batch in task.epoch(order):
            optimizer.zero_grad()
            task.learned(model, batch).loss().backward()
            before_update(model)
            optimizer.step()
            after_update(model)
        after_epoch(model)
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare two states to the bit, all but what a clock says."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            if "seconds" not in str(name) and "per_second" not in str(name):
                assert_same(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for place, value in enumerate(expected):
            assert_same(found[place], value, f"{where}[{place}]")
    elif isinstance(expected, Tensor):
        assert found.dtype == expected.dtype, where
        assert torch.equal(found, expected), where
    else:
        assert found == expected, where
