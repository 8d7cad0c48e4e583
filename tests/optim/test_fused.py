"""One compiled pass over rows does what operations of torch do."""

import pytest
import torch
from torch import Tensor, nn

import throughtime as tt
from tests.compare import assert_close
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.errors import BadRows
from throughtime.optim.flow import follow

PENALTIES = [(0.1, 0.2), (0.0, 0.2), (0.1, 0.0), (0.3, 1e-9)]
SIZES = [(50, 1, 13), (50, 7, 20), (9, 33, 1)]
NOW = 2.0


def drawn(rows: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, width, dtype=dtype, generator=generator)
    return weight, torch.rand(rows, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("d", "width", "count"), [(50, 1, 13), (50, 7, 20), (9, 33, 1)]
)
def test_rows_are_caught_up_once_and_all_of_them(
    d: int, width: int, count: int, dtype: torch.dtype, l1: float, l2: float
) -> None:
    weight, stamps = drawn(d, width, dtype)
    kernels, right = row_kernels(weight.element_size()), weight.clone()
    rows = torch.randint(d, (count,), generator=torch.Generator().manual_seed(1))
    once, waited = rows.unique(), NOW - stamps
    right[once] = follow(weight[once], waited[once, None], l1, l2)
    found, reached = weight.clone(), stamps.clone()
    tables = found.data_ptr(), reached.data_ptr()
    kernels.catch_up(*tables, rows.data_ptr(), count, d, width, NOW, l1, l2)
    assert_close(found, right)
    assert kernels.stale(tables[1], rows.data_ptr(), count, d, NOW) == -1
    kernels.catch_up(*tables, None, d, d, width, NOW, l1, l2)
    assert_close(found, follow(weight, waited[:, None], l1, l2))


def test_a_row_that_is_not_there_changes_nothing() -> None:
    weight, stamps = drawn(4, 2, torch.float64)
    kernels, rows = row_kernels(8), torch.tensor([1, 4, -1])
    before = weight.clone(), stamps.clone()
    tables = weight.data_ptr(), stamps.data_ptr(), rows.data_ptr()
    kernels.catch_up(*tables, 3, 4, 2, NOW, 0.1, 0.1)
    assert torch.equal(weight, before[0])
    assert torch.equal(stamps, before[1])
    stamps.fill_(NOW)
    assert kernels.stale(*tables[1:], 3, 4, NOW) == 1


def test_an_embedding_says_itself_that_a_row_is_not_there() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    optimizer = tt.optim.LazySGD(table.parameters(), 0.1, l1=0.1)
    for ids in ([1], [2]):
        optimizer.zero_grad()
        table(torch.tensor(ids)).sum().backward()
        optimizer.step()
    with pytest.raises(IndexError):
        table(torch.tensor([4]))
    table.weight.grad = torch.sparse_coo_tensor(
        torch.tensor([[7]]), torch.ones(1, 2), (4, 2), check_invariants=False
    )
    with pytest.raises(BadRows, match="rows=7"):
        optimizer.step()


@pytest.mark.parametrize("kind", ["LazySGD", "LazyFOBOS"])
def test_weights_that_lie_otherwise_are_learned_all_the_same(kind: str) -> None:
    start, _ = drawn(20, 3, torch.float64)
    found = []
    for turned in (False, True):
        table = nn.Embedding(20, 3, sparse=True, dtype=torch.float64)
        values = start.T.contiguous().T if turned else start.clone()
        table.weight = nn.Parameter(values)
        assert table.weight.is_contiguous() is not turned
        optimizer = getattr(tt.optim, kind)(table.parameters(), 0.1, l1=0.02, l2=0.1)
        for step in range(30):
            optimizer.zero_grad()
            table(torch.tensor([step % 7, step % 11, 2])).square().sum().backward()
            optimizer.step()
        found.append(table.state_dict()["weight"])
    assert_close(*found)
    assert torch.equal(found[0] == 0, found[1] == 0)
