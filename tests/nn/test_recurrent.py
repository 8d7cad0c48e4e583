"""`Recurrent`: building it, its state, its steps, and what it refuses."""

import copy
import io
import itertools
import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.compare import assert_close
from tests.covering import crossed
from throughtime import errors
from throughtime.cells import (
    GRU,
    LSTM,
    Elman,
    Feedforward,
    LeakyElman,
    PeepholeLSTM,
    Zoneout,
)
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.math import tanh
from throughtime.nn import Recurrent
from throughtime.nn.states import state_class

CELLS = [Elman(), LSTM(), GRU(), GRU(False), PeepholeLSTM(), Feedforward("tanh")]
F, H = 3, 5


class Timed(Cell):
    """A cell that also reads a clock, and whose output is not its state."""

    weight = Parameter("hidden", "input")
    clock = Parameter("hidden")
    out = Parameter("2", "hidden")
    memory = State("hidden", init=-0.25)
    elapsed = Input(1)

    def step(self, x: Value, memory: Value, elapsed: Value) -> tuple[Value, Value]:
        memory = tanh(self.weight @ x + self.clock * elapsed + memory)
        return self.out @ memory, memory


def build(cell: Cell, *, layers: int = 2, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    settings.setdefault("dtype", torch.float64)
    return Recurrent(cell, F, H, layers, **settings)


def x(*shape: int) -> Tensor:
    return torch.randn(*shape, F, dtype=torch.float64)


# The seed keeps ReLU away from its kink.
SMOOTH_AND_NOT = [*CELLS, *map(Elman, ["relu", "sigmoid", "identity"])]


@crossed(cell=SMOOTH_AND_NOT, bias=[False, True])
def test_gradcheck(backend: str, cell: Cell, bias: bool) -> None:
    torch.manual_seed(0)
    module = Recurrent(
        cell, 3, 2, bias=bias, bidirectional=True, backend=backend, dtype=torch.float64
    )
    runs = [state.size for state in module.graphs[0].states]
    start = [torch.randn(2, 2, n, dtype=torch.float64) for n in runs]
    names = [name for name, _ in module.named_parameters()]
    leaves = [x(3, 2), *start, *(p.detach().clone() for p in module.parameters())]

    def call(sequence: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        state, weights = values[: len(runs)], values[len(runs) :]
        chosen = dict(zip(names, weights, strict=True))
        settings = {"lengths": [3, 1]}
        arguments = (sequence, list(state))
        output, final = torch.func.functional_call(module, chosen, arguments, settings)
        return output, *final

    assert torch.autograd.gradcheck(call, [leaf.requires_grad_() for leaf in leaves])


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_time_can_be_cut_anywhere(backend: str, cell: Cell) -> None:
    module = build(cell, backend=backend)
    sequence = x(7, 4)
    whole, final = module(sequence)
    first, state = module(sequence[:3])
    second, state = module(sequence[3:], state)
    assert_close(torch.cat([first, second]), whole)
    for value, end in zip(state, final, strict=True):
        assert_close(value, end)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("batch_first", [False, True])
def test_steps_are_the_sequence(backend: str, cell: Cell, batch_first: bool) -> None:
    module = build(cell, backend=backend, batch_first=batch_first)
    sequence = x(4, 3)
    whole, final = module(sequence.transpose(0, 1) if batch_first else sequence)
    whole = whole.transpose(0, 1) if batch_first else whole
    state = None
    for time in range(4):
        output, state = module.step(sequence[time], state)
        assert_close(output, whole[time])
    assert type(state) is type(final)
    for value, end in zip(state, final, strict=True):
        assert_close(value, end)


def test_states_have_names_and_forms(backend: str) -> None:
    module = build(LSTM(), bidirectional=True, backend=backend)
    output, state = module(x(5, 2))
    assert output.shape == (5, 2, 2 * H)
    assert state._fields == ("h", "c")
    assert state.h.shape == state.c.shape == (4, 2, H)
    assert_close(
        module(x(5, 2).mul(0), tuple(state))[0], module(x(5, 2).mul(0), state)[0]
    )
    assert_close(state.h[2], output[-1, :, :H])
    assert_close(state.h[3], output[0, :, H:])
    single = build(GRU(), backend=backend)
    _, state = single(x(5, 2))
    sequence = x(5, 2)
    assert_close(single(sequence, state.h)[0], single(sequence, state)[0])
    assert build(Feedforward())(x(5, 2))[1] == ()


def test_further_inputs_and_separate_output(backend: str) -> None:
    module = build(Timed(), layers=3, backend=backend, batch_first=True)
    elapsed = torch.rand(2, 6, 1, dtype=torch.float64)
    sequence = x(2, 6)
    output, state = module(sequence, elapsed=elapsed)
    assert output.shape == (2, 6, 2)
    assert state.memory.shape == (3, 2, H)
    alone, _ = module(sequence[1], elapsed=elapsed[1])
    assert_close(alone, output[1])
    weights = dict(module.named_parameters())
    memory, value = torch.full((2, H), -0.25, dtype=torch.float64), sequence
    for layer in range(3):
        memory = torch.full((2, H), -0.25, dtype=torch.float64)
        steps = []
        for time in range(6):
            drive = value[:, time] @ weights[f"weight_l{layer}"].T
            drive = drive + weights[f"clock_l{layer}"] * elapsed[:, time]
            memory = torch.tanh(drive + memory)
            steps.append(memory @ weights[f"out_l{layer}"].T)
        value = torch.stack(steps, 1)
    assert_close(output, value)
    assert_close(state.memory[2], memory)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_layers_of_one_size_share_a_graph_and_graphs_are_enough(cell: Cell) -> None:
    module = build(cell, layers=3, bidirectional=True)
    assert module.graphs[1] is module.graphs[2]
    settings = {"bidirectional": True, "dtype": torch.float64}
    again = Recurrent.from_graphs(module.graphs, **settings)
    again.load_state_dict(module.state_dict())
    sequence = x(4, 2)
    assert torch.equal(again(sequence)[0], module(sequence)[0])
    assert repr(again) == repr(module)


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "torch"])
def test_modules_can_be_copied(backend: str, way: str) -> None:
    module = build(Timed(), backend=backend)
    if way == "pickle":
        twin = pickle.loads(pickle.dumps(module))
    elif way == "deepcopy":
        twin = copy.deepcopy(module)
    else:
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    sequence, elapsed = x(4, 2), torch.rand(4, 2, 1, dtype=torch.float64)
    output, state = module(sequence, elapsed=elapsed)
    same, again = twin(sequence, elapsed=elapsed)
    assert torch.equal(same, output)
    assert type(again) is type(state)
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert torch.equal(module(sequence, elapsed=elapsed)[0], output)


def test_states_cross_processes_and_checkpoints() -> None:
    state = build(LSTM())(x(2, 1))[1]
    kind = type(state)
    assert kind is state_class(("h", "c"))
    assert pickle.loads(pickle.dumps(kind)) is kind
    again = pickle.loads(pickle.dumps(state))
    assert type(again) is kind
    assert_close(again.c, state.c)
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).h.tolist())"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(kind(*(value.detach() for value in state))),
        check=True,
        capture_output=True,
    )
    assert answer.stdout.decode().strip() == str(state.h.tolist())
    file = io.BytesIO()
    torch.save({"state": state}, file)
    file.seek(0)
    assert_close(torch.load(file)["state"].h, state.h)


def test_a_program_that_returns_a_state_can_be_saved() -> None:
    module = build(GRU(), backend="reference").eval()
    program = torch.export.export(module, (x(3, 2),))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    sequence = x(3, 2)
    output, state = torch.export.load(file).module()(sequence)
    assert_close(output, module(sequence)[0])
    assert type(state) is state_class(("h",))


@pytest.mark.parametrize("name", ["_h", "class"])
def test_a_state_that_can_be_no_field_is_refused(name: str) -> None:
    with pytest.raises(errors.CellError, match="rename the state"):
        state_class((name,))


def test_dtypes_follow_the_module() -> None:
    module = build(LSTM(), backend="auto", dtype=torch.float32)
    for convert, dtype in (
        (module.double, torch.float64),
        (module.half, torch.float16),
        (lambda: module.to(torch.bfloat16), torch.bfloat16),
        (module.float, torch.float32),
    ):
        convert()
        output, state = module(x(3, 2).to(dtype))
        assert output.dtype == state.c.dtype == dtype
        loss = output.square().sum()
        loss.backward()
        assert all(
            p.grad is not None and p.grad.dtype == dtype for p in module.parameters()
        )
        module.zero_grad()
    module.double()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    losses = []
    sequence = x(3, 2)
    for _ in range(3):
        optimiser.zero_grad()
        loss = module(sequence)[0].square().sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


class Starts(Cell):
    """One parameter for each way to start."""

    uniform = Parameter("hidden", "input")
    fan = Parameter("hidden", "input", init="fan_in")
    square = Parameter("hidden", "hidden", init="orthogonal")
    same = Parameter("hidden", "hidden", init="identity")
    nothing = Parameter("hidden", init="zeros")
    number = Parameter("hidden", init=1.5)
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        drive = self.uniform @ x + self.fan @ x + self.nothing
        return tanh(drive + self.square @ h + self.same @ h) * self.number


def test_parameters_start_as_declared() -> None:
    module = Recurrent(Starts(), 9, 400, dtype=torch.float64)
    weights = {n.removesuffix("_l0"): p.detach() for n, p in module.named_parameters()}
    for name, bound in (("uniform", 1 / 20), ("fan", 1 / 3)):
        assert weights[name].abs().max() <= bound
        assert weights[name].abs().max() > 0.99 * bound
        deviation = weights[name].std().item()
        assert math.isclose(deviation, bound / math.sqrt(3), rel_tol=0.03)
    identity = torch.eye(400, dtype=torch.float64)
    assert (weights["square"] @ weights["square"].T - identity).abs().max() < 1e-12
    assert torch.equal(weights["same"], identity)
    assert torch.equal(weights["nothing"], torch.zeros(400, dtype=torch.float64))
    assert torch.equal(weights["number"], torch.full((400,), 1.5, dtype=torch.float64))


@pytest.mark.parametrize("init", ["fan_in", "orthogonal", "identity"])
def test_a_vector_cannot_start_like_a_matrix(init: str) -> None:
    class Vector(Cell):
        weight = Parameter("hidden", init=init)
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            return self.weight * h

    with pytest.raises(errors.UnsuitableInitialisation, match=f"init='{init}'"):
        Recurrent(Vector(), F, H)


class Residual(Cell):
    """A state as wide as the input: layers of two sizes cannot share a tensor."""

    h = State("input")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(x + h)


def settings_refused() -> list[tuple[dict[str, Any], type[Exception]]]:
    return [
        ({"input_size": 0}, errors.BadSetting),
        ({"hidden_size": -1}, errors.BadSetting),
        ({"hidden_size": 2.0}, errors.BadSettingType),
        ({"num_layers": 0}, errors.BadSetting),
        ({"num_layers": True}, errors.BadSettingType),
        ({"bias": 1}, errors.BadSettingType),
        ({"batch_first": "yes"}, errors.BadSettingType),
        ({"bidirectional": 2}, errors.BadSettingType),
        ({"dropout": 1.5}, errors.BadSetting),
        ({"dropout": math.nan}, errors.BadSetting),
        ({"dropout": True}, errors.BadSetting),
        ({"backend": "gpu"}, errors.UnknownBackend),
        ({"cell": LSTM}, errors.CellError),
        ({"cell": Residual(), "bidirectional": True}, errors.UnevenLayers),
    ]


@pytest.mark.parametrize(("changed", "error"), settings_refused(), ids=str)
def test_settings_are_refused_by_name(
    changed: dict[str, Any], error: type[Exception]
) -> None:
    settings = {"cell": LSTM(), "input_size": F, "hidden_size": H, "num_layers": 2}
    with pytest.raises(error) as caught:
        Recurrent(**{**settings, **changed})
    assert next(iter(changed)) in str(caught.value) or "cell" in changed


def test_a_layer_that_fits_is_built_on_an_input_wide_state() -> None:
    module = Recurrent(Residual(), F, H, 2, dtype=torch.float64)
    assert module(x(4, 2))[0].shape == (4, 2, F)


def test_dropout_without_a_second_layer_warns() -> None:
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        Recurrent(LSTM(), F, H, dropout=0.5)


class Clash(Cell):
    lengths = Input(1)

    def step(self, x: Value, lengths: Value) -> Value:
        return x * lengths


def test_an_input_named_like_an_argument_is_refused() -> None:
    with pytest.raises(errors.CellError, match="the Input lengths is named like"):
        Recurrent(Clash(), F, H)


double = torch.float64
CALLS: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (x(4), {"state": x(2, 2)}, errors.MissingInput, "elapsed"),
    (x(4, 2), {}, errors.MissingInput, "elapsed"),
    (x(4, 2), {"elapse": 1, "elapsed": 1}, errors.UnknownInput, "did you mean"),
    (torch.zeros(F), {}, errors.NotASequence, "got 1D tensor"),
    (torch.zeros(4, 2, F), {}, errors.DtypeMismatch, "float32"),
    (torch.zeros(4, 2, F, dtype=torch.int64), {}, errors.DtypeMismatch, "int64"),
    (torch.zeros(4, 2, 1, dtype=double), {}, errors.InputSizeMismatch, "Expected 3"),
    (
        torch.zeros(4, 2, F, device="meta", dtype=double),
        {},
        errors.DeviceMismatch,
        "meta",
    ),
    (
        x(4, 2),
        {"elapsed": torch.zeros(4, 2, dtype=double)},
        errors.InputShapeMismatch,
        "elapsed",
    ),
    (
        x(4, 2),
        {"elapsed": torch.zeros(4, 2, 2, dtype=double)},
        errors.InputSizeMismatch,
        "elapsed",
    ),
    (x(4, 2), {"elapsed": [1.0]}, errors.NotATensor, "elapsed is of type list"),
    (x(4, 2), {"resets": torch.zeros(4, 2)}, errors.BadResets, "booleans"),
    (x(4, 2), {"state": [x(2), x(2)]}, errors.StateCountMismatch, "memory"),
    (
        x(4, 2),
        {"state": torch.zeros(2, 2, 9, dtype=double)},
        errors.StateShapeMismatch,
        "state.memory",
    ),
    (
        x(4, 2),
        {"state": torch.zeros(2, 2, dtype=double)},
        errors.StateDimensions,
        "state.memory",
    ),
    (x(4, 2), {"state": torch.zeros(2, 2, H)}, errors.DtypeMismatch, "state.memory"),
]


@pytest.mark.parametrize(
    ("sequence", "arguments", "error", "words"),
    CALLS,
    ids=[f"{call[2].__name__}-{number}" for number, call in enumerate(CALLS)],
)
def test_calls_are_refused_by_name(
    sequence: Tensor, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    module = build(Timed())
    if error is not errors.MissingInput:
        good = torch.zeros(*sequence.shape[:-1], 1, dtype=double)
        arguments = {"elapsed": good, **arguments}
    with pytest.raises(error, match=words) as caught:
        module(sequence, **arguments)
    assert isinstance(caught.value, errors.ThroughtimeError)


def test_steps_are_refused_where_there_are_none() -> None:
    with pytest.raises(errors.TwoDirections):
        build(LSTM(), bidirectional=True).step(x(2))
    with pytest.raises(errors.NotASequence, match=r"\(B, F\)"):
        build(LSTM()).step(x())


def test_no_steps_and_no_sequences(backend: str) -> None:
    module = build(LSTM(), backend=backend)
    start = [torch.randn(2, 3, H, dtype=double) for _ in range(2)]
    output, state = module(x(0, 3), start)
    assert output.shape == (0, 3, H)
    assert all(itertools.starmap(torch.equal, zip(state, start, strict=True)))
    assert module(x(4, 0))[0].shape == (4, 0, H)
    assert module(x(4, 0), lengths=[])[1].h.shape == (2, 0, H)


def test_inputs_are_not_changed_and_may_lie_anyhow(backend: str) -> None:
    module = build(LSTM(), backend=backend)
    wide = torch.randn(2, 9, 2 * F, dtype=double)
    strided = wide.transpose(0, 1)[::2, :, ::2]
    expanded = x(1, 1).expand(5, 2, F)
    for sequence in (strided, expanded):
        before = sequence.clone()
        output, _ = module(sequence)
        assert torch.equal(sequence, before)
        assert_close(output, module(before)[0])


def test_autocast_of_a_neighbour_is_taken() -> None:
    module = build(LSTM(), dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sequence = torch.nn.functional.linear(torch.ones(4, 2, F), torch.eye(F))
        assert sequence.dtype == torch.bfloat16
        output, _ = module(sequence)
    assert output.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "Recurrent(LSTM, 3, 5)"),
        (
            {"num_layers": 2, "dropout": 0.5},
            "Recurrent(LSTM, 3, 5, num_layers=2, dropout=0.5)",
        ),
        (
            {
                "bias": False,
                "batch_first": True,
                "bidirectional": True,
                "backend": "reference",
            },
            "Recurrent(LSTM, 3, 5, bias=False, batch_first=True, bidirectional=True, "
            "backend='reference')",
        ),
    ],
    ids=["plain", "layers", "all"],
)
def test_its_text_says_what_is_not_default(settings: dict[str, Any], text: str) -> None:
    assert repr(Recurrent(LSTM(), F, H, **settings)) == text


def test_its_text_says_how_its_cell_was_made() -> None:
    made = Recurrent(GRU(reset_after=False), 4, 4, heads=2)
    assert repr(made) == "Recurrent(GRU(reset_after=False), 4, 4, heads=2)"
    assert repr(Recurrent.from_graphs(made.graphs)) == repr(made)
    cell = Zoneout(LeakyElman("tanh", noise=0.3), v=0.1)
    text = "Zoneout(LeakyElman(activation='tanh', noise=0.3), v=0.1)"
    assert repr(Recurrent(cell, 3, 5)) == f"Recurrent({text}, 3, 5)"
