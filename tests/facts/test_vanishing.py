"""Why gradients vanish or explode, and what a constant error carousel is."""

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.facts.judges import EXACT, RECURRENT, draw
from throughtime.diagnose import gradient_bounds, lab
from throughtime.diagnose.lab.measuring import jacobians, norms

H, F = 6, 3
STEPS = (10, 50, 100)
# After T = 10, 50 and 100 steps from h_0 = 0.5, computed from the definition alone.
TABLE = {
    ("relu", 0.9): "3.487e-1 5.154e-3 2.656e-5",
    ("relu", 1.0): "1 1 1",
    ("relu", 1.1): "2.594 1.174e2 1.378e4",
    ("relu", 4.0): "1.049e6 1.268e30 1.607e60",
    ("tanh", 1.0): "2.228e-1 3.396e-2 1.306e-2",
    ("tanh", 0.9): "1.665e-1 2.277e-3 1.174e-5",
    ("tanh", 1.1): "1.426e-1 5.560e-5 3.036e-9",
    ("sigmoid", 1.0): "3.483e-7 4.040e-33 1.538e-65",
    ("sigmoid", 4.0): "5.486e-11 1.005e-55 1.205e-111",
}
# Of a product of 100 slopes; 1 − h² has lost some digits where h is near 1.
ROUNDING = 1e-12


def rounded(number: float) -> float:
    return float(f"{number:.3e}")


@pytest.fixture(scope="module")
def table() -> lab.VanishingGradient:
    return lab.vanishing()


@pytest.mark.parametrize("key", TABLE, ids=str)
def test_one_unit_to_the_printed_digits(
    table: lab.VanishingGradient, key: tuple[str, float]
) -> None:
    (course,) = [c for c in table.courses if (c.activation, c.weight) == key]
    expected = list(map(float, TABLE[key].split()))
    for found in (course.product, course.measured):
        assert [rounded(found[step - 1]) for step in STEPS] == expected
    assert course.deviation < ROUNDING


@pytest.mark.parametrize("weight", [0.9, 1.0, -1.1, 4.0])
def test_a_linear_unit_is_a_power_of_its_weight(weight: float) -> None:
    (course,) = lab.vanishing(weight=weight, activation="linear").courses
    for step, found in enumerate(course.measured, 1):
        assert found == pytest.approx(weight**step, rel=EXACT)


@pytest.mark.parametrize("weight", [-8.0, -1.0, 0.5, 1.0, 3.9, 4.0, 8.0])
def test_a_sigmoid_keeps_no_more_than_a_quarter_of_its_weight(weight: float) -> None:
    (course,) = lab.vanishing(weight=weight, activation="sigmoid").courses
    for step, found in enumerate(course.measured, 1):
        assert abs(found) <= (abs(weight) / 4) ** step * (1 + EXACT)
        assert course.bound[step - 1] == pytest.approx((abs(weight) / 4) ** step)


def test_sigmoids_vanish_and_rectifiers_explode(table: lab.VanishingGradient) -> None:
    verdicts = {(c.activation, c.weight): c.verdict for c in table.courses}
    assert {v for (name, _), v in verdicts.items() if name == "sigmoid"} == {"vanishes"}
    assert verdicts["sigmoid", 4.0] == "vanishes"  # though its bound does not
    assert verdicts["relu", 4.0] == verdicts["relu", 1.1] == "explodes"
    assert verdicts["relu", 1.0] == "stays 1"
    assert verdicts["relu", 0.9] == "vanishes"


def test_tanh_of_weight_one_vanishes_more_slowly_than_any_power() -> None:
    (course,) = lab.vanishing(weight=1.0, activation="tanh", steps=1000).courses
    shares = [
        course.measured[2 * step - 1] / course.measured[step - 1] for step in (50, 500)
    ]
    # A power would square its share with every doubling; this one goes as T^(-3/2).
    assert shares[1] == pytest.approx(2**-1.5, rel=0.02)
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


# ------------------------------------------------------------- constant error carousel
def carried(module: tt.nn.Recurrent, steps: int) -> Tensor:
    states = list(draw(2, H, seed=1))
    return jacobians(module, draw(steps, F), states, [steps], of=1)[0]


def carousel_cell(backend: str, forget: float) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    cell = lab.Carousel()
    module = tt.nn.Recurrent(cell, F, H, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        module.get_parameter("f_l0").fill_(forget)
    return module


@pytest.mark.parametrize("steps", [1, 10, 100, 1000])
def test_with_gates_of_one_and_zero_the_state_stays_and_its_gradient_is_one(
    backend: str, steps: int
) -> None:
    module = carousel_cell(backend, 1.0)
    h, c = draw(2, 1, 1, H, seed=1)
    with torch.no_grad():
        _, state = module(draw(steps, 1, F), (h, c))
    assert torch.equal(state.c, c)
    assert torch.equal(carried(module, steps), torch.eye(H, dtype=torch.float64))


@pytest.mark.parametrize("forget", [0.0, 0.5, 0.9, 0.99])
def test_a_constant_gate_leaves_its_power(backend: str, forget: float) -> None:
    found = carried(carousel_cell(backend, forget), 100)
    expected = forget**100 * torch.eye(H, dtype=torch.float64)
    assert torch.allclose(found, expected, rtol=EXACT, atol=0)


def test_large_biases_make_a_carousel_of_any_lstm() -> None:
    found = lab.carousel(steps=1000)
    one = found.rows[-1]
    assert one.network == "LSTM, b_f = 40, b_i = -40"
    assert one.deviation < EXACT
    # A gate that is merely nearly open does not carry as far, and sees its input.
    assert found.rows[-2].measured[-1] < 0.01
    assert found.rows[-2].deviation > 1e-3


# ---------------------------------------------------------- bounds of Pascanu et al.
def network(activation: str, weight: Tensor, backend: str = "auto") -> tt.nn.Recurrent:
    torch.manual_seed(0)
    cell = tt.cells.Elman(activation)
    module = tt.nn.Recurrent(cell, F, H, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(weight)
    return module


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("gain", [0.3, 1.0, 2.0, 6.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_product_of_jacobians_exceeds_its_bound(
    backend: str, activation: str, gain: float, seed: int
) -> None:
    weight = gain * draw(H, H, seed=seed) / H**0.5
    lags = [1, 2, 5, 20, 50]
    module = network(activation, weight, backend)
    found = norms(jacobians(module, draw(50, F, seed=seed), [draw(H)], lags))
    bounds = gradient_bounds(weight, activation)
    slope = 0.25 if activation == "sigmoid" else 1.0
    factor = slope * torch.linalg.svdvals(weight)[0].item()
    assert bounds.factor == pytest.approx(factor, rel=EXACT)
    for lag, norm in zip(lags, found.tolist(), strict=True):
        assert norm <= bounds.over(lag) * (1 + EXACT * lag)


def test_a_scaled_orthogonal_matrix_meets_its_bound_after_200_steps() -> None:
    weight = 0.9 * torch.linalg.qr(draw(H, H)).Q
    module = network("identity", weight)
    (found,) = norms(jacobians(module, draw(200, F), [draw(H)], [200])).tolist()
    assert rounded(found) == 7.055e-10
    assert found == pytest.approx(0.9**200, rel=EXACT)
    assert gradient_bounds(weight, "identity").over(200) == pytest.approx(found)


def test_the_necessary_condition_is_not_sufficient() -> None:
    # λ₁ > 1/γ allows to explode; a linear network needs a spectral radius above 1.
    row = lab.bounds(activation="linear").rows[2]
    assert row.bounds.may_explode
    assert row.bounds.spectral_radius < 1
    assert row.measured[-1] < 1e-9


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
def test_a_jacobian_is_that_of_forward_mode(cell: tt.Cell) -> None:
    torch.manual_seed(0)
    module = tt.nn.Recurrent(cell, F, H, dtype=torch.float64, backend="reference")
    inputs, lags = draw(7, F), [1, 4, 7]
    start = list(draw(len(module.state_names), H, seed=1))
    for of in range(len(start)):
        found = jacobians(module, inputs, start, lags, of)

        def later(state: Tensor, lag: int, of: int = of) -> Tensor:
            begin = [one[None] for one in start]
            begin[of] = state[None]
            return module(inputs[:lag], tuple(begin))[1][of][0]

        for lag, one in zip(lags, found, strict=True):
            forward = torch.autograd.functional.jacobian(
                lambda state, lag=lag: later(state, lag), start[of]
            )
            assert torch.allclose(one, forward, rtol=0, atol=EXACT)
