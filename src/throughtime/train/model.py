"""A trained model: preprocessing, recurrent network and output in one module."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from throughtime.data import Question, Schema
from throughtime.errors import LengthsOfSparse, NotRecurrent
from throughtime.nn import Recurrent, SparseSequences
from throughtime.nn.heads import Head, Pooling, pool
from throughtime.train.network import Network
from throughtime.train.preparing.item_readers import ReadItems
from throughtime.train.preparing.outputs import Output
from throughtime.train.preparing.readers import Read

if TYPE_CHECKING:
    from throughtime.train.streaming import ModelStream


Raw: TypeAlias = Tensor | SparseSequences
"""Sequences as they were read: numbers of columns, or the items that steps name."""


class Model(nn.Module):
    """From raw sequences to answers.

    Parameters
    ----------
    schema, question
        The columns of the data, and what is asked of them.
    reader
        Makes what the network takes of the features.
    inputs
        Does so for each further input of the cell.
    network
        The recurrent layers, or what stands in their place.
    head
        The last linear map, with its loss.
    output
        What the numbers of the head stand for.
    pooling
        How one answer per sequence is made; None: one answer per step.
    """

    def __init__(
        self,
        schema: Schema,
        question: Question,
        reader: Read | ReadItems,
        inputs: Mapping[str, Read],
        network: Network,
        head: Head,
        output: Output,
        pooling: Pooling | None,
    ) -> None:
        super().__init__()
        self.schema, self.question = schema, question
        self.reader, self.network, self.head = reader, network, head
        # They hold no weights, and may have any name.
        self.inputs = dict(inputs)
        self.output, self.pooling = output, pooling

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the K numbers of an answer: classes, labels, columns or symbols."""
        return self.output.labels

    def stream(self, batch: int | None = None) -> "ModelStream":
        """Answer one time step at a time, with the bits that `forward` gives.

        Parameters
        ----------
        batch
            B, the sequences that run side by side; None: one, and no axis for it.

        Raises
        ------
        TwoDirections, NotRecurrent
            The network is bidirectional: its answers need the steps to come. Or it is
            not recurrent, and has no step.
        """
        from throughtime.train.streaming import ModelStream

        return ModelStream(self, batch)

    @property
    def recurrent(self) -> Recurrent:
        """The network as recurrent layers, which alone have equations and a backend.

        Raises
        ------
        NotRecurrent
            It is another one, such as a convolution.
        """
        if not isinstance(self.network, Recurrent):
            raise NotRecurrent(given=type(self.network).__name__)
        return self.network

    @property
    def columns(self) -> Read:
        """What reads columns of numbers and categories: of items there are none."""
        assert isinstance(self.reader, Read), "steps that name items have no features"
        return self.reader

    def read(self, input: Raw, **inputs: Tensor) -> tuple[Any, dict[str, Tensor]]:
        """Make what the network takes of raw numbers, as `forward` is given them."""
        dtype = self.head.weight.dtype
        # A name that is not known is the network's to refuse.
        read = {
            name: self.inputs[name](value, dtype) if name in self.inputs else value
            for name, value in inputs.items()
        }
        return self.reader(input, dtype), read

    def hidden(
        self,
        input: Raw,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
        return_layers: bool = False,
        **inputs: Tensor,
    ) -> tuple[Any, ...]:
        """Run the layers below the head: ``(T, B, D·H)`` and the state.

        With `return_layers` each layer's output is the third, as `Recurrent` gives it.
        """
        reader: Any = self.reader  # of the kind that the input must be of
        reader.check(input, lengths)
        for name, value in inputs.items():
            if name in self.inputs:
                self.inputs[name].check(value, lengths)
        x, further = self.read(input, **inputs)
        if isinstance(input, SparseSequences):
            if lengths is not None and not torch.equal(lengths, input.lengths):
                raise LengthsOfSparse
            lengths = None
        return self.network(
            x, state, lengths=lengths, return_layers=return_layers, **further
        )

    def pooled(self, hidden: Tensor, lengths: Tensor | None) -> Tensor:
        """Make what the head is given: ``(B, D·H)``, or all steps as they are."""
        if self.pooling is None:
            return hidden
        if lengths is None:
            lengths = torch.full((hidden.shape[1],), hidden.shape[0])
        directions = self.network.directions
        return pool(hidden, lengths, self.pooling, directions=directions)

    def logits(
        self,
        input: Raw,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
        **inputs: Tensor,
    ) -> tuple[Tensor, Any]:
        """Give answers on the scale of the loss; arguments are those of `forward`."""
        if isinstance(input, SparseSequences) and lengths is None:
            lengths = input.lengths
        hidden, state = self.hidden(
            input, state, lengths=lengths, return_layers=False, **inputs
        )
        return self.head.logits(self.pooled(hidden, lengths)), state

    def answers(self, logits: Tensor, input: Raw) -> Tensor:
        """Turn logits into what `forward` gives; real numbers stay float64."""
        activated = self.head.activate(logits)
        return self.output.decode(activated, lambda: self.fill(input))

    def fill(self, input: Raw) -> Tensor:
        """Put something in the place of missing features, as `Read.fill` does."""
        assert isinstance(input, Tensor), "nobody asks for the future of items"
        return self.columns.fill(input)

    def forward(
        self,
        input: Raw,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
        **inputs: Tensor,
    ) -> tuple[Tensor, Any]:
        """Answer sequences.

        Parameters
        ----------
        input
            Raw features ``(T, B, F)`` as the schema's columns say: numbers in their own
            units, booleans as 0 and 1, categories as places, NaN where a value is
            missing. A text is symbols, ``(T, B, 1)``. Steps that name items are
            `SparseSequences`, an item being its place among the schema's categories.
        state
            Where the network starts; None: where its cell does.
        lengths
            ``(B,)``, the steps that count; None: all.
        **inputs
            The cell's further inputs by name, raw, ``(T, B, n)``.

        Returns
        -------
        outputs : torch.Tensor
            ``(B, K)`` for one answer per sequence, ``(T, B, K)`` for one per step.
            Probabilities of classes, labels or symbols; real numbers in the units of
            their column. A forecast gives the 1st step of all columns first.
        state : tuple of torch.Tensor
            The state after the last step.
        """
        logits, state = self.logits(input, state, lengths=lengths, **inputs)
        return self.answers(logits, input).to(logits.dtype), state
