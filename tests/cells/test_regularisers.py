"""Regularisers rewrite the equations of a cell, and leave the rest of it as it is."""

import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.backends.layers import assert_equal_bits
from tests.compare import assert_close
from throughtime import cells, explain
from throughtime.backends.reference.random_numbers import drawn
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Elman,
    Feedforward,
    PeepholeLSTM,
    VariationalDropout,
    Zoneout,
)
from throughtime.errors import CellError
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.graph.random_values import draw_of, random_nodes
from throughtime.graph.serialize import from_json, to_json
from throughtime.math import concat, mask, noise, sigmoid, split, tanh
from throughtime.nn import Recurrent

T, B, F, H = 4, 3, 2, 5
DOUBLE = torch.float64


class Joined(Cell):
    """One matrix for input and state, and an output of its own."""

    weight = Parameter("2*hidden", "input + hidden")
    out = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        gate, new = split(self.weight @ concat(x, h), 2)
        gate = sigmoid(gate)
        h = gate * h + (1 - gate) * tanh(new)
        return self.out @ h, h


class Independent(Cell):
    """A vector of recurrent weights; no matrix multiplies the state."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ x + self.recurrent * h)


class NamedParts(LSTM):
    """Calls the step of the cell it stands on."""

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        h, c = super().step(x, h, c)
        return h, c + noise(0.1)


REGULARISED: dict[str, Callable[[], Cell]] = {
    "zoneout": lambda: Zoneout(LSTM(), h=0.05, c=0.5),
    "zoneout of a step on a step": lambda: Zoneout(NamedParts(), h=0.3),
    "zoneout beside an output": lambda: Zoneout(Joined(), h=0.3),
    "drop connect": lambda: DropConnect(LSTM(), 0.5),
    "drop connect of vectors": lambda: DropConnect(
        Independent(), 0.5, ["recurrent", "weight"]
    ),
    "drop connect of a part": lambda: DropConnect(Joined(), 0.5),
    "variational": lambda: VariationalDropout(LSTM(), input=0.25, hidden=0.25),
    "variational gru": lambda: VariationalDropout(GRU(reset_after=False), hidden=0.5),
    "variational joined": lambda: VariationalDropout(Joined(), input=0.5, hidden=0.5),
    "without states": lambda: VariationalDropout(Feedforward("tanh"), input=0.5),
    "nested": lambda: VariationalDropout(
        Zoneout(DropConnect(PeepholeLSTM(), 0.3), c=0.5), input=0.1, hidden=0.2
    ),
}
EACH = pytest.mark.parametrize("kind", REGULARISED)


def build(
    cell: Cell, backend: str = "reference", hidden: int = H, **settings: Any
) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, hidden, backend=backend, dtype=DOUBLE, **settings)


def sequences(seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(T, B, F, generator=generator, dtype=DOUBLE)


def seeded(module: Recurrent, *given: Any, seed: int = 7, **named: Any) -> Any:
    """A call whose masks are always the same."""
    torch.manual_seed(seed)
    return module(*given, **named)


def masks(module: Recurrent, seed: int = 7) -> list[Tensor]:
    """What the first layer draws in such a call, in the order of its nodes."""
    torch.manual_seed(seed)
    keys = module.draw_keys(torch.device("cpu"))
    assert keys is not None
    nodes = module.graphs[0].nodes
    found = drawn(nodes, keys[0], (B,) * T, sequences())
    shapes = {i: nodes[i].shape for i in found}
    return [
        value.view(T, B, -1) if value.shape != shapes[i] else value
        for i, value in found.items()
    ]


# --------------------------------------------------------------- against loops by hand
def lstm_step(
    x: Tensor, h: Tensor, c: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    w_ih, w_hh, b_ih, b_hh = weights
    i, f, g, o = (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def slopes(output: Tensor, x: Tensor, module: Recurrent) -> list[Tensor]:
    weight = torch.linspace(0.5, 1.5, output.numel(), dtype=DOUBLE).view(output.shape)
    return list(torch.autograd.grad((output * weight).sum(), [x, *module.parameters()]))


def assert_same(
    module: Recurrent, by_hand: Callable[[Tensor, list[Tensor]], Tensor]
) -> None:
    """Outputs and gradients are those of a loop that a person wrote."""
    x = sequences().requires_grad_()
    output, _ = seeded(module, x)
    expected = by_hand(x, list(module.parameters()))
    assert_close(output.detach(), expected.detach())
    pairs = zip(slopes(output, x, module), slopes(expected, x, module), strict=True)
    for found, slope in pairs:
        assert_close(found, slope)


def test_zoneout_keeps_units_as_they_were(backend: str) -> None:
    module = build(Zoneout(LSTM(), h=0.3, c=0.5), backend)
    for_h, for_c = masks(module)

    def by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
        h = c = torch.zeros(B, H, dtype=DOUBLE)
        outputs = []
        for t in range(T):
            new_h, new_c = lstm_step(x[t], h, c, weights)
            h = torch.where(for_h[t] == 1, new_h, h)
            c = torch.where(for_c[t] == 1, new_c, c)
            outputs.append(h)
        return torch.stack(outputs)

    assert 0 < float(for_h.mean()) < 1
    assert_same(module, by_hand)


def test_drop_connect_leaves_weights_out_for_a_whole_call(backend: str) -> None:
    module = build(DropConnect(LSTM(), 0.25), backend)
    (dropped,) = masks(module)
    assert dropped.shape == (4 * H, H)

    def by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
        h = c = torch.zeros(B, H, dtype=DOUBLE)
        weights[1] = weights[1] * dropped / 0.75
        outputs = []
        for t in range(T):
            h, c = lstm_step(x[t], h, c, weights)
            outputs.append(h)
        return torch.stack(outputs)

    assert_same(module, by_hand)


def test_variational_dropout_has_one_mask_for_all_steps(backend: str) -> None:
    module = build(VariationalDropout(LSTM(), input=0.25, hidden=0.5), backend)
    for_x, for_h = masks(module)
    assert torch.equal(for_h, for_h[:1].expand_as(for_h))

    def by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
        h = c = torch.zeros(B, H, dtype=DOUBLE)
        outputs = []
        for t in range(T):
            own = x[t] * for_x[t] / 0.75
            h, c = lstm_step(own, h * for_h[t] / 0.5, c, weights)
            outputs.append(h)
        return torch.stack(outputs)

    assert_same(module, by_hand)


def test_what_a_gate_lets_through_is_not_dropped(backend: str) -> None:
    module = build(VariationalDropout(GRU(), hidden=0.5), backend)
    (for_h,) = masks(module)

    def by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
        w_ih, w_hh, b_ih, b_hh = weights
        h, outputs = torch.zeros(B, H, dtype=DOUBLE), []
        for t in range(T):
            inputs = (x[t] @ w_ih.T + b_ih).chunk(3, -1)
            states = ((h * for_h[t] / 0.5) @ w_hh.T + b_hh).chunk(3, -1)
            r, z = (
                torch.sigmoid(a + b) for a, b in zip(inputs[:2], states, strict=False)
            )
            n = torch.tanh(inputs[2] + r * states[2])
            h = (1 - z) * n + z * h
            outputs.append(h)
        return torch.stack(outputs)

    assert_same(module, by_hand)


# ------------------------------------------------------------------- every regulariser
@EACH
def test_gradients_with_fixed_masks(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend, hidden=2)
    x = sequences()[:3, :2].requires_grad_()
    names = [name for name, _ in module.named_parameters()]

    def call(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        torch.manual_seed(3)
        return torch.func.functional_call(module, given, (x,))[0]

    assert torch.autograd.gradcheck(call, (x, *module.parameters()))


@EACH
def test_second_derivatives_with_fixed_masks(kind: str) -> None:
    module = build(REGULARISED[kind](), hidden=2)
    x = sequences()[:2, :2].requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: seeded(module, x)[0], (x,))


@EACH
def test_both_backends_draw_the_same(kind: str) -> None:
    x = sequences()
    lengths = torch.tensor([2, T, 0])
    settings = {"num_layers": 2, "bidirectional": True}
    one, other = (
        build(REGULARISED[kind](), name, **settings) for name in ("reference", "llvm")
    )
    for given in ({}, {"lengths": lengths}):
        found = seeded(other, x, **given)
        expected = seeded(one, x, **given)
        assert_close(found[0].detach(), expected[0].detach())


@EACH
def test_seeds_repeat_masks_and_calls_do_not(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend)
    x = sequences()
    first, _ = seeded(module, x)
    second, _ = module(x)
    again, _ = seeded(module, x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@EACH
def test_evaluation_draws_nothing(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend).eval()
    x = sequences()
    before = torch.get_rng_state()
    found, _ = module(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(module(x)[0], found)
    module.train()
    assert not torch.equal(module(x)[0], found)


@EACH
def test_graphs_alone_make_the_same_module(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend, num_layers=2)
    graphs = [from_json(to_json(graph)) for graph in module.graphs]
    loaded = Recurrent.from_graphs(graphs, backend=backend, dtype=DOUBLE)
    loaded.load_state_dict(module.state_dict())
    for one in (loaded, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(seeded(one, sequences())[0], seeded(module, sequences())[0])


UNCHANGED = {
    "drop connect": LSTM(),
    "drop connect of vectors": Independent(),
    "drop connect of a part": Joined(),
    "variational": LSTM(),
    "variational gru": GRU(reset_after=False),
    "without states": Feedforward("tanh"),
}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_scaled_dropout_leaves_evaluation_as_it_was(kind: str, backend: str) -> None:
    regularised, plain = (
        build(REGULARISED[kind](), backend),
        build(UNCHANGED[kind], backend),
    )
    regularised.load_state_dict(plain.state_dict())
    plain.load_state_dict(regularised.state_dict())
    found, expected = (one.eval()(sequences())[0] for one in (regularised, plain))
    assert_equal_bits({"output": found.detach()}, {"output": expected.detach()})


def test_zoneout_mixes_old_and_new_in_evaluation(backend: str) -> None:
    module = build(Zoneout(Elman(), h=0.25), backend).eval()
    w_ih, w_hh, b_ih, b_hh = module.parameters()
    h, x = torch.zeros(B, H, dtype=DOUBLE), sequences()
    for t in range(T):
        new = torch.tanh(x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
        h = 0.75 * new + 0.25 * h
    assert_close(module(x)[1].h[0].detach(), h.detach())


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("kind", ["drop connect", "nested"])
def test_masks_do_not_depend_on_threads(kind: str) -> None:
    torch.manual_seed(0)
    module = Recurrent(REGULARISED[kind](), 17, 33, 2, dropout=0.5)
    x = torch.randn(8, 61, 17)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        output, _ = seeded(module, x)
        gradients = torch.autograd.grad(
            output.square().sum(), list(module.parameters())
        )
        names = [name for name, _ in module.named_parameters()]
        found.append(
            {"output": output.detach(), **dict(zip(names, gradients, strict=True))}
        )
    assert_equal_bits(found[1], found[0])
    assert_equal_bits(found[2], found[0])


@EACH
def test_single_steps_and_deltas(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend)
    output, state = module.step(sequences()[0])
    assert output.shape == (B, module.graphs[0].output_size)
    torch.manual_seed(1)
    gradient = torch.ones(T, B, module.graphs[0].output_size, dtype=DOUBLE)
    found = explain(module).deltas(sequences(), gradient)
    assert all(torch.isfinite(value).all() for value in found.values())
    assert str(explain(module)).count("mask(") >= 1
    assert len(state) == len(module.graphs[0].states)


def test_layers_and_directions_draw_masks_of_their_own() -> None:
    module = build(Zoneout(Elman(), h=0.5), num_layers=2, bidirectional=True)
    keys = module.draw_keys(torch.device("cpu"))
    assert keys is not None and len({int(key) for key in keys}) == 4


# -------------------------------------------------------------- programs and functions
@pytest.mark.parametrize("kind", ["zoneout", "drop connect", "variational"])
def test_programs_that_torch_compiles(kind: str) -> None:
    torch._dynamo.reset()
    module = build(REGULARISED[kind](), "llvm")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = sequences().requires_grad_()
    found, expected = seeded(compiled, x)[0], seeded(module, x)[0]
    assert_close(found.detach(), expected.detach())
    for slope, other in zip(
        slopes(found, x, module), slopes(expected, x, module), strict=True
    ):
        assert_close(slope, other)


def test_programs_that_torch_exports() -> None:
    for training in (True, False):
        module = build(REGULARISED["nested"](), "llvm").train(training)
        program = torch.export.export(module, (sequences(),))
        found, expected = (
            seeded(program.module(), sequences()),
            seeded(module, sequences()),
        )
        assert_close(found[0].detach(), expected[0].detach())


@pytest.mark.parametrize("kind", ["zoneout", "drop connect", "variational"])
def test_functional_derivatives(kind: str) -> None:
    module = build(REGULARISED[kind](), "llvm")
    x = sequences()

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(module, weights, (x,))[0].square().sum()

    weights = {name: value.detach() for name, value in module.named_parameters()}
    torch.manual_seed(2)
    found = torch.func.grad(loss)(weights, x)
    torch.manual_seed(2)
    expected = torch.autograd.grad(
        loss(dict(module.named_parameters()), x), list(module.parameters())
    )
    for name, value in zip(weights, expected, strict=True):
        assert_close(found[name], value)
    each = torch.func.vmap(torch.func.grad(loss), (None, 1), randomness="same")
    torch.manual_seed(2)
    assert each(weights, x.unsqueeze(2)).keys() == weights.keys()


# ------------------------------------------------------------------- names and refusals
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Zoneout(LSTM(), h=0.05, c=0.5), "Zoneout(LSTM(), h=0.05, c=0.5)"),
        (DropConnect(GRU(), 0.5), "DropConnect(GRU(reset_after=True), 0.5)"),
        (
            DropConnect(LSTM(), 0.5, "bias_hh"),
            "DropConnect(LSTM(), 0.5, parameters=('bias_hh',))",
        ),
        (
            VariationalDropout(Zoneout(LSTM(), c=0.5), hidden=0.25),
            "VariationalDropout(Zoneout(LSTM(), c=0.5), hidden=0.25)",
        ),
    ],
)
def test_a_regularised_cell_says_what_it_is(cell: Cell, text: str) -> None:
    assert repr(cell) == text
    module = Recurrent(cell, 2, 3)
    assert text.replace("()", "").partition("(")[0] in repr(module)
    assert isinstance(cell, (LSTM, GRU))


def test_the_cell_that_was_given_stays_as_it_was() -> None:
    cell = LSTM()
    before = trace(cell, 2, 3)
    DropConnect(Zoneout(cell, h=0.5), 0.5)
    assert trace(cell, 2, 3) == before
    assert repr(cell) == "LSTM()"


def test_parameters_states_and_inputs_keep_their_names() -> None:
    plain = trace(LSTM(), 2, 3)
    for make in (REGULARISED["zoneout"], REGULARISED["variational"]):
        graph = trace(make(), 2, 3)
        assert graph.parameters == plain.parameters
        assert graph.states == plain.states
        assert graph.inputs == plain.inputs


def test_values_keep_their_names() -> None:
    named = dict(trace(Zoneout(NamedParts(), h=0.5, c=0.5), 2, 3).names)
    assert {"i", "f", "g", "o", "h", "c", "new_h", "new_c"} <= named.keys()
    graph = trace(Zoneout(LSTM(), h=0.5), 2, 3)
    assert dict(graph.names)["h"] == graph.new_states[0] == graph.output


def test_an_explanation_shows_chance_and_no_error_that_flows_to_it() -> None:
    shown = explain(Zoneout(Elman(), h=0.25))
    forward, deltas = shown.equations().forward, shown.equations().deltas
    assert "new_h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)" in forward
    assert "h_t = u1_t ⊙ new_h_t + (1 − u1_t) ⊙ h_{t−1}" in forward
    assert "u1_t = mask(0.25)" in forward
    assert not any(line.startswith("δu1") for line in deltas)
    stored = explain(VariationalDropout(LSTM(), hidden=0.5)).plan().stored
    assert stored[0] == "h_t: H numbers"
    assert stored[1].startswith("c_t, i_t, f_t, g_t, o_t, tanh(c_t), h_{t−1} ⊙ (mask")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_numbers_of_other_types(dtype: torch.dtype) -> None:
    module = Recurrent(Zoneout(NamedParts(), h=0.5), F, H, dtype=dtype)
    output, _ = seeded(module, sequences().to(dtype))
    assert output.dtype == dtype
    assert torch.isfinite(output).all()
    again, _ = seeded(module, sequences().to(dtype))
    assert torch.equal(output, again)


def test_every_recurrent_matrix_is_dropped_and_no_other() -> None:
    def sizes(graph: StepGraph) -> list[tuple[int, ...]]:
        return [node.shape for node in random_nodes(graph.nodes)]

    assert sizes(trace(DropConnect(LSTM(), 0.5), 2, 3)) == [(12, 3)]
    # The matrix behind the state multiplies it, but no state depends on that.
    assert sizes(trace(DropConnect(Joined(), 0.5), 2, 3)) == [(6, 5)]
    streams = [
        draw_of(node).stream
        for node in random_nodes(trace(REGULARISED["nested"](), 2, 3).nodes)
    ]
    assert len(set(streams)) == len(streams) == 4


def test_a_probability_of_zero_changes_nothing() -> None:
    plain = trace(LSTM(), 2, 3)
    for cell in (Zoneout(LSTM(), h=0, c=0.0), VariationalDropout(LSTM())):
        graph = trace(cell, 2, 3)
        assert not random_nodes(graph.nodes)
        assert graph.nodes == plain.nodes
    dropped = DropConnect(LSTM(), 0)
    assert trace(dropped, 2, 3).nodes == plain.nodes


def test_without_biases() -> None:
    module = Recurrent(
        DropConnect(LSTM(), 0.5, ["bias_hh", "weight_hh"]), 2, 3, bias=False
    )
    assert module(torch.randn(4, 2, 2))[0].shape == (4, 2, 3)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no state": (lambda: Zoneout(LSTM()), "needs the probability of a state.*h, c"),
    "state": (lambda: Zoneout(LSTM(), hh=0.5), r"no state 'hh' \(did you mean 'h'\?\)"),
    "stateless": (lambda: Zoneout(Feedforward(), h=0.5), "it has: none"),
    "one": (lambda: Zoneout(LSTM(), h=1), "h is 1; a probability is from 0"),
    "negative": (lambda: Zoneout(LSTM(), h=-0.1), "h is -0.1"),
    "truth value": (lambda: Zoneout(LSTM(), h=True), "h is True"),
    "text": (lambda: DropConnect(LSTM(), "0.5"), "p is '0.5'"),
    "NaN": (lambda: VariationalDropout(LSTM(), input=float("nan")), "input is nan"),
    "parameter": (
        lambda: DropConnect(LSTM(), 0.5, parameters=["weight_h_h"]),
        r"no parameter 'weight_h_h' \(did you mean 'weight_hh'\?\)",
    ),
    "a state as parameter": (lambda: DropConnect(LSTM(), 0.5, "h"), "no parameter 'h'"),
    "class": (lambda: Zoneout(LSTM, h=0.5), r"write LSTM\(\)"),
    "no cell": (lambda: DropConnect("lstm", 0.5), "no Cell"),
    "no matrix": (
        lambda: trace(DropConnect(Independent(), 0.5), 2, 3),
        "no matrix of Independent multiplies a state",
    ),
    "no recurrent edge": (
        lambda: trace(VariationalDropout(Feedforward(), hidden=0.5), 2, 3),
        "no such recurrent connections",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(CellError, match=message):
        make()


def test_masks_in_a_step_and_regularisers_do_not_share_streams() -> None:
    class Own(LSTM):
        def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
            return super().step(x * mask(0.5), h, c)

    graph = trace(Zoneout(Own(), h=0.5, c=0.5), 2, 3)
    streams = [draw_of(node).stream for node in random_nodes(graph.nodes)]
    assert sorted(streams) == [0, 2, 3]
    assert cells.Zoneout is Zoneout
