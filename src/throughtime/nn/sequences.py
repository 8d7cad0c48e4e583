"""The forms in which people give sequences, as rows and back."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from throughtime.errors import (
    DeviceMismatch,
    DtypeMismatch,
    InputShapeMismatch,
    InputSizeMismatch,
    LengthsOfPacked,
    MissingInput,
    NotASequence,
    NotATensor,
    ResetsOfPacked,
    StateCountMismatch,
    StateDimensions,
    StateShapeMismatch,
    UnknownInput,
)
from throughtime.errors.base import did_you_mean
from throughtime.nn.beginning_anew import begins_in_step, marks_of
from throughtime.nn.carrying import CarriedState
from throughtime.nn.layers import Layers
from throughtime.nn.packing import (
    Packing,
    checked_lengths,
    checked_resets,
    pack,
    packed,
)
from throughtime.nn.permuting import put, taken
from throughtime.nn.sparse_sequences import SparseSequences

Sequences = Tensor | PackedSequence
Lengths = Sequence[int] | Tensor


class Batch(NamedTuple):
    """Sequences as rows, and what is needed to give rows their form again."""

    rows: dict[str, Tensor]
    """``x``, each further input, and marks where the step begins anew, ``(N, n)``, or
    ``(T, B, n)`` where all of them have all steps."""
    steps: int
    size: int
    packing: Packing | None
    batched: bool
    batch_first: bool
    source: PackedSequence | None = None

    @property
    def parts(self) -> int:
        """P, the sequences that layers run over: B, or more where they are in parts."""
        return self.size if self.packing is None else self.packing.size

    @property
    def in_parts(self) -> bool:
        """Whether sequences that begin anew run as sequences of their own."""
        return self.packing is not None and self.packing.given is not None

    def states(self, states: Sequence[Tensor], own: Sequence[Tensor]) -> list[Tensor]:
        """States ``(L·D, B, n)`` as given, ``(L·D, P, n)`` in the order of the parts.

        ``own`` are the cell's, ``(L·D, 1, n)``, for what begins anew.
        """
        if not self.batched:
            states = [state.unsqueeze(1) for state in states]
        if self.source is not None:
            return _selected(states, self.source.sorted_indices)
        if self.packing is None:
            return list(states)
        found = _selected(states, self.packing.sequences)
        if self.packing.given is None:
            return found
        directions = 2 if self.packing.mirror is not None else 1
        given = self.packing.given[:directions, :, None]
        return [
            torch.where(given.repeat(value.shape[0] // directions, 1, 1), value, start)
            for value, start in zip(found, own, strict=True)
        ]

    def finals(self, states: Sequence[Tensor]) -> list[Tensor]:
        """States in the order of the parts, as they are to be returned."""
        if self.source is not None:
            return _selected(states, self.source.unsorted_indices)
        if self.packing is not None and self.packing.ends is not None:
            states = [self._ends(value, *self.packing.ends) for value in states]
        return list(states) if self.batched else [state.squeeze(1) for state in states]

    def _ends(self, states: Tensor, last: Tensor, first: Tensor) -> Tensor:
        if not self.in_parts or self.packing is None or self.packing.mirror is None:
            return states.index_select(1, last)
        ways = [states[0::2].index_select(1, last), states[1::2].index_select(1, first)]
        return torch.stack(ways, 1).flatten(0, 1)

    def output(self, rows: Tensor) -> Sequences:
        """Rows, in the form of ours, in the form of the input."""
        if self.source is not None:
            return self.source._replace(data=rows)
        if self.packing is not None and self.packing.gather is not None:
            rows = put(rows, self.packing.gather, self.steps * self.size)
            if self.batched:
                rows = rows.view(self.steps, self.size, rows.shape[1])
        return rows.transpose(0, 1) if self.batched and self.batch_first else rows


def _selected(states: Sequence[Tensor], order: Tensor | None) -> list[Tensor]:
    if order is None:
        return list(states)
    return [state.index_select(1, order) for state in states]


def read(
    module: Layers,
    input: Sequences | SparseSequences,
    inputs: Mapping[str, Sequences],
    lengths: Lengths | None,
    resets: Tensor | None = None,
    *,
    in_step: bool = False,
) -> Batch:
    """The rows of one call, after every check that needs no computing.

    ``in_step`` lets states begin anew inside the step where that is possible.
    """
    if module.sparse_input or isinstance(input, SparseSequences):
        lengths = module.lengths_of(input, lengths)
        input = module.look_up(input)
        input = input.transpose(0, 1) if module.batch_first else input
    given = {"x": input, **_known_inputs(module, inputs)}
    if isinstance(input, PackedSequence):
        if lengths is not None:
            raise LengthsOfPacked
        if resets is not None:
            raise ResetsOfPacked
        return _read_packed(module, input, given)
    axes = "(B, T, F)" if module.batch_first else "(T, B, F)"
    tensors = {
        name: checked_tensor(_label(name), value) for name, value in given.items()
    }
    if input.dim() not in (2, 3):
        raise NotASequence(
            module=type(module).__name__,
            argument="input",
            expected="2D or 3D",
            given=f"{input.dim()}D tensor",
            axes=f"{axes}, or (T, F) for one sequence",
        )
    return _read_padded(module, tensors, lengths, resets, in_step)


def _read_padded(
    module: Layers,
    given: dict[str, Tensor],
    lengths: Lengths | None,
    resets: Tensor | None,
    in_step: bool,
) -> Batch:
    batched = given["x"].dim() == 3
    leading = given["x"].shape[:-1]
    rows: dict[str, Tensor] = {}
    steps, size = leading[0], 1
    if batched:
        steps, size = reversed(leading) if module.batch_first else leading
    for name, value in given.items():
        value = checked_rows(module, name, _label(name), value, leading)
        if batched and module.batch_first:
            value = value.transpose(0, 1).contiguous()
        rows[name] = value
    known = None if lengths is None else checked_lengths(lengths, steps, size)
    if resets is not None:
        resets = checked_resets(resets, leading, batch_first=module.batch_first)
        if in_step and begins_in_step(module, rows["x"]):
            marks = marks_of(resets, known, rows["x"], both_ways=module.bidirectional)
            rows |= {n: m if batched else m.squeeze(1) for n, m in marks.items()}
            resets = None
    if known is None and resets is not None:
        # Of all steps; a captured graph keeps their number open.
        known = torch.ones(size, dtype=torch.int64) * steps
    packing = None
    if known is not None:
        device, both = rows["x"].device, module.bidirectional
        packing = pack(known, steps, device, both, resets)
    if packing is not None and packing.gather is not None:
        places = packing.gather
        rows = {
            name: taken(value.reshape(steps * size, value.shape[-1]), places)
            for name, value in rows.items()
        }
    return Batch(rows, steps, size, packing, batched, module.batch_first)


def _read_packed(
    module: Layers, input: PackedSequence, given: Mapping[str, Sequences]
) -> Batch:
    counts = input.batch_sizes
    rows: dict[str, Tensor] = {}
    for name, value in given.items():
        same = isinstance(value, PackedSequence) and torch.equal(
            value.batch_sizes, counts
        )
        if not isinstance(value, PackedSequence) or not same:
            raise InputShapeMismatch(
                argument=_label(name),
                given="another form or other lengths",
                expected="a PackedSequence of the same lengths",
            )
        if value.data.dim() != 2:
            raise NotASequence(
                module=type(module).__name__,
                argument=f"{_label(name)}.data",
                expected="2D",
                given=f"{value.data.dim()}D tensor",
                axes="(rows, F)",
            )
        leading = value.data.shape[:1]
        rows[name] = checked_rows(module, name, _label(name), value.data, leading)
    x = rows["x"]
    packing = packed(counts, x.shape[0], x.device, module.bidirectional)
    size = int(counts[0])
    return Batch(rows, len(counts), size, packing, True, False, source=input)


def read_step(
    module: Layers, x: Tensor, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What one step reads, ``(B, n)`` each, after the checks of `read`."""
    given = {"x": x, **_known_inputs(module, inputs)}
    tensors = {name: checked_tensor(name, value) for name, value in given.items()}
    if x.dim() != 2:
        raise NotASequence(
            module="step",
            argument="x",
            expected="2D",
            given=f"{x.dim()}D tensor",
            axes="(B, F)",
        )
    leading = x.shape[:1]
    return {
        name: checked_rows(module, name, name, value, leading)
        for name, value in tensors.items()
    }


def _label(name: str) -> str:
    """What an input is called where whole sequences are given."""
    return "input" if name == "x" else name


def _known_inputs(
    module: Layers, inputs: Mapping[str, Sequences]
) -> Mapping[str, Sequences]:
    graph = module.graphs[0]
    known = [declared.name for declared in graph.inputs]
    for name in inputs:
        if name not in known:
            raise UnknownInput(
                cell=graph.cell,
                name=name,
                hint=did_you_mean(name, known),
                known=", ".join(["x", *known]),
            )
    for name in known:
        if name not in inputs:
            raise MissingInput(cell=graph.cell, name=name)
    return inputs


def checked_tensor(label: str, value: object) -> Tensor:
    """A tensor, if it is one."""
    if isinstance(value, Tensor):
        return value
    given = type(value).__name__
    raise NotATensor(argument=label, given=given, expected="a tensor")


def checked_rows(
    module: Layers, name: str, label: str, value: Tensor, leading: torch.Size
) -> Tensor:
    """One input, if its shape, dtype and device are what the module needs.

    ``label`` is what messages call it.
    """
    size = module.input_sizes[name]
    expected = (*leading, size)
    if value.dim() == len(expected) and value.shape[-1] != size:
        raise InputSizeMismatch(
            argument=label,
            setting="input_size" if name == "x" else f"the size of Input {name}",
            expected=size,
            given=value.shape[-1],
        )
    if value.shape != expected:
        raise InputShapeMismatch(
            argument=label, given=tuple(value.shape), expected=expected
        )
    return matched(label, value, module.like(value))


def matched(label: str, value: Tensor, like: Tensor) -> Tensor:
    """A tensor, if it is of the parameters' dtype and on their device, as ``like``."""
    if value.device != like.device:
        raise DeviceMismatch(
            argument=label, given=str(value.device), expected=str(like.device)
        )
    if value.dtype == like.dtype:
        return value
    if torch.is_autocast_enabled(value.device.type) and value.is_floating_point():
        # A neighbour of lower precision gave it; the equations run in their own.
        return value.to(like.dtype)
    # Parameters cannot be whole numbers.
    alternative = f", or the model with .to({value.dtype})"
    raise DtypeMismatch(
        argument=label,
        given=value.dtype,
        expected=like.dtype,
        alternative=alternative if value.is_floating_point() else "",
    )


def state_values(module: Layers, argument: str, state: object) -> list[Any]:
    """What was given as a tensor or a sequence of tensors, one value per state."""
    if isinstance(state, CarriedState):
        state = state.values_for(module)
    if isinstance(state, Tensor):
        values: list[Any] = [state]
    elif isinstance(state, Sequence) and not isinstance(state, str):
        values = list(state)
    else:
        raise NotATensor(
            argument=argument,
            given=type(state).__name__,
            expected="a tensor or a sequence of tensors",
        )
    if len(values) != len(module.state_names):
        raise StateCountMismatch(
            given=f"{len(values)} tensor{'' if len(values) == 1 else 's'}",
            expected=len(module.state_names),
            names=", ".join(module.state_names) or "none",
            cell=module.graphs[0].cell,
        )
    return values


def read_states(
    module: Layers,
    batch: Batch,
    state: Tensor | Sequence[Tensor] | None,
    argument: str,
    labels: Sequence[str],
) -> list[Tensor]:
    """The states to start from, ``(L·D, P, n)`` each, in the order of the parts.

    None are given where the cell's declarations say where it starts.
    Messages call all of them ``argument``, each by its ``labels``.
    """
    declared = module.graphs[0].states
    needed = module.learns_starts if state is None else batch.in_parts
    own = module.own_starts(batch.rows["x"]) if needed else []
    if state is None:
        return [value.expand(-1, batch.parts, -1) for value in own]
    values = state_values(module, argument, state)
    runs = module.num_layers * module.directions
    start: list[Tensor] = []
    for value, one, label in zip(values, declared, labels, strict=True):
        shape = (batch.size, one.size) if batch.batched else (one.size,)
        _check_state(checked_tensor(label, value), (runs, *shape), label)
        start.append(matched(label, value, batch.rows["x"]))
    return batch.states(start, own)


def _check_state(value: Tensor, shape: tuple[int, ...], label: str) -> None:
    if value.dim() != len(shape):
        batched = len(shape) == 3
        raise StateDimensions(
            form="batched 3-D" if batched else "unbatched 2-D",
            argument=label,
            expected=len(shape),
            given=value.dim(),
            axes="(L·D, B, n)" if batched else "(L·D, n)",
        )
    if tuple(value.shape) != shape:
        raise StateShapeMismatch(
            argument=label, expected=shape, given=list(value.shape)
        )
