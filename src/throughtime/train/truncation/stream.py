"""What every truncation does: a stream in, windows out, the state carried between."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from throughtime.data.stream_batches import Chunk
from throughtime.errors import BadTruncation, TwoDirections
from throughtime.nn import CarriedState
from throughtime.nn.layers import Layers
from throughtime.nn.running import run_steps
from throughtime.train.truncation.steps import Steps
from throughtime.train.truncation.window import Window


class Truncation(ABC):
    """Cuts a stream into windows, in any loop.

    It goes::

        for window in tbptt.windows(chunks):
            output = window.run()
            loss = window.mean(head.loss(head.logits(output), window.targets))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Every loss of the stream counts in one window. Weights may change between windows:
    each is run with those of now, from the state at its start, the newest one that was
    computed for that step.

    Parameters
    ----------
    module
        A recurrent module of one direction, time first.
    state
        The state that the stream begins with; None: all rows begin anew.
    """

    def __init__(self, module: Layers, state: CarriedState | None = None) -> None:
        if module.bidirectional:
            raise TwoDirections(call=type(self).__name__)
        if module.batch_first:
            raise BadTruncation(
                argument="batch_first",
                given=True,
                expected="False",
                advice="build the module time first, as the chunks of a stream are",
            )
        self.module = module
        self._network = partial(run_steps, module)
        self.reset(state)

    def reset(self, state: CarriedState | None = None) -> None:
        """Forget the stream: the next chunk is the first of another one."""
        self._state = self._start = state
        self._steps: Steps | None = None
        # How many of the steps have been counted already.
        self._past = 0
        self._wanted = 0
        self._open: Window | None = None
        # Whether the chunks have come to their end, and not yet all windows.
        self._ended = False

    @property
    def state(self) -> CarriedState | None:
        """The state after the newest step that was run; None before the first."""
        self._settle()
        return self._state

    @property
    def chosen(self) -> str | None:
        """The truncation that it has come to, by its name; None: it never changes."""
        return None

    def windows(self, chunks: Chunk | Iterable[Chunk]) -> Iterator[Window]:
        """Give the windows of a stream, each when the one before was run.

        Parameters
        ----------
        chunks
            One after the other, of any length; row b of each goes on where row b of
            the one before ended. What is left behind the last whole window is a shorter
            one, so a chunk may be read before the window that it decides on is given.
            A further call goes on with the stream. If the last one was left after its
            last chunk, it gives the windows that are left, and reads nothing.

        Raises
        ------
        BadChunk
            A chunk does not go on where the last one ended.
        WindowNotRun
            A window was left without being run.
        """
        if not self._ended:
            for chunk in [chunks] if isinstance(chunks, Chunk) else chunks:
                self._append(Steps.of(chunk))
                yield from self._known(ended=False)
        self._ended = True
        yield from self._known(ended=True)
        self._ended = False

    def state_dict(self) -> dict[str, Any]:
        """All that the next window depends on, beside the weights."""
        self._settle()
        carried = {"state": self._state, "start": self._start}
        return {
            "past": self._past,
            "wanted": self._wanted,
            "ended": self._ended,
            "steps": None if self._steps is None else self._steps.state_dict(),
            **{n: None if s is None else s.state_dict() for n, s in carried.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        steps, device = state["steps"], self.module.like(torch.empty(0)).device
        self._steps = None if steps is None else Steps.from_state(steps, device)
        self._past, self._wanted = state["past"], state["wanted"]
        self._ended = state["ended"]
        self._state, self._start = (
            self._restored(state[name]) for name in ("state", "start")
        )
        self._open = None

    @abstractmethod
    def _want(self) -> int:
        """How many new steps the next window needs."""

    @abstractmethod
    def _edges(self, steps: int, following: int) -> Mapping[int, float]:
        """Where the state is looked at in a window, with the factors of its error."""

    @abstractmethod
    def _kept(self, following: int) -> int:
        """How many steps the next window runs again, at most.

        ``following`` new steps are known that it will count.
        """

    def _ahead(self) -> int:
        """How many steps have to be known behind a window."""
        return 0

    @property
    def _new(self) -> int:
        """How many steps have not been counted."""
        return 0 if self._steps is None else len(self._steps) - self._past

    def _known(self, ended: bool) -> Iterator[Window]:
        """Windows of what was read; all of it where the stream has ended."""
        self._settle()
        while self._new:
            self._wanted = self._wanted or self._want()
            if not ended and self._new < self._wanted + self._ahead():
                return
            yield self._window(min(self._wanted, self._new))
            self._settle()

    def _append(self, steps: Steps) -> None:
        self._settle()
        if self._steps is not None:
            steps = self._steps.followed_by(steps)
        if self._start is None:
            self._start = CarriedState(self.module, steps.rows)
        self._steps = steps

    def _window(self, newest: int) -> Window:
        assert self._steps is not None  # or there would be no new step
        assert self._start is not None
        steps = self._steps.part(0, self._past + newest)
        edges = self._edges(len(steps), self._new - newest)
        window = Window(steps, newest, self._start, self._network, edges)
        self._open = window
        return window

    def _settle(self) -> None:
        """Go on behind the window that was given last."""
        if self._open is None or self._steps is None:
            return
        window, steps = self._open, len(self._open.inputs)
        self._state = window.state_at(steps)
        kept = min(self._kept(self._new - window.steps), steps)
        self._start = window.state_at(steps - kept)
        self._steps = self._steps.part(steps - kept)
        self._past, self._wanted, self._open = kept, 0, None

    def _restored(self, state: Mapping[str, Tensor] | None) -> CarriedState | None:
        if state is None:
            return None
        carried = CarriedState(self.module, len(state["fresh"]))
        carried.load_state_dict(state)
        return carried


def check_steps(argument: str, value: object, least: int, advice: str) -> int:
    """The number, if it is a whole one of at least so many steps."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadTruncation(
            argument=argument,
            given=value,
            expected=f"a whole number of at least {least}",
            advice=advice,
        )
    return value
