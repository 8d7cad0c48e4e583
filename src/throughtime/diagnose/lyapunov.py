"""Lyapunov exponents: how fast neighbouring states part, step by step.

By the QR method (Engelken, Wolf & Abbott, Lyapunov spectra of chaotic recurrent neural
networks, arXiv:2006.02427): k orthonormal directions are carried along by the Jacobians
and made orthonormal again; how much each was stretched is the diagonal of R, and the
mean of its logarithm the exponent. A gradient that flows over T steps grows or shrinks
about as ``exp(λ₁ T)``, so ``1/|λ₁|`` steps are its horizon.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from throughtime.diagnose.jacobians import jacobians_of
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


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The k largest Lyapunov exponents of one layer and direction."""

    exponents: Array
    """``(k,)``, in nats per step, falling; the mean over all steps that count."""
    running: Array
    """``(S, k)``: the same from the steps so far, after each measurement."""
    measured: Array
    """``(S,)``: the steps after which each measurement was made, from 1."""
    by_sequence: Array
    """``(B, k)``: those of each sequence, NaN where it has no step that counts."""
    size: int
    """N, the units of all states together, and of exponents that there are."""

    @property
    def kaplan_yorke(self) -> float:
        """The dimension of what states settle on: how many directions do not shrink.

        ``D = j + Σ_{i≤j} λ_i / |λ_{j+1}|``, j the largest number whose sum is not
        below 0 (Kaplan & Yorke 1979). NaN where more exponents would be needed.
        """
        sums = np.cumsum(self.exponents)
        count = int(np.count_nonzero(np.logical_and.accumulate(sums >= 0)))
        if count < len(sums):
            rest = sums[count - 1] if count else 0.0
            return float(count + rest / abs(self.exponents[count]))
        return float(count) if count == self.size else float("nan")

    @property
    def entropy_rate(self) -> float:
        """The sum of the exponents above 0, in nats per step (Pesin 1977).

        NaN where more exponents would be needed.
        """
        if len(self.exponents) < self.size and self.exponents[-1] > 0:
            return float("nan")
        return float(self.exponents[self.exponents > 0].sum())

    @property
    def horizon(self) -> float:
        """Steps over which a gradient changes by a factor of e: ``1/|λ₁|``."""
        first = abs(float(self.exponents[0]))
        return 1 / first if first else float("inf")


def lyapunov_spectrum(
    module: Layers,
    input: Given,
    state: State | None = None,
    *,
    exponents: int | None = None,
    transient: int | None = None,
    every: int = 1,
    lengths: Lengths | None = None,
    dtype: torch.dtype = torch.float64,
    **inputs: Sequences,
) -> dict[tuple[int, int], Spectrum]:
    """Lyapunov exponents of every layer and direction on given input.

    A layer is taken by itself, driven by what it reads from below; the exponents of a
    stack of one direction are those of all its layers together. Random values are at
    their means, as in evaluation. The cost is that of the Jacobians, N rows of a
    step for each step and sequence, and of a QR decomposition ``(N, k)``.

    To see a network without input give zeros ``(T, 1, F)`` and a state that is drawn:
    zeros are a fixed point of a tanh network without biases, and would stay there.

    Parameters
    ----------
    module
        `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.
    input, state, lengths, **inputs
        As in a call of the module. Of several sequences the steps of all count alike.
    exponents
        k, how many; None: as many as the states of a layer have units.
    transient
        The first steps, which do not count: states settle and directions turn to where
        they are stretched most. None: a tenth of the longest sequence.
    every
        Steps between two QR decompositions. More are quicker and less exact; what is
        left at the end of a sequence does not count.
    dtype
        In which numbers to compute, whatever the module's are.

    Returns
    -------
    dict
        ``(layer, direction) -> Spectrum``.

    Raises
    ------
    NotLayers, NothingCarried
        The module is none, or its cell has no states.
    UnfitMeasurement
        There are no so many exponents or steps; the message names the argument.
    StatesDiverged
        States or derivatives are not finite.
    """
    check_layers(module, "a Lyapunov spectrum")
    judged, input, state, others = in_numbers(module, input, state, inputs, dtype)
    with torch.no_grad():
        found = passages(judged, input, state, lengths, others)
        return {
            (one.layer, one.direction): _spectrum(one, exponents, transient, every)
            for one in found
        }


def _spectrum(
    passage: Passage, exponents: int | None, transient: int | None, every: int
) -> Spectrum:
    count = passage.size if exponents is None else exponents
    check_exponents(passage, count)
    first = _checked_transient(passage, transient, every)
    ends: list[int] = []
    logarithms: list[Tensor] = []
    for end, found in growths(passage, jacobians_of(passage), count, every, first):
        ends.append(end)
        logarithms.append(found.cpu())
    measured = torch.tensor(ends)
    # A stretch counts for a sequence that lives to its end.
    counts = (measured[:, None] <= passage.lengths).double()
    grown = torch.stack(logarithms).double()
    grown = grown.where(counts[..., None] > 0, 0)
    steps = every * counts.sum(1).cumsum(0)
    running = grown.sum(1).cumsum(0) / steps[:, None]
    order = running[-1].argsort(descending=True, stable=True)
    running = running[:, order]
    by_sequence = grown.sum(0)[:, order] / (every * counts.sum(0))[:, None]
    return Spectrum(
        running[-1].numpy(),
        running.numpy(),
        measured.numpy(),
        by_sequence.numpy(),
        passage.size,
    )


def check_exponents(passage: Passage, count: object) -> None:
    """Refuse a number of exponents that the states do not have.

    Raises
    ------
    UnfitMeasurement
        They do not.
    """
    whole = isinstance(count, int) and not isinstance(count, bool)
    if not whole or not 1 <= count <= passage.size:
        raise UnfitMeasurement(
            argument="exponents",
            given=count,
            of=f"layer {passage.layer} of {passage.graph.cell}, whose states have "
            f"{passage.size} units in all",
            expected=f"a whole number from 1 to {passage.size}",
        )


def _checked_transient(passage: Passage, transient: object, every: object) -> int:
    """How many steps do not count, if that and the steps between two fit."""
    longest = int(passage.lengths.max()) if passage.lengths.numel() else 0
    of = f"sequences of at most {longest} steps"
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise UnfitMeasurement(
            argument="every",
            given=every,
            of=of,
            expected="a whole number of steps of at least 1",
        )
    first = longest // 10 if transient is None else transient
    whole = isinstance(first, int) and not isinstance(first, bool)
    if not whole or first < 0 or first + every > longest:
        raise UnfitMeasurement(
            argument="transient",
            given=transient,
            of=f"{of}, measured every {every}",
            expected=f"a whole number from 0 to {longest - every}"
            if longest >= every
            else "longer sequences",
        )
    return first


def growths(
    passage: Passage,
    jacobians: Iterator[Tensor],
    count: int,
    every: int,
    transient: int,
) -> Iterator[tuple[int, Tensor]]:
    """Give how much each direction was stretched, as ``log |R_ii|`` ``(B, k)``.

    One result for each `every` steps behind the transient, with the number of steps
    until then. Where `jacobians` are differentiable, so are the results.
    """
    directions = _first_directions(passage, count)
    step = 0
    for found in jacobians:
        for jacobian in found:
            step += 1
            directions = jacobian @ directions
            if (step - transient) % every and step != transient:
                continue
            directions, upper = torch.linalg.qr(directions)
            if step > transient:
                diagonal = upper.diagonal(dim1=-2, dim2=-1)
                yield step, diagonal.abs().log()


def _first_directions(passage: Passage, count: int) -> Tensor:
    """Orthonormal directions ``(B, N, k)``, the same in every call, without a bias."""
    drawn = torch.randn(
        passage.size,
        count,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    directions, _ = torch.linalg.qr(drawn)
    batch = passage.before[0].shape[1]
    return directions.to(passage.before[0]).expand(batch, -1, -1)
