"""Long sequences side by side, cut into chunks that follow each other.

Row b of a chunk goes on where row b of the chunk before ended. Where its sequence ends
the next one begins, at the very next step, and is marked, so that no step is padding
before the sequences run out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.errors import BadSequences, NotPositive


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some steps of B rows.

    `inputs` is `(T, B, …)`. `targets`, if any, are `(T, B, …)`; `lengths` `(B,)` says
    how many steps of each row there are, and `resets` `(T, B)` at which of them a new
    sequence begins. None: all steps, and no sequence but the row's. `places` `(T, B)`
    says which sequence each step is of, −1 where there is none.
    """

    inputs: Tensor
    targets: Tensor | None = None
    lengths: Tensor | None = None
    resets: Tensor | None = None
    places: Tensor | None = None


class StreamBatches:
    """Every step of every sequence once, in chunks of B rows.

    To iterate gives the chunks that are left of a pass over all sequences, from where
    the last iteration stopped; once one has come to the end, those of the next pass.
    Zeros stand behind a row's end, which comes only when no sequence is left.

    Parameters
    ----------
    sequences
        N arrays or tensors `(T_i, F)`, or `(T_i,)`, such as symbols. Or whatever else
        has a length, a `shape` and a `dtype` and gives steps by slices, such as a data
        set in a file: it is read as the stream goes, the steps of a chunk at a time,
        each sequence from its first step to its last.
    batch_size
        B, the number of rows.
    steps
        T, the steps of a chunk; the last of a pass may have fewer.
    targets
        Targets of each step, `(T_i, …)` for each sequence.
    generator
        Draws the order of the sequences, a new one for each pass. Without it they come
        as they are given.
    share
        Which of the rows are given, and read; None: all. So several processes follow
        one part of them each, in chunks of the same steps.

    Raises
    ------
    NotPositive
        `batch_size` or `steps` is below 1.
    BadSequences
        They do not stand side by side, or targets do not fit them.
    """

    def __init__(
        self,
        sequences: Sequence[Any],
        batch_size: int,
        steps: int,
        *,
        targets: Sequence[Any] | None = None,
        generator: torch.Generator | None = None,
        share: slice | None = None,
    ) -> None:
        for argument, value in {"batch_size": batch_size, "steps": steps}.items():
            if value < 1:
                raise NotPositive(argument=argument, given=value)
        self.batch_size, self.steps, self.generator = batch_size, steps, generator
        given = range(batch_size)[share or slice(None)]
        self._columns = {row: column for column, row in enumerate(given)}
        self._sequences = _alike("sequences", sequences)
        self._targets = None if targets is None else _alike("targets", targets)
        if self._targets is not None:
            _check_targets(self._sequences, self._targets)
        self.rewind()

    def rewind(self) -> None:
        """Begin a new pass."""
        count = len(self._sequences)
        if self.generator is None:
            self._order = torch.arange(count)
        else:
            self._order = torch.randperm(count, generator=self.generator)
        self._next = 0
        # The sequence of each row and the step that comes next; −1: none yet, or left.
        self._places = [-1] * self.batch_size
        self._steps = [0] * self.batch_size
        # Said by an iteration that has found nothing left, not by the last chunk: who
        # stores the position then and goes on is told of the end as well.
        self._ended = False

    def __iter__(self) -> Iterator[Chunk]:
        if self._ended:
            self.rewind()
        while not self._over():
            yield self._chunk()
        self._ended = True

    def state_dict(self) -> dict[str, Any]:
        """Where the pass is: what is given after the last chunk, and in what order."""
        state: dict[str, Any] = {
            "order": self._order.clone(),
            "next": self._next,
            "places": list(self._places),
            "steps": list(self._steps),
            "ended": self._ended,
        }
        if self.generator is not None:
            state["generator"] = self.generator.get_state()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken, over the same sequences.

        Raises
        ------
        BadSequences
            It was taken over others, or with another number of rows.
        """
        fits = sorted(state["order"].tolist()) == list(range(len(self._sequences)))
        fits &= len(state["places"]) == self.batch_size
        if not fits or ("generator" in state) != (self.generator is not None):
            raise BadSequences(
                argument="state",
                given=f"of {len(state['order'])} sequences in {len(state['places'])} "
                "rows",
                expected=f"one of {len(self._sequences)} in {self.batch_size}, both "
                "with a generator or without",
                advice="load it where the same was given",
            )
        self._order, self._next = state["order"].clone(), state["next"]
        self._places, self._steps = list(state["places"]), list(state["steps"])
        self._ended = state["ended"]
        if self.generator is not None:
            self.generator.set_state(state["generator"])

    def _over(self) -> bool:
        if max(self._places) >= 0:
            return False
        return not any(self._length(int(one)) for one in self._order[self._next :])

    def _length(self, place: int) -> int:
        return len(self._sequences[place])

    def _chunk(self) -> Chunk:
        """Fill the rows of one chunk, and go on behind it."""
        pieces = list(self._pieces())
        # Of all rows, also of those that are not given.
        steps = max((start + count for _, start, count, *_ in pieces), default=0)
        shape = steps, len(self._columns)
        inputs = _zeros(self._sequences[0], shape)
        targets = None if self._targets is None else _zeros(self._targets[0], shape)
        resets = torch.zeros(shape, dtype=torch.bool)
        places = torch.full(shape, -1)
        for row, start, count, place, step in pieces:
            if row not in self._columns:
                continue
            own = slice(start, start + count), self._columns[row]
            read = slice(step, step + count)
            inputs[own] = torch.as_tensor(self._sequences[place][read])
            if targets is not None and self._targets is not None:
                targets[own] = torch.as_tensor(self._targets[place][read])
            places[own] = place
            resets[own][0] = step == 0
        lengths = (places >= 0).sum(0)
        return Chunk(inputs, targets, lengths, resets, places)

    def _pieces(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Each piece's row and step in the chunk, its length, sequence and start.

        Rows are filled in the order in which they are free, so that sequences begin
        in the order in which they wait.
        """
        free = [(0, row) for row in range(self.batch_size)]
        while free:
            filled, row = heappop(free)
            if self._places[row] < 0 and not self._begin(row):
                continue
            place, step = self._places[row], self._steps[row]
            count = min(self.steps - filled, self._length(place) - step)
            if count:
                yield row, filled, count, place, step
            self._steps[row] = step + count
            if self._steps[row] == self._length(place):
                self._places[row] = -1
            if filled + count < self.steps:
                heappush(free, (filled + count, row))

    def _begin(self, row: int) -> bool:
        """Let the next sequence begin in this row, if there is one."""
        if self._next == len(self._order):
            return False
        self._places[row] = int(self._order[self._next])
        self._steps[row] = 0
        self._next += 1
        return True


def _zeros(like: Any, shape: tuple[int, int]) -> Tensor:
    """Of the dtype and the numbers per step of a sequence."""
    none = torch.as_tensor(like[0:0])
    return none.new_zeros((*shape, *none.shape[1:]))


def _held(given: Any) -> Any:
    """A sequence as a tensor; as it is, if it lies elsewhere."""
    elsewhere = hasattr(given, "shape") and not isinstance(given, Tensor | np.ndarray)
    return given if elsewhere else torch.as_tensor(given)


def _alike(argument: str, given: Sequence[Any]) -> list[Any]:
    """The sequences, if all have the same numbers at each step."""
    sequences = [_held(one) for one in given]
    if not sequences or any(not one.shape for one in sequences):
        raise BadSequences(
            argument=argument,
            given="empty" if not sequences else "numbers",
            expected="at least one array (T_i, F)",
            advice="give a list of arrays",
        )
    first = sequences[0]
    for number, one in enumerate(sequences):
        if one.shape[1:] != first.shape[1:] or one.dtype != first.dtype:
            raise BadSequences(
                argument=f"{argument}[{number}]",
                given=f"{tuple(one.shape)} of {one.dtype}",
                expected=f"(T_i, {', '.join(map(str, first.shape[1:]))}) of "
                f"{first.dtype} as the first is",
                advice="give all of them the same features and dtype",
            )
    return sequences


def _check_targets(sequences: list[Any], targets: list[Any]) -> None:
    """Refuse targets that are not one for each step of each sequence."""
    lengths = [[len(one) for one in many] for many in (targets, sequences)]
    if lengths[0] == lengths[1]:
        return
    counts = len(targets), len(sequences)
    wrong = f"{counts[0]} sequences", f"{counts[1]}"
    if counts[0] == counts[1]:
        number = [a == b for a, b in zip(*lengths, strict=True)].index(False)
        own, other = lengths[0][number], lengths[1][number]
        wrong = f"of {own} steps in sequence {number}", f"{other}"
    raise BadSequences(
        argument="targets",
        given=wrong[0],
        expected=wrong[1],
        advice="give a target for every step of every sequence",
    )
