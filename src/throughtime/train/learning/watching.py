"""Gradient flow while a model learns: what its own backward passes meet."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor

from throughtime.diagnose.flow import Place
from throughtime.nn.watching import WatchedCall, Watching
from throughtime.train.learning.mean_course import MeanCourse
from throughtime.train.model import Model
from throughtime.train.tasks import Answers

EVERY: Final = 16
"""One batch of so many is watched, the first of an epoch among them: a look at a small
layer takes up to half as long as its step."""
_MOST_STRETCHES = 64

Row = dict[str, Any]


class FlowWatch:
    """Watches one batch of a few, and says after each epoch what was seen.

    Parameters
    ----------
    model
        What learns.
    wanted
        Whether to watch at all.
    from_end
        Whether steps are counted back from the last one of each sequence, as where its
        answer is the only one.
    """

    def __init__(self, model: Model, *, wanted: bool, from_end: bool) -> None:
        self.model, self.wanted, self.from_end = model, wanted, from_end
        self.rows: list[Row] = []
        self._before: dict[str, Tensor] = {}
        self._forget()

    def _forget(self) -> None:
        self._batches = self._watched = 0
        self._norms: dict[Place, MeanCourse] = {}
        self._saturation: dict[Place, MeanCourse] = {}
        self._functions: dict[Place, str] = {}
        self._ratios: dict[str, list[float]] = {}

    def over(self, batches: Iterable[Answers]) -> Iterator[Answers]:
        """Give the batches on; `take` follows on each that was learned from."""
        if not self.wanted:
            yield from batches
            return
        source, network = iter(batches), self.model.recurrent
        try:
            while True:
                looks = self._batches % EVERY == 0
                network.watching = Watching() if looks else None
                self._before = self._weights() if looks else {}
                answers = next(source, None)
                if answers is None:
                    return
                yield answers
        finally:
            network.watching = None

    def take(self) -> None:
        """Take in what the backward pass of the last batch has met."""
        if not self.wanted:
            return
        watching = self.model.recurrent.watching
        self._batches += 1
        if watching is not None:
            self._take(watching.calls)

    def _weights(self) -> dict[str, Tensor]:
        """Copy the weights that an update changes as a whole."""
        tables = {f"network.{name}" for name in self.model.recurrent.tables}
        return {
            name: value.detach().clone()
            for name, value in self.model.named_parameters()
            if name not in tables and value.requires_grad
        }

    @torch.no_grad()
    def _take(self, calls: list[WatchedCall]) -> None:
        """Take in what calls reported, one after the other in time."""
        seen = [call for call in calls if call.reported]
        if seen:
            self._watched += 1
            self._functions |= seen[0].functions()
            alive = torch.cat([call.alive for call in seen])
            norms, shares = zip(*((c.norms, c.saturation) for c in seen), strict=True)
            for means, found in ((self._norms, norms), (self._saturation, shares)):
                for place in found[0]:
                    whole = torch.cat([one[place] for one in found])
                    means.setdefault(place, MeanCourse()).add(
                        whole, alive, from_end=self.from_end
                    )
        for name, value in self.model.named_parameters():
            if name in self._before:
                self._note_change(name, self._before[name], value)

    def _note_change(self, name: str, before: Tensor, after: Tensor) -> None:
        size, change = before.norm().item(), (after - before).norm().item()
        if size and change:  # an update may still wait for further batches
            self._ratios.setdefault(name, []).append(change / size)

    def epoch(self, number: int, dead: Mapping[Place, Tensor]) -> None:
        """Make a row of what an epoch has shown; `dead` are units that are always 0."""
        if self.wanted:
            self.rows.append({"epoch": number, **self._row(dead)})
            self._forget()

    def _row(self, dead: Mapping[Place, Tensor]) -> Row:
        edges = _edges(max((len(one) for one in self._norms.values()), default=0))
        return {
            "watched": self._watched,
            "aligned": "end" if self.from_end else "start",
            "steps": edges[:-1],
            "layers": [
                _of(place, "state", norms=mean.means(pairwise(edges)))
                for place, mean in self._norms.items()
            ],
            "saturation": [
                _of(
                    place,
                    "node",
                    function=self._functions[place],
                    share=mean.means([(0, len(mean))])[0],
                )
                for place, mean in self._saturation.items()
            ],
            "dead": [
                _of(place, "node", units=len(units), dead=int(units.sum()))
                for place, units in dead.items()
            ],
            "ratios": {
                name: math.exp(sum(map(math.log, found)) / len(found))
                for name, found in self._ratios.items()
            },
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen so far."""
        courses = {
            name: {
                place: one.state_dict() for place, one in getattr(self, name).items()
            }
            for name in _COURSES
        }
        return {**courses, **{name: getattr(self, name) for name in _PLAIN}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        for name in _PLAIN:
            setattr(self, name, state[name])
        for name in _COURSES:
            found = {place: MeanCourse(**one) for place, one in state[name].items()}
            setattr(self, name, found)


_COURSES = ("_norms", "_saturation")
_PLAIN = ("rows", "_batches", "_watched", "_functions", "_ratios")


def _of(place: Place, kind: str, **found: Any) -> Row:
    layer, direction, name = place
    return {"layer": layer, "direction": direction, kind: name, **found}


def _edges(steps: int) -> list[int]:
    """Cut so many steps into stretches about as long; the first is of one step."""
    if steps <= _MOST_STRETCHES:
        return list(range(steps + 1))
    rest = _MOST_STRETCHES - 1
    return [0, *(1 + k * (steps - 1) // rest for k in range(rest + 1))]
