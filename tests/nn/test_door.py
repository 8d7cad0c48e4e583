"""Nothing that does not fit gets to machine code, by whatever way it comes."""

import pytest
import torch
from torch.func import functional_call

import throughtime as tt
from throughtime.errors import LayerMismatch
from throughtime.graph import trace
from throughtime.graph.serialize import to_json
from throughtime.nn.compiled.engine import engine

WRONG = {
    "double": torch.zeros(20, 5, dtype=torch.float64),
    "half": torch.zeros(20, 5, dtype=torch.float16),
    "small": torch.zeros(2, 2),
    "transposed": torch.zeros(5, 20),
    "meta": torch.zeros(20, 5, device="meta"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("training", [False, True])
def test_a_parameter_that_does_not_fit(kind: str, training: bool) -> None:
    module = tt.nn.Recurrent(tt.cells.LSTM(), 3, 5, backend="llvm")
    x = torch.randn(4, 2, 3, requires_grad=training)
    with pytest.raises(LayerMismatch, match="weight_hh of LSTM is"):
        functional_call(module, {"weight_hh_l0": WRONG[kind]}, (x,))


@pytest.mark.parametrize("head", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [torch.float16, torch.float32, torch.float64])
def test_a_head_takes_rows_of_its_own_type(
    head: torch.dtype, rows: torch.dtype
) -> None:
    output = tt.nn.Softmax(5, 3).to(head)
    value = torch.randn(2, 5).to(rows)
    if head == rows:
        assert output.logits(value).shape == (2, 3)
    else:
        with pytest.raises((LayerMismatch, RuntimeError, tt.errors.ThroughtimeError)):
            output.logits(value)


def operator(**changed: object) -> list[torch.Tensor]:
    """The registered operator on an Elman layer, with arguments changed."""
    graph = trace(tt.cells.Elman(), 3, 5)
    given = {
        "inputs": [torch.randn(8, 3)],
        "initial": [torch.zeros(2, 5)],
        "parameters": [torch.zeros(d.shape) for d in graph.parameters],
        "counts": None,
        "steps": 4,
        "batch": 2,
        "reverse": False,
        "segment": 0,
        "bfloat16": False,
        **changed,
    }
    return torch.ops.throughtime.layer(to_json(graph), False, "", *given.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_operator_refuses_bfloat16_where_nothing_multiplies_it(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throughtime.nn.precision.BFLOAT16", dtype == torch.float64)
    engine.cache_clear()
    numbers = {
        "inputs": [torch.randn(8, 3, dtype=dtype)],
        "initial": [torch.zeros(2, 5, dtype=dtype)],
    }
    with pytest.raises(tt.errors.BackendCannotServe, match="bfloat16"):
        operator(**numbers, bfloat16=True)
    engine.cache_clear()


def test_the_operator_itself() -> None:
    assert operator()[0].shape == (8, 5)


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": [torch.randn(8, 1)]},
        {"inputs": []},
        {"inputs": [torch.randn(8, 3), torch.randn(8, 3)]},
        {"initial": [torch.zeros(3, 5)]},
        {"initial": [torch.zeros(2, 5), torch.zeros(2, 5)]},
        {"parameters": []},
        {"steps": 400},
        {"counts": torch.tensor([2, 3, 3])},
        {"counts": torch.tensor([3, 2, 1])},
        {"counts": torch.tensor([2, 2, 2, 2, 2])},
        {"counts": torch.tensor([2, 1, -1])},
    ],
)
def test_the_operator_refuses_what_does_not_fit(changed: dict[str, object]) -> None:
    with pytest.raises((LayerMismatch, IndexError)):
        operator(**changed)


def test_a_tensor_in_the_list_beside_its_own() -> None:
    """Where all have one shape, their number alone says where each belongs."""
    graph = tt.nn.Recurrent(tt.cells.Elman(), 5, 5, bias=False).graphs[0]
    x, state = torch.randn(5, 5), torch.zeros(5, 5)
    weights = [torch.zeros(d.shape) for d in graph.parameters]

    def run(inputs: object, initial: object, parameters: object) -> None:
        where = None, 1, 5, False, 0, False
        given = inputs, initial, parameters
        torch.ops.throughtime.layer(to_json(graph), False, "", *given, *where)

    run([x], [state], weights)
    for wrong in (
        ([x, state], [], weights),
        ([x], [state, *weights[:1]], weights[1:]),
        ([x], [], [state, *weights]),
    ):
        with pytest.raises(LayerMismatch, match="tensors, expected"):
            run(*wrong)
