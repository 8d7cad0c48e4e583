"""Gradients by lag against autograd's, of an eager loop over the same equations."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.nn.unrolled import unrolled
from throughtime.cells.built_in import BUILT_IN
from throughtime.diagnose import gradients_by_lag
from throughtime.diagnose.decay import decay
from throughtime.diagnose.lags import LAST, evaluating, lags_of, thinned
from throughtime.errors import (
    BadLags,
    CalledSeveralTimes,
    LossNotPerAnswer,
    NoRecurrentModule,
    SeveralRecurrentModules,
)
from throughtime.graph import Cell

RECURRENT = {name: cell for name, cell in BUILT_IN.items() if name != "feedforward"}
STEPS, LENGTHS = 6, [6, 3, 0, 5]


def network(cell: Cell, **options: bool) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    options = {"num_layers": 2, **options}
    return tt.nn.Recurrent(cell, 4, 4, dtype=torch.float64, **options)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def squares(output: Tensor, targets: Tensor) -> Tensor:
    return (output - targets).square().sum(-1)


def expected(
    module: tt.nn.Recurrent, x: Tensor, loss: Callable[[Tensor], Tensor], row: int
) -> dict[tuple[int, int, str], Tensor]:
    """``(T, n)`` of one row, by autograd through a loop in Python."""
    output, states = unrolled(module, x[: LENGTHS[row], row])
    flat = [one for each in states.values() for one in each]
    found = torch.autograd.grad(loss(output), flat, materialize_grads=True)
    steps = LENGTHS[row]
    return {
        key: torch.stack(found[k * steps : (k + 1) * steps])
        for k, key in enumerate(states)
    }


@pytest.mark.parametrize("name", RECURRENT)
def test_norms_are_those_of_autograd(name: str) -> None:
    """Every built-in cell, stacked, ragged, at every sampled step."""
    module = network(RECURRENT[name])
    with torch.no_grad():  # so that units of a ReLU are active
        for key, weight in module.named_parameters():
            if "bias" in key:
                weight.abs_()
    x, targets = drawn(STEPS, 4, 4), drawn(STEPS, 4, module.graphs[-1].output_size)

    def answer() -> Tensor:
        return squares(module(x, lengths=LENGTHS)[0], targets)

    found = lags_of(module, answer, samples=[1, 4])
    assert found.sampled == (1, 4)
    assert found.lags == tuple(range(STEPS))
    checked = reached = 0
    for place, step in enumerate(found.sampled):
        for row, length in enumerate(LENGTHS):
            if length <= step:
                assert all(
                    np.isnan(n[place, :, row]).all() for n in found.norms.values()
                )
                continue
            own = targets[step, row]
            grads = expected(
                module, x, lambda out, s=step, own=own: squares(out[s], own), row
            )
            assert grads.keys() == found.norms.keys()
            for key, norms in found.norms.items():
                truth = grads[key][: step + 1].norm(dim=1).flip(0).numpy()
                reached += bool(truth[0] > 0)
                np.testing.assert_allclose(
                    norms[place, : step + 1, row], truth, rtol=1e-10, atol=1e-14
                )
                assert np.isnan(norms[place, step + 1 :, row]).all()
                checked += 1
    assert checked == 5 * len(found.norms)
    assert reached >= len(found.norms)


def test_one_answer_per_sequence_is_at_its_last_step() -> None:
    module = network(tt.cells.LSTM())
    x, targets = drawn(STEPS, 4, 4), drawn(4, 4)

    def answer() -> Tensor:
        output = module(x, lengths=LENGTHS)[0]
        last = (torch.tensor(LENGTHS) - 1).clamp(min=0)
        return squares(output[last, torch.arange(4)], targets)

    found = lags_of(module, answer, lags=[0, 2])
    assert found.sampled == (LAST,)
    for row in (0, 1, 3):
        grads = expected(
            module, x, lambda out, r=row: squares(out[-1], targets[r]), row
        )
        for key, norms in found.norms.items():
            truth = grads[key].norm(dim=1).flip(0)[[0, 2]].numpy()
            np.testing.assert_allclose(norms[0, :, row], truth, rtol=1e-10)
    assert np.isnan(found.norms[0, 0, "c"][0, :, 2]).all()


def test_the_reverse_direction_reads_from_the_end() -> None:
    forwards = network(tt.cells.GRU(), num_layers=1)
    both = network(tt.cells.GRU(), num_layers=1, bidirectional=True)
    for name, weight in forwards.named_parameters():
        for end in ("", "_reverse"):
            both.get_parameter(name + end).data.copy_(weight)
    x, targets = drawn(STEPS, 2, 4), drawn(STEPS, 2, 4)

    def of_reverse(output: Tensor, own: Tensor) -> Tensor:
        return squares(output[..., 4:], own)

    found = gradients_by_lag(both, x, targets, of_reverse, samples=[1])
    mirror = x.flip(0), targets.flip(0)
    judge = gradients_by_lag(forwards, *mirror, squares, samples=[STEPS - 2])
    own, truth = found.norms[0, 1, "h"], judge.norms[0, 0, "h"]
    np.testing.assert_allclose(own[:, :5], truth[:, :5], rtol=1e-12)
    assert np.isnan(own[:, 5]).all()
    assert not np.nansum(found.norms[0, 0, "h"])


def test_forms_of_input_and_loss() -> None:
    module = network(tt.cells.LSTM())
    x, targets = drawn(STEPS, 3, 4), drawn(STEPS, 3, 4)
    found = gradients_by_lag(module, x, targets, squares, samples=2)
    assert found.sampled == (2, 5)
    assert found.seconds > 0
    first = network(tt.cells.LSTM(), batch_first=True)
    turned = x.transpose(0, 1), targets.transpose(0, 1)
    again = gradients_by_lag(first, *turned, squares, samples=2)
    alone = gradients_by_lag(module, x[:, 0], targets[:, 0], squares, samples=2)
    for key, norms in found.norms.items():
        assert norms.shape == (2, STEPS, 3)
        np.testing.assert_allclose(again.norms[key], norms, rtol=1e-12)
        np.testing.assert_allclose(alone.norms[key][..., 0], norms[..., 0], rtol=1e-12)
    means, by_step = found.means(), found.by_step()
    key = 1, 0, "c"
    np.testing.assert_allclose(by_step[key][1], found.norms[key][1].mean(1))
    assert means[key][5] == pytest.approx(found.norms[key][1, 5].mean())


def test_a_model_keeps_its_mode_and_its_gradients() -> None:
    module = network(tt.cells.Zoneout(tt.cells.LSTM(), h=0.5))
    x, targets = drawn(STEPS, 3, 4), drawn(STEPS, 3, 4)
    first = gradients_by_lag(module, x, targets, squares)
    again = gradients_by_lag(module, x, targets, squares)
    assert module.training
    assert all(weight.grad is None for weight in module.parameters())
    for key, norms in first.norms.items():
        assert np.array_equal(norms, again.norms[key], equal_nan=True)
    with pytest.raises(RuntimeError), evaluating(module):
        assert not module.training
        raise RuntimeError
    assert module.training


def test_carousel_and_decay() -> None:
    """With f = 1 and i = 0 the error of a cell state never decays."""
    module = network(tt.cells.LSTM(), num_layers=1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        module.bias_ih_l0[:4], module.bias_ih_l0[4:8] = -1e3, 1e3
        module.bias_ih_l0[12:] = 1e3
    x = drawn(50, 1, 4)
    found = gradients_by_lag(module, x, x, lambda out, _: out.sum(-1), samples=1)
    assert np.ptp(found.means()[0, 0, "c"]) == 0
    factor = torch.tensor(0.9, dtype=torch.float64)
    assert decay(factor ** torch.arange(40)) == pytest.approx(0.9, abs=1e-12)


def test_what_is_refused() -> None:
    module = network(tt.cells.GRU())
    x, targets = drawn(STEPS, 3, 4), drawn(STEPS, 3, 4)
    with pytest.raises(LossNotPerAnswer, match=r"\(6, 3\).*\(3,\)"):
        gradients_by_lag(module, x, targets, lambda out, own: squares(out, own).mean())
    with pytest.raises(BadLags, match=r"samples=\[6\].*0 to 5"):
        gradients_by_lag(module, x, targets, squares, samples=[6])
    with pytest.raises(BadLags, match="lags=-1"):
        gradients_by_lag(module, x, targets, squares, lags=-1)
    with pytest.raises(NoRecurrentModule, match="Linear"):
        gradients_by_lag(torch.nn.Linear(4, 4), x, targets, squares)
    pair = torch.nn.Sequential(module, network(tt.cells.GRU()))
    with pytest.raises(SeveralRecurrentModules, match="0, 1"):
        gradients_by_lag(pair, x, targets, squares)

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)[0] + self.inner(x)[0]

    with pytest.raises(CalledSeveralTimes, match=r"gradients_by_lag.*2 times"):
        gradients_by_lag(Twice(), x, targets, squares)


def test_many_lags_are_thinned() -> None:
    assert thinned(5) == [0, 1, 2, 3, 4]
    few = thinned(10_000)
    assert len(few) <= 200
    assert few[:100] == list(range(100))
    assert few[-1] == 9_999
