"""A reset means: from here on a sequence of its own, in every layer and direction."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM, Zoneout
from throughtime.errors import BadResets, ResetsOfPacked
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.math import sigmoid, tanh
from throughtime.nn import Recurrent
from throughtime.nn.beginning_anew import begins_in_step
from throughtime.nn.watching import watch

F, H = 3, 5


class Waiting(Cell):
    """States that begin at 0.5 and where it is learned, and a further input."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    rate = Parameter("hidden", 2)
    h = State("hidden", init=0.5)
    trace = State("hidden", init="learned")
    elapsed = Input(2)

    def step(self, x: Value, h: Value, trace: Value, elapsed: Value) -> Any:
        trace = trace * sigmoid(self.rate @ elapsed) + h
        return tanh(self.weight @ x + self.recurrent @ trace), trace


CELLS = [Elman(), LSTM(), GRU(reset_after=False), PeepholeLSTM(), Waiting()]


def build(cell: Cell, backend: str, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    module = Recurrent(cell, F, H, backend=backend, dtype=torch.float64, **settings)
    for name, parameter in module.named_parameters():
        if "_init" in name:
            torch.nn.init.normal_(parameter)
    return module


def draw(module: Recurrent, steps: int, batch: int) -> dict[str, Tensor]:
    return {
        name: torch.randn(steps, batch, size, dtype=torch.float64, requires_grad=True)
        for name, size in module.input_sizes.items()
    }


def part_by_part(
    module: Recurrent,
    inputs: dict[str, Tensor],
    state: list[Tensor] | None,
    lengths: list[int],
    resets: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Output and final states of parts of sequences that run alone."""
    own = module.own_starts(inputs["x"])
    width = module.graphs[-1].output_size * module.directions
    columns, finals = [], []
    steps = inputs["x"].shape[0]
    for sequence, length in enumerate(lengths):
        marks = {t for t in range(length) if resets[t, sequence]}
        bounds = sorted({0, length, *marks})
        outputs: list[Tensor] = []
        start = own if state is None else [s[:, sequence : sequence + 1] for s in state]
        ends = [value.clone() for value in start]
        for first, last in pairwise(bounds):
            given = first == 0 and 0 not in marks, last == length
            mixed = [
                torch.stack(
                    [
                        value[run] if given[run % module.directions] else other[run]
                        for run in range(len(value))
                    ]
                )
                for value, other in zip(start, own, strict=True)
            ]
            piece = {
                n: v[first:last, sequence : sequence + 1] for n, v in inputs.items()
            }
            output, after = module(piece.pop("x"), mixed, **piece)
            outputs.append(output)
            for end, value in zip(ends, after, strict=True):
                if last == length:
                    end[0 :: module.directions] = value[0 :: module.directions]
                if first == 0 and module.bidirectional:
                    end[1::2] = value[1::2]
        outputs.append(output_of_nothing(inputs["x"], steps - length, width))
        columns.append(torch.cat(outputs))
        finals.append(ends)
    return torch.cat(columns, 1), [torch.cat(p, 1) for p in zip(*finals, strict=True)]


def output_of_nothing(like: Tensor, steps: int, width: int) -> Tensor:
    return like.new_zeros((steps, 1, width))


def gradients(
    module: Recurrent, output: Tensor, finals: Any, leaves: list[Tensor]
) -> list[Tensor]:
    loss = output.square().sum() + sum(final.square().sum() for final in finals)
    wanted = [*leaves, *module.parameters()]
    return list(
        torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
    )


@given(
    cell=st.sampled_from(CELLS),
    steps=st.integers(1, 8),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    often=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    settings=st.fixed_dictionaries(
        {"num_layers": st.integers(1, 2), "bidirectional": st.booleans()}
    ),
    with_state=st.booleans(),
)
def test_each_part_as_if_alone(
    backend: str,
    cell: Cell,
    steps: int,
    fractions: list[float],
    often: float,
    settings: dict[str, Any],
    with_state: bool,
) -> None:
    lengths = [round(fraction * steps) for fraction in fractions]
    module = build(cell, backend, **settings)
    inputs = draw(module, steps, len(lengths))
    resets = torch.rand(steps, len(lengths)) < often
    runs = module.num_layers * module.directions
    state = None
    if with_state:
        state = [
            torch.randn(runs, len(lengths), s.size, dtype=torch.float64)
            for s in module.graphs[0].states
        ]
        state = [value.requires_grad_() for value in state]
    given_ = {n: v for n, v in inputs.items() if n != "x"}
    output, final = module(inputs["x"], state, lengths=lengths, resets=resets, **given_)
    # Both judges need a full batch of states: sequences of no step keep theirs.
    shaped = state or [
        value.expand(-1, len(lengths), -1) for value in module.own_starts(inputs["x"])
    ]
    reference, ends = part_by_part(module, inputs, shaped, lengths, resets)
    assert_close(output, reference)
    for value, end in zip(final, ends, strict=True):
        assert_close(value, end)
    if not any(lengths):
        return
    leaves = [*inputs.values(), *(state or [])]
    for mine, theirs in zip(
        gradients(module, output, final, leaves),
        gradients(module, reference, ends, leaves),
        strict=True,
    ):
        assert_close(mine, theirs)


@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "num_layers": 2}])
def test_forms_of_one_batch(backend: str, settings: dict[str, Any]) -> None:
    module = build(LSTM(), backend, **settings)
    first = build(LSTM(), backend, batch_first=True, **settings)
    x, resets = torch.randn(6, 3, F, dtype=torch.float64), torch.rand(6, 3) < 0.3
    output, final = module(x, resets=resets)
    swapped, after = first(x.transpose(0, 1), resets=resets.T)
    assert torch.equal(swapped.transpose(0, 1), output)
    assert torch.equal(after.c, final.c)
    alone, end = module(x[:, 1], resets=resets[:, 1])
    assert_close(alone, output[:, 1])
    assert_close(end.h, final.h[:, 1])


def test_no_marks_are_no_resets(backend: str) -> None:
    module = build(GRU(), backend, bidirectional=True)
    x = torch.randn(5, 4, F, dtype=torch.float64)
    state = torch.randn(2, 4, H, dtype=torch.float64)
    output, final = module(x, state, resets=torch.zeros(5, 4, dtype=torch.bool))
    reference, end = module(x, state)
    assert_close(output, reference)
    assert_close(final.h, end.h)


def test_no_gradient_crosses_a_mark(backend: str) -> None:
    module = build(LSTM(), backend, num_layers=2)
    x = torch.randn(6, 2, F, dtype=torch.float64, requires_grad=True)
    resets = torch.zeros(6, 2, dtype=torch.bool)
    resets[4, 1] = True
    output, _ = module(x, resets=resets)
    (gradient,) = torch.autograd.grad(output[5].sum(), x)
    assert (gradient[:4, 1] == 0).all()
    assert (gradient[4:, 1] != 0).all() and (gradient[:, 0] != 0).all()


def test_marks_and_steps_behind_the_end_are_not_read(backend: str) -> None:
    module = build(PeepholeLSTM(), backend, bidirectional=True)
    x, resets = torch.randn(6, 3, F, dtype=torch.float64), torch.rand(6, 3) < 0.4
    lengths = [2, 0, 6]
    expected = module(x, lengths=lengths, resets=resets)
    spoiled, marked = x.clone(), resets.clone()
    for sequence, length in enumerate(lengths):
        spoiled[length:, sequence] = torch.nan
        marked[length:, sequence] = True
    found = module(spoiled, lengths=lengths, resets=marked)
    assert torch.equal(found[0], expected[0])
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))


def test_a_cell_without_states_has_nothing_to_reset(backend: str) -> None:
    module = build(Feedforward(), backend)
    x, resets = torch.randn(4, 2, F, dtype=torch.float64), torch.ones(4, 2).bool()
    assert_close(module(x, resets=resets)[0], module(x)[0])


@pytest.mark.parametrize("lengths", [None, [9, 0, 4, 9]])
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "num_layers": 2}])
@pytest.mark.parametrize("cell", [Elman("relu"), LSTM(), GRU(reset_after=False)])
def test_inside_the_step_and_as_parts(
    cell: Cell, settings: dict[str, Any], lengths: list[int] | None
) -> None:
    module = build(cell, "llvm", **settings)
    x = torch.randn(9, 4, F, dtype=torch.float64, requires_grad=True)
    runs = module.num_layers * module.directions
    state = [torch.randn(runs, 4, H, dtype=torch.float64) for _ in module.state_names]
    call: dict[str, Any] = {"lengths": lengths, "resets": torch.rand(9, 4) < 0.3}
    assert begins_in_step(module, x)
    inside = module(x, state, **call)
    packed = module(x, state, **call, return_all=True)
    assert torch.equal(inside[0], packed[0])
    for own, other in zip(inside[1], packed[1], strict=True):
        assert torch.equal(own, other)
    wanted = x, *module.parameters()
    found = (torch.autograd.grad(y[0].square().sum(), wanted) for y in (inside, packed))
    for own, other in zip(*found, strict=True):
        assert_close(own, other)


def test_who_wants_parts_gets_them() -> None:
    x = torch.zeros(3, 2, F, dtype=torch.float64)
    assert begins_in_step(build(LSTM(), "llvm"), x)
    assert not begins_in_step(build(LSTM(), "reference"), x)
    assert not begins_in_step(build(Feedforward(), "llvm"), x)
    assert not begins_in_step(build(LSTM(), "llvm", checkpoint="1MB"), x)
    assert not begins_in_step(build(Zoneout(LSTM(), h=0.1), "llvm"), x)
    watched = build(LSTM(), "llvm")
    with watch(watched):
        assert not begins_in_step(watched, x)
    assert begins_in_step(watched, x)


def test_a_nan_stays_in_its_part(backend: str) -> None:
    module = build(LSTM(), backend)
    x = torch.randn(6, 2, F, dtype=torch.float64)
    x[1, 0] = torch.nan
    x.requires_grad_()
    resets = torch.zeros(6, 2, dtype=torch.bool)
    resets[3, 0] = True
    output, _ = module(x, resets=resets)
    bad = torch.zeros(6, 2, dtype=torch.bool)
    bad[1:3, 0] = True
    assert torch.equal(output.isnan().any(-1), bad)
    (gradient,) = torch.autograd.grad(output.sum(), x)
    bad[0, 0] = True
    assert torch.equal(gradient.isnan().any(-1), bad)


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_threads(threads: int) -> None:
    module = build(LSTM(), "llvm", bidirectional=True)
    x = torch.randn(40, 16, F, dtype=torch.float64, requires_grad=True)
    resets = torch.rand(40, 16) < 0.1
    found = []
    before = torch.get_num_threads()
    for number in (2, threads):
        torch.set_num_threads(number)
        try:
            output, final = module(x, resets=resets)
            found.append([output, *final, *gradients(module, output, final, [x])])
        finally:
            torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "num_layers": 2}])
def test_bits_do_not_depend_on_the_other_sequences(settings: dict[str, Any]) -> None:
    module = build(LSTM(), "llvm", **settings)
    x = torch.randn(20, 7, F, dtype=torch.float64, requires_grad=True)
    resets, lengths = torch.rand(20, 7) < 0.2, torch.tensor([20, 3, 0, 11, 20, 7, 1])

    def run(chosen: Tensor) -> list[Tensor]:
        rows = x[:, chosen]
        marks = {"lengths": lengths[chosen], "resets": resets[:, chosen]}
        output, final = module(rows, **marks)
        (slope,) = torch.autograd.grad(output.square().sum() + final.c.sum(), rows)
        return [output, *final, slope]

    whole = run(torch.arange(7))
    for chosen in (torch.tensor([4, 0, 6, 2, 5, 1, 3]), torch.tensor([3, 5])):
        for part, value in zip(run(chosen), whole, strict=True):
            assert torch.equal(part, value[:, chosen])


@torch.no_grad()
def test_exported_for_any_size() -> None:
    module = build(GRU(), "llvm", bidirectional=True)
    steps, batch = torch.export.Dim("steps"), torch.export.Dim("batch")
    sizes = {"input": {0: steps, 1: batch}, "resets": {0: steps, 1: batch}}
    x, resets = torch.randn(4, 3, F).double(), torch.rand(4, 3) < 0.3
    program = torch.export.export(
        module, (x,), {"resets": resets}, dynamic_shapes=sizes
    )
    x, resets = torch.randn(6, 5, F).double(), torch.rand(6, 5) < 0.3
    output, final = program.module()(x, resets=resets)
    expected, end = module(x, resets=resets)
    assert torch.equal(output, expected) and torch.equal(final.h, end.h)


def test_captured_as_a_whole() -> None:
    module = build(Waiting(), "llvm", bidirectional=True)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for marks in (0.1, 0.7):
        x = torch.randn(5, 3, F, dtype=torch.float64)
        elapsed = torch.randn(5, 3, 2, dtype=torch.float64)
        given_ = {"resets": torch.rand(5, 3) < marks, "elapsed": elapsed}
        output, final = compiled(x, lengths=torch.tensor([5, 0, 3]), **given_)
        expected, end = module(x, lengths=torch.tensor([5, 0, 3]), **given_)
        assert_close(output, expected)
        assert_close(final.trace, end.trace)


@pytest.mark.parametrize(
    "resets",
    [torch.zeros(5, 3), torch.zeros(3, 5).bool(), [[True]], torch.zeros(5).bool(), 1],
    ids=["float", "swapped", "list", "one", "number"],
)
def test_what_marks_no_steps_of_the_batch_is_refused(resets: Any) -> None:
    module = build(LSTM(), "reference")
    with pytest.raises(BadResets, match=r"booleans of shape \(5, 3\)"):
        module(torch.zeros(5, 3, F, dtype=torch.float64), resets=resets)


def test_packed_rows_take_no_resets() -> None:
    x = torch.nn.utils.rnn.pack_sequence([torch.zeros(2, F, dtype=torch.float64)])
    with pytest.raises(ResetsOfPacked):
        build(LSTM(), "reference")(x, resets=torch.zeros(2, 1).bool())
