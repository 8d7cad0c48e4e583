"""explain(): what it prints, and δ of every node against finite differences."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from throughtime import cells, math
from throughtime.backends.llvm import meeting
from throughtime.backends.llvm.profile import profiled
from throughtime.backends.reference import run_layer
from throughtime.backends.reference.layer import Rows
from throughtime.errors import (
    BadExtent,
    CellError,
    GradientShapeMismatch,
    NoParameters,
    NotATensor,
    NotExplainable,
    SeveralRecurrentModules,
)
from throughtime.graph import Cell, Input, Parameter, State, StepGraph, Value
from throughtime.graph.builder import Builder
from throughtime.graph.names import FUNCTIONS, value_names
from throughtime.graph.nodes import InputDeclaration, verify
from throughtime.nn import LSTM, Recurrent
from throughtime.nn.explain import explain

INPUT_SIZE, HIDDEN_SIZE, TIME, BATCH, LAYERS = 2, 3, 3, 2, 2
STEP = 1e-5
# A central difference of this step in float64 is right to about STEP².
CLOSE = 1e-8
NUDGE = "nudge"


class Residual(Cell):
    """Uses activations without a name, a clip, a choice and a further input."""

    w = Parameter("hidden", "input")
    u = Parameter("hidden", "hidden")
    h = State("hidden")
    d = Input(1)

    def step(self, x: Value, h: Value, d: Value) -> Value:
        a = self.w @ x + self.u @ h
        both = math.tanh(a) + a
        gate = math.sigmoid(both * d) * math.sigmoid(h)
        near = math.clip(a, -2, 2)
        return math.softmax(gate) + math.where(a > 0.1, near, math.silu(both))


CELLS = [
    cells.Elman(),
    cells.Elman("sigmoid"),
    cells.Elman("identity"),
    cells.LSTM(),
    cells.GRU(),
    cells.GRU(reset_after=False),
    cells.PeepholeLSTM(),
    cells.Feedforward("tanh"),
    Residual(),
]


def nudged(graph: StepGraph, node: int) -> StepGraph:
    """The graph with one more input, added to a node's incoming activation."""
    builder, positions = Builder(), []
    source = graph.nodes[node]
    size = graph.nodes[source.arguments[0]].size
    if source.operation not in FUNCTIONS:
        size = source.size
    nudge = builder.leaf("input", NUDGE, (size,))
    for index, old in enumerate(graph.nodes):
        arguments = [positions[argument] for argument in old.arguments]
        if index == node and source.operation in FUNCTIONS:
            arguments = [builder.emit("add", arguments[0], nudge)]
        new = builder.emit(old.operation, *arguments, attributes=old.attributes)
        if index == node and source.operation not in FUNCTIONS:
            new = builder.emit("add", new, nudge)
        positions.append(new)
    return verify(
        replace(
            graph,
            nodes=tuple(builder.nodes),
            inputs=(*graph.inputs, InputDeclaration(NUDGE, size)),
            output=positions[graph.output],
            new_states=tuple(positions[index] for index in graph.new_states),
            names=(),
        )
    )


def losses(
    module: Recurrent,
    inputs: dict[str, Tensor],
    states: list[Tensor],
    gradient: Tensor,
    place: tuple[int, int],
    graph: StepGraph,
    nudges: Tensor,
) -> Tensor:
    """⟨output, gradient⟩ of every sequence, with one layer's graph exchanged."""
    batch = states[0].shape[1] if states else inputs["x"].shape[1]
    value = inputs["x"].flatten(0, 1)
    for layer in range(module.num_layers):
        outputs: list[Tensor] = []
        for direction in range(module.directions):
            here = (layer, direction) == place
            run = layer * module.directions + direction
            end = f"_l{layer}{'_reverse' if direction else ''}"
            output, _ = run_layer(
                graph if here else module.graphs[layer],
                {k: v.flatten(0, 1) for k, v in inputs.items()}
                | {"x": value, NUDGE: nudges.flatten(0, 1)},
                [state[run] for state in states],
                {
                    name.removesuffix(end): parameter
                    for name, parameter in module.named_parameters()
                    if name.endswith(end)
                },
                Rows((batch,) * TIME),
                bool(direction),
            )
            outputs.append(output)
        value = torch.cat(outputs, -1)
    return (value.view(TIME, batch, -1) * gradient).sum((0, 2))


@torch.no_grad()
def finite_differences(
    module: Recurrent,
    inputs: dict[str, Tensor],
    states: list[Tensor],
    gradient: Tensor,
    place: tuple[int, int],
    node: int,
) -> Tensor:
    """δ ``(T, B, n)``: every unit nudged up and down, all in one large batch."""
    graph = nudged(module.graphs[place[0]], node)
    size = graph.inputs[-1].size
    nudges = STEP * torch.eye(TIME * size, dtype=torch.float64)
    nudges = torch.cat([nudges, -nudges]).view(-1, TIME, size).transpose(0, 1)
    copies = nudges.shape[1]

    def many(value: Tensor) -> Tensor:
        return value.repeat(1, copies, 1)

    found = losses(
        module,
        {name: many(value) for name, value in inputs.items()},
        [many(state) for state in states],
        many(gradient),
        place,
        graph,
        nudges.repeat_interleave(BATCH, 1),
    )
    up, down = found.view(2, TIME, size, BATCH)
    return ((up - down) / (2 * STEP)).transpose(1, 2)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_deltas_equal_finite_differences_node_by_node(cell: Cell) -> None:
    torch.manual_seed(0)
    module = Recurrent(
        cell,
        INPUT_SIZE,
        HIDDEN_SIZE,
        LAYERS,
        bidirectional=True,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    graph = module.graphs[0]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64)

    inputs = {"x": normal(TIME, BATCH, INPUT_SIZE)}
    inputs |= {item.name: normal(TIME, BATCH, item.size) for item in graph.inputs}
    states = [normal(2 * LAYERS, BATCH, state.size) for state in graph.states]
    gradient = normal(TIME, BATCH, 2 * HIDDEN_SIZE)
    others = {name: value for name, value in inputs.items() if name != "x"}
    deltas = explain(module).deltas(inputs["x"], gradient, states or None, **others)
    expected_keys = {
        (layer, direction, name)
        for layer, one in enumerate(module.graphs)
        for direction in range(2)
        for name in value_names(one)
    }
    assert deltas.keys() == expected_keys
    for (layer, direction, name), delta in deltas.items():
        node = value_names(module.graphs[layer])[name]
        expected = finite_differences(
            module, inputs, states, gradient, (layer, direction), node
        )
        label = f"layer {layer}, direction {direction}, {name}"
        torch.testing.assert_close(
            delta,
            expected,
            rtol=CLOSE,
            atol=CLOSE,
            msg=lambda text, label=label: f"{label}: {text}",
        )


def test_deltas_of_a_textbook_lstm_have_the_names_of_its_equations() -> None:
    module = LSTM(INPUT_SIZE, HIDDEN_SIZE)
    found = explain(module).deltas(torch.zeros(5, 4, 2), torch.ones(5, 4, 3))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        (0, 0, "h"): (5, 4, 3),
        (0, 0, "c"): (5, 4, 3),
        (0, 0, "a"): (5, 4, 12),
        (0, 0, "i"): (5, 4, 3),
        (0, 0, "f"): (5, 4, 3),
        (0, 0, "g"): (5, 4, 3),
        (0, 0, "o"): (5, 4, 3),
        (0, 0, "tanh#1"): (5, 4, 3),
    }


def test_deltas_follow_the_layout_of_the_module() -> None:
    torch.manual_seed(0)
    first = Recurrent(cells.GRU(), 2, 3)
    second = Recurrent(cells.GRU(), 2, 3, batch_first=True)
    second.load_state_dict(first.state_dict())
    x, gradient = torch.randn(5, 4, 2), torch.randn(5, 4, 3)
    one = explain(first).deltas(x, gradient)
    other = explain(second).deltas(x.transpose(0, 1), gradient.transpose(0, 1))
    alone = explain(first).deltas(x[:, 0], gradient[:, 0])
    for key, value in one.items():
        torch.testing.assert_close(other[key], value)
        torch.testing.assert_close(alone[key], value[:, :1])


def test_deltas_give_the_gradients_of_the_parameters() -> None:
    torch.manual_seed(0)
    module = Recurrent(cells.Elman(), 2, 3, dtype=torch.float64)
    x = torch.randn(5, 4, 2, dtype=torch.float64)
    gradient = torch.randn(5, 4, 3, dtype=torch.float64)
    output, _ = module(x)
    output.backward(gradient)
    delta = explain(module).deltas(x, gradient)[0, 0, "a"]
    expected = torch.einsum("tbh,tbf->hf", delta, x)
    torch.testing.assert_close(module.weight_ih_l0.grad, expected)
    torch.testing.assert_close(module.bias_hh_l0.grad, delta.sum((0, 1)))


def test_it_prints_the_textbook() -> None:
    text = str(explain(cells.Elman()))
    assert text.startswith("Elman(activation='tanh')\n")
    for line in [
        "h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)",
        "b = b_ih + b_hh",
        "δa_t = (1 − h_t²) ⊙ (e_t + W_hhᵀ δa_{t+1})",
        "∂L/∂W_hh = Σ_t δa_t h_{t−1}ᵀ",
    ]:
        assert f"  {line}\n" in text


def test_it_says_which_backend_serves_and_why() -> None:
    module = Recurrent(cells.LSTM(), 2, 3, backend="reference")
    text = str(explain(module))
    assert "reference: it was asked for by name" in text


def test_layers_that_differ_are_printed_one_by_one() -> None:
    class Halves(Cell):
        w = Parameter("hidden", "input/2")
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            low, high = math.split(x, 2)
            return math.tanh(self.w @ (low * high)) * h

    assert str(explain(Recurrent(cells.LSTM(), 2, 3, 3))).count("\nEquations") == 1
    text = str(explain(Recurrent(Halves(), 2, 2, 3, bidirectional=True)))
    assert text.count("\nEquations") == 2
    assert "Equations of layer 1\n  low_t = x_t[0:2]" in text


def test_a_cell_whose_sizes_must_agree_is_shown_too() -> None:
    class Skip(Cell):
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            return x + math.tanh(h)

    assert explain(Skip()).equations().forward == ("h_t = x_t + tanh(h_{t−1})",)


def test_a_cell_with_a_mistake_says_so() -> None:
    class Wrong(Cell):
        h = State("hidden")
        w = Parameter(3, 4)

        def step(self, x: Value, h: Value) -> Value:
            return self.w @ h

    with pytest.raises(CellError, match=r"Wrong, test_explain\.py"):
        explain(Wrong())


@pytest.mark.parametrize("given", [cells.LSTM, torch.nn.LSTM(2, 3), None, "lstm"])
def test_only_cells_and_modules_are_explained(given: Any) -> None:
    with pytest.raises(NotExplainable, match="expected a Cell instance or"):
        explain(given)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "5"])
@pytest.mark.parametrize("argument", ["time", "batch"])
def test_an_extent_is_a_positive_number(argument: str, wrong: Any) -> None:
    with pytest.raises(BadExtent, match=f"{argument}="):
        explain(cells.LSTM(), **{argument: wrong})


def test_deltas_of_a_cell_alone_are_refused() -> None:
    with pytest.raises(NoParameters, match="LSTM alone has no parameters"):
        explain(cells.LSTM()).deltas(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


def test_arguments_of_deltas_are_checked() -> None:
    found = explain(Recurrent(cells.LSTM(), 2, 3))
    with pytest.raises(GradientShapeMismatch, match=r"\(5, 4, 3\)"):
        found.deltas(torch.zeros(5, 4, 2), torch.zeros(5, 4, 2))
    with pytest.raises(GradientShapeMismatch, match="float"):
        found.deltas(torch.zeros(5, 4, 2), 1.0)
    with pytest.raises(NotATensor):
        found.deltas(None, torch.zeros(5, 4, 3))


def test_it_says_what_leaves_the_loop_and_what_is_stored() -> None:
    module = Recurrent(cells.LSTM(), 3, 4, 2, bidirectional=True, dtype=torch.float64)
    text = str(explain(module, time=100, batch=32))
    assert "At each step\n  W_ih x_t\n  W_hh h_{t−1}\n" in text
    assert "  c_t, i_t, f_t, g_t, o_t: 20 numbers\n" in text
    assert "  δ: 16 numbers, over such of these as were read\n" in text
    # (4 + 20) numbers of 8 bytes, 2 layers, 2 directions, 3200 steps.
    assert "T = 100, B = 32: 2.3 MiB of torch.float64 in all layers" in text
    apart = Recurrent(cells.Elman(), 3, 4, dtype=torch.float64)
    text = str(explain(apart, time=100, batch=32))
    assert "  h_t: 4 numbers\n  δ: 4 numbers\n" in text
    assert "T = 100, B = 32: 0.2 MiB of torch.float64 in all layers" in text
    alone = str(explain(cells.LSTM(), time=100, batch=32))
    assert "T = 100, B = 32: 3200 · (6H) numbers" in alone


def test_it_says_which_way_each_product_goes_and_why() -> None:
    module = Recurrent(cells.LSTM(), 3, 4)
    few, many = (str(explain(module, time=9, batch=batch)) for batch in (7, 8))
    assert "At each step\n  W_ih x_t\n  W_hh h_{t−1}\n    (B = 8 is 8 or more" in many
    assert "Before the loop" not in many
    first = "Before the loop, over all steps at once"
    assert f"{first}\n  W_ih x_t\n    (B = 7 is less than 8" in few
    assert "At each step\n  W_hh h_{t−1}\n\n" in few
    either = str(explain(module))
    assert f"{first}, if B < 8; else at each step\n  W_ih x_t\n    (too few" in either
    for text, rows in ((few, ", T·B = 63"), (many, ", T·B = 72"), (either, "")):
        title = "\nBackward, behind the loop, over all steps at once\n"
        sums = "gradients of weights: each one sum over all rows"
        assert f"{title}  ∂L/∂x_t\n  {sums}{rows}\n\n" in text
    long = str(explain(module, time=200, batch=32))
    assert f"{sums}, T·B = 6400, in 4 parts of some sequences each\n" in long


@pytest.mark.parametrize("batch", [2, 7, 8, 30])
def test_it_says_what_the_engine_does(batch: int) -> None:
    module = Recurrent(cells.GRU(), 3, 4)
    with profiled() as seconds:
        module(torch.randn(5, batch, 3))
    projected = "W_ih x_t" in explain(module, batch=batch).plan().before
    assert projected == ("before the loop" in seconds)


def test_a_cell_without_products_of_inputs_needs_no_reason() -> None:
    class Scaled(Cell):
        u = Parameter("hidden", "hidden")
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            return math.tanh(self.u @ h + x)

    text = str(explain(Recurrent(Scaled(), 3, 3), batch=32))
    assert "At each step\n  u h_{t−1}\n\n" in text
    assert "Before the loop" not in str(explain(Scaled()))


def test_it_says_how_threads_share_the_work() -> None:
    module = Recurrent(cells.LSTM(), 3, 4)
    text = str(explain(module, batch=32))
    assert f"Threads\n  at most torch's {torch.get_num_threads()}; one for" in text
    assert "loops: B = 32 sequences are divided" in text
    assert "Threads" not in str(
        explain(
            Recurrent(cells.LSTM(), backend="reference", input_size=3, hidden_size=4)
        )
    )
    assert "loops:" not in str(explain(cells.Feedforward()))


def test_it_says_what_threads_do_with_few_sequences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(meeting, "seconds_to_meet", lambda: 5e-8)
    small, large = Recurrent(cells.LSTM(), 3, 4), Recurrent(cells.LSTM(), 8, 128)
    fewer = "loops: B = 1 is fewer than 4 threads: "
    assert f"{fewer}they divide the units" in str(explain(large, batch=1))
    monkeypatch.setattr(meeting, "seconds_to_meet", lambda: 3e-7)
    assert "each step forward, not backward" in str(explain(large, batch=1))
    far = "; all of it by one thread if it is little and other cores are far"
    assert "too little to divide" in str(explain(small, batch=1))
    assert far in str(explain(small, batch=1))
    for text in (explain(large, batch=1), explain(small, batch=2)):
        assert far not in str(text)
    assert far not in str(explain(cells.Feedforward(), time=9, batch=1))
    assert "B = 4 sequences are divided" in str(explain(large, batch=4))


def test_a_feedforward_layer_has_no_loop() -> None:
    text = str(explain(Recurrent(cells.Feedforward(), 3, 4), time=5, batch=2))
    assert "Without a loop, over all steps at once\n  W x_t\n\nBackward, over" in text


def test_a_plan_that_does_not_serve_is_marked() -> None:
    served = Recurrent(cells.LSTM(), 3, 4, backend="reference")
    assert "As the llvm backend, which does not serve here" in str(explain(served))


def test_a_model_is_explained_by_its_recurrent_module() -> None:
    network = Recurrent(cells.GRU(), 3, 4)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), network)
    found = explain(model, batch=2)
    assert str(found).startswith("Sequential.1: Recurrent(GRU, 3, 4)\n")
    assert found.equations() == explain(network).equations()
    several = torch.nn.Sequential(network, Recurrent(cells.LSTM(), 4, 4))
    with pytest.raises(
        SeveralRecurrentModules, match=r"Sequential with several.*one of 0, 1"
    ):
        explain(several)


def test_in_evaluation_means_are_shown() -> None:
    module = Recurrent(cells.Zoneout(cells.DropConnect(cells.LSTM(), 0.2), h=0.1), 2, 3)
    drawn = str(explain(module))
    means = str(explain(module.eval()))
    assert "In training: masks and noise are drawn" in drawn
    assert "  W_hh′ = W_hh ⊙ (mask(0.2) / 0.8)\n" in drawn
    assert "In evaluation: masks and noise are at their means" in means
    assert "mask(" not in means
    assert "h_t = 0.9 · new_h_t + 0.1 · h_{t−1}" in means
    assert "W_hh h_{t−1}" in means
    plain = str(explain(Recurrent(cells.LSTM(), 2, 3).eval()))
    assert "In evaluation" not in plain
    assert "In training: " in str(explain(cells.DropConnect(cells.LSTM(), 0.2)))


def test_it_shows_itself() -> None:
    found = explain(cells.LSTM())
    assert repr(found) == str(found)


def test_zeros_are_named_and_counted() -> None:
    torch.manual_seed(3)
    module = Recurrent(cells.Elman("relu"), 4, 9, num_layers=2, bidirectional=True)
    x, lengths = torch.randn(6, 3, 4), torch.tensor([6, 2, 0])
    shares = explain(module).zeros(x, lengths=lengths)
    _, _, values = module(x, lengths=lengths, return_all=True)
    assert list(shares) == [(0, 0, "h"), (0, 1, "h"), (1, 0, "h"), (1, 1, "h")]
    for place, found in shares.items():
        for step in range(6):
            alive = values[place][step, lengths > step]
            assert found[step] == pytest.approx(float((alive == 0).double().mean()))
    assert "Exactly 0 in many units\n  h\n" in str(explain(module))
    assert "Exactly 0" not in str(explain(LSTM(3, 4)))
    first = explain(Recurrent(cells.Elman("relu"), 4, 9, batch_first=True))
    assert first.zeros(x.transpose(0, 1))[0, 0, "h"].shape == (6,)
    with pytest.raises(NoParameters, match="numbers need some"):
        explain(cells.Elman("relu")).zeros(x)
