"""One layer, run by any backend: values to try, everything it gives, how far off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from throughtime.graph import StepGraph
from throughtime.graph.random_values import is_random
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled.engine import Engine
from throughtime.nn.compiled.extents import Extent, extent_of
from throughtime.nn.compiled.ways import Way
from throughtime.nn.execution import run_layer


@dataclass(frozen=True)
class Case:
    """Numbers for one call of a layer, and for the loss behind it."""

    inputs: Mapping[str, Tensor]
    initial: Sequence[Tensor]
    parameters: Mapping[str, Tensor]
    gradient: Tensor
    state_gradients: Sequence[Tensor]
    steps: int
    batch: int
    counts: Tensor | None = None
    reverse: bool = False
    key: Tensor | None = None

    def to(self, dtype: torch.dtype) -> "Case":
        return Case(
            inputs={name: value.to(dtype) for name, value in self.inputs.items()},
            initial=[value.to(dtype) for value in self.initial],
            parameters={n: value.to(dtype) for n, value in self.parameters.items()},
            gradient=self.gradient.to(dtype),
            state_gradients=[value.to(dtype) for value in self.state_gradients],
            steps=self.steps,
            batch=self.batch,
            counts=self.counts,
            reverse=self.reverse,
            key=self.key,
        )


def draw(
    graph: StepGraph,
    steps: int,
    batch: int,
    *,
    seed: int = 0,
    lengths: Sequence[int] | None = None,
    reverse: bool = False,
    weights: float = 0.5,
) -> Case:
    """Normal numbers; ``lengths`` in falling order. float32 can hold each of them."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).double()

    counts, rows = None, steps * batch
    if lengths is not None:
        counts = (torch.arange(steps)[:, None] < torch.tensor(lengths)).sum(1)
    sizes = {"x": graph.input_size} | {i.name: i.size for i in graph.inputs}
    return Case(
        inputs={name: normal(rows, size) for name, size in sizes.items()},
        initial=[normal(batch, state.size) for state in graph.states],
        parameters={
            p.name: (weights * normal(*p.shape)).float().double()
            for p in graph.parameters
        },
        gradient=normal(rows, graph.output_size),
        state_gradients=[normal(batch, state.size) for state in graph.states],
        steps=steps,
        batch=batch,
        counts=counts,
        reverse=reverse,
        key=torch.tensor([seed * 2**33 + 7]) if is_random(graph) else None,
    )


def select(case: Case, rows: Tensor) -> Case:
    """The same numbers for some sequences alone, all of full length."""

    def of(value: Tensor) -> Tensor:
        steps = value.view(case.steps, case.batch, -1)[:, rows]
        return steps.reshape(case.steps * len(rows), -1)

    return Case(
        inputs={name: of(value) for name, value in case.inputs.items()},
        initial=[value[rows] for value in case.initial],
        parameters=case.parameters,
        gradient=of(case.gradient),
        state_gradients=[value[rows] for value in case.state_gradients],
        steps=case.steps,
        batch=len(rows),
        reverse=case.reverse,
    )


def forward(graph: StepGraph, case: Case, backend: str) -> dict[str, Tensor]:
    """Output and final states without a backward pass."""
    with torch.no_grad():
        output, finals = _run(graph, case, backend)
    return {"output": output} | {f"final {i}": v for i, v in enumerate(finals)}


def results(graph: StepGraph, case: Case, backend: str) -> dict[str, Tensor]:
    """Output, final states, and the gradients of everything."""
    tracked = Case(
        inputs={n: v.detach().requires_grad_() for n, v in case.inputs.items()},
        initial=[value.detach().requires_grad_() for value in case.initial],
        parameters={n: v.detach().requires_grad_() for n, v in case.parameters.items()},
        gradient=case.gradient,
        state_gradients=case.state_gradients,
        steps=case.steps,
        batch=case.batch,
        counts=case.counts,
        reverse=case.reverse,
        key=case.key,
    )
    output, finals = _run(graph, tracked, backend)
    loss = (output * case.gradient).sum()
    # Without gradients of final states nothing reads them.
    for final, gradient in zip(finals, case.state_gradients, strict=False):
        loss = loss + (final * gradient).sum()
    leaves = {f"gradient of input {n}": v for n, v in tracked.inputs.items()}
    leaves |= {f"gradient of state {i}": v for i, v in enumerate(tracked.initial)}
    leaves |= {f"gradient of {n}": v for n, v in tracked.parameters.items()}
    found = {"output": output.detach()}
    found |= {f"final {i}": value.detach() for i, value in enumerate(finals)}
    if not loss.requires_grad:
        return found | {name: torch.zeros_like(v) for name, v in leaves.items()}
    slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return found | {
        name: torch.zeros_like(leaf) if slope is None else slope
        for (name, leaf), slope in zip(leaves.items(), slopes, strict=True)
    }


def engine_of(graph: StepGraph, dtype: torch.dtype, *, training: bool) -> Engine:
    """An engine of one's own, to change; it gives the gradients of all inputs."""
    names = ["x", *(declared.name for declared in graph.inputs)]
    wanted = " ".join(names) if training else ""
    return Engine(text_of(graph), training, wanted, dtype)


def ways(*, split_units: bool) -> list[Way]:
    """Every half and way to run it, with or without shared units."""
    return [
        Way(backward, hoist, split_units, overwrite)
        for backward, hoist in ((False, False), (False, True), (True, False))
        for overwrite in ((False, True) if backward else (False,))
    ]


def through_engine(made: Engine, case: Case) -> dict[str, Tensor]:
    """What `results` says, or `forward`, by an engine without any operator."""
    extent = _extent(made, case)
    parameters = [*case.parameters.values(), *([] if case.key is None else [case.key])]
    tensors = list(case.inputs.values()), case.initial, parameters
    output, finals, saved = made.forward(*tensors, extent)
    found = {"output": output} | {f"final {i}": v for i, v in enumerate(finals)}
    if not made.wanted:
        return found
    slopes = made.backward(
        *(*tensors, extent, output, saved, case.gradient, case.state_gradients),
        overwrite=True,
    )
    found |= {
        f"gradient of input {n}": v for n, v in zip(case.inputs, slopes[0], strict=True)
    }
    found |= {f"gradient of state {i}": v for i, v in enumerate(slopes[1])}
    names = case.parameters
    return found | {
        f"gradient of {n}": v for n, v in zip(names, slopes[2], strict=True)
    }


def _extent(made: Engine, case: Case) -> Extent:
    where = case.counts, case.steps, case.batch, case.reverse
    rows = case.gradient.shape[0]
    states, own = bool(made.graph.states), made.draws_per_sequence
    return extent_of(states, rows, *where, sequences=own)


def _run(graph: StepGraph, case: Case, backend: str) -> tuple[Tensor, list[Tensor]]:
    return run_layer(
        graph,
        case.inputs,
        case.initial,
        case.parameters,
        steps=case.steps,
        batch=case.batch,
        counts=case.counts,
        reverse=case.reverse,
        backend=backend,
        key=case.key,
    )


def assert_near(
    found: Mapping[str, Tensor], reference: Mapping[str, Tensor], tolerance: float
) -> None:
    """Within the tolerance of each tensor's largest number, at least of 1."""
    assert found.keys() == reference.keys()
    for name, expected in reference.items():
        assert found[name].shape == expected.shape, name
        assert found[name].dtype == expected.dtype, name
        if expected.numel():
            scale = max(1.0, float(expected.abs().max()))
            error = float((found[name] - expected).abs().max())
            assert error <= tolerance * scale, f"{name} is {error:.3g} off"


def assert_equal_bits(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        same = torch.equal(_bytes(found[name]), _bytes(value))
        assert same, f"{name} differs in its bits"


def _bytes(value: Tensor) -> Tensor:
    return value.contiguous().view(torch.uint8)
