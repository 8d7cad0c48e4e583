"""A backward pass and its derivatives, whatever number of calls was folded to one."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from throughtime.nn.compiled.folding import join, part, unfold_where
from throughtime.nn.compiled.second import (
    Call,
    Gradients,
    Optional,
    Rates,
    Ways,
    Where,
    backward_gradients,
    backward_rates,
    divide,
    names_of,
)

Join = Callable[[list[Tensor]], Tensor]


def places_of_parameters(graph: str, sizes: tuple[int, int]) -> range:
    """Behind so many inputs and initial states; a key to draw with among them."""
    names, first = names_of(graph), sum(sizes)
    return range(first, first + len(names.parameters) + names.keys)


@dataclass(frozen=True)
class BackwardCall:
    """What a backward pass was called with.

    ``elements`` is the number of calls that were folded to one, each of which has
    gradients of the parameters of its own; 0 if they are one call's. ``tensors`` are
    the inputs, initial states, parameters, the output, what was saved, the gradient of
    the output and those of the final states.
    """

    graph: str
    wanted: str
    sizes: tuple[int, int]
    where: Where
    elements: int
    tensors: Sequence[Any]

    @property
    def shared(self) -> range:
        """Places of the parameters among the tensors."""
        return places_of_parameters(self.graph, self.sizes)

    @property
    def call(self) -> Call:
        """The call of the layer."""
        own = divide(self.tensors[: self.shared.stop], self.sizes)
        return Call(self.graph, self.wanted, *own, self.where)

    def results(self, ways: Ways) -> tuple[Tensor, ...]:
        """What it gives, an element at a time."""
        found = []
        for number in range(self.elements):
            one = self._one(number)
            graph, wanted, *own, where = one.call
            output, saved, *given = one.tensors[one.shared.stop :]
            rest = output, saved, given[0], given[1:]
            found.append(ways.backward(graph, wanted, *own, *where, *rest))
        joined = _joined(found, self._results_of_parameters, _stacked)
        return tuple(value for value in joined if value is not None)

    def gradients(self, ways: Ways, errors: Optional, *, everything: bool) -> Optional:
        """Those of all tensors, where ``errors`` are those of its results.

        Unless ``everything`` is asked for, those of what the layer was called with are
        None.
        """
        shared = self.shared
        if self.elements:
            found = [
                self._one(number).gradients(
                    ways, self._errors(errors, number), everything=everything
                )
                for number in range(self.elements)
            ]
            return _joined(found, shared, lambda column: torch.stack(column).sum(0))
        given = self._gradients()
        found = backward_gradients(
            ways, self.call, given, errors, everything=everything
        )
        # Nothing depends on what was stored but by what it was made of.
        return [*found[: shared.stop], None, None, *found[shared.stop :]]

    def rates(self, ways: Ways, rates: Optional) -> Optional:
        """Those of its results, given those of all tensors."""
        shared, size = self.shared, self.elements
        if size:
            found = [
                self._one(number).rates(ways, _part(rates, shared, size, number))
                for number in range(size)
            ]
            return _joined(found, self._results_of_parameters, _stacked)
        stop = shared.stop
        own = Rates(*divide(rates[:stop], self.sizes))
        stored = self.tensors[stop], self.tensors[stop + 1]
        of_gradients = rates[stop + 2], rates[stop + 3 :]
        return backward_rates(
            ways, self.call, stored, self._gradients(), own, of_gradients
        )

    def _gradients(self) -> Gradients:
        _, _, output, *finals = self.tensors[self.shared.stop :]
        return Gradients(output, finals)

    @property
    def _results_of_parameters(self) -> range:
        rows = len(self.wanted.split()) + self.sizes[1]
        return range(rows, rows + len(self.shared))

    def _one(self, number: int) -> "BackwardCall":
        return replace(
            self,
            where=unfold_where(self.where, self.elements),
            elements=0,
            tensors=_part(self.tensors, self.shared, self.elements, number),
        )

    def _errors(self, errors: Optional, number: int) -> Optional:
        """Those of one element's results."""
        first, size = self._results_of_parameters.start, self.elements
        rows = _part(errors[:first], (), size, number)
        behind = [None if v is None else v[number] for v in errors[first:]]
        return [*rows, *behind]


def _part(
    tensors: Optional, shared: Container[int], size: int, number: int
) -> list[Tensor | None]:
    """Rows of one element; what lies in ``shared`` places belongs to all."""
    return [
        value if value is None or place in shared else part(value, size, number)
        for place, value in enumerate(tensors)
    ]


def _stacked(values: list[Tensor]) -> Tensor:
    return torch.stack(values)


def _joined(
    found: Sequence[Optional], others: Container[int], join_others: Join
) -> list[Tensor | None]:
    """Rows of all elements side by side; another way for ``others``."""
    return [
        None
        if column[0] is None
        else (join_others if place in others else join)(list(column))
        for place, column in enumerate(zip(*found, strict=True))
    ]
