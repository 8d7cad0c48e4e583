"""`State(init="learned")`: where a state starts is a parameter."""

import copy
from typing import Any

import pytest
import torch

import throughtime as tt
from tests.compare import assert_close
from throughtime.cells import LSTM
from throughtime.errors import CellError, LayerMismatch
from throughtime.graph import Cell, Parameter, State, trace
from throughtime.graph.serialize import from_json, to_json
from throughtime.nn import Recurrent
from throughtime.nn.compiled import operators
from throughtime.nn.compiled.second import Where

F, H = 3, 4


class Warm(LSTM):
    """An LSTM whose cell starts where it is best."""

    c = State("hidden", init="learned")


def build(backend: str = "auto", **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(Warm(), F, H, backend=backend, dtype=torch.float64, **settings)


def test_it_is_named_by_layer_and_direction_and_starts_at_0() -> None:
    module = build(num_layers=2, bidirectional=True)
    names = [name for name, _ in module.named_parameters() if "init" in name]
    assert names == [
        "c_init_l0",
        "c_init_l0_reverse",
        "c_init_l1",
        "c_init_l1_reverse",
    ]
    assert all((module.get_parameter(name) == 0).all() for name in names)


def test_other_parameters_are_drawn_as_without() -> None:
    torch.manual_seed(0)
    plain = Recurrent(LSTM(), F, H, num_layers=2, dtype=torch.float64)
    found = build(num_layers=2).state_dict()
    for name, value in plain.state_dict().items():
        assert torch.equal(found[name], value)


def test_it_is_where_the_state_starts(backend: str) -> None:
    module = build(backend, num_layers=2, bidirectional=True)
    starts = [torch.randn(H, dtype=torch.float64) for _ in range(4)]
    names = [name for name, _ in module.named_parameters() if "init" in name]
    with torch.no_grad():
        for name, start in zip(names, starts, strict=True):
            module.get_parameter(name).copy_(start)
    x = torch.randn(5, 3, F, dtype=torch.float64)
    c = torch.stack(starts)[:, None].expand(-1, 3, -1)
    output, final = module(x, lengths=[5, 0, 2])
    given, end = module(x, [torch.zeros_like(c), c], lengths=[5, 0, 2])
    assert_close(output, given)
    assert_close(final.c, end.c)


def test_it_learns(backend: str) -> None:
    module = build(backend)
    x = torch.randn(4, 3, F, dtype=torch.float64)

    def loss(start: torch.Tensor) -> torch.Tensor:
        named = {**dict(module.named_parameters()), "c_init_l0": start}
        output, final = torch.func.functional_call(module, named, (x,))
        return output.square().sum() + final.c.sum()

    start = torch.randn(H, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, start)
    module(x)[0].sum().backward()
    gradient = module.get_parameter("c_init_l0").grad
    assert gradient is not None and (gradient != 0).all()


def test_a_given_state_takes_its_place(backend: str) -> None:
    module = build(backend)
    torch.nn.init.normal_(module.get_parameter("c_init_l0"))
    x, zero = torch.randn(3, 2, F).double(), torch.zeros(1, 2, H).double()
    plain = Recurrent(LSTM(), F, H, backend=backend, dtype=torch.float64)
    plain.load_state_dict(module.state_dict(), strict=False)
    assert_close(module(x, [zero, zero])[0], plain(x)[0])


def test_one_step_and_a_copy() -> None:
    module = build()
    torch.nn.init.normal_(module.get_parameter("c_init_l0"))
    x = torch.randn(3, 2, F, dtype=torch.float64)
    output, _ = module.step(x[0])
    assert torch.equal(output, module(x)[0][0])
    assert torch.equal(copy.deepcopy(module)(x)[0], module(x)[0])


def test_its_graph_is_written_and_read() -> None:
    graph = trace(Warm(), F, H)
    assert from_json(to_json(graph)) == graph
    assert graph.states[1].learned and not graph.states[0].learned


def test_machine_code_is_not_left_to_guess_it() -> None:
    module = build("llvm")
    text = to_json(module.graphs[0])
    inputs, parameters = [torch.zeros(2, 1, F).double()], list(module.parameters())[:4]
    with pytest.raises(LayerMismatch, match="states"):
        operators.run(
            text, False, "", inputs, [], parameters, Where(None, 2, 1, False, 0, False)
        )


class Lukewarm(Warm):
    h = State("hidden", init=0.25)


def test_explain_says_where_states_start() -> None:
    text = str(tt.explain(Lukewarm()))
    assert "  c starts where it is learned, at c_init\n" in text
    assert "  h starts at 0.25\n" in text
    assert "starts" not in str(tt.explain(LSTM()))


def test_deltas_begin_there_too() -> None:
    module = build()
    torch.nn.init.normal_(module.get_parameter("c_init_l0"))
    x, error = torch.randn(4, 2, F).double(), torch.randn(4, 2, H).double()
    zero, start = torch.zeros(1, 2, H).double(), module.own_starts(x)[1].detach()
    explanation = tt.explain(module)
    found = explanation.deltas(x, error)
    given = explanation.deltas(x, error, [zero, start.expand(1, 2, H)])
    plain = explanation.deltas(x, error, [zero, zero])
    for place, value in given.items():
        assert torch.equal(found[place], value)
    assert not torch.equal(plain[0, 0, "f"], given[0, 0, "f"])


class Clash(Cell):
    """A parameter that has the name of the learned start."""

    w = Parameter("hidden", "input")
    h_init = Parameter("hidden")
    h = State("hidden", init="learned")

    def step(self, x: Any, h: Any) -> Any:
        return self.w @ x + h * self.h_init


def test_a_parameter_of_its_name_is_refused() -> None:
    with pytest.raises(CellError, match="h_init is the name of the learned start"):
        trace(Clash(), F, H)
