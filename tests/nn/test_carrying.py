"""A carried state: what is done to one row leaves every other as it was."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import throughtime as tt
from tests.facts.judges import draw
from throughtime import Cell, Parameter, State
from throughtime.errors import CarriedStateMismatch, StateShapeMismatch, TwoDirections
from throughtime.graph import Value
from throughtime.math import tanh

T, B, F, H = 5, 4, 3, 6


class Learned(Cell):
    """Begins at a learned state, beside one that begins at 0.5."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    h = State("hidden", init="learned")
    slow = State("hidden", init=0.5)

    def step(self, x: Value, h: Value, slow: Value) -> tuple[Value, Value]:
        h = tanh(self.weight @ x + self.recurrent @ h + slow)
        return h, 0.9 * slow + 0.1 * h


def build(backend: str = "auto", layers: int = 2) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    module = tt.nn.Recurrent(
        Learned(), F, H, layers, backend=backend, dtype=torch.float64
    )
    with torch.no_grad():
        for name, value in module.named_parameters():
            if "init" in name:
                value.normal_()
    return module


MODULES: dict[str, Callable[[], Any]] = {
    "Recurrent": build,
    "LSTM": lambda: tt.nn.LSTM(F, H, 2, dtype=torch.float64),
    "projected": lambda: tt.nn.LSTM(F, H, 2, proj_size=2, dtype=torch.float64),
    "GRU": lambda: tt.nn.GRU(F, H, dtype=torch.float64),
    "RNN": lambda: tt.nn.RNN(F, H, 3, dtype=torch.float64),
}


@pytest.mark.parametrize("kind", MODULES)
@torch.no_grad()
def test_chunks_with_a_carried_state_give_the_whole(kind: str) -> None:
    module = MODULES[kind]()
    x = draw(3 * T, B, F)
    whole, final = module(x)
    carried = tt.CarriedState(module, B)
    outputs = []
    for chunk in x.split(T):
        output, state = module(chunk, carried)
        carried.update(state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs), whole, rtol=1e-12, atol=1e-12)
    ends = [final] if isinstance(final, Tensor) else final
    for own, end in zip(carried, ends, strict=True):
        torch.testing.assert_close(own, end, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("freed", [[], [1], [0, 3], range(B)])
@torch.no_grad()
def test_a_reset_row_begins_anew_and_the_others_go_on(freed: Any) -> None:
    module = build()
    x = draw(2 * T, B, F)
    carried = tt.CarriedState(module, B)
    carried.update(module(x[:T], carried)[1])
    marks = torch.zeros(T, B, dtype=torch.bool)
    marks[0, list(freed)] = True
    marked, _ = module(x[T:], carried, resets=marks)
    carried.reset(freed)
    assert torch.equal(module(x[T:], carried)[0], marked)
    assert carried.fresh.tolist() == [row in freed for row in range(B)]
    whole, alone = module(x)[0], module(x[T:])[0]
    for row in range(B):
        expected = alone[:, row] if row in freed else whole[T:, row]
        assert torch.equal(marked[:, row], expected)


def test_fresh_rows_teach_the_learned_state(backend: str) -> None:
    """Rows that have begun do not, and one without a step has not begun."""
    module = build(backend)
    x = draw(T, B, F)
    carried = tt.CarriedState(module, B)
    lengths = torch.tensor([T, 0, T, 2])
    _, state = module(x, carried, lengths=lengths)
    carried = carried.detach()
    carried.update(state, lengths)
    assert carried.fresh.tolist() == [False, True, False, False]
    with torch.no_grad():
        module.get_parameter("h_init_l0").add_(1.0)
    output, _ = module(x, carried.detach())
    assert torch.equal(output[:, 1], module(x)[0][:, 1])
    learned = [module.get_parameter(f"h_init_l{layer}") for layer in (0, 1)]
    found = torch.autograd.grad(output.sum(), learned)
    expected = torch.autograd.grad(module(x[:, 1:2])[0].sum(), learned)
    for own, slope in zip(found, expected, strict=True):
        torch.testing.assert_close(own, slope, rtol=1e-12, atol=1e-12)


ACTIONS = st.one_of(
    st.tuples(st.just("run"), st.lists(st.integers(0, T), min_size=9, max_size=9)),
    st.tuples(st.just("reset"), st.lists(st.integers(0, 8))),
    st.tuples(st.just("select"), st.permutations(range(9))),
    st.tuples(st.just("resize"), st.integers(1, 9)),
    st.tuples(st.just("store"), st.just(None)),
)


@given(st.lists(ACTIONS, max_size=8), st.integers(0, 5))
@torch.no_grad()
def test_no_row_sees_another(actions: list[tuple[str, Any]], poisoned: int) -> None:
    """Each row is what its own history makes of it; one of them is NaN throughout."""
    module = build("reference", layers=1)
    carried = tt.CarriedState(module, 6)
    judges = [tt.CarriedState(module, 1) for _ in range(6)]
    sick = [row == poisoned for row in range(6)]
    for number, (action, what) in enumerate(actions):
        rows = carried.rows
        if action == "run":
            lengths = torch.tensor(what[:rows])
            x = draw(T, rows, F, seed=number)
            x[:, sick] = torch.nan
            carried.update(module(x, carried, lengths=lengths)[1], lengths)
            for row, judge in enumerate(judges):
                own = lengths[row : row + 1]
                after = module(x[:, row : row + 1], judge, lengths=own)[1]
                judge.update(after, own)
        elif action == "reset":
            freed = [row for row in what if row < rows]
            carried.reset(freed)
            for row in freed:
                judges[row] = tt.CarriedState(module, 1)
        elif action == "select":
            order = [row for row in what if row < rows]
            carried = carried.select(order)
            judges = [judges[row] for row in order]
            sick = [sick[row] for row in order]
        elif action == "resize":
            carried = carried.resize(what)
            new = [tt.CarriedState(module, 1) for _ in range(what - rows)]
            judges, sick = (judges + new)[:what], (sick + [False] * len(new))[:what]
        else:
            carried = pickle.loads(pickle.dumps(carried))
    for row, judge in enumerate(judges):
        assert carried.fresh[row] == judge.fresh[0]
        for own, expected in zip(carried, judge, strict=True):
            torch.testing.assert_close(
                own[:, row], expected[:, 0], rtol=1e-12, atol=1e-12, equal_nan=True
            )


def begun(module: tt.nn.Recurrent) -> tt.CarriedState:
    carried = tt.CarriedState(module, B)
    carried.update(module(draw(T, B, F), carried)[1])
    carried.reset([2])
    return carried


def stored(carried: tt.CarriedState) -> tt.CarriedState:
    other = tt.CarriedState(build(), B)
    other.load_state_dict(carried.state_dict())
    return other


def through_torch(carried: tt.CarriedState) -> tt.CarriedState:
    file = io.BytesIO()
    torch.save(carried, file)
    file.seek(0)
    return torch.load(file)


COPIES: dict[str, Callable[[tt.CarriedState], tt.CarriedState]] = {
    "state_dict": stored,
    "pickle": lambda carried: pickle.loads(pickle.dumps(carried)),
    "torch": through_torch,
    "copy": copy.deepcopy,
    "moved": lambda carried: carried.to("cpu", torch.float64),
    "selected": lambda carried: carried.select(range(B)),
    "resized": lambda carried: carried.resize(7, keep=[3, 2, 1, 0]).select(
        [3, 2, 1, 0]
    ),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_goes_on_as_the_original(way: str) -> None:
    module = build()
    carried = begun(module)
    copied = COPIES[way](carried)
    x = draw(T, B, F, seed=3)
    assert torch.equal(module(x, copied)[0], module(x, carried)[0])
    copied.reset(range(B))
    assert carried.fresh.tolist() == [False, False, True, False]
    assert torch.equal(module(x, copied)[0], module(x)[0])


def test_detach_cuts_the_graph_and_update_keeps_it() -> None:
    module = build()
    carried = begun(module)
    assert carried.h.requires_grad
    cut = carried.detach()
    assert carried.h.requires_grad
    assert not cut.h.requires_grad
    assert torch.equal(cut.slow, carried.slow)


@torch.no_grad()
def test_in_other_numbers() -> None:
    module = build()
    carried = begun(module).to(dtype=torch.float32)
    other = module.float()
    x = draw(T, B, F).float()
    assert other(x, carried)[0].dtype == torch.float32
    carried.reset(range(B))
    assert torch.equal(other(x, carried)[0], other(x)[0])


def test_it_moves_to_another_device_and_leaves_the_original() -> None:
    carried = begun(build())
    moved = carried.to("meta")
    changed = moved.resize(7, keep=[2, 0]).select([0, 1, 6])
    moved.reset([1])
    for state in (moved, changed):
        assert {value.device.type for value in state} == {"meta"}
        assert {value.dtype for value in state} == {torch.float64}
    assert changed.fresh.tolist() == [True, False, True]
    assert moved.fresh.tolist() == [False, True, True, False]
    assert carried.fresh.tolist() == [False, False, True, False]
    assert {value.device.type for value in carried} == {"cpu"}
    stored = carried.state_dict()
    moved.load_state_dict(stored)
    assert moved.h.device.type == "meta"
    assert moved.fresh.tolist() == carried.fresh.tolist()


def test_two_directions_are_refused() -> None:
    module = tt.nn.GRU(F, H, bidirectional=True)
    with pytest.raises(TwoDirections, match="starts at a sequence's end"):
        tt.CarriedState(module, B)


REFUSALS: dict[str, Callable[[tt.CarriedState], Any]] = {
    "1 states, expected 2 (h, slow)": lambda c: c.update(c.h),
    f"h of shape (2, 3, 6), expected (2, {B}, 6)": lambda c: c.update(
        c.select([0, 1, 2])
    ),
    "rows [4], expected rows 0 to 3": lambda c: c.reset([4]),
    "rows [-1], expected rows 0 to 3": lambda c: c.select([-1]),
    "4 rows to keep, expected at most 2": lambda c: c.resize(2, keep=range(4)),
    "given fresh, expected fresh, state.h": lambda c: c.load_state_dict(
        {"fresh": c.fresh}
    ),
}


@pytest.mark.parametrize("sentence", REFUSALS)
def test_what_does_not_fit_is_refused(sentence: str) -> None:
    carried = begun(build())
    with pytest.raises(CarriedStateMismatch) as refusal:
        REFUSALS[sentence](carried)
    assert sentence in str(refusal.value)


def test_other_rows_than_the_batchs_are_refused() -> None:
    module = build()
    with pytest.raises(StateShapeMismatch):
        module(draw(T, B + 1, F), tt.CarriedState(module, B))
