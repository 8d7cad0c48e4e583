"""Whoever reads weights reads settled ones: modules, files, copies, other runtimes."""

import copy
import gc
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

import throughtime as tt

D, H = 12, 3
PENALTIES = {"l1": 1e-2, "l2": 0.1}


class Model(nn.Module):
    """A table inside a model, as people have it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(D, H, sparse=True, dtype=torch.float64)
        self.out = nn.Linear(H, 1, dtype=torch.float64)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.table(ids)).sum()


def trained(steps: int = 5) -> tuple[Model, tt.optim.LazyFOBOS, Tensor]:
    """A model with pending rows, its optimiser, and what its weights really are."""
    torch.manual_seed(0)
    model, dense = Model(), None
    dense = copy.deepcopy(model)
    dense.table.sparse = False
    optimizer = tt.optim.LazyFOBOS(model.parameters(), 0.3, **PENALTIES)
    judge = tt.optim.LazyFOBOS(dense.parameters(), 0.3, **PENALTIES)
    for step in range(steps):
        ids = torch.tensor([step % 4, (3 * step) % 4, 5])
        for one, by in ((model, optimizer), (dense, judge)):
            by.zero_grad()
            one(ids).backward()
            by.step()
    assert optimizer._pending[model.table.weight].settled is False
    return model, optimizer, dense.table.weight.detach()


def assert_settled(weight: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(weight.detach(), right, rtol=0, atol=1e-14)


def saved(model: Model) -> Tensor:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False).table.weight


def exported(model: Model) -> Tensor:
    program = torch.export.export(model, (torch.tensor([1, 2]),))
    return program.state_dict["table.weight"]


def by_evaluation(model: Model) -> Tensor:
    model.eval()
    return model.table(torch.arange(D))


def by_keyword(model: Model) -> Tensor:
    return model.table(input=torch.arange(D))


def by_inference(model: Model) -> Tensor:
    with torch.inference_mode():
        return model.table(torch.arange(D)).clone()


def by_optimizer(model: Model) -> Tensor:
    (pending,) = [
        one
        for one in gc.get_objects()
        if isinstance(one, tt.optim.LazyFOBOS)
        and any(p is model.table.weight for g in one.param_groups for p in g["params"])
    ]
    pending.state_dict()
    return model.table.weight.data


READERS: dict[str, Callable[[Model], Tensor]] = {
    "state_dict": lambda m: m.state_dict()["table.weight"],
    "state_dict of a part": lambda m: m.table.state_dict()["weight"],
    "deepcopy": lambda m: copy.deepcopy(m).table.weight,
    "deepcopy of a part": lambda m: copy.deepcopy(m.table).weight,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)).table.weight,
    "torch.save": saved,
    "torch.export": exported,
    "evaluation": by_evaluation,
    "keyword": by_keyword,
    "inference mode": by_inference,
    "state_dict of the optimiser": by_optimizer,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("way", READERS)
def test_readers_see_settled_weights(way: str) -> None:
    model, optimizer, right = trained()
    assert_settled(READERS[way](model), right)
    del optimizer


def test_settle_is_for_who_reads_data() -> None:
    model, optimizer, right = trained()
    assert (model.table.weight.data - right).abs().max() > 1e-3
    optimizer.settle()
    assert_settled(model.table.weight.data, right)


def test_a_dropped_optimiser_settles_and_leaves_nothing_behind() -> None:
    gc.collect()
    hooks = len(torch_module._global_forward_pre_hooks)
    model, optimizer, right = trained()
    assert vars(model.table)["_forward_pre_hooks"]
    del optimizer
    gc.collect()
    assert_settled(model.table.weight.data, right)
    for name, value in vars(model.table).items():
        assert not ("hooks" in name and value), name
    assert "__getstate__" not in vars(model.table)
    assert len(torch_module._global_forward_pre_hooks) == hooks == 0


def test_copies_know_nothing_of_the_optimiser() -> None:
    model, optimizer, _ = trained()
    twin = pickle.loads(pickle.dumps(model))
    for name, value in vars(twin.table).items():
        assert not ("hooks" in name and value), name
    assert "__getstate__" not in vars(twin.table)
    twin(torch.tensor([1]))
    del optimizer


def test_a_copied_optimiser_goes_on_with_the_copied_model() -> None:
    model, optimizer, _ = trained()
    twin, other = copy.deepcopy((model, optimizer))
    for one, by in ((model, optimizer), (twin, other)):
        by.zero_grad()
        one(torch.tensor([7])).backward()
        by.step()
        by.step()
    assert other.param_groups[0]["params"][0] is twin.table.weight
    assert_settled(
        twin.state_dict()["table.weight"], model.state_dict()["table.weight"]
    )


def test_loaded_weights_are_not_decayed_by_what_was_pending() -> None:
    model, optimizer, _ = trained()
    fresh = Model().state_dict()
    model.load_state_dict(fresh)
    optimizer.settle()
    torch.testing.assert_close(
        model.state_dict()["table.weight"], fresh["table.weight"]
    )


def step_by_function(
    weight: nn.Parameter, optimizer: torch.optim.Optimizer, ids: Tensor
) -> None:
    optimizer.zero_grad()
    nn.functional.embedding(ids, weight, sparse=True).sum().backward()
    optimizer.step()


def test_a_functional_lookup_is_refused_until_its_rows_are_caught_up() -> None:
    model, optimizer, _ = trained()
    weight, ids = model.table.weight, torch.tensor([[1, 9], [9, 1]])
    before = weight.detach().clone()
    message = (
        r"parameter 'table\.weight'.*row 1 is one of 2.*catch_up\(rows, parameter\)"
    )
    with pytest.raises(tt.errors.StaleRows, match=message):
        step_by_function(weight, optimizer, ids)
    assert torch.equal(weight, before)
    optimizer.catch_up(ids, weight)
    step_by_function(weight, optimizer, ids)


def test_a_module_never_called_is_found_when_something_is_pending() -> None:
    table = nn.Embedding(D, H, sparse=True)
    optimizer = tt.optim.LazySGD(table.parameters(), 0.5, l1=0.1)
    with torch.no_grad():
        table.weight.fill_(1.0)
    step_by_function(table.weight, optimizer, torch.tensor([0]))
    torch.testing.assert_close(
        table.state_dict()["weight"][1:], torch.full((11, 3), 0.95)
    )


class Lookup(nn.Module):
    """A module that reads rows of a table of its own by a function."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(D, H))

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weights, sparse=True)


class ToldLookup(Lookup):
    """The same, which says what it reads."""

    def rows_read(self, name: str, ids: Tensor) -> Tensor:
        assert name == "weights"
        return ids


def run(module: nn.Module, optimizer: torch.optim.Optimizer, *ids: int) -> None:
    optimizer.zero_grad()
    module(torch.tensor(ids)).sum().backward()
    optimizer.step()


def test_a_module_may_say_which_rows_it_reads() -> None:
    silent, told = Lookup(), ToldLookup()
    optimizers = [
        tt.optim.LazySGD(one.parameters(), 0.5, l1=0.1) for one in (silent, told)
    ]
    run(silent, optimizers[0], 1)
    with pytest.raises(tt.errors.StaleRows, match="'weights'"):
        run(silent, optimizers[0], 2)
    run(told, optimizers[1], 1)
    run(told, optimizers[1], 2)
    with torch.no_grad():  # nobody will notice later, so all is settled
        assert silent(torch.tensor([3])).unique().tolist() == [pytest.approx(0.95)]


def test_embedding_bags_and_shared_parameters() -> None:
    torch.manual_seed(0)
    bag = nn.EmbeddingBag(D, H, mode="sum", sparse=True)
    table = nn.Embedding(D, H, sparse=True)
    table.weight = bag.weight
    dense = nn.Embedding(D, H)
    dense.load_state_dict(table.state_dict())
    optimizer = tt.optim.LazySGD([bag.weight], 0.5, **PENALTIES)
    judge = tt.optim.LazySGD(dense.parameters(), 0.5, **PENALTIES)
    for step in range(8):
        ids = torch.tensor([step, (5 * step) % D, 2])
        for by in (optimizer, judge):
            by.zero_grad()
        (bag(ids, torch.tensor([0, 2])).sum() + table(ids).square().sum()).backward()
        (dense(ids).sum() + dense(ids).square().sum()).backward()
        optimizer.step()
        judge.step()
    torch.testing.assert_close(bag.state_dict()["weight"], dense.weight.detach())
    assert torch.equal(table.state_dict()["weight"], bag.weight)


def test_a_parameter_assigned_after_the_first_call_is_found() -> None:
    model, optimizer, _ = trained()
    late = nn.Embedding(D, H, sparse=True, dtype=torch.float64)
    late(torch.tensor([0]))
    late.weight = model.table.weight
    read = late(torch.arange(D))
    optimizer.settle()
    torch.testing.assert_close(read, late.weight)


def test_code_compiled_in_place_is_settled_by_hand() -> None:
    model, optimizer, right = trained()
    model.table.compile(backend="eager", fullgraph=True)
    optimizer.settle()
    with torch.no_grad():
        assert_settled(model.table(torch.arange(D)), right)
    run(model, optimizer, 3)
    with pytest.raises(tt.errors.StaleRows, match="compiled call"):
        run(model, optimizer, 1)
    optimizer.catch_up(torch.tensor([1]), model.table.weight)
    run(model, optimizer, 1)


def test_compiled_modules_are_settled_before_evaluation() -> None:
    model, optimizer, right = trained()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled: Any = torch.compile(model.table, backend="eager")
        with torch.no_grad():
            assert_settled(compiled(torch.arange(D)), right)
        ids = torch.tensor([1, 9])
        run(model, optimizer, 3)
        optimizer.catch_up(ids, model.table.weight)
        optimizer.zero_grad()
        compiled(ids).sum().backward()
        optimizer.step()
