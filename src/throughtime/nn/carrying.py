"""The state of every row of a batch, carried from one call to the next.

A stream is longer than one call. Its state is handed from call to call, and what is
done to it between them (rows that end, begin, come and go, a file, another device) has
to leave every other row as it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from throughtime.errors import CarriedStateMismatch, TwoDirections
from throughtime.nn.layers import Device, Layers
from throughtime.nn.settings import check_size


class CarriedState(Sequence[Tensor]):
    """States of B rows, each of its own sequence.

    It is given to a call as its state and takes over what the call returned::

        carried = CarriedState(module, rows=32)
        for x, resets in chunks:
            output, state = module(x, carried.detach(), resets=resets)
            carried.update(state)

    `detach` ends the graph, which would grow from chunk to chunk. A row begins where
    the cell's declarations begin, at a learned state with its
    gradient, until it has taken a step. Methods that return a state leave this one as
    it is.

    Parameters
    ----------
    module
        A recurrent module of one direction, such as `Recurrent` or `LSTM`.
    rows
        B.

    Raises
    ------
    TwoDirections
        The module is bidirectional.
    """

    def __init__(self, module: Layers, rows: int) -> None:
        if module.bidirectional:
            raise TwoDirections(call="CarriedState")
        check_size("rows", rows)
        self.names = module.state_names
        self._starts = [one.detach() for one in module.own_starts(_like(module))]
        self._values = [_repeated(start, rows) for start in self._starts]
        self._fresh = torch.ones(rows, dtype=torch.bool)

    @property
    def rows(self) -> int:
        """B, the number of rows."""
        return len(self._fresh)

    @property
    def fresh(self) -> Tensor:
        """Which rows have taken no step yet: booleans ``(B,)``, on the CPU."""
        return self._fresh.clone()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: Any) -> Any:
        return self._values[number]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._values)

    def __getattr__(self, name: str) -> Tensor:
        names = self.__dict__.get("names", ())
        if name in names:
            return self._values[names.index(name)]
        raise AttributeError(f"CarriedState has no attribute {name!r}")

    def values_for(self, module: Layers) -> list[Tensor]:
        """What the module starts from, ``(L, B, n)`` each.

        Learned states are read from the module as it is now, with their gradient.
        """
        if not module.learns_starts or not self._fresh.any():
            return list(self._values)
        pairs = zip(self._values, module.own_starts(_like(module)), strict=True)
        return [
            torch.where(self._fresh.to(own.device)[None, :, None], start, own)
            for own, start in pairs
        ]

    def update(self, state: Sequence[Tensor] | Tensor, lengths: Any = None) -> None:
        """Take over what a call returned.

        Parameters
        ----------
        state
            ``(L, B, n)`` for each state of the cell, in order.
        lengths
            The lengths of the call, ``(B,)``: a row without a step has not begun.

        Raises
        ------
        CarriedStateMismatch
            These are not the states of as many rows.
        """
        values = [state] if isinstance(state, Tensor) else list(state)
        self._check(dict(zip(self.names, values, strict=False)), len(values))
        self._values = values
        if lengths is None:
            self._fresh = torch.zeros_like(self._fresh)
        else:
            self._fresh = self._fresh & (torch.as_tensor(lengths).cpu() == 0)

    def reset(self, rows: Sequence[int] | Tensor) -> None:
        """Let these rows begin a new sequence, and leave the others."""
        places = self._places(rows)
        chosen = torch.zeros_like(self._fresh).index_fill(0, places, True)
        self._fresh = self._fresh | chosen
        self._values = [
            torch.where(chosen.to(own.device)[None, :, None], start, own)
            for own, start in zip(self._values, self._starts, strict=True)
        ]

    def select(self, rows: Sequence[int] | Tensor) -> Self:
        """Give these rows, in this order."""
        places = self._places(rows)
        return self._with(
            [own.index_select(1, places.to(own.device)) for own in self._values],
            self._fresh[places],
        )

    def resize(self, rows: int, keep: Sequence[int] | Tensor | None = None) -> Self:
        """Give a state of another number of rows.

        Parameters
        ----------
        rows
            How many.
        keep
            Which rows to keep: they come first, in this order, and all others begin
            anew. None: as many of the first as there is room for.

        Raises
        ------
        CarriedStateMismatch
            There is no such row, or no room for so many.
        """
        check_size("rows", rows)
        kept = self.select(range(min(rows, self.rows)) if keep is None else keep)
        if kept.rows > rows:
            raise CarriedStateMismatch(
                given=f"{kept.rows} rows to keep", expected=f"at most {rows}"
            )
        more = rows - kept.rows
        pairs = zip(kept._values, self._starts, strict=True)
        return self._with(
            [torch.cat([own, _repeated(start, more)], 1) for own, start in pairs],
            torch.cat([kept._fresh, torch.ones(more, dtype=torch.bool)]),
        )

    def detach(self) -> Self:
        """Give the same state without its graph: no gradient flows behind it."""
        return self._with([own.detach() for own in self._values], self._fresh)

    def to(self, device: Device = None, dtype: torch.dtype | None = None) -> Self:
        """Give the same state on another device, or in other numbers."""
        moved = self._with(
            [own.to(device=device, dtype=dtype) for own in self._values], self._fresh
        )
        moved._starts = [one.to(device=device, dtype=dtype) for one in self._starts]
        return moved

    def state_dict(self) -> dict[str, Tensor]:
        """Give copies by name: ``state.h``, ``start.h``, …, ``fresh``."""
        pairs = zip(self.names, self._values, self._starts, strict=True)
        kept: dict[str, Tensor] = {"fresh": self._fresh.clone()}
        for name, own, start in pairs:
            kept[f"state.{name}"] = own.detach().clone()
            kept[f"start.{name}"] = start.clone()
        return kept

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` gave, on this state's device and in its dtype.

        Raises
        ------
        CarriedStateMismatch
            It is of another cell, or of another number of rows.
        """
        expected = self.state_dict()
        if state.keys() != expected.keys():
            raise CarriedStateMismatch(
                given=", ".join(state) or "nothing", expected=", ".join(expected)
            )
        self._check({n: state[f"state.{n}"] for n in self.names}, len(self.names))
        for number, name in enumerate(self.names):
            own = self._values[number]
            self._values[number] = state[f"state.{name}"].to(own).clone()
            self._starts[number] = state[f"start.{name}"].to(own).clone()
        self._fresh = state["fresh"].cpu().clone()

    def __getstate__(self) -> dict[str, Any]:
        # A graph cannot cross processes, nor be copied.
        kept = self.__dict__.copy()
        kept["_values"] = [own.detach() for own in self._values]
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        pairs = zip(self.names, self._values, strict=True)
        shapes = [f"{name}={tuple(own.shape)}" for name, own in pairs]
        return f"CarriedState({', '.join(shapes)})"

    def _with(self, values: list[Tensor], fresh: Tensor) -> Self:
        made = type(self).__new__(type(self))
        made.names, made._starts = self.names, list(self._starts)
        made._values, made._fresh = values, fresh.clone()
        return made

    def _places(self, rows: Sequence[int] | Tensor) -> Tensor:
        given = rows if isinstance(rows, Tensor) else list(rows)
        places = torch.as_tensor(given, dtype=torch.int64).cpu()
        if places.dim() != 1 or bool(((places < 0) | (places >= self.rows)).any()):
            raise CarriedStateMismatch(
                given=f"rows {places.tolist()}", expected=f"rows 0 to {self.rows - 1}"
            )
        return places

    def _check(self, values: Mapping[str, Tensor], given: int) -> None:
        if given != len(self.names):
            raise CarriedStateMismatch(
                given=f"{given} states",
                expected=f"{len(self.names)} ({', '.join(self.names) or 'none'})",
            )
        for name, own in zip(self.names, self._values, strict=True):
            if values[name].shape != own.shape:
                raise CarriedStateMismatch(
                    given=f"{name} of shape {tuple(values[name].shape)}",
                    expected=tuple(own.shape),
                )


def _like(module: Layers) -> Tensor:
    return module.like(torch.empty(0)).detach()


def _repeated(start: Tensor, rows: int) -> Tensor:
    return start.expand(-1, rows, -1).clone()


# Without this, `torch.load` refuses a checkpoint that holds one.
torch.serialization.add_safe_globals([CarriedState])
