"""Gradient flossing as a part of training, before some of its epochs."""

import math
from itertools import chain, repeat
from typing import Any

import torch
from torch import Tensor

from throughtime.diagnose import flossing_loss
from throughtime.errors import FlossingDiverged, UnusedSetting
from throughtime.nn import Recurrent, SparseSequences
from throughtime.train.asking.settings import Settings
from throughtime.train.model import Model, Raw
from throughtime.train.tasks import Task

# One update costs about the Jacobians of so many steps, and what is behind them.
_SEQUENCES = 2
_STEPS = 100
# Adam's, of weights that are a tenth or so: a hundred updates reach any of them.
_RATE = 1e-3


def check_flossing(network: Recurrent, settings: Settings) -> None:
    """Refuse flossing of a network that carries nothing.

    Raises
    ------
    UnusedSetting
        The message names it.
    """
    if settings.flossing is not None and not network.state_names:
        reason = f"{network.graphs[0].cell}, which carries no state"
        raise UnusedSetting(argument="flossing", given=settings.flossing, reason=reason)


class Flossing:
    """Updates of the network's weights that push its Lyapunov exponents towards 0.

    Each is of a few sequences of the training part, in an order that is drawn anew, and
    of their first steps. Tables of a sparse input stay as they are.

    Parameters
    ----------
    model, task, settings
        Of the training.
    """

    def __init__(self, model: Model, task: Task, settings: Settings) -> None:
        self.model, self.task, self.settings = model, task, settings
        network = model.recurrent
        tables = set(network.tables)
        self.parameters = [
            own for name, own in network.named_parameters() if name not in tables
        ]

    def due(self, epoch: int) -> bool:
        """Whether it is done before this epoch, from 1."""
        every = self.settings.flossing_every
        if self.settings.flossing is None:
            return False
        return epoch == 1 if every is None else not (epoch - 1) % every

    def run(self, epoch: int) -> str:
        """Do all updates that are due before this epoch; say what they came to.

        Raises
        ------
        FlossingDiverged, SingularStep, StatesDiverged
            Exponents or their gradient are not finite.
        """
        order = torch.Generator().manual_seed((self.settings.seed + epoch) % 2**64)
        optimizer = torch.optim.Adam(self.parameters, _RATE)
        count, losses = self.settings.flossing or 0, list[float]()
        passes = chain.from_iterable(
            self.task.pieces(order, _SEQUENCES) for _ in repeat(None)
        )
        for update, piece in zip(range(count), passes, strict=False):
            loss = self._loss(*piece)
            found = torch.autograd.grad(loss, self.parameters, allow_unused=True)
            for own, gradient in zip(self.parameters, found, strict=True):
                if gradient is not None and not gradient.isfinite().all():
                    raise FlossingDiverged(given=count, update=update + 1)
                own.grad = gradient
            optimizer.step()
            losses.append(loss.item())
        optimizer.zero_grad()
        first, last = (math.sqrt(losses[place]) for place in (0, -1))
        return (
            f"flossing: {count} updates took the exponents of the network from "
            f"{first:.3g} to {last:.3g} per step, in root mean square"
        )

    def _loss(self, raw: Raw, inputs: dict[str, Tensor], lengths: Tensor) -> Tensor:
        """The loss of some sequences, of their first steps."""
        network, device = self.model.recurrent, self.model.head.weight.device
        sparse = isinstance(raw, SparseSequences)
        some = raw.between(0, _STEPS) if sparse else raw[:_STEPS]
        further = {name: value[:_STEPS].to(device) for name, value in inputs.items()}
        with torch.no_grad():
            vectors, own = self.model.read(some.to(device), **further)
        others: dict[str, Any] = own
        # Sparse sequences know their own.
        known = None if sparse else lengths.clamp(max=_STEPS)
        return flossing_loss(network, vectors, lengths=known, **others)
