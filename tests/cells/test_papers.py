"""Cells against the equations of their papers, written by hand in plain torch."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

import throughtime as tt
from tests.compare import assert_close
from throughtime import errors
from throughtime.graph import Cell, trace

Parameters = Mapping[str, Tensor]
States = tuple[Tensor, ...]
# Parameters, x (B, F), states -> output, new states.
Step = Callable[[Parameters, Tensor, States], tuple[Tensor, States]]
STEPS: dict[str, tuple[Cell, Step]] = {}
sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu
TIME, BATCH, INPUTS, HIDDEN = 6, 4, 3, 6
BUILT_IN = [n for n in tt.cells.__all__ if isinstance(getattr(tt.cells, n), type)]


def of(cell: Cell) -> Callable[[Step], Step]:
    def keep(step: Step) -> Step:
        STEPS[repr(cell)] = cell, step
        return step

    return keep


def sums(p: Parameters, x: Tensor, h: Tensor) -> Tensor:
    inputs = x @ p["weight_ih"].T + p["bias_ih"]
    return inputs + h @ p["weight_hh"].T + p["bias_hh"]


def lstm(a: Tensor, c: Tensor) -> States:
    i, f, g, o = a.chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


@of(tt.cells.LayerNormLSTM(recurrent_gain=0.5))
def _layer_norm(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    h, c = states
    size = [4 * HIDDEN]
    inputs = layer_norm(x @ p["weight_ih"].T, size, p["gain_ih"], p["bias_ih"])
    recurrent = layer_norm(h @ p["weight_hh"].T, size, p["gain_hh"], p["bias_hh"])
    i, f, g, o = (inputs + recurrent).chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(layer_norm(c, [HIDDEN], p["gain_c"], p["bias_c"]))
    return h, (h, c)


@of(tt.cells.CoupledLSTM())
def _coupled(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    h, c = states
    f, g, o = sums(p, x, h).chunk(3, -1)
    i = 1 - sigmoid(f)
    c = sigmoid(f) * c + i * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, (h, c)


@of(tt.cells.ProjectedLSTM(2))
def _projected(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    h, c = lstm(sums(p, x, states[0]), states[1])
    h = h @ p["weight_hr"].T
    return h, (h, c)


@of(tt.cells.MultiplicativeLSTM())
def _multiplied(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    h, c = states
    m = (x @ p["weight_im"].T) * (h @ p["weight_hm"].T)
    h, c = lstm(sums(p, x, m), c)
    return h, (h, c)


@of(tt.cells.MGU())
def _minimal(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    (h,) = states
    of_x = x @ p["weight_ih"].T + p["bias_ih"] + p["bias_hh"]
    for_gate, for_value = p["weight_hh"].chunk(2)
    f = sigmoid(of_x[:, :HIDDEN] + h @ for_gate.T)
    new = tanh(of_x[:, HIDDEN:] + (f * h) @ for_value.T)
    h = (1 - f) * h + f * new
    return h, (h,)


@of(tt.cells.UGRNN())
def _update_gate(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    g, n = sums(p, x, states[0]).chunk(2, -1)
    h = sigmoid(g) * states[0] + (1 - sigmoid(g)) * tanh(n)
    return h, (h,)


@of(tt.cells.UGRNN("relu"))
def _update_relu(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    g, n = sums(p, x, states[0]).chunk(2, -1)
    h = sigmoid(g) * states[0] + (1 - sigmoid(g)) * relu(n)
    return h, (h,)


@of(tt.cells.JANET(beta=0.5))
def _forget_gate(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    s, n = sums(p, x, states[0]).chunk(2, -1)
    h = sigmoid(s) * states[0] + (1 - sigmoid(s - 0.5)) * tanh(n)
    return h, (h,)


@of(tt.cells.IndRNN("tanh"))
def _independent(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    own = p["weight_hh"] * states[0] + p["bias_hh"]
    h = tanh(x @ p["weight_ih"].T + p["bias_ih"] + own)
    return h, (h,)


@of(tt.cells.LeakyElman("tanh", tau=0.5, dt=0.1))
def _leaky(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    (v,) = states
    # One Euler step of τ dv/dt = -v + ….
    v = v + 0.1 / 0.5 * (-v + sums(p, x, tanh(v)))
    return tanh(v), (v,)


@of(tt.cells.LeakyElman(excitatory=2 / 3))
def _dale(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    (v,) = states
    signs = torch.tensor([1, 1, 1, 1, -2, -2], dtype=v.dtype)  # 4 excite, 2 inhibit
    weights = p["weight_hh"].abs() @ torch.diag(signs)
    v = v + 0.2 * (-v + sums({**p, "weight_hh": weights}, x, relu(v)))
    return relu(v), (v,)


@of(tt.cells.JordanElman(2, output_activation="sigmoid"))
def _jordan(p: Parameters, x: Tensor, states: States) -> tuple[Tensor, States]:
    y, h = states
    h = tanh(sums(p, x, h) + y @ p["weight_yh"].T)
    y = sigmoid(h @ p["weight_hy"].T + p["bias_hy"])
    return y, (y, h)


def build(cell: Cell, backend: str) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    module = tt.nn.Recurrent(cell, INPUTS, HIDDEN, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            # Away from where relu, abs and their like have kinks.
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def leaves(module: tt.nn.Recurrent) -> tuple[Tensor, list[Tensor]]:
    x = torch.randn(TIME, BATCH, INPUTS, dtype=torch.float64, requires_grad=True)
    start = [
        torch.randn(1, BATCH, state.size, dtype=torch.float64, requires_grad=True)
        for state in module.graphs[0].states
    ]
    return x, start


@pytest.mark.parametrize("name", STEPS)
def test_outputs_states_and_gradients(name: str, backend: str) -> None:
    cell, step = STEPS[name]
    module = build(cell, backend)
    x, start = leaves(module)
    output, final = module(x, start)
    by_name = {n.removesuffix("_l0"): p for n, p in module.named_parameters()}
    states: States = tuple(state[0] for state in start)
    outputs = []
    for t in range(TIME):
        one, states = step(by_name, x[t], states)
        outputs.append(one)
    expected = [torch.stack(outputs), *(state.unsqueeze(0) for state in states)]
    found = [output, *final]
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs)
    weights = [torch.randn_like(value) for value in expected]
    wanted = [x, *start, *module.parameters()]
    slopes = [
        torch.autograd.grad(
            sum((w * v).sum() for w, v in zip(weights, values, strict=True)), wanted
        )
        for values in (found, expected)
    ]
    for mine, theirs in zip(*slopes, strict=True):
        assert_close(mine, theirs)


@pytest.mark.parametrize("name", STEPS)
def test_gradcheck(name: str) -> None:
    module = build(STEPS[name][0], "llvm")
    x, start = leaves(module)

    def run(x: Tensor, *start: Tensor) -> tuple[Tensor, ...]:
        output, state = module(x, list(start))
        return output, *state

    few = [value[..., :2, :].detach().requires_grad_() for value in start]
    assert torch.autograd.gradcheck(run, (x[:3, :2], *few))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_cell_runs_as_it_is_built_without_arguments(name: str) -> None:
    cell = getattr(tt.cells, name)()
    module = tt.nn.Recurrent(cell, 3, 4, num_layers=2, backend="reference")
    output, _ = module(torch.randn(5, 2, 3))
    assert output.isfinite().all()
    output.square().sum().backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
    bare = tt.nn.Recurrent(getattr(tt.cells, name)(), 3, 4, bias=False)
    assert not [n for n, _ in bare.named_parameters() if n.startswith("bias")]


def test_the_first_values_of_parameters() -> None:
    lstm = tt.nn.Recurrent(tt.cells.LayerNormLSTM(), 3, 4)
    assert torch.equal(lstm.gain_ih_l0, torch.ones(16))
    assert torch.equal(lstm.gain_hh_l0, torch.full((16,), 0.1))
    assert torch.equal(lstm.gain_c_l0, torch.ones(4))
    for name in ("bias_ih_l0", "bias_hh_l0", "bias_c_l0"):
        assert not lstm.get_parameter(name).any()
    independent = tt.nn.Recurrent(tt.cells.IndRNN(), 3, 4)
    assert torch.equal(independent.weight_hh_l0, torch.ones(4))


def test_units_that_inhibit_never_excite() -> None:
    module = build(tt.cells.LeakyElman(excitatory=0.5), "reference")
    v = torch.rand(1, 1, HIDDEN, dtype=torch.float64).requires_grad_()
    x = torch.zeros(1, 1, INPUTS, dtype=torch.float64)
    for unit in range(HIDDEN):
        (slope,) = torch.autograd.grad(module(x, [v])[1].v[0, 0, unit], v)
        others = torch.arange(HIDDEN) != unit
        assert (slope[0, 0, :3][others[:3]] > 0).all()
        assert (slope[0, 0, 3:][others[3:]] < 0).all()


@pytest.mark.parametrize(
    ("build_cell", "words"),
    [
        (lambda: tt.cells.LeakyElman(tau=0), "tau is 0; it must be .* above 0"),
        (lambda: tt.cells.LeakyElman(dt=-1.0), "dt is -1.0"),
        (lambda: tt.cells.LeakyElman(dt=200.0), "dt is 200.0, longer than tau"),
        (lambda: tt.cells.LeakyElman(noise=-0.1), "noise is -0.1"),
        (lambda: tt.cells.LeakyElman(noise=float("nan")), "noise is nan"),
        (lambda: tt.cells.LeakyElman(excitatory=1.0), "above 0 and below 1"),
        (lambda: tt.cells.LeakyElman("softmax"), "activation is 'softmax'"),
        (lambda: tt.cells.JANET(beta=float("inf")), "beta is inf; it must be a finite"),
        (lambda: tt.cells.JANET(beta="1"), "beta is '1'"),  # type: ignore[arg-type]
        (lambda: tt.cells.LayerNormLSTM(True), "recurrent_gain is True"),
        (lambda: tt.cells.UGRNN("softmax"), "UGRNN: activation"),
        (lambda: tt.cells.IndRNN("softmax"), "IndRNN: activation"),
        (lambda: tt.cells.JordanElman(2, "softmax"), "JordanElman: activation"),
    ],
)
def test_what_no_cell_can_be_is_refused(
    build_cell: Callable[[], Cell], words: str
) -> None:
    with pytest.raises(errors.CellError, match=words):
        build_cell()


@pytest.mark.parametrize(
    ("cell", "hidden", "words"),
    [
        (tt.cells.ProjectedLSTM(), 5, "the size `hidden/2` is 5/2, not whole"),
        (tt.cells.ProjectedLSTM(0), 4, "size `0` is 0"),
        (tt.cells.JordanElman("out"), 4, "reads `out`, which is unknown"),
        (tt.cells.LeakyElman(excitatory=0.1), 3, "leaves 0 of 3 units that excite"),
    ],
    ids=repr,
)
def test_sizes_that_do_not_fit_are_refused(cell: Cell, hidden: int, words: str) -> None:
    with pytest.raises(errors.CellError, match=words):
        trace(cell, 3, hidden)


def test_noise_of_a_leaky_network_is_drawn_in_training_alone() -> None:
    noisy, still = tt.cells.LeakyElman("tanh", noise=0.5), tt.cells.LeakyElman("tanh")
    x, found = torch.zeros(400, 1, INPUTS, dtype=torch.float64), []
    for backend in ("llvm", "reference"):
        module = build(noisy, backend)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
        torch.manual_seed(1)
        _, _, values = module(x, return_all=True)
        found.append(values[0, 0, "v"])
        plain = build(still, backend)
        plain.load_state_dict(module.state_dict())
        assert torch.equal(module.eval()(x)[0], plain(x)[0])
    assert_close(found[0], found[1])
    # Without weights a leaky unit is an Ornstein-Uhlenbeck process in steps of alpha:
    # its variance is 2 alpha noise² / (1 - (1 - alpha)²).
    alpha = noisy.dt / noisy.tau
    expected = 2 * alpha * 0.5**2 / (1 - (1 - alpha) ** 2)
    assert found[0][50:].var().item() == pytest.approx(expected, rel=0.2)
