"""Masks and noise: the generator, what it draws, and what a step may do with it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.graph.oracle import cell_of
from throughtime import cells, explain, math
from throughtime.backends.reference import run_layer
from throughtime.backends.reference.layer import Rows
from throughtime.backends.reference.random_numbers import TensorWords, drawn
from throughtime.errors import (
    InvalidGraph,
    OutsideTheLanguage,
    ShapeMismatch,
    UnknownFormat,
)
from throughtime.graph import Cell, Node, Parameter, State, StepGraph, Value, trace
from throughtime.graph.evaluation import evaluated
from throughtime.graph.operations import Kind
from throughtime.graph.random_values import draw_of, random_nodes
from throughtime.graph.serialize import from_json, to_json
from throughtime.graph.threefry import threefry

# Counter, key, result: the authors' own, from Random123's table of known answers.
ONES = 0xFFFFFFFF
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
LIKE = torch.empty(0, dtype=torch.float64)
N, UNITS = 400, 300


def key(number: int) -> Tensor:
    return torch.tensor([number])


def numbers(operation: str, amount: float, *place: Any, seed: int = 1) -> Tensor:
    """Numbers of a node, ``(N, UNITS)``; ``place`` is its period and stream."""
    period, stream = (*place, *("step", 0)[len(place) :])
    attributes = (amount, period, stream, 0, UNITS)
    node = Node(operation, (), (UNITS,), Kind.STEP, attributes)
    return drawn([node], key(seed), (N // 4,) * 4, LIKE)[0]


def step_of(step: Callable[..., Any], **declarations: object) -> StepGraph:
    return trace(cell_of(step, h=State("hidden"), **declarations), 3, 4)


# ----------------------------------------------------------------------- the generator
@pytest.mark.parametrize(("counter", "given", "expected"), KNOWN)
def test_known_answers(
    counter: tuple[int, int], given: tuple[int, int], expected: tuple[int, int]
) -> None:
    words = TensorWords(torch.device("cpu"))
    first, second = (tuple(map(words.number, pair)) for pair in (given, counter))
    found = threefry(words, (first[0], first[1]), (second[0], second[1]))
    assert tuple(map(int, found)) == expected


def test_masks_have_their_mean() -> None:
    for p in (0.0, 0.05, 0.5, 0.9, 1.0):
        found = numbers("mask", p)
        assert set(found.unique().tolist()) <= {0.0, 1.0}
        deviation = (p * (1 - p) / found.numel()) ** 0.5
        assert abs(float(found.mean()) - (1 - p)) <= 4 * deviation


def test_noise_is_normal() -> None:
    found = numbers("noise", 2.0) / 2.0
    size = found.numel()
    for power, moment, spread in ((1, 0.0, 1), (2, 1.0, 2), (3, 0.0, 15), (4, 3.0, 96)):
        error = abs(float((found**power).mean()) - moment)
        assert error <= 4 * (spread / size) ** 0.5
    normal = torch.distributions.Normal(0.0, 1.0)
    for bound in (-2.0, -0.5, 0.0, 1.0, 3.0):
        share = float((found < bound).double().mean())
        expected = float(normal.cdf(torch.tensor(bound)))
        assert abs(share - expected) <= 4 * (expected * (1 - expected) / size) ** 0.5
    assert not numbers("noise", 0.0).any()


def correlation(one: Tensor, other: Tensor) -> float:
    pair = torch.stack([one.reshape(-1), other.reshape(-1)])
    return abs(float(torch.corrcoef(pair)[0, 1]))


def test_streams_keys_rows_and_units_know_nothing_of_each_other() -> None:
    one = numbers("mask", 0.5)
    others = {
        "other word": numbers("mask", 0.5, "step", 1),
        "other block": numbers("mask", 0.5, "step", 2),
        "next key": numbers("mask", 0.5, seed=2),
        "key of other high bits": numbers("mask", 0.5, seed=1 + 2**32),
        "negative key": numbers("mask", 0.5, seed=-1),
        "next row": one.roll(1, 0),
        "next unit": one.roll(1, 1),
        "transposed": one[:UNITS].T,
    }
    for name, other in others.items():
        limit = 4 / other.numel() ** 0.5
        assert correlation(one[: len(other)], other) <= limit, name
    first = numbers("noise", 1.0)
    assert (
        correlation(first, numbers("noise", 1.0, "step", 2)) <= 4 / first.numel() ** 0.5
    )


def test_the_same_key_draws_the_same() -> None:
    assert torch.equal(numbers("noise", 1.0), numbers("noise", 1.0))


def test_one_draw_per_sequence_is_the_same_at_every_step() -> None:
    steps = numbers("mask", 0.5, "sequence").view(4, N // 4, UNITS)
    assert torch.equal(steps, steps[:1].expand_as(steps))
    assert 0.4 < float(steps[0, 0].mean()) < 0.6
    assert not torch.equal(steps[0, 0], steps[0, 1])


def test_a_sequence_that_ended_takes_no_row() -> None:
    node = Node("mask", (), (UNITS,), Kind.STEP, (0.5, "sequence", 0, 0, UNITS))
    found = drawn([node], key(1), (3, 2), LIKE)[0]
    assert torch.equal(found[3:], found[:2])


def test_a_range_of_units_is_a_part_of_the_whole() -> None:
    node = Node("mask", (), (5,), Kind.STEP, (0.5, "step", 0, 100, 5))
    found = drawn([node], key(1), (N // 4,) * 4, LIKE)[0]
    assert torch.equal(found, numbers("mask", 0.5)[:, 100:105])


# ------------------------------------------------------------------------ the language
def run(graph: StepGraph, seed: int = 3) -> Tensor:
    """Outputs ``(T, B, H)`` for inputs and parameters of 1, states from 1."""
    generated = {p.name: torch.ones(p.shape).double() for p in graph.parameters}
    x, start = torch.ones(10, 3).double(), [torch.ones(2, 4).double()]
    rows, given = Rows((2,) * 5), key(seed)
    output, _ = run_layer(graph, {"x": x}, start, generated, rows, key=given)
    return output.view(5, 2, -1)


def test_a_mask_takes_the_size_of_what_it_meets() -> None:
    def step(self: Cell, x: Value, h: Value) -> tuple[Value, Value]:
        wide, narrow = math.mask(0.5), math.mask(0.5)
        assert repr(wide) == "<random value without a size>"
        kept = 1 - wide
        joined = math.concat(x * narrow, h * wide, kept * h, h * 0 + wide)
        assert wide.shape == kept.shape == (4,)
        assert narrow.shape == (3,)
        return joined, h

    output = run(step_of(step))
    _, mask, rest, again = output.split([3, 4, 4, 4], -1)
    assert torch.equal(mask, again)
    assert torch.equal(mask + rest, torch.ones_like(mask))
    assert 0.2 < float(output.mean()) < 0.8


def test_comparisons_choices_and_products_give_a_size_as_well() -> None:
    def step(self: Any, x: Value, h: Value) -> tuple[Value, Value]:
        mask, noise = math.mask(0.5), math.noise(1.0)
        chosen = math.where(x > 0, math.mask(0.5), 0.0)
        return math.concat(chosen, self.weight @ mask, math.tanh(noise) - h), h

    graph = step_of(step, weight=Parameter("hidden", 7))
    drawn_sizes = [node.shape for node in random_nodes(graph.nodes)]
    assert drawn_sizes == [(3,), (7,), (4,)]
    assert (run(graph)[..., 3:7] >= 1).all()


def test_a_parameter_is_masked_once_per_call() -> None:
    def step(self: Any, x: Value, h: Value) -> tuple[Value, Value]:
        matrix = self.weight * math.mask(0.5)
        return math.concat(matrix @ x, h * (self.bias + math.noise(1.0))), h

    declared = {"weight": Parameter("hidden", "input"), "bias": Parameter("hidden")}
    graph = step_of(step, **declared)
    assert [draw_of(n).period for n in random_nodes(graph.nodes)] == ["call"] * 2
    output = run(graph)
    assert torch.equal(output, output[:1, :1].expand_as(output))
    assert not torch.equal(output, run(graph, seed=4))


def test_a_vector_of_parameters_can_be_masked_at_every_step() -> None:
    def step(self: Any, x: Value, h: Value) -> tuple[Value, Value]:
        return h * (self.bias * math.mask(0.5, per="step")), h

    output = run(step_of(step, bias=Parameter("hidden")))
    assert not torch.equal(output, output[:1, :1].expand_as(output))


def test_what_was_drawn_has_names() -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        z = math.mask(0.05)
        u = math.name(math.noise(0.5, per="sequence"), "jitter")
        return h * z + u

    graph = step_of(step)
    assert {name for name, _ in graph.names} == {"z", "jitter", "u", "h"}
    lines = explain(cell_of(step, h=State("hidden"))).equations().forward
    assert "z_t = mask(0.05)" in lines
    assert any("noise(0.5, per sequence)" in line for line in lines)


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "above 1": (lambda self, x, h: h * math.mask(1.5), "probability of a mask is 1.5"),
    "below 0": (lambda self, x, h: h * math.mask(-0.1), "a number from 0 to 1"),
    "NaN": (lambda self, x, h: h * math.mask(float("nan")), "from 0 to 1"),
    "a truth value": (lambda self, x, h: h * math.mask(True), "from 0 to 1"),
    "a text": (lambda self, x, h: h * math.mask("0.5"), "from 0 to 1"),
    "a value": (lambda self, x, h: h * math.mask(h), "from 0 to 1"),
    "below 0 deviation": (lambda self, x, h: h + math.noise(-1), "from 0 on"),
    "infinite": (lambda self, x, h: h + math.noise(float("inf")), "finite"),
    "period": (lambda self, x, h: h * math.mask(0.5, per="batch"), "per is 'batch'"),
    "no size": (lambda self, x, h: math.sum(math.mask(0.5)), "no size before"),
    "only numbers": (lambda self, x, h: 1 - math.mask(0.5), "no size before"),
    "joined": (lambda self, x, h: math.concat(h, math.mask(0.5)), "no size before"),
    "split": (lambda self, x, h: math.split(math.mask(0.5), 2)[0], "no size before"),
    "on the left": (lambda self, x, h: math.mask(0.5) @ h, "no size before"),
    "matrix": (
        lambda self, x, h: (self.w * math.mask(0.5, per="step")) @ h,
        "a matrix cannot take mask drawn per step",
    ),
    "matrix per sequence": (
        lambda self, x, h: (self.w + math.noise(0.5, per="sequence")) @ h,
        "once per call",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_drawn_is_refused(case: str) -> None:
    step, message = WRONG[case]
    with pytest.raises(OutsideTheLanguage, match=message):
        step_of(step, w=Parameter("hidden", "hidden"))


def test_a_mask_keeps_its_size() -> None:
    def step(self: Cell, x: Value, h: Value) -> tuple[Value, Value]:
        z = math.mask(0.5)
        return math.concat(x * z, h * z), h

    with pytest.raises(ShapeMismatch, match=r"\(4,\) and \(3,\)"):
        step_of(step)


# ---------------------------------------------------------------- graphs and evaluation
class Everything(cells.LSTM):
    """Draws all there is."""

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, ...]:
        p = 0.25
        x = x * math.mask(p, per="sequence") / (1 - p)
        self.weight_hh = self.weight_hh * (math.mask(0.5) / 0.5)
        self.bias_hh = self.bias_hh + math.noise(0.1)
        new_h, new_c = super().step(x, h, c)
        z = math.mask(0.05)
        return math.tanh(new_h), z * new_h + (1 - z) * h, new_c + math.noise(0.1)


def test_graphs_that_draw_are_written_and_read() -> None:
    graph = trace(Everything(), 3, 4)
    assert from_json(to_json(graph)) == graph


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"mask",[],[0.05', '"mask",[],[1.05'),
        ('"mask",[],[0.05', '"mask",[],[1'),
        ('"step",2,0,4', '"never",2,0,4'),
        ('"step",2,0,4', '"step",-2,0,4'),
        ('"step",2,0,4', '"step",2,-1,4'),
        ('"step",2,0,4', '"step",2,0,4,4'),
        ('"step",2,0,4', '"step",2,0,0'),
        ('"step",2,0,4', '"step",2,0'),
    ],
)
def test_damaged_draws_are_refused(old: str, new: str) -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        return h * math.mask(0.5) + math.noise(1.0) * 0 + h * math.mask(0.05)

    text = to_json(step_of(step)).replace('"step",4,0,4', '"step",2,0,4')
    assert old in text
    with pytest.raises((UnknownFormat, InvalidGraph)):
        from_json(text.replace(old, new))


def test_evaluation_takes_means() -> None:
    graph = trace(Everything(), 3, 4)
    found = evaluated(graph)
    assert not random_nodes(found.nodes)
    assert evaluated(found) is found
    # Scaled masks are 1, noise is 0: what remains are the LSTM and the zoned state.
    operations = [node.operation for node in found.nodes]
    assert "divide" not in operations
    assert operations.count("multiply") == 3 + 2


@pytest.mark.parametrize(
    "make",
    [
        lambda self, x, h: h * 0 + math.mask(0.25),
        lambda self, x, h: self.weight @ (math.concat(math.mask(0.25) * x, x) * 1.0),
        lambda self, x, h: math.softmax(h * 0 + math.mask(0.25)),
        lambda self, x, h: h * math.sum(x * 0 + math.mask(0.25)),
        lambda self, x, h: math.where(math.mask(0.25) > h * 0.5, h, -h),
        lambda self, x, h: (self.square * 0 + math.abs(math.mask(0.25))) @ h,
        lambda self, x, h: h * math.exp(self.vector * 0 + math.mask(0.25)),
        lambda self, x, h: math.mask(0.25, per="step") - self.vector,
        lambda self, x, h: h / math.exp(math.mask(0.25)),
    ],
)
def test_means_have_the_shapes_of_what_they_stand_for(
    make: Callable[..., Value],
) -> None:
    declared = {
        "weight": Parameter("hidden", 6),
        "square": Parameter("hidden", "hidden"),
        "vector": Parameter("hidden"),
    }
    graph = step_of(make, **declared)
    found = evaluated(graph)
    assert not random_nodes(found.nodes)
    assert from_json(to_json(found)) == found
    assert run(found).shape == run(graph).shape
