"""A whole model, one time step at a time: preprocessing, network, output, answer."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from throughtime.errors import StreamMismatch
from throughtime.nn.streaming import Step, Stream
from throughtime.train.model import Model
from throughtime.train.preparing.outputs import Forecast


class StreamState(NamedTuple):
    """All that the next step of a model depends on.

    Parameters
    ----------
    network
        The states of the layers, as the module gives and takes them.
    before
        For the features and each further input, the filled numbers of the last steps,
        ``(n, B, F)``.
    pooled
        Of the mean or the highest of all steps: their sum, or the highest, ``(B, H)``.
    steps
        How many steps there were.
    """

    network: Any
    before: dict[str, Tensor]
    pooled: Tensor | None
    steps: int


class ModelStream:
    """Steps of a model, whose state is carried on.

    Where a model has one answer per sequence, it is that of the steps so far. It has
    the bits that the whole sequence gives; a mean over all steps is added up in
    another order, and equal to rounding.

    Parameters
    ----------
    model
        A model of one direction.
    batch
        B, the sequences that run side by side; None: one, and no axis for it.
    dtype
        Of the answers; None: that of the model, as `Model.forward` gives them.

    Raises
    ------
    TwoDirections
        The model is bidirectional: its answers need the steps to come.
    """

    def __init__(
        self, model: Model, batch: int | None = None, dtype: torch.dtype | None = None
    ) -> None:
        self._model, self._batch, self._dtype = model, batch, dtype
        self._network: Stream = model.recurrent.stream(batch)
        self._readers = {"x": model.columns, **model.inputs}
        self.reset()

    def reset(self) -> None:
        """Begin a new sequence."""
        self._network.reset()
        self._before: dict[str, Tensor] = {}
        self._pooled: Tensor | None = None
        self._steps = 0

    @property
    def state(self) -> StreamState:
        """All that the next step depends on, a copy."""
        pooled = None if self._pooled is None else self._pooled.clone()
        return StreamState(self._network.state, dict(self._before), pooled, self._steps)

    @state.setter
    def state(self, state: StreamState) -> None:
        self._network.state = state.network
        self._before, self._steps = dict(state.before), state.steps
        self._pooled = None if state.pooled is None else state.pooled.clone()

    @torch.no_grad()
    def __call__(self, x: Step, **inputs: Step) -> Any:
        """Take one step.

        Parameters
        ----------
        x
            Raw features ``(F,)`` or ``(B, F)``, as `Model.forward` takes them: a NumPy
            array or a tensor.
        **inputs
            The cell's further inputs by name, raw, ``(n,)`` or ``(B, n)``.

        Returns
        -------
        output
            ``(K,)`` or ``(B, K)``, of the kind of ``x``.

        Raises
        ------
        StreamMismatch, ValueMissing
            An array has another shape, a name is none, or a value is missing.
        """
        if inputs.keys() != self._model.inputs.keys():
            given = ", ".join(inputs) or "none"
            expected = ", ".join(self._model.inputs) or "none"
            raise StreamMismatch(what="inputs", given=given, expected=expected)
        raw = {name: self._raw(name, one) for name, one in {**inputs, "x": x}.items()}
        vectors = {name: self._read(name, one) for name, one in raw.items()}
        hidden = self._network(vectors.pop("x"), **vectors)
        self._steps += 1
        hidden = self._so_far(hidden.reshape(-1, hidden.shape[-1]))
        answer = self._answer(self._model.head.logits(hidden))
        if self._batch is None:
            answer = answer[0]
        return answer.cpu().numpy() if isinstance(x, np.ndarray) else answer

    def _raw(self, name: str, value: Step) -> Tensor:
        """Check one step, and give it as ``(1, B, F)``."""
        lead = () if self._batch is None else (self._batch,)
        expected = (*lead, len(self._readers[name].columns))
        if tuple(value.shape) != expected:
            shape = f"the shape {tuple(value.shape)}"
            raise StreamMismatch(what=name, given=shape, expected=expected)
        device = self._model.head.weight.device
        raw = torch.as_tensor(value, device=device).reshape(1, -1, expected[-1])
        self._readers[name].check(raw)
        return raw

    def _read(self, name: str, raw: Tensor) -> Tensor:
        """Give what the network takes, and keep what the next steps need."""
        reader, before = self._readers[name], self._before.get(name)
        dtype = self._model.head.weight.dtype
        vector = reader.vectors(reader.numbers(raw, before), dtype)[0]
        # A copy: the caller may write its next step into the same array.
        kept = reader.known(raw, before)[-max(1, reader.reach) :]
        self._before[name] = kept.clone()
        return vector if self._batch is not None else vector[0]

    def _so_far(self, hidden: Tensor) -> Tensor:
        """Give what the output is given: ``(B, H)``."""
        pooling = self._model.pooling
        if pooling in (None, "last"):
            return hidden
        if self._pooled is None:
            self._pooled = hidden.clone()
        elif pooling == "max":
            self._pooled = self._pooled.maximum(hidden)
        else:
            self._pooled = self._pooled + hidden
        return self._pooled / self._steps if pooling == "mean" else self._pooled

    def _answer(self, logits: Tensor) -> Tensor:
        model, output = self._model, self._model.output
        activated = model.head.activate(logits.to(self._dtype or logits.dtype))
        if isinstance(output, Forecast):
            known = self._before["x"]
            many = activated.expand(len(known), *activated.shape)
            answer = output.decode(many, lambda: known)[-1]
        else:
            answer = output.decode(activated, lambda: self._before["x"])
        return answer.to(activated.dtype)
