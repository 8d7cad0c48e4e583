"""Outputs and their losses: three pairs, one δ.

===========  ====================  ==================================  ==============
head         output                loss of one answer                  δ = ∂loss/∂a
===========  ====================  ==================================  ==============
`Softmax`    ``exp a / Σ exp a``   cross-entropy of the class          output − target
`Sigmoid`    ``σ(a)``, per label   sum of the binary cross-entropies   output − target
`Linear`     ``a``                 half the squared error, summed      output − target
===========  ====================  ==================================  ==============

``a`` are the logits, one linear map of what the network gives; it runs through the
same engine as every layer. A loss is computed from logits, never from outputs, so it
stays finite where a probability rounds to 0.

`pool` makes one answer of all steps of a sequence, `mean_loss` one number of all losses
of a batch.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from throughtime.cells import Feedforward
from throughtime.errors import BadTarget, HeadSizeMismatch, UnknownChoice
from throughtime.graph import trace
from throughtime.nn.choice import check_backend, choose
from throughtime.nn.execution import run_layer
from throughtime.nn.packing import checked_lengths
from throughtime.nn.precision import own_precision
from throughtime.nn.settings import check_flag, check_size

Pooling = Literal["last", "mean", "max"]
Reduction = Literal["mean", "sum"]


class Head(nn.Module, ABC):
    """A linear map to logits; subclasses add what is read from them, and a loss.

    Parameters
    ----------
    input_size
        H, the units that the network gives.
    output_size
        K, the numbers of one answer.
    zeros
        Whether the network leaves many units exactly 0, see `Layers.leaves_zeros`:
        compiled products may leave them out, then.
    backend
        As in `Recurrent`.
    device, dtype
        Of the weights, as in `torch.nn.Linear`, which also draws them so.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        zeros: bool = False,
        backend: str = "auto",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("input_size", input_size)
        check_size("output_size", output_size)
        self.input_size, self.output_size = input_size, output_size
        self.backend = check_backend(backend)
        check_flag("zeros", zeros)
        graph = trace(Feedforward("identity"), input_size, output_size)
        self.graph = replace(graph, zeros=("x",)) if zeros else graph
        shape = (output_size, input_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(output_size, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, the numbers that `torch.nn.Linear` would draw."""
        bound = 1 / math.sqrt(self.input_size)
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.uniform_(self.bias, -bound, bound)

    def logits(self, input: Tensor) -> Tensor:
        """Map ``(…, H)`` to ``(…, K)``."""
        if input.shape[-1:] != (self.input_size,):
            raise HeadSizeMismatch(
                head=type(self).__name__,
                given=tuple(input.shape),
                expected=self.input_size,
            )
        rows = input.reshape(-1, self.input_size)
        choice = choose(self.backend, (self.graph,), "", rows.dtype, rows.device)
        with own_precision(rows.device):
            answers, _ = run_layer(
                self.graph,
                {"x": rows},
                [],
                {"weight": self.weight, "bias": self.bias},
                steps=1,
                batch=rows.shape[0],
                counts=None,
                reverse=False,
                backend=choice.backend,
            )
        return answers.reshape(*input.shape[:-1], self.output_size)

    def forward(self, input: Tensor) -> Tensor:
        """Give the outputs ``(…, K)`` for ``(…, H)``."""
        return self.activate(self.logits(input))

    @abstractmethod
    def activate(self, logits: Tensor) -> Tensor:
        """Turn logits into outputs, both ``(…, K)``."""

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the loss of each answer ``(…)``, not reduced.

        Raises
        ------
        HeadSizeMismatch, BadTarget
            As in `each`.
        """
        return self.each(logits, target).sum(-1)

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the losses that make up that of an answer, ``(…, n)``.

        One for each label or number; a softmax has one in all.

        Raises
        ------
        HeadSizeMismatch, BadTarget
            The logits do not end in K, or the target does not fit them.
        """
        if logits.shape[-1:] != (self.output_size,):
            raise HeadSizeMismatch(
                head=type(self).__name__,
                given=tuple(logits.shape),
                expected=self.output_size,
            )
        self._check_target(logits, target)
        return self._each(logits, target)

    def _check_target(self, logits: Tensor, target: Tensor) -> None:
        """Refuse what would be broadcast; subclasses look at the dtype, too."""
        check_shape(target, logits.shape)
        if target.is_complex():
            raise BadTarget(
                argument="target",
                given=target.dtype,
                expected="real numbers",
                advice="convert it first",
            )

    @abstractmethod
    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the losses ``(…, n)`` of what fits together."""

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.output_size}"


class Softmax(Head):
    """One of K classes.

    Targets are classes, ``(…)`` whole numbers. The loss of the target −100, torch's
    mark for what does not count, is 0.
    """

    def activate(self, logits: Tensor) -> Tensor:
        """Give the probability of each class ``(…, K)``."""
        return torch.softmax(logits, -1)

    def _check_target(self, logits: Tensor, target: Tensor) -> None:
        check_shape(target, logits.shape[:-1])
        check_classes(target)

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the cross-entropy of each answer ``(…, 1)``, in nats."""
        return cross_entropy(logits, target)[..., None]


class Sigmoid(Head):
    """Any of K labels, each on its own.

    Targets are ``(…, K)``, 0 or 1 of any dtype, or a probability between. NaN marks
    what does not count: its loss is 0.
    """

    def activate(self, logits: Tensor) -> Tensor:
        """Give the probability of each label ``(…, K)``."""
        # A softmax of two has the same bits wherever a number stands; torch.sigmoid
        # computes the last few of an array by other instructions than the others.
        pairs = torch.stack([logits, torch.zeros_like(logits)], -1)
        return torch.softmax(pairs, -1)[..., 0]

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the binary cross-entropy of each label ``(…, K)``, in nats."""
        known = ~target.isnan()
        # Replaced before the loss: a NaN behind `where` would spoil the gradient.
        losses = functional.binary_cross_entropy_with_logits(
            logits, target.where(known, 0).to(logits.dtype), reduction="none"
        )
        return losses.where(known, 0)


class Linear(Head):
    """K real numbers. Targets are ``(…, K)``; NaN does not count, its loss is 0."""

    def activate(self, logits: Tensor) -> Tensor:
        """Give the logits themselves ``(…, K)``."""
        return logits

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give half the squared error of each number ``(…, K)``."""
        error = logits - target.to(logits.dtype)
        return error.where(~target.isnan(), 0).square() / 2


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Give the losses ``(…)`` of logits ``(…, K)`` and classes ``(…)``, in nats."""
    classes = logits.shape[-1]
    try:
        losses = functional.cross_entropy(
            logits.reshape(-1, classes), target.reshape(-1).long(), reduction="none"
        )
    except IndexError as error:
        # Looked at by torch on the way, so that a right target costs nothing.
        raise BadTarget(
            argument="target",
            given=f"out of range ({error})",
            expected=f"classes from 0 to {classes - 1}, or -100",
            advice="build the head with as many classes as there are",
        ) from None
    return losses.reshape(target.shape)


def check_classes(target: Tensor) -> None:
    """Refuse what are no places of classes."""
    if target.is_floating_point() or target.is_complex():
        raise BadTarget(
            argument="target",
            given=target.dtype,
            expected="whole numbers, the places of the classes",
            advice="convert it, such as by target.long()",
        )


def check_shape(target: Tensor, expected: tuple[int, ...]) -> None:
    """Refuse a target of another shape, which torch might silently broadcast."""
    if target.shape != expected:
        raise BadTarget(
            argument="target",
            given=f"of shape {tuple(target.shape)}",
            expected=f"{tuple(expected)} as the logits say",
            advice="give one target per answer",
        )


def pool(
    output: Tensor, lengths: Tensor, how: Pooling = "last", *, directions: int = 1
) -> Tensor:
    """Make one vector of all steps of a sequence.

    Parameters
    ----------
    output
        ``(T, B, D·H)``, as `Recurrent` gives it.
    lengths
        ``(B,)``, the steps of each sequence that count.
    how
        ``"last"``: the step that a direction computes last, which for the reverse
        direction is the first. ``"mean"`` and ``"max"``: over the steps that count.
        A sequence of length 0 gives zeros.
    directions
        D.

    Returns
    -------
    torch.Tensor
        ``(B, D·H)``.
    """
    lengths = checked_lengths(lengths, output.shape[0], output.shape[1])
    alive = _alive(output, lengths)
    match how:
        case "last":
            last = (lengths.to(output.device) - 1).clamp(min=0)
            at_end = output[last, torch.arange(output.shape[1], device=output.device)]
            if directions == 2:
                half = output.shape[2] // 2
                at_end = torch.cat([at_end[:, :half], output[0, :, half:]], -1)
            return at_end.where(alive[0, :, None], 0)
        case "mean":
            total = output.where(alive[..., None], 0).sum(0)
            return total / lengths.to(total).clamp(min=1)[:, None]
        case "max":
            highest = output.where(alive[..., None], -math.inf).amax(0)
            return highest.where(alive[0, :, None], 0)
        case _:
            raise UnknownChoice(
                argument="how", given=how, hint="", known="'last', 'mean', 'max'"
            )


def mean_loss(
    losses: Tensor,
    lengths: Tensor | None = None,
    *,
    time: Reduction | None = None,
    batch: Reduction = "mean",
) -> Tensor:
    """Make one number of all losses: over the steps of a sequence, then the batch.

    With ``batch="mean"`` the loss of a padded batch, and so its gradient, is exactly
    the mean of those of its sequences alone, whatever their lengths.

    Parameters
    ----------
    losses
        ``(B,)`` for one answer per sequence, ``(T, B)`` for one per step.
    lengths
        ``(B,)``, for ``(T, B)``: later steps do not count. None: all steps count.
    time
        For ``(T, B)``. ``"mean"``, which None stands for: every sequence weighs the
        same. ``"sum"``: every step does.
    batch
        ``"mean"`` over the sequences, or their ``"sum"``.

    Raises
    ------
    BadTarget, UnknownChoice
        The shapes do not fit, an argument has nothing to act on, or a word is unknown.
    """
    for argument, how in (("time", time or "mean"), ("batch", batch)):
        if how not in {"mean", "sum"}:
            raise UnknownChoice(
                argument=argument, given=how, hint="", known="'mean', 'sum'"
            )
    _check_losses(losses, lengths, time)
    if losses.dim() == 2:
        losses = _over_time(losses, lengths, time or "mean")
    return losses.mean() if batch == "mean" else losses.sum()


def _check_losses(losses: Tensor, lengths: Tensor | None, time: object) -> None:
    shape = tuple(losses.shape)
    if len(shape) not in {1, 2}:
        raise BadTarget(
            argument="losses",
            given=f"of shape {shape}",
            expected="(B,) or (T, B)",
            advice="give what a head's loss() returned",
        )
    for argument, given in (("lengths", lengths), ("time", time)):
        if len(shape) == 1 and given is not None:
            raise BadTarget(
                argument=argument,
                given=f"given with losses of shape {shape}",
                expected="None, as there is one loss per sequence and no time",
                advice="leave it out",
            )
    if lengths is not None and tuple(lengths.shape) != shape[1:]:
        raise BadTarget(
            argument="lengths",
            given=f"of shape {tuple(lengths.shape)}",
            expected=f"{shape[1:]} for losses of shape {shape}",
            advice="give one length per sequence",
        )


def _over_time(losses: Tensor, lengths: Tensor | None, time: Reduction) -> Tensor:
    if lengths is None:
        return losses.mean(0) if time == "mean" else losses.sum(0)
    total = losses.where(_alive(losses, lengths), 0).sum(0)
    return total / lengths.to(total).clamp(min=1) if time == "mean" else total


def _alive(steps: Tensor, lengths: Tensor) -> Tensor:
    """Which steps count: ``(T, B)`` for anything that begins with T, B."""
    step = torch.arange(steps.shape[0], device=steps.device)
    return step[:, None] < lengths.to(steps.device)
