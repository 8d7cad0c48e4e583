"""Every way to run a layer keeps one contract: rows in, rows and final states out."""

import pytest
import torch
from torch import Tensor

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward
from throughtime.graph import Cell, trace
from throughtime.nn.execution import RUNNERS, run_layer

F, H, STEPS, BATCH = 3, 5, 4, 3
PLAIN = {"rnn_tanh": Elman(), "rnn_relu": Elman("relu"), "lstm": LSTM(), "gru": GRU()}
COUNTS = [
    [3, 3, 3, 3],
    [3, 2, 2, 1],
    [2, 1, 1, 0],  # the last sequence has no step
    [0, 0, 0, 0],
]


EXTENTS: list[tuple[list[int] | None, bool]] = [(None, False), (None, True)]
EXTENTS += [(counts, False) for counts in COUNTS]


def outcome(
    cell: Cell, backend: str, operation: str, counts: list[int] | None, reverse: bool
) -> list[Tensor]:
    """Output, final states, and the gradients of their squares."""
    graph = trace(cell, F, H)
    torch.manual_seed(0)
    x = torch.randn(STEPS * BATCH, F, dtype=torch.float64)
    if counts is not None:
        x[sum(counts) :] = torch.nan
    sizes = [(BATCH, state.size) for state in graph.states]
    shapes = [declared.shape for declared in graph.parameters]
    drawn = [torch.randn(s, dtype=torch.float64) for s in (*sizes, *shapes)]
    leaves = [leaf.requires_grad_() for leaf in (x, *drawn)]
    initial, parameters = drawn[: len(sizes)], drawn[len(sizes) :]
    names = [declared.name for declared in graph.parameters]
    output, finals = run_layer(
        graph,
        {"x": x},
        initial,
        dict(zip(names, parameters, strict=True)),
        steps=STEPS,
        batch=BATCH,
        counts=None if counts is None else torch.tensor(counts),
        reverse=reverse,
        backend=backend,
        operation=operation,
    )
    assert output.shape == (STEPS * BATCH, H)
    if counts is not None:
        assert (output[sum(counts) :] == 0).all()
    loss = output.square().sum() + sum(final.square().sum() for final in finals)
    if not loss.requires_grad:
        return [output, *finals]
    gradients = torch.autograd.grad(
        loss, leaves, allow_unused=True, materialize_grads=True
    )
    if counts is not None:
        assert (gradients[0][sum(counts) :] == 0).all()
    return [output, *finals, *gradients]


def assert_equal_to_the_reference(
    cell: Cell, backend: str, operation: str, counts: list[int] | None, reverse: bool
) -> None:
    extent = (operation, counts, reverse)
    for value, reference in zip(
        outcome(cell, backend, *extent),
        outcome(cell, "reference", *extent),
        strict=True,
    ):
        assert_close(value, reference)


@pytest.mark.parametrize("operation", PLAIN)
@pytest.mark.parametrize(("counts", "reverse"), EXTENTS, ids=str)
def test_torchs_own_operations(
    operation: str, counts: list[int] | None, reverse: bool
) -> None:
    # The operations that run through cuDNN on a GPU run on the CPU as well.
    assert_equal_to_the_reference(PLAIN[operation], "cudnn", operation, counts, reverse)


@pytest.mark.parametrize("cell", [*PLAIN.values(), Feedforward("tanh")], ids=repr)
@pytest.mark.parametrize(("counts", "reverse"), EXTENTS, ids=str)
def test_backends(
    backend: str, cell: Cell, counts: list[int] | None, reverse: bool
) -> None:
    assert_equal_to_the_reference(cell, backend, "", counts, reverse)


def test_packed_rows_need_no_rows_behind_them(backend: str) -> None:
    graph = trace(GRU(), F, H)
    counts = torch.tensor([3, 1])
    parameters = {
        declared.name: torch.randn(declared.shape, dtype=torch.float64)
        for declared in graph.parameters
    }
    arguments = (
        {"x": torch.randn(4, F, dtype=torch.float64)},
        [torch.zeros(3, H, dtype=torch.float64)],
        parameters,
    )
    extent = {"steps": 2, "batch": 3, "counts": counts, "reverse": False}
    output, (final,) = run_layer(graph, *arguments, **extent, backend=backend)
    assert output.shape == (4, H)
    expected, (end,) = run_layer(graph, *arguments, **extent, backend="reference")
    assert_close(output, expected)
    assert_close(final, end)


def test_final_states_are_never_the_initial_ones(backend: str) -> None:
    graph = trace(GRU(), F, H)
    start = torch.ones(3, H, dtype=torch.float64)
    parameters = {
        declared.name: torch.zeros(declared.shape, dtype=torch.float64)
        for declared in graph.parameters
    }
    extent = {"steps": 0, "batch": 3, "counts": None, "reverse": False}
    x = {"x": torch.zeros(0, F, dtype=torch.float64)}
    _, (final,) = run_layer(graph, x, [start], parameters, **extent, backend=backend)
    assert torch.equal(final, start)
    final.zero_()
    assert bool((start == 1).all())


def test_every_backend_is_judged_here() -> None:
    assert set(RUNNERS) == {"llvm", "reference", "cudnn"}
