"""Sequences whose steps name a few of many items, read densely and as rows."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.train.cutting import Cutting, run_on
from tests.train.learning.training import settings_of
from tests.train.tables import booleans, table
from throughtime.cells import GRU
from throughtime.data import Question, SequenceDataset
from throughtime.nn import Recurrent, SparseSequences
from throughtime.train.asking.settings import Settings
from throughtime.train.interruption import Interruption
from throughtime.train.learning import Loop
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

F = 40


def items(count: int = 70) -> SequenceDataset:
    """Sequences of 1 to 5 steps that name one or two of 40 items, the first ones often.

    Their class is whether item 0 is named.
    """
    draw = np.random.default_rng(4)
    chance = 1 / np.arange(1, F + 1)
    matrices = []
    for _ in range(count):
        steps = np.zeros((int(draw.integers(1, 6)), F + 1))
        for step in steps:
            size = int(draw.integers(1, 3))
            step[draw.choice(F, size, replace=False, p=chance / chance.sum())] = 1
        steps[:, F] = steps[:, 0].max()
        matrices.append(steps)
    columns = booleans(*(f"item{k}" for k in range(F)), "bought")
    question = Question("multilabel", "sequence")
    return table(matrices, question, columns[:F], columns[F:])


ITEMS = items()


class OfItems(Model):
    """A model that gives its network the items alone, as rows or densely."""

    def read(self, input: Tensor, **_: Tensor) -> tuple[Any, dict[str, Tensor]]:
        x = input.to(self.head.weight.dtype)
        if not self.network.sparse_input:
            return x, {}
        each = [one.to_sparse() for one in x.unbind(1)]
        return SparseSequences.of(each, F, dtype=x.dtype), {}

    def hidden(
        self,
        input: Tensor,
        state: Any = None,
        *,
        lengths: Tensor | None = None,
        **_: Tensor,
    ) -> tuple[Tensor, Any]:
        x, _ = self.read(input)
        if not isinstance(x, SparseSequences):
            return self.network(x, state, lengths=lengths)
        assert lengths is not None
        return self.network(replace(x, lengths=lengths.cpu()), state)


def model_of(settings: Settings, sparse: bool) -> Model:
    """Two layers; rows and columns start from the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        made = make_model(GRU(), ITEMS, settings)
        options: dict[str, Any] = {"num_layers": 2, "dtype": settings.torch_dtype}
        network = Recurrent(GRU(), F, settings.hidden_size, **options)
        if sparse:
            dense = network.state_dict()
            options["sparse_input"] = True
            network = Recurrent(GRU(), F, settings.hidden_size, **options)
            network.load_state_dict(dense)
    parts = made.schema, made.question, made.reader, made.inputs
    return OfItems(*parts, network, made.head, made.output, made.pooling)


def learn_items(
    folder: Path, sparse: bool = True, after: int | None = None, **said: Any
) -> Mapping[str, Any]:
    """Train, or go on with the training in a folder; give its last checkpoint."""
    settings = settings_of(ITEMS, **{"batch_size": 4, **said})
    folder.mkdir(exist_ok=True)
    model, task = model_of(settings, sparse), make_task(ITEMS, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        loop = Loop(model, task, settings, folder, Cutting(after), Interruption())
        return run_on(loop, after)
