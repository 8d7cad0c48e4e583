"""Equations in print: the built-in cells as a textbook has them."""

import textwrap
from typing import Any

import pytest

from tests.graph.oracle import cell_of
from throughtime import cells, math
from throughtime.graph import Cell, Input, Parameter, State, Value, trace
from throughtime.graph.plan import plan
from throughtime.graph.show import equations
from throughtime.graph.show_plan import plan_text
from throughtime.graph.size_names import HIDDEN_STAND_IN, INPUT_STAND_IN, size_letters


def printed(cell: Cell) -> str:
    graph = trace(cell, INPUT_STAND_IN, HIDDEN_STAND_IN)
    found = equations(graph, size_letters)
    parts = (found.forward, found.deltas, found.gradients, found.notes)
    return "\n\n".join("\n".join(lines) for lines in parts)


def forward(step: Any, **declarations: object) -> list[str]:
    declared = {"h": State("hidden"), **declarations}
    return list(equations(trace(cell_of(step, **declared), 3, 4)).forward)


def deltas(step: Any, **declarations: object) -> list[str]:
    declared = {"h": State("hidden"), **declarations}
    return list(equations(trace(cell_of(step, **declared), 3, 4)).deltas)


GOLDEN: dict[str, tuple[Cell, str]] = {
    "Elman": (
        cells.Elman(),
        """\
        h_t = tanh(W_ih x_t + W_hh h_{t−1} + b)
        b = b_ih + b_hh

        δa_t = (1 − h_t²) ⊙ (e_t + W_hhᵀ δa_{t+1})
        δh_t = δa_t
        ∂L/∂x_t = W_ihᵀ δa_t

        ∂L/∂W_ih = Σ_t δa_t x_tᵀ
        ∂L/∂W_hh = Σ_t δa_t h_{t−1}ᵀ
        ∂L/∂b_ih = ∂L/∂b_hh = Σ_t δa_t

        e_t: the error that reaches h_t from outside, from the loss or the layer above
        a_t: what tanh takes in h_t""",
    ),
    "LSTM": (
        cells.LSTM(),
        """\
        a_t = W_ih x_t + W_hh h_{t−1} + b
        i_t = σ(a_t[0:H])
        f_t = σ(a_t[H:2H])
        g_t = tanh(a_t[2H:3H])
        o_t = σ(a_t[3H:4H])
        c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)
        b = b_ih + b_hh

        δh_t = e_t + W_hhᵀ δa_{t+1}
        δc_t = f_{t+1} ⊙ δc_{t+1} + (1 − tanh(c_t)²) ⊙ o_t ⊙ δh_t
        δo_t = o_t ⊙ (1 − o_t) ⊙ tanh(c_t) ⊙ δh_t
        δg_t = (1 − g_t²) ⊙ i_t ⊙ δc_t
        δf_t = f_t ⊙ (1 − f_t) ⊙ c_{t−1} ⊙ δc_t
        δi_t = i_t ⊙ (1 − i_t) ⊙ g_t ⊙ δc_t
        δa_t = [δi_t; δf_t; δg_t; δo_t]
        ∂L/∂x_t = W_ihᵀ δa_t

        ∂L/∂W_ih = Σ_t δa_t x_tᵀ
        ∂L/∂W_hh = Σ_t δa_t h_{t−1}ᵀ
        ∂L/∂b_ih = ∂L/∂b_hh = Σ_t δa_t

        e_t: the error that reaches h_t from outside, from the loss or the layer above\
        """,
    ),
    "GRU": (
        cells.GRU(),
        """\
        r_t = σ(W_ih[0:H] x_t + W_hh[0:H] h_{t−1} + b_ih[0:H] + b_hh[0:H])
        z_t = σ(W_ih[H:2H] x_t + W_hh[H:2H] h_{t−1} + b_ih[H:2H] + b_hh[H:2H])
        n_t = tanh(W_ih[2H:3H] x_t + b_ih[2H:3H]
            + r_t ⊙ (W_hh[2H:3H] h_{t−1} + b_hh[2H:3H]))
        h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}

        δh_t = e_t + z_{t+1} ⊙ δh_{t+1} + W_hh[2H:3H]ᵀ (r_{t+1} ⊙ δn_{t+1})
            + W_hh[H:2H]ᵀ δz_{t+1} + W_hh[0:H]ᵀ δr_{t+1}
        δn_t = (1 − n_t²) ⊙ (1 − z_t) ⊙ δh_t
        δz_t = z_t ⊙ (1 − z_t) ⊙ (h_{t−1} − n_t) ⊙ δh_t
        δr_t = r_t ⊙ (1 − r_t) ⊙ (W_hh[2H:3H] h_{t−1} + b_hh[2H:3H]) ⊙ δn_t
        ∂L/∂x_t = W_ihᵀ [δr_t; δz_t; δn_t]

        ∂L/∂W_ih = Σ_t [δr_t; δz_t; δn_t] x_tᵀ
        ∂L/∂b_ih = Σ_t [δr_t; δz_t; δn_t]
        ∂L/∂W_hh[0:H] = Σ_t δr_t h_{t−1}ᵀ
        ∂L/∂W_hh[H:2H] = Σ_t δz_t h_{t−1}ᵀ
        ∂L/∂W_hh[2H:3H] = Σ_t (r_t ⊙ δn_t) h_{t−1}ᵀ
        ∂L/∂b_hh[0:H] = Σ_t δr_t
        ∂L/∂b_hh[H:2H] = Σ_t δz_t
        ∂L/∂b_hh[2H:3H] = Σ_t r_t ⊙ δn_t

        e_t: the error that reaches h_t from outside, from the loss or the layer above\
        """,
    ),
    "GRU, reset before": (
        cells.GRU(reset_after=False),
        """\
        r_t = σ(W_ih[0:H] x_t + W_hh[0:H] h_{t−1} + b[0:H])
        z_t = σ(W_ih[H:2H] x_t + W_hh[H:2H] h_{t−1} + b[H:2H])
        n_t = tanh(W_ih[2H:3H] x_t + W_hh[2H:3H] (r_t ⊙ h_{t−1}) + b[2H:3H])
        h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}
        b = b_ih + b_hh

        δh_t = e_t + z_{t+1} ⊙ δh_{t+1} + r_{t+1} ⊙ (W_hh[2H:3H]ᵀ δn_{t+1})
            + W_hh[H:2H]ᵀ δz_{t+1} + W_hh[0:H]ᵀ δr_{t+1}
        δn_t = (1 − n_t²) ⊙ (1 − z_t) ⊙ δh_t
        δz_t = z_t ⊙ (1 − z_t) ⊙ (h_{t−1} − n_t) ⊙ δh_t
        δr_t = r_t ⊙ (1 − r_t) ⊙ h_{t−1} ⊙ (W_hh[2H:3H]ᵀ δn_t)
        ∂L/∂x_t = W_ihᵀ [δr_t; δz_t; δn_t]

        ∂L/∂W_ih = Σ_t [δr_t; δz_t; δn_t] x_tᵀ
        ∂L/∂b_ih = Σ_t [δr_t; δz_t; δn_t]
        ∂L/∂W_hh[0:H] = Σ_t δr_t h_{t−1}ᵀ
        ∂L/∂W_hh[H:2H] = Σ_t δz_t h_{t−1}ᵀ
        ∂L/∂W_hh[2H:3H] = Σ_t δn_t (r_t ⊙ h_{t−1})ᵀ
        ∂L/∂b_hh[0:H] = Σ_t δr_t
        ∂L/∂b_hh[H:2H] = Σ_t δz_t
        ∂L/∂b_hh[2H:3H] = Σ_t δn_t

        e_t: the error that reaches h_t from outside, from the loss or the layer above\
        """,
    ),
    "PeepholeLSTM": (
        cells.PeepholeLSTM(),
        """\
        a_t = W_ih x_t + W_hh h_{t−1} + b
        i_t = σ(a_t[0:H] + p_i ⊙ c_{t−1})
        f_t = σ(a_t[H:2H] + p_f ⊙ c_{t−1})
        g_t = tanh(a_t[2H:3H])
        c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
        o_t = σ(a_t[3H:4H] + p_o ⊙ c_t)
        h_t = o_t ⊙ tanh(c_t)
        b = b_ih + b_hh

        δh_t = e_t + W_hhᵀ δa_{t+1}
        δo_t = o_t ⊙ (1 − o_t) ⊙ tanh(c_t) ⊙ δh_t
        δc_t = f_{t+1} ⊙ δc_{t+1} + p_f ⊙ δf_{t+1} + p_i ⊙ δi_{t+1}
            + (1 − tanh(c_t)²) ⊙ o_t ⊙ δh_t + p_o ⊙ δo_t
        δg_t = (1 − g_t²) ⊙ i_t ⊙ δc_t
        δf_t = f_t ⊙ (1 − f_t) ⊙ c_{t−1} ⊙ δc_t
        δi_t = i_t ⊙ (1 − i_t) ⊙ g_t ⊙ δc_t
        δa_t = [δi_t; δf_t; δg_t; δo_t]
        ∂L/∂x_t = W_ihᵀ δa_t

        ∂L/∂W_ih = Σ_t δa_t x_tᵀ
        ∂L/∂W_hh = Σ_t δa_t h_{t−1}ᵀ
        ∂L/∂b_ih = ∂L/∂b_hh = Σ_t δa_t
        ∂L/∂p_i = Σ_t c_{t−1} ⊙ δi_t
        ∂L/∂p_f = Σ_t c_{t−1} ⊙ δf_t
        ∂L/∂p_o = Σ_t c_t ⊙ δo_t

        e_t: the error that reaches h_t from outside, from the loss or the layer above\
        """,
    ),
    "Feedforward": (
        cells.Feedforward(),
        """\
        y_t = relu(W x_t + b)

        δa_t = [y_t > 0] ⊙ e_t
        δy_t = δa_t
        ∂L/∂x_t = Wᵀ δa_t

        ∂L/∂W = Σ_t δa_t x_tᵀ
        ∂L/∂b = Σ_t δa_t

        e_t: the error that reaches y_t from outside, from the loss or the layer above
        a_t: what relu takes in y_t""",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_built_in_cells(name: str) -> None:
    cell, expected = GOLDEN[name]
    # Lines too long for this file are continued with four spaces.
    wanted = textwrap.dedent(expected).strip().replace("\n    ", " ")
    assert printed(cell) == wanted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", "[h_t > 0] ⊙ (e_t + W_hhᵀ δa_{t+1})"),
        ("sigmoid", "h_t ⊙ (1 − h_t) ⊙ (e_t + W_hhᵀ δa_{t+1})"),
    ],
)
def test_other_activations(name: str, expected: str) -> None:
    graph = trace(cells.Elman(name), 3, 4)
    assert equations(graph).deltas[0] == f"δa_t = {expected}"


def test_without_an_activation_the_value_is_its_own_incoming_activation() -> None:
    found = equations(trace(cells.Elman("identity"), 3, 4))
    assert found.forward[0] == "h_t = W_ih x_t + W_hh h_{t−1} + b"
    assert found.deltas[0] == "δh_t = e_t + W_hhᵀ δh_{t+1}"


def test_without_biases_none_is_printed() -> None:
    found = equations(trace(cells.Elman(), 3, 4, bias=False))
    assert found.forward == ("h_t = tanh(W_ih x_t + W_hh h_{t−1})",)


def test_gradients_name_what_the_parameters_were_made_into() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return (1 - self.rate) * h + self.u.T @ h + math.sum(x)

    rate, u = Parameter("hidden"), Parameter("hidden", "hidden")
    cell = cell_of(step, rate=rate, u=u, h=State("hidden"))
    found = equations(trace(cell, 3, 4))
    assert found.deltas[0] == "δh_t = e_t + u δh_{t+1} + (1 − rate) ⊙ δh_{t+1}"
    assert found.gradients == (
        "∂L/∂(1 − rate) = Σ_t h_{t−1} ⊙ δh_t",
        "∂L/∂(uᵀ) = Σ_t δh_t h_{t−1}ᵀ",
    )


def test_sizes_are_numbers_where_they_are_known() -> None:
    assert "a_t[4:8]" in equations(trace(cells.LSTM(), 3, 4)).forward[2]


def right_side(step: Any) -> str:
    [line] = forward(lambda self, x, h: step(h, math.sum(x)))
    return line.removeprefix("h_t = ")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (lambda h, x: h - (x - h), "h_{t−1} − (sum(x_t) − h_{t−1})"),
        (lambda h, x: h + (x + h), "h_{t−1} + sum(x_t) + h_{t−1}"),
        (lambda h, x: -h * x, "−h_{t−1} ⊙ sum(x_t)"),
        (lambda h, x: x - -h, "sum(x_t) + h_{t−1}"),
        (lambda h, x: (h + x) * h * 0.5, "0.5 · (h_{t−1} + sum(x_t)) ⊙ h_{t−1}"),
        (lambda h, x: h * -2, "−2 · h_{t−1}"),
        (lambda h, x: h / (h * x), "h_{t−1} / (h_{t−1} ⊙ sum(x_t))"),
        (lambda h, x: 1 - h, "1 − h_{t−1}"),
        (lambda h, x: math.square(h + 1), "(h_{t−1} + 1)²"),
        (lambda h, x: h**3 + h**0.5, "h_{t−1}³ + h_{t−1}^0.5"),
        (lambda h, x: math.sqrt(h) * x, "√h_{t−1} ⊙ sum(x_t)"),
        (lambda h, x: math.rsqrt(h + 1), "1 / √(h_{t−1} + 1)"),
        (lambda h, x: abs(h), "|h_{t−1}|"),
        (lambda h, x: math.exp(-h), "exp(−h_{t−1})"),
        (lambda h, x: math.maximum(h, 0), "max(h_{t−1}, 0)"),
        (lambda h, x: math.clip(h, -1, float("inf")), "clip(h_{t−1}, −1, ∞)"),
        (lambda h, x: math.where(h > x, h, 1), "where(h_{t−1} > sum(x_t), h_{t−1}, 1)"),
        (lambda h, x: math.where(h != 0, h, 0), "[h_{t−1} ≠ 0] ⊙ h_{t−1}"),
        (lambda h, x: math.where(h <= 0, 0, h), "[h_{t−1} > 0] ⊙ h_{t−1}"),
        (
            lambda h, x: math.concat(*math.split(h, 2)[::-1]) + x,
            "[h_{t−1}[2:4]; h_{t−1}[0:2]] + sum(x_t)",
        ),
        (lambda h, x: h - math.kth_largest(h, 4), "h_{t−1} − kth_largest(h_{t−1}, 4)"),
        (lambda h, x: math.softmax(h) * math.max(h), "softmax(h_{t−1}) ⊙ max(h_{t−1})"),
    ],
)
def test_as_few_parentheses_as_reading_allows(step: Any, expected: str) -> None:
    assert right_side(step) == expected


def test_products_and_transposes() -> None:
    found = forward(
        lambda self, x, h: (self.w.T * 2) @ (self.v @ h) + self.w.T @ h * self.p,
        w=Parameter(4, 4),
        v=Parameter(4, 4),
        p=Parameter(4),
    )
    assert found == ["h_t = (2 · wᵀ) v h_{t−1} + (wᵀ h_{t−1}) ⊙ p"]


def test_only_what_occurs_as_a_sum_alone_gets_one_letter() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return math.tanh(h + self.bias_a + self.bias_b) * self.bias_b

    both = {"bias_a": Parameter(4), "bias_b": Parameter(4)}
    assert "tanh(h_{t−1} + b_a + b_b)" in "\n".join(forward(step, **both))


def test_a_letter_that_is_taken_gets_a_prime() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return h * self.bias + (self.bias_a + self.bias_b)

    three = {name: Parameter(4) for name in ("bias", "bias_a", "bias_b")}
    assert forward(step, **three) == ["h_t = h_{t−1} ⊙ b + b′", "b′ = b_a + b_b"]


def test_two_names_never_share_a_letter() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return self.weight @ h + self.W @ h

    two = {"weight": Parameter(4, 4), "W": Parameter(4, 4)}
    assert forward(step, **two) == ["h_t = weight h_{t−1} + W h_{t−1}"]


def test_a_long_value_without_a_name_gets_one_where_it_is_used_twice() -> None:
    def swell(value: Value) -> Value:
        return value * math.exp(value)

    def step(self: Any, x: Value, h: Value) -> Value:
        return swell(self.w @ h + 1)

    assert forward(step, w=Parameter(4, 4)) == [
        "u1_t = w h_{t−1} + 1",
        "h_t = u1_t ⊙ exp(u1_t)",
    ]


def test_an_output_of_its_own_is_y() -> None:
    found = forward(lambda self, x, h: (h * 2, math.tanh(h)))
    assert found == ["y_t = 2 · h_{t−1}", "h_t = tanh(h_{t−1})"]


def test_states_that_only_remember() -> None:
    # c is h one step late and s is c one step late: error waits for them.
    def step(self: Any, x: Value, h: Value, c: Value, s: Value) -> tuple[Value, ...]:
        return x + self.w @ s, h, c

    states = {name: State("hidden") for name in "hcs"}
    graph = trace(cell_of(step, **states, w=Parameter(4, 4)), 4, 4)
    found = equations(graph)
    assert found.forward == (
        "h_t = x_t + w s_{t−1}",
        "c_t = h_{t−1}",
        "s_t = c_{t−1}",
    )
    assert found.deltas == (
        "δh_t = e_t + δc_{t+1}",
        "δc_{t−1} = δs_t",
        "δs_{t−1} = wᵀ δh_t",
        "∂L/∂x_t = δh_t",
    )


def test_a_state_that_never_changes_does_not_loop() -> None:
    found = deltas(
        lambda self, x, h, k: (h * k + math.sum(x), k),
        k=State("hidden"),
    )
    assert found[0] == "δh_t = e_t + k_t ⊙ δh_{t+1}"
    assert "δk_{t−1} = δk_t + h_{t−1} ⊙ δh_t" in found


def test_values_that_no_error_reaches() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        loud = math.sign(math.tanh(h))
        return loud + math.sum(x)

    assert deltas(step)[:2] == ["δh_t = e_t", "δloud_t = 0"]


def test_further_inputs() -> None:
    found = equations(
        trace(
            cell_of(lambda self, x, h, d: h * d, h=State("hidden"), d=Input("hidden")),
            3,
            4,
        )
    )
    assert found.forward == ("h_t = h_{t−1} ⊙ d_t",)
    assert "∂L/∂d_t = h_{t−1} ⊙ δh_t" in found.deltas


def test_a_dropped_matrix_has_one_letter() -> None:
    graph = trace(cells.DropConnect(cells.GRU(reset_after=False), 0.2), 3, 4)
    found = equations(graph)
    assert "W_hh′ = W_hh ⊙ (mask(0.2) / 0.8)" in found.forward
    text = "\n".join((*found.forward, *found.deltas, *found.gradients))
    assert text.count("mask") == 1
    assert "W_hh′[4:8] h_{t−1}" in text
    assert "W_hh′[4:8]ᵀ δz_{t+1}" in text
    assert "∂L/∂W_hh′[4:8] = Σ_t δz_t h_{t−1}ᵀ" in found.gradients
    made = plan_text(graph, plan(graph, training=True))
    assert "W_hh′[0:8] h_{t−1}" in made.inside


def test_a_matrix_dropped_twice_has_a_letter_each_time() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        first, second = (self.w * math.mask(0.5) for _ in range(2))
        return first @ x + second @ x

    found = forward(step, w=Parameter(4, 3))
    assert found == [
        "h_t = w′ x_t + w′′ x_t",
        "w′ = w ⊙ mask(0.5)",
        "w′′ = w ⊙ mask(0.5)",
    ]


def test_an_input_that_is_assigned_to_is_another_value() -> None:
    def step(self: Any, x: Value, h: Value, d: Value) -> Value:
        x = math.tanh(x)
        d = d * d
        return x * h + d

    declared = {"h": State(3), "d": Input(3)}
    found = equations(trace(cell_of(step, **declared), 3, 4))
    assert found.forward == (
        "x′_t = tanh(x_t)",
        "d′_t = d_t ⊙ d_t",
        "h_t = x′_t ⊙ h_{t−1} + d′_t",
    )
    assert "δx′_t = (1 − x′_t²) ⊙ h_{t−1} ⊙ δh_t" in found.deltas


def test_learned_starts_have_gradients() -> None:
    graph = trace(
        cell_of(
            lambda self, x, h, c: (math.tanh(self.w @ h + x), c + h),
            h=State("hidden", init="learned"),
            c=State("hidden"),
            w=Parameter(4, 4),
        ),
        4,
        4,
    )
    assert equations(graph).gradients[-1] == (
        "∂L/∂h_init = δc_t + wᵀ δh_t at each sequence's first step"
    )
