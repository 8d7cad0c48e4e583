"""The flow penalty in a training: its gradient beside that of the loss."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from throughtime.diagnose import FlowPenalty
from throughtime.errors import UnusedSetting
from throughtime.nn import Recurrent
from throughtime.train.tasks import Answers


class Flow:
    """Adds λΩ to what an update makes small, after the backward pass of the loss.

    Each answer adds λ times Ω of its sequence, so that parts of a batch, on several
    ranks too, are the batch.

    Parameters
    ----------
    network
        Whose error flows.
    factor
        λ; None or 0: nothing is added, and nothing is noted.
    """

    def __init__(self, network: Recurrent, factor: float | None) -> None:
        self.factor = factor or 0.0
        self._penalty = FlowPenalty(network) if self.factor else None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what the network is called with meanwhile."""
        if self._penalty is None:
            yield
            return
        with self._penalty:
            yield

    def add(self, answers: Answers, weight: Tensor | float) -> None:
        """Add to the gradients that of λΩ of a batch.

        Parameters
        ----------
        answers
            To the batch, whose loss has flowed back.
        weight
            What its loss was multiplied by.
        """
        if self._penalty is None:
            return
        omega = self._penalty.penalty()
        counts = answers.counts.to(omega).reshape(-1, len(omega)).sum(0)
        mean = (omega * counts).sum() / answers.weight().to(omega).clamp(min=1)
        (mean * self.factor * weight).backward()


def check_flow(network: Recurrent, factor: float | None) -> None:
    """Refuse a penalty on the flow of error where nothing can flow.

    Raises
    ------
    UnusedSetting
        The cell has no state, or cuDNN was asked for, which gives no error of a step.
    """
    if factor is None:
        return
    reason = ""
    if not network.state_names:
        reason = f"{network.graphs[0].cell}, which has no state"
    elif network.backend == "cudnn":
        reason = "backend='cudnn', which tells no error of a single step"
    if reason:
        raise UnusedSetting(argument="flow_penalty", given=factor, reason=reason)
