"""Bounds of the gradient, from a matrix and from the layers of a module."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.facts.judges import EXACT, draw
from throughtime.diagnose import gradient_bounds, layer_bounds
from throughtime.diagnose.bounds import SLOPES
from throughtime.errors import NoGradientBounds
from throughtime.graph import Value
from throughtime.math import exp, relu, softplus

H, F = 6, 3


def largest(matrix: Tensor) -> float:
    return torch.linalg.svdvals(matrix)[0].item()


def build(cell: tt.Cell, **settings: object) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    return tt.nn.Recurrent(cell, F, H, dtype=torch.float64, **settings)


@pytest.mark.parametrize("activation", SLOPES)
def test_the_largest_slope_is_met_and_not_exceeded(activation: str) -> None:
    known = {"identity": lambda a: a, "softplus": torch.nn.functional.softplus}
    function = known.get(activation) or getattr(torch, activation)
    a = torch.linspace(-40, 40, 80_001, dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(function(a).sum(), a)
    assert slopes.abs().max().item() == pytest.approx(SLOPES[activation], rel=EXACT)


def test_numbers_of_a_list_keep_all_their_digits() -> None:
    found = gradient_bounds([[0.9]], "tanh")
    assert (found.singular_value, found.spectral_radius, found.factor) == (0.9,) * 3
    assert gradient_bounds(np.array([[0.9]]), "tanh") == found


def test_singular_value_and_spectral_radius_are_different_things() -> None:
    found = gradient_bounds([[0.5, 8.0], [0.0, 0.5]], "sigmoid")
    assert found.singular_value == pytest.approx(8.0311, abs=1e-4)
    assert found.spectral_radius == pytest.approx(0.5)
    assert found.factor == pytest.approx(2.0078, abs=1e-4)
    assert found.may_explode
    assert "may explode, and need not" in found.sentence


@pytest.mark.parametrize(
    ("gain", "told"),
    [(0.5, "must vanish"), (1.0, "does not explode"), (2.0, "may explode")],
)
def test_the_sentence_follows_from_the_factor(gain: float, told: str) -> None:
    found = gradient_bounds(gain * torch.eye(3), "relu")
    assert told in found.sentence
    assert (found.must_vanish, found.may_explode) == (gain < 1, gain > 1)
    assert found.over(3) == gain**3


def test_a_bound_that_is_too_large_is_infinite() -> None:
    assert gradient_bounds(10.0 * torch.eye(2), "relu").over(1000) == math.inf


def test_a_vector_is_a_diagonal() -> None:
    found = gradient_bounds([0.5, -3.0], "identity")
    assert (found.singular_value, found.spectral_radius) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("weight", "activation", "told"),
    [
        (torch.ones(2, 3), "tanh", r"shape \(2, 3\), expected a square matrix"),
        (torch.ones(0, 0), "tanh", r"shape \(0, 0\), expected a square matrix"),
        ([[math.nan]], "tanh", "with NaN or infinity, expected a square matrix"),
        ([[1.0]], "tanhh", r"did you mean 'tanh'\?\), expected one of identity"),
        ([[1.0]], "exp", "its largest slope is not known"),
    ],
)
def test_what_has_no_bound_is_refused(
    weight: Tensor, activation: str, told: str
) -> None:
    with pytest.raises(NoGradientBounds, match=told):
        gradient_bounds(weight, activation)


# ------------------------------------------------------------------ layers of a module
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "identity"])
def test_each_layer_and_direction_has_its_own(activation: str) -> None:
    module = build(tt.cells.Elman(activation), num_layers=2, bidirectional=True)
    found = layer_bounds(module)
    assert list(found) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for (layer, direction), one in found.items():
        name = f"weight_hh_l{layer}" + "_reverse" * direction
        weight = module.get_parameter(name).detach()
        assert one == gradient_bounds(weight, activation)


def test_units_that_see_themselves_alone() -> None:
    module = build(tt.cells.IndRNN())
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(torch.arange(-4.0, 2.0))
    assert layer_bounds(module)[0, 0].factor == 4


def test_heads_are_blocks_of_the_matrix() -> None:
    module = build(tt.cells.Elman(), heads=2)
    blocks = module.get_parameter("weight_hh_l0").detach().split(H // 2)
    expected = max(map(largest, blocks))
    assert layer_bounds(module)[0, 0].factor == pytest.approx(expected, rel=EXACT)


def test_masks_are_at_their_mean() -> None:
    module = build(tt.cells.DropConnect(tt.cells.Elman(), 0.5))
    weight = module.get_parameter("weight_hh_l0").detach()
    assert layer_bounds(module)[0, 0] == gradient_bounds(weight, "tanh")


class Assembled(tt.Cell):
    """A matrix that is made of others, in every way that stays affine."""

    u = tt.Parameter("hidden", "input")
    a = tt.Parameter("hidden", "hidden")
    b = tt.Parameter("hidden", "hidden")
    d = tt.Parameter("hidden", init=2.0)
    h = tt.State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        inner = -(self.b @ h) - relu(self.u @ x)
        return softplus(self.d * (self.a @ inner) - 0.5 * h + h / 4)


class Twice(tt.Cell):
    w = tt.Parameter("hidden", "hidden")
    h = tt.State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return relu(self.w @ relu(h) + x)


class Unbounded(tt.Cell):
    w = tt.Parameter("hidden", "hidden")
    h = tt.State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return exp(self.w @ h + x)


class Driven(tt.Cell):
    w = tt.Parameter("hidden", "hidden")
    h = tt.State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return relu((self.w @ h) * x)


class Forgetful(tt.Cell):
    w = tt.Parameter("hidden", "input")
    h = tt.State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return relu(self.w @ x)


def test_a_matrix_made_of_others_is_found() -> None:
    module = build(Assembled())
    values = {name: one.detach() for name, one in module.named_parameters()}
    eye = torch.eye(H, dtype=torch.float64)
    matrix = -2 * values["a_l0"] @ values["b_l0"] - eye / 4
    found = layer_bounds(module)[0, 0]
    assert found.activation == "softplus"
    assert found.singular_value == pytest.approx(largest(matrix), rel=EXACT)
    h = draw(H)
    jacobian = torch.autograd.functional.jacobian(
        lambda state: module(torch.zeros(1, F, dtype=torch.float64), state[None])[0][0],
        h,
    )
    assert largest(jacobian) <= found.factor


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (tt.cells.LSTM(), "LSTM: it has 2 states"),
        (tt.cells.Feedforward(), "Feedforward: it has no states"),
        (tt.cells.GRU(), "GRU: a function is applied to the state more than once"),
        (tt.cells.LeakyElman(), "more than once"),
        (Twice(), "Twice: a function is applied to the state more than once"),
        (Unbounded(), "the state goes through 'exp'"),
        (Driven(), "the state is multiplied by what changes with the data"),
        (Forgetful(), "its new state does not depend on the old one"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_cells_of_another_form_are_refused(cell: tt.Cell, told: str) -> None:
    with pytest.raises(NoGradientBounds, match=told):
        layer_bounds(tt.nn.Recurrent(cell, H, H))
