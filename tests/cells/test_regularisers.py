"""Regularisers rewrite the equations of a cell, and leave the rest of it as it is."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cells.regularised import (
    DOUBLE,
    REGULARISED,
    B,
    H,
    Independent,
    Joined,
    NamedParts,
    T,
    build,
    masks,
    seeded,
    sequences,
    slopes,
)
from tests.compare import assert_close
from throughtime import cells, explain
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Elman,
    Feedforward,
    KWinners,
    VariationalDropout,
    Zoneout,
)
from throughtime.errors import CellError
from throughtime.graph import Cell, StepGraph, Value, trace
from throughtime.graph.random_values import draw_of, random_nodes
from throughtime.math import mask
from throughtime.nn import Recurrent


# --------------------------------------------------------------- against loops by hand
def lstm_step(
    x: Tensor, h: Tensor, c: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    w_ih, w_hh, b_ih, b_hh = weights
    i, f, g, o = (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


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


@pytest.mark.parametrize("k", [2, 0.45])
def test_the_largest_units_win(k: float, backend: str) -> None:
    module = build(KWinners(LSTM(), k), backend)

    def by_hand(x: Tensor, weights: list[Tensor]) -> Tensor:
        h = c = torch.zeros(B, H, dtype=DOUBLE)
        outputs = []
        for t in range(T):
            h, c = lstm_step(x[t], h, c, weights)
            won = torch.zeros_like(h).scatter(1, h.topk(2).indices, 1.0)
            h = h * won
            outputs.append(h)
        return torch.stack(outputs)

    assert_same(module, by_hand)
    assert bool(((module(sequences())[0] != 0).sum(-1) == 2).all())


def test_an_output_beside_the_states_leaves_them_as_they_are(backend: str) -> None:
    plain, winners = build(Joined(), backend), build(KWinners(Joined(), 2), backend)
    (output, state), (found, other) = plain(sequences()), winners(sequences())
    least = output.topk(2).values[..., -1:]
    assert torch.equal(found, torch.where(output < least, 0, output))
    assert torch.equal(state.h, other.h)


def test_ties_win_together_and_nan_stays(backend: str) -> None:
    module = build(KWinners(Feedforward("relu"), 2), backend)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(1.0 if weight.ndim == 2 else 0.0)
    x = torch.ones(1, 1, 2, dtype=DOUBLE)
    assert module(x)[0].tolist() == [[[2.0] * H]]
    with torch.no_grad():
        next(module.parameters())[3] = torch.nan
    found = module(x)[0][0, 0]
    assert found[3].isnan()
    assert found[:3].tolist() == [2.0] * 3


def test_what_loses_is_known_to_be_zero_and_left_out() -> None:
    graphs = Recurrent(KWinners(LSTM(), 2), 3, 8, num_layers=2).graphs
    assert graphs[1].zeros == ("x",)
    shown = str(explain(KWinners(Elman(), 2)))
    assert "h_t = [new_h_t ≥ kth_largest(new_h_t, 2)] ⊙ new_h_t" in shown
    assert "Exactly 0 in many units" in shown


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


# ------------------------------------------------------------------- names and refusals
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Zoneout(LSTM(), h=0.05, c=0.5), "Zoneout(LSTM(), h=0.05, c=0.5)"),
        (KWinners(Zoneout(LSTM(), h=0.5), 3), "KWinners(Zoneout(LSTM(), h=0.5), 3)"),
        (
            Zoneout(KWinners(LSTM(), 0.1), h=0.5),
            "Zoneout(KWinners(LSTM(), 0.1), h=0.5)",
        ),
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
    assert stored[1].startswith("c_t, i_t, f_t, g_t, o_t, h_{t−1} ⊙ (mask")


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
    for cell in (Zoneout(LSTM(), h=0, c=0.0), VariationalDropout(LSTM(), hidden=0)):
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


def test_one_probability_of_all_states() -> None:
    first, second = Zoneout(LSTM(), 0.1, c=0.5), Zoneout(LSTM(), h=0.1, c=0.5)
    assert trace(first, 2, 3) == trace(second, 2, 3)
    assert trace(Zoneout(GRU(), 0.1), 2, 3) == trace(Zoneout(GRU(), h=0.1), 2, 3)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no probability": (lambda: VariationalDropout(LSTM()), "input=…, hidden=…"),
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
    "winners": (lambda: KWinners(LSTM(), 0), "k is 0; give a whole number of units"),
    "all": (lambda: KWinners(LSTM(), 1.0), "k is 1.0; give"),
    "a truth value": (lambda: KWinners(LSTM(), True), "k is True; give"),
    "words": (lambda: KWinners(LSTM(), "2"), "k is '2'; give"),
    "too many": (
        lambda: trace(KWinners(LSTM(), 4), 2, 3),
        r"k is 4, but the output of LSTM has 3 units; give 3 at most",
    ),
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
