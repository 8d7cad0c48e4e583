"""Products with a sparse x: rows of weights looked up and added, both ways.

The weights of a sparse input are kept with a row for each feature, ``(F, n)``, so that
a feature is one stretch of memory. The product adds the rows that a step names; the
gradient of a row adds the errors of the steps that name it: the same operation, on the
entries in the order of their features. Only these rows have a gradient.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from throughtime.errors import (
    DeviceMismatch,
    DtypeMismatch,
    InputSizeMismatch,
    LengthsOfSparse,
    SparseInputExpected,
)
from throughtime.graph import StepGraph
from throughtime.graph.input_products import InputProducts, with_products
from throughtime.nn.sparse_sequences import SparseSequences


class SparseInputs(nn.Module):
    """A module whose first layer may look up what it needs of x.

    Weights of a sparse x are parameters ``(F, n)``; `state_dict` shows and takes them
    as ``(n, F)``, like those of a dense one.
    """

    input_size: int
    products: InputProducts | None = None
    """How the first layer divides; None: x is dense."""

    def _divide(self, graphs: tuple[StepGraph, ...]) -> tuple[StepGraph, ...]:
        """The graphs that run, where the first one reads products instead of x."""
        self.products = with_products(graphs[0])
        # Names in the module, those of the one direction and then of the other.
        self._tables: list[str] = []
        return self.products.graph, *graphs[1:]

    def _width_of_x(self, directions: int) -> int:
        """Columns of what the first layer reads as x, in both directions."""
        if self.products is None:
            return self.input_size
        return self.products.graph.input_size * directions

    @property
    def sparse_input(self) -> bool:
        """Whether sequences are given as `SparseSequences`."""
        return self.products is not None

    @property
    def tables(self) -> list[str]:
        """The names of parameters with a row for each feature."""
        return [] if self.products is None else self._tables

    def matrices(self, direction: int) -> dict[str, Tensor]:
        """The weights of a sparse x as the cell declares them, ``(n, F)``."""
        if self.products is None:
            return {}
        declared = self.products.matrices
        own = self._tables[direction * len(declared) :]
        return {
            name: getattr(self, table).t()
            for name, table in zip(declared, own, strict=False)
        }

    def of_direction(
        self, direction: int, inputs: Mapping[str, Tensor]
    ) -> Mapping[str, Tensor]:
        """The inputs of a first layer, of what was looked up its own alone."""
        if self.products is None:
            return inputs
        width = self.products.graph.input_size
        own = inputs["x"].narrow(-1, direction * width, width)
        return {**inputs, "x": own}

    def _looks_up(self, layer: int, name: str) -> bool:
        products = None if layer else self.products
        return products is not None and name in products.matrices

    def rows_read(self, name: str, input: Any, *_: Any, **__: Any) -> Tensor | None:
        """The rows of a parameter that a call reads; None: all, or nobody knows."""
        if isinstance(input, SparseSequences) and name in self.tables:
            return input.named.features
        return None

    def lengths_of(self, input: object, lengths: Any) -> Tensor | None:
        """The lengths that sparse sequences have; None: all steps."""
        if self.products is None:
            raise SparseInputExpected(
                given=type(input).__name__,
                expected="a tensor or a PackedSequence",
                advice="build the module with sparse_input=True",
            )
        if lengths is not None:
            raise LengthsOfSparse
        if not isinstance(input, SparseSequences) or input.whole:
            return None
        return input.lengths

    def look_up(self, input: object) -> Tensor:
        """The products of every step, ``(T, B, D·n)``, those of one direction first."""
        # By name at each call: they may be replaced, or computed from others.
        weights: list[Tensor] = [getattr(self, name) for name in self.tables]
        given = self._checked(input, weights[0])
        found: list[Tensor] = [
            _Products.apply(weight, given.values, given) for weight in weights
        ]
        rows = found[0] if len(found) == 1 else torch.cat(found, 1)
        return rows.view(*given.shape[:2], rows.shape[1])

    def _checked(self, input: object, like: Tensor) -> SparseSequences:
        if not isinstance(input, SparseSequences):
            raise SparseInputExpected(
                given=type(input).__name__,
                expected="SparseSequences, as the module has sparse_input=True",
                advice="make them with throughtime.nn.SparseSequences.of(sequences)",
            )
        if input.input_size != len(like):
            raise InputSizeMismatch(
                argument="input",
                setting="input_size",
                expected=len(like),
                given=input.input_size,
            )
        if input.features.device != like.device:
            device, own = str(input.features.device), str(like.device)
            raise DeviceMismatch(argument="input", given=device, expected=own)
        if input.values is not None and input.values.dtype != like.dtype:
            raise DtypeMismatch(
                argument="input",
                given=input.values.dtype,
                expected=f"dtype={like.dtype}",
                alternative="",
            )
        return input

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in self.tables:
            destination[prefix + name] = destination[prefix + name].t()

    def _load_from_state_dict(  # type: ignore[bad-override]
        self, state_dict: dict[str, Any], prefix: str, *others: Any
    ) -> None:
        for name in self.tables:
            given = state_dict.get(prefix + name)
            if isinstance(given, Tensor) and given.dim() == 2:
                state_dict[prefix + name] = given.t().contiguous()
        super()._load_from_state_dict(state_dict, prefix, *others)


def look_up(weight: Tensor, given: SparseSequences) -> Tensor:
    """Σ value · row of the features of every step, ``(T·B, n)``."""
    return _added(weight, given.features, given.offsets, given.values)


def of_weight(error: Tensor, given: SparseSequences) -> Tensor:
    """The gradient of the rows that are named, ``(u, n)``, from ``(T·B, n)``."""
    named, values = given.named, given.values
    ordered = None if values is None else values.detach()[named.order]
    return _added(error, named.rows, named.offsets, ordered)


def _added(
    rows: Tensor, places: Tensor, offsets: Tensor, values: Tensor | None
) -> Tensor:
    """Σ value · row over the places of each stretch, ``(stretches, n)``."""
    if len(offsets) == 1:
        return rows.new_zeros(0, rows.shape[1])
    return functional.embedding_bag(
        places,
        rows,
        offsets,
        mode="sum",
        per_sample_weights=values,
        include_last_offset=True,
    )


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[bad-override]
        ctx: Any, weight: Tensor, values: Tensor | None, given: SparseSequences
    ) -> Tensor:
        ctx.given, ctx.shape = given, weight.shape
        ctx.save_for_backward(weight if ctx.needs_input_grad[1] else None)
        return look_up(weight, given)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[bad-override]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Any, ...]:
        (weight,) = ctx.saved_tensors
        given, error = ctx.given, gradients[0].contiguous()
        named, weights, values = given.named, None, None
        if ctx.needs_input_grad[0]:
            weights = torch.sparse_coo_tensor(
                named.features[None],
                of_weight(error, given),
                ctx.shape,
                is_coalesced=True,
                check_invariants=False,
            )
        if ctx.needs_input_grad[1]:
            features = given.features[named.order]
            each = (weight[features] * error[named.rows]).sum(1)
            values = torch.empty_like(each).index_copy_(0, named.order, each)
        return weights, values, None
