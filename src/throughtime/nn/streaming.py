"""One time step after the other: a sequence that has no end yet.

A call of a module costs tens of microseconds of Python and PyTorch before any number
is computed, which a long sequence does not notice and a single step does. A `Stream`
holds all that a call would prepare: memory, addresses, packed weights. Its step enters
machine code at once, and gives the bits of the whole sequence.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter, is_
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from throughtime.errors import (
    SparseInputElsewhere,
    StreamElsewhere,
    StreamMismatch,
    TwoDirections,
)
from throughtime.graph.serialize import text_of
from throughtime.nn.choice import Choice
from throughtime.nn.compiled.engine import engine
from throughtime.nn.execution import run_layer
from throughtime.nn.layers import Layers
from throughtime.nn.precision import own_precision
from throughtime.nn.sequences import checked_tensor, matched, state_values
from throughtime.nn.settings import check_size

Array: TypeAlias = npt.NDArray[Any]
Step: TypeAlias = Array | Tensor
"""What is given to a stream; the same kind comes back."""

changes_of = attrgetter("_version")


class Stream:
    """Steps of a module, one at a time, whose state is carried on.

    A stream computes what the module computes in evaluation mode: random values are at
    their means. No gradient flows. Weights that change are noticed at the next step.
    Two threads need a stream each.

    Parameters
    ----------
    module
        A recurrent module of one direction.
    batch
        B, the sequences that run side by side; None: one, and no axis for it.

    Raises
    ------
    TwoDirections
        The module is bidirectional.
    StreamElsewhere
        Its weights are not on the CPU, or of a dtype that NumPy does not know.
    """

    def __init__(self, module: Layers, batch: int | None = None) -> None:
        if module.bidirectional:
            raise TwoDirections(call="stream")
        if module.sparse_input:
            raise SparseInputElsewhere(call="stream")
        if batch is not None:
            check_size("batch", batch)
        self._module, self._batch = module, batch
        self._rows = 1 if batch is None else batch
        self._lead = () if batch is None else (batch,)
        self._further = module.input_sizes.keys() - {"x"}
        self._make_memory()
        self.reset()
        self._prepare()

    @overload
    def __call__(self, x: Tensor, **inputs: Tensor) -> Tensor: ...

    @overload
    def __call__(self, x: Array, **inputs: Array) -> Array: ...

    def __call__(self, x: Step, **inputs: Step) -> Step:
        """Take one step.

        Parameters
        ----------
        x
            ``(F,)``, or ``(B, F)``: a tensor of the module's dtype, or a NumPy array,
            which is converted to it.
        **inputs
            The cell's further inputs by name, ``(n,)`` or ``(B, n)``.

        Returns
        -------
        output
            ``(H,)`` or ``(B, H)``, of the kind of ``x``.

        Raises
        ------
        StreamMismatch
            An array has another shape, or the inputs are not those of the cell.
        """
        if self._stale():
            self._prepare()
        if inputs.keys() != self._further:
            given = ", ".join(inputs) or "none"
            expected = ", ".join(sorted(self._further)) or "none"
            raise StreamMismatch(what="inputs", given=given, expected=expected)
        self._put("x", x)
        for name, value in inputs.items():
            self._put(name, value)
        for call in self._calls:
            call()
        array, tensor = self._answer
        if isinstance(x, np.ndarray):
            return array.copy()
        return tensor.clone()

    @property
    def state(self) -> Any:
        """The states after the last step, a copy: ``(L, n)`` or ``(L, B, n)`` each.

        A named tuple, as the module gives and takes it; one that was kept may be set
        again, also on another stream of the module.
        """
        found = [torch.stack(of_layers) for of_layers in self._states]
        if self._batch is None:
            found = [state.squeeze(1) for state in found]
        return self._module.state_class(*found)

    @state.setter
    @torch.no_grad()
    def state(self, state: Tensor | Sequence[Tensor]) -> None:
        names = self._module.state_names
        values = state_values(self._module, "state", state)
        checked: list[Tensor] = []
        for name, value, old in zip(names, values, self.state, strict=True):
            tensor = checked_tensor(f"state.{name}", value)
            if tensor.shape != old.shape:
                self._refuse(f"state.{name}", tensor.shape, old.shape)
            checked.append(matched(f"state.{name}", tensor, old))
        for of_layers, value in zip(self._states, checked, strict=True):
            for own, new in zip(of_layers, value, strict=True):
                own.copy_(new.reshape(own.shape))

    @torch.no_grad()
    def reset(self) -> None:
        """Begin a new sequence, where the cell's declarations begin."""
        starts = self._module.own_starts(self._like)
        for of_layers, start in zip(self._states, starts, strict=True):
            for own, new in zip(of_layers, start, strict=True):
                own.copy_(new.expand(own.shape))

    def _put(self, name: str, value: Step) -> None:
        """Copy an input to where the first layers read it."""
        array, tensor = self._given[name]
        known = value if isinstance(value, np.ndarray) else checked_tensor(name, value)
        if known.shape != array.shape:
            self._refuse(name, known.shape, array.shape)
        if isinstance(known, np.ndarray):
            array[...] = known
        else:
            tensor.copy_(matched(name, known, self._like).detach())

    def _refuse(self, what: str, given: Sequence[int], expected: Sequence[int]) -> None:
        raise StreamMismatch(
            what=what, given=f"the shape {tuple(given)}", expected=tuple(expected)
        )

    def _stale(self) -> bool:
        """Whether a weight was changed, replaced or moved since it was packed."""
        own = self._module._parameters.values()
        return self._seen() != self._packed or not all(map(is_, own, self._own))

    def _watch(self) -> None:
        """Prepare to look at the weights at every step."""
        weights = list(self._module.parameters())
        self._addresses = [weight.data_ptr for weight in weights]
        # PyTorch answers for a plain tensor sooner than for a parameter, and a detached
        # one counts the same changes. Of inference tensors nobody counts them.
        self._counted = [one.detach() for one in weights if not one.is_inference()]
        self._own = list(self._module._parameters.values())
        self._packed = self._seen()

    def _seen(self) -> tuple[list[int], list[int]]:
        """What changes when one of the weights does."""
        addresses = [address() for address in self._addresses]
        return addresses, list(map(changes_of, self._counted))

    def _prepare(self) -> None:
        """Pack the weights as they are now."""
        module = self._module
        like = module.like(self._like)
        if (like.dtype, like.device) != (self._like.dtype, self._like.device):
            kept = self._states
            self._make_memory()
            for own, old in zip(self._states, kept, strict=True):
                for new, value in zip(own, old, strict=True):
                    new.copy_(value)
        self._watch()
        choice = module.choice(self._like.dtype, self._like.device)
        prepare = _compiled if choice.backend == "llvm" else _interpreted
        self._calls: list[Callable[[], object]] = []
        below = self._inputs["x"]
        for layer, output in enumerate(self._outputs):
            inputs = {**self._inputs, "x": below}
            states = [of_layers[layer] for of_layers in self._states]
            self._calls.append(prepare(module, layer, choice, inputs, states, output))
            if layer and module.residual:
                self._calls.append(partial(output.add_, below))
            below = output

    def _make_memory(self) -> None:
        """Make room for inputs, states and outputs, where compiled code finds them."""
        module = self._module
        like = module.like(torch.empty(0)).detach()
        if like.device.type != "cpu" or like.dtype == torch.bfloat16:
            raise StreamElsewhere(dtype=like.dtype, device=like.device)
        self._like = like

        def room(size: int) -> Tensor:
            return self._like.new_zeros((self._rows, size))

        self._inputs = {name: room(size) for name, size in module.input_sizes.items()}
        self._outputs = [room(graph.output_size) for graph in module.graphs]
        self._states = [
            [room(graph.states[number].size) for graph in module.graphs]
            for number in range(len(module.state_names))
        ]
        self._given = {name: self._seen_so(one) for name, one in self._inputs.items()}
        self._answer = self._seen_so(self._outputs[-1])

    def _seen_so(self, memory: Tensor) -> tuple[npt.NDArray[Any], Tensor]:
        """The same memory as an array and as a tensor, in the shape of a step."""
        shaped = memory.view(*self._lead, -1)
        return shaped.numpy(), shaped


def _compiled(
    module: Layers,
    layer: int,
    choice: Choice,
    inputs: Mapping[str, Tensor],
    states: Sequence[Tensor],
    output: Tensor,
) -> Callable[[], object]:
    """A step of one layer in machine code, which reads and writes this memory."""
    graph = module.variants.evaluated[layer]
    text, dtype = text_of(graph), output.dtype
    made = engine(text, False, "", dtype, choice.bfloat16)
    own = module._parameters_of(layer, 0)
    parameters = [own[declared.name].detach() for declared in graph.parameters]
    given = [inputs["x"], *(inputs[declared.name] for declared in graph.inputs)]
    return made.prepared(given, states, parameters, output)


def _interpreted(
    module: Layers,
    layer: int,
    choice: Choice,
    inputs: Mapping[str, Tensor],
    states: Sequence[Tensor],
    output: Tensor,
) -> Callable[[], object]:
    """The same through the backends that PyTorch's operations make."""

    @torch.no_grad()
    def call() -> None:
        with own_precision(output.device):
            answer, after = run_layer(
                module.variants.evaluated[layer],
                inputs,
                states,
                module._parameters_of(layer, 0),
                steps=1,
                batch=len(output),
                counts=None,
                reverse=False,
                backend=choice.backend,
                operation=choice.operation,
            )
        output.copy_(answer)
        for own, new in zip(states, after, strict=True):
            own.copy_(new)

    return call
