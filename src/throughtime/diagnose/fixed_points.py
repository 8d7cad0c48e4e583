"""Where states stand still, or almost, and what they do nearby.

Sussillo & Barak, Opening the black box: low-dimensional dynamics in high-dimensional
recurrent neural networks (Neural Computation 25, 2013): for a constant input, ``½‖F(h)
− h‖²`` is made small from many starts. Where it reaches 0 is a fixed point, where it
has a small minimum above 0 a slow one; the eigenvalues of the Jacobian there say in how
many directions states leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import least_squares
from torch import Tensor

from throughtime.diagnose.jacobians import derivatives
from throughtime.diagnose.trajectories import (
    Given,
    Passage,
    State,
    check_layers,
    in_numbers,
    passages,
)
from throughtime.errors import UnfitMeasurement
from throughtime.nn.layers import Layers
from throughtime.nn.sequences import Lengths, Sequences

Array = npt.NDArray[Any]

_SETTLING = 200
"""Steps of a constant input, of which the second half is looked at."""
_EVALUATIONS = 200
"""Of the step, at most, from one start."""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A state of one layer and direction that a constant input hardly moves."""

    layer: int
    direction: int
    states: dict[str, Array]
    """Each state by its name, ``(n,)``."""
    speed: float
    """``‖F(h) − h‖``, how far one step moves it."""
    kind: Literal["fixed", "slow"]
    """Whether that is at most the tolerance."""
    eigenvalues: Array
    """Of the Jacobian there, ``(N,)`` complex, the largest magnitude first."""
    count: int
    """How many of the starts ended there."""

    @property
    def unstable(self) -> int:
        """In how many directions states leave: eigenvalues beyond the unit circle."""
        return int((np.abs(self.eigenvalues) > 1).sum())

    @property
    def stability(self) -> Literal["stable", "saddle", "unstable"]:
        """Whether states leave in no direction, in some, or in all."""
        if not self.unstable:
            return "stable"
        return "saddle" if self.unstable < len(self.eigenvalues) else "unstable"

    @property
    def largest(self) -> float:
        """The largest magnitude among the eigenvalues."""
        return float(np.abs(self.eigenvalues[0]))


def fixed_points(
    module: Layers,
    input: Given | None = None,
    state: State | None = None,
    *,
    starts: int = 32,
    tolerance: float = 1e-6,
    slowest: float = 0.1,
    distance: float = 1e-3,
    seed: int = 0,
    lengths: Lengths | None = None,
    **inputs: Sequences,
) -> list[FixedPoint]:
    """Fixed and slow points of every layer and direction under a constant input.

    Each layer is taken by itself: its constant input is the mean of what it reads along
    the trajectory of `input`. The search is a least-squares one, with exact Jacobians,
    in float64. It starts where the cell declares that its states begin, at states along
    the trajectory, and at such with noise of their own size added.

    Parameters
    ----------
    module
        `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.
    input, state, lengths, **inputs
        As in a call of the module. Or ``(F,)``, a constant input, with further inputs
        ``(n,)``, or None, which is zeros: then the trajectories begin at drawn
        states, and their second half counts.
    starts
        How many, at least 1.
    tolerance
        The speed ``‖F(h) − h‖`` up to which a point is fixed.
    slowest
        The speed up to which one that is not fixed is worth telling.
    distance
        Points nearer than this are one.
    seed
        Draws what is random.

    Returns
    -------
    list of FixedPoint
        By layer, direction and speed; none where nothing is slow.

    Raises
    ------
    NotLayers, NothingCarried
        The module is none, or its cell has no states.
    UnfitMeasurement
        A number makes no sense; the message names the argument.
    """
    check_layers(module, "a fixed point")
    _check_numbers(starts, tolerance, slowest, distance)
    generator = torch.Generator().manual_seed(seed)
    steady = input is None or (isinstance(input, Tensor) and input.dim() == 1)
    if steady:
        if state is not None:
            raise UnfitMeasurement(
                argument="state",
                given="a state",
                of="a constant input, whose trajectories begin at drawn states",
                expected="None",
            )
        device = module.like(torch.empty(0)).device
        given = input if input is not None else torch.zeros(module.input_size)
        held = _held(module, given.to(device), starts, inputs, generator)
        input, state, inputs = held
    judged, input, state, others = in_numbers(
        module, input, state, inputs, torch.float64
    )
    found: list[FixedPoint] = []
    with torch.no_grad():
        for one in passages(judged, input, state, lengths, others):
            first = one.steps // 2 if steady else 0
            search = _Search(one, first, tolerance, slowest, distance)
            found += search.points(search.starts(starts, generator))
    return found


def _check_numbers(
    starts: object, tolerance: float, slowest: float, distance: float
) -> None:
    of = "a search for fixed points"
    if not isinstance(starts, int) or isinstance(starts, bool) or starts < 1:
        raise UnfitMeasurement(
            argument="starts",
            given=starts,
            of=of,
            expected="a whole number of at least 1",
        )
    for argument, given in (
        ("tolerance", tolerance),
        ("slowest", slowest),
        ("distance", distance),
    ):
        if not 0 < given < float("inf"):
            raise UnfitMeasurement(
                argument=argument,
                given=given,
                of=of,
                expected="a finite number above 0",
            )


def _held(
    module: Layers,
    input: Tensor,
    starts: int,
    inputs: dict[str, Any],
    generator: torch.Generator,
) -> tuple[Tensor, list[Tensor], dict[str, Any]]:
    """Constant inputs at many steps, and as many drawn states as there are starts."""
    shape = (starts, _SETTLING) if module.batch_first else (_SETTLING, starts)
    zeros = {
        one.name: torch.zeros(one.size).to(input) for one in module.graphs[0].inputs
    }
    held = {
        name: value.expand(*shape, -1) for name, value in {**zeros, **inputs}.items()
    }
    runs = module.num_layers * module.directions
    drawn = [
        torch.randn(runs, starts, own.size, generator=generator).to(input)
        for own in module.graphs[0].states
    ]
    return input.expand(*shape, -1), drawn, held


class _Search:
    """The fixed and slow points of one layer in one direction."""

    def __init__(
        self,
        passage: Passage,
        first: int,
        tolerance: float,
        slowest: float,
        distance: float,
    ) -> None:
        self.passage = passage
        self.tolerance, self.slowest, self.distance = tolerance, slowest, distance
        self.visited = passage.alive.clone()
        self.visited[:first] = False
        if not self.visited.any():
            raise UnfitMeasurement(
                argument="input",
                given="0 steps",
                of="a search for fixed points",
                expected="at least one step",
            )
        self.inputs = {
            name: value[self.visited].mean(0, keepdim=True)
            for name, value in passage.inputs.items()
        }
        self.sizes = [state.shape[-1] for state in passage.before]
        self._seen: tuple[bytes, Array, Array] | None = None

    def starts(self, count: int, generator: torch.Generator) -> Iterator[Array]:
        """Give states ``(N,)`` to begin at."""
        passage = self.passage
        own = [state.number for state in passage.graph.states]
        parts = zip(own, self.sizes, strict=True)
        yield np.concatenate([np.full(size, number) for number, size in parts])
        visited = torch.cat([one[self.visited] for one in passage.before], 1).cpu()
        spread = visited.std(0, correction=0)
        places = torch.linspace(0, len(visited) - 1, max(count - 1, 1)).long()
        for number, place in enumerate(places[: count - 1]):
            noise = torch.randn(len(spread), generator=generator, dtype=torch.float64)
            # Every second start is beside the trajectory.
            yield (visited[place] + (number % 2) * spread * noise).numpy()

    def points(self, starts: Iterator[Array]) -> list[FixedPoint]:
        """Go down from every start, and give what is found, the slowest first."""
        ends: list[tuple[float, Array]] = []
        for start in starts:
            result = least_squares(
                self._moved,
                start,
                jac=self._jacobian,
                method="lm",
                xtol=1e-14,
                ftol=1e-14,
                gtol=1e-14,
                max_nfev=_EVALUATIONS,
            )
            speed = float(np.sqrt(2 * result.cost))
            if speed <= max(self.slowest, self.tolerance):
                ends.append((speed, result.x))
        ends.sort(key=lambda end: end[0])
        kept: list[tuple[float, Array]] = []
        counts: list[int] = []
        for speed, place in ends:
            gaps = [float(np.linalg.norm(place - known)) for _, known in kept]
            if gaps and min(gaps) <= self.distance:
                counts[int(np.argmin(gaps))] += 1
            else:
                kept.append((speed, place))
                counts.append(1)
        return [
            self._point(*end, count) for end, count in zip(kept, counts, strict=True)
        ]

    def _point(self, speed: float, place: Array, count: int) -> FixedPoint:
        eigenvalues = np.linalg.eigvals(self._step(place)[1])
        order = np.argsort(-np.abs(eigenvalues), kind="stable")
        names = [state.name for state in self.passage.graph.states]
        parts = np.split(place, np.cumsum(self.sizes)[:-1])
        return FixedPoint(
            self.passage.layer,
            self.passage.direction,
            dict(zip(names, parts, strict=True)),
            speed,
            "fixed" if speed <= self.tolerance else "slow",
            eigenvalues[order].astype(np.complex128),
            count,
        )

    def _moved(self, place: Array) -> Array:
        """How far a step moves a state, ``(N,)``."""
        return self._step(place)[0] - place

    def _jacobian(self, place: Array) -> Array:
        return self._step(place)[1] - np.eye(len(place))

    def _step(self, place: Array) -> tuple[Array, Array]:
        """The next state and the Jacobian there, which are asked for one by one."""
        asked = place.tobytes()
        if self._seen is None or self._seen[0] != asked:
            row = torch.from_numpy(place)[None].to(self.passage.before[0])
            states = list(row.split(self.sizes, 1))
            after, jacobian = derivatives(self.passage, self.inputs, states)
            found = after[0].detach().cpu().numpy(), jacobian[0].cpu().numpy()
            self._seen = asked, *found
        return self._seen[1], self._seen[2]
