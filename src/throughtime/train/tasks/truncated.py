"""The training part as a stream without end: truncated backpropagation through time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from throughtime.data import TextStreams
from throughtime.data.stream_batches import Chunk
from throughtime.train.model import Model
from throughtime.train.tasks.activity import activity, penalty
from throughtime.train.tasks.answers import Answers, Rerun, known
from throughtime.train.tasks.stretches import readers_of
from throughtime.train.tasks.weights import ClassWeights
from throughtime.train.truncation import Rule, Window


class Source(Protocol):
    """The training part side by side, pass after pass, that knows where it is.

    To iterate gives what is left of a pass, or the next one. The last input of a step
    is how much its sequence counts, where it `weighs`.
    """

    weighs: bool

    def __iter__(self) -> Iterator[Chunk]: ...

    def sequences(self, window: Window) -> int:
        """Count the sequences of a window."""

    def place(self, step: Tensor) -> str:
        """Name what a step with the inputs ``(n,)`` has read."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Truncated:
    """The training part in windows, the state carried from one to the next.

    A window is run with the weights of then; the answers are those to its newest steps,
    each once in a pass. Where the truncation is random, a loss is divided by what a
    window has in the mean.

    Parameters
    ----------
    model
        What answers.
    source
        The stream.
    rule
        How it is cut.
    order
        Draws where a random truncation cuts.
    weights
        Let classes count more, or less.
    activity_l1
        The factor of the penalty on activity; None: there is none.
    """

    def __init__(
        self,
        model: Model,
        source: Source,
        rule: Rule,
        order: torch.Generator,
        weights: ClassWeights | None = None,
        activity_l1: float | None = None,
    ) -> None:
        self.model, self.source, self.rule, self.weights = model, source, rule, weights
        self.activity_l1 = activity_l1
        self.truncation = rule.make(model.recurrent, order)
        self._widths = [reader.width for reader in readers_of(model)]

    def __iter__(self) -> Iterator[Answers]:
        for window in self.truncation.windows(self._chunks()):
            rerun = self._rerun(window)
            yield rerun.answer()._replace(rerun=rerun)
        self.truncation.reset()

    @property
    def tbptt(self) -> str | None:
        """The truncation that was chosen last; None: it is what was asked for."""
        return self.truncation.chosen

    def state_dict(self) -> dict[str, Any]:
        """Say which steps come next, and all that was read and is needed for them."""
        return {
            "source": self.source.state_dict(),
            "truncation": self.truncation.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.source.load_state_dict(state["source"])
        self.truncation.load_state_dict(state["truncation"])

    def _chunks(self) -> Iterable[Chunk]:
        device = self.model.head.weight.device
        for chunk in self.source:
            assert chunk.targets is not None
            inputs, targets = chunk.inputs.to(device), chunk.targets.to(device)
            yield Chunk(inputs, targets, chunk.lengths, chunk.resets)

    def _answer(self, window: Window) -> Answers:
        head = self.model.head
        active: list[Tensor] = []
        hidden = window.run(partial(self._network, active))
        logits, targets = head.logits(hidden), window.targets
        each = head.each(logits, targets)
        counts = known(targets) & window.counts
        losses = plain = each.sum(-1).where(counts, 0)
        if self.weights is not None:
            losses = (each * self.weights(targets)).sum(-1).where(counts, 0)
        shares = counts.to(losses)
        if self.source.weighs:
            counted = window.inputs[-window.steps :, :, -1].to(losses)
            losses, shares = losses * counted, shares * counted
        window.sum(losses)  # here an adaptive truncation looks at them
        added = None
        if self.activity_l1:
            newest = torch.cat(active)[-window.steps :]
            added = penalty(self.activity_l1, newest, window.counts, shares)
        rule, rows = self.rule, counts.shape[1]
        return Answers(
            logits,
            targets,
            losses,
            plain,
            counts,
            self.source.sequences(window),
            int(window.counts.sum()),
            penalty=added,
            updates=1.0 if rule.regular else window.steps / rule.steps,
            over=None if rule.mean_length is None else rule.mean_length * rows,
        )

    def _rerun(self, window: Window) -> Rerun:
        def answer() -> Answers:
            return self._answer(window)

        def place(row: int, step: int | None) -> str:
            assert step is not None  # each has its answer
            return self.source.place(window.inputs[step, row])

        return Rerun(answer, torch.get_rng_state(), place)

    def _network(
        self, active: list[Tensor], numbers: Tensor, state: Any, **packing: Any
    ) -> tuple[Tensor, Any]:
        """Run the layers on what was read, ``(T, B, n)``, and note their activity."""
        dtype = self.model.head.weight.dtype
        read = numbers[..., : sum(self._widths)]
        own, *further = read.split(self._widths, -1)
        pairs = zip(self.model.inputs.items(), further, strict=True)
        inputs = {name: reader.vectors(one, dtype) for (name, reader), one in pairs}
        x = self.model.columns.vectors(own, dtype)
        if not self.activity_l1:
            return self.model.recurrent(x, state, **packing, **inputs)
        output, after, layers = self.model.recurrent(
            x, state, return_layers=True, **packing, **inputs
        )
        active.append(activity(layers))
        return output, after


class TextSource:
    """A text in parallel streams, pass after pass.

    Parameters
    ----------
    streams
        The chunks of a pass.
    named
        Names a symbol of them.
    """

    weighs = False

    def __init__(self, streams: TextStreams, named: Callable[[int], str]) -> None:
        self.streams, self.named = streams, named
        self._done = 0

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self.streams.after(self._done):
            self._done += 1
            inputs = torch.stack([chunk.inputs, chunk.places], -1).double()
            yield Chunk(inputs, chunk.targets[..., None])
        self._done = 0

    def sequences(self, window: Window) -> int:
        """Count the streams."""
        return window.counts.shape[1]

    def place(self, step: Tensor) -> str:
        """Name the symbol that a step has read."""
        return self.named(int(step[-1]))

    def state_dict(self) -> dict[str, Any]:
        """Say which chunk comes next."""
        return {"done": self._done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._done = state["done"]
