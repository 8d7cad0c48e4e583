"""What has no exact form, and what is given wrongly, is refused with the reason."""

import pickle
from typing import Any

import pytest
import torch
from torch import nn

import throughtime as tt
from throughtime import errors

D = 6


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(*(shape or (D, 2))))


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("LazySGD", {"momentum": 0.9}, "velocity.*LazyAdagrad"),
        ("LazyFOBOS", {"nesterov": True}, "velocity"),
        ("LazySGD", {"weight_decay": 0.1}, "by its name, l2"),
        ("LazyAdagrad", {"lr_decay": 0.1}, "change while its row waits"),
        ("LazyAdagrad", {"betas": (0.9, 0.999)}, "eps > 0.*LazyAdagrad"),
        ("FTRLProximal", {"maximize": True}, "negative loss"),
    ],
)
def test_what_has_no_exact_form_is_refused(
    kind: str, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.NoExactForm, match=reason) as refusal:
        getattr(tt.optim, kind)([weight()], 0.1, **given)
    assert isinstance(refusal.value, ValueError)


def test_what_means_nothing_may_be_said() -> None:
    tt.optim.LazySGD([weight()], 0.1, momentum=0, nesterov=False, weight_decay=0.0)


def test_an_unknown_argument_is_pythons_error() -> None:
    with pytest.raises(TypeError, match=r"LazySGD\(\).*'momentun'"):
        tt.optim.LazySGD([weight()], 0.1, momentun=0.9)


@pytest.mark.parametrize(
    "name", ["LazyAdam", "LazyAdamW", "LazyRMSprop", "LazyMomentum"]
)
def test_optimisers_that_cannot_be_are_explained(name: str) -> None:
    with pytest.raises(errors.NoSuchOptimiser, match=r"The nearest is Lazy\w+\."):
        getattr(tt.optim, name)
    assert not hasattr(tt.optim, name)
    assert not hasattr(tt.optim, "Anything")


@pytest.mark.parametrize("kind", sorted({*tt.optim.__all__} - {"SaddleFreeNewton"}))
@pytest.mark.parametrize(
    "value", [-1.0, float("nan"), float("inf"), "much", True, None]
)
@pytest.mark.parametrize("name", ["lr", "l1", "l2"])
def test_bad_numbers(kind: str, name: str, value: Any) -> None:
    settings = {"lr": 0.1} | {name: value}
    with pytest.raises(errors.BadHyperparameter, match=f"{name}=.*expected a finite"):
        getattr(tt.optim, kind)([weight()], **settings)


def test_ftrl_needs_a_curvature() -> None:
    with pytest.raises(errors.BadHyperparameter, match="beta=0"):
        tt.optim.FTRLProximal([weight()], 0.1, beta=0.0)
    tt.optim.FTRLProximal([weight()], 0.1, beta=0.0, l2=0.1)


def test_a_rate_that_overshoots_is_refused_before_anything_changes() -> None:
    with pytest.raises(errors.RateTooLarge, match=r"lr \* l2 = 1.2"):
        tt.optim.LazySGD([weight()], 2.0, l2=0.6)
    one, other = weight(), weight()
    optimizer = tt.optim.LazySGD([{"params": [one]}, {"params": [other]}], 1.0, l2=0.6)
    optimizer.param_groups[1]["lr"] = 2.0
    one.grad = other.grad = torch.ones(D, 2)
    with pytest.raises(errors.RateTooLarge):
        optimizer.step()
    assert torch.equal(one.detach(), torch.ones(D, 2))


@pytest.mark.parametrize(
    "parameter",
    [
        nn.Parameter(torch.tensor(1.0)),
        nn.Parameter(torch.ones(3, dtype=torch.complex64)),
        nn.Parameter(torch.eye(3).to_sparse()),
    ],
)
def test_parameters_without_rows_are_refused(parameter: nn.Parameter) -> None:
    with pytest.raises(errors.UnsuitableParameter, match="parameter 0 of group 0"):
        tt.optim.LazySGD([parameter], 0.1)


def test_a_refused_group_is_not_kept() -> None:
    optimizer = tt.optim.LazySGD([("first", weight())], 0.1)
    with pytest.raises(errors.BadHyperparameter):
        optimizer.add_param_group({"params": [("second", weight())], "l1": -1})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [("second", weight())], "l1": 1})


def test_gradients_that_are_no_rows_are_refused() -> None:
    one = weight()
    optimizer = tt.optim.LazySGD([("table", one)], 0.1)
    one.grad = torch.ones(D, 2).to_sparse()
    with pytest.raises(errors.UnsuitableGradient, match=r"'table'.*in 2 dimensions"):
        optimizer.step()


@pytest.mark.parametrize(
    "rows", [[1, 2], torch.tensor([0, D]), torch.tensor([-1]), torch.tensor([0.5])]
)
def test_rows_that_are_not_there(rows: Any) -> None:
    optimizer = tt.optim.LazySGD([weight()], 0.1)
    with pytest.raises(errors.BadRows, match="whole numbers from 0 to 5"):
        optimizer.catch_up(rows)


def test_rows_of_which_parameter() -> None:
    one = weight()
    optimizer = tt.optim.LazySGD([one, weight()], 0.1)
    with pytest.raises(errors.WhichParameter, match=r"parameter=None.*one of the 2"):
        optimizer.catch_up(torch.tensor([0]))
    with pytest.raises(errors.WhichParameter, match=r"a tensor \(6, 2\)"):
        optimizer.catch_up(torch.tensor([0]), weight())
    optimizer.catch_up(torch.tensor([], dtype=torch.int64), one)


def test_errors_cross_processes() -> None:
    with pytest.raises(errors.RateTooLarge) as refusal:
        tt.optim.LazySGD([weight()], 2.0, l2=0.6)
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)
