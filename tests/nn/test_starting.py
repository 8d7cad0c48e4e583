"""Other starts than a cell declares: orthogonal, identity, chrono, a forget bias."""

import math
from typing import Any

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

import throughtime as tt
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Elman,
    Feedforward,
    IndRNN,
    JordanElman,
    MultiplicativeLSTM,
    ProjectedLSTM,
    Zoneout,
)
from throughtime.cells.gates import GATES
from throughtime.errors import (
    NotGated,
    NothingToStart,
    NumberOutOfRange,
    Pointless,
    UnknownChoice,
)
from throughtime.nn import Recurrent, initialise

H = 6
# The state that the gate of each cell is about.
HELD = {kind: "c" if issubclass(kind, LSTM) else "h" for kind in GATES}


def made(cell: tt.Cell, seed: int = 0, **options: Any) -> Recurrent:
    torch.manual_seed(seed)
    return Recurrent(cell, 3, H, dtype=torch.float64, **options)


def changed(module: Recurrent, before: dict[str, Tensor]) -> set[str]:
    after = module.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def copied(module: Recurrent) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_default_changes_nothing_and_draws_nothing() -> None:
    module = made(LSTM())
    before, drawn = copied(module), torch.get_rng_state()
    initialise(module)
    assert changed(module, before) == set()
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("cell", [Elman(), GRU(), LSTM(), MultiplicativeLSTM()])
def test_orthogonal_by_gate_and_head(cell: tt.Cell, heads: int) -> None:
    options = {"num_layers": 2, "bidirectional": True, "heads": heads}
    module = made(cell, **options)
    before = copied(module)
    initialise(module, "orthogonal")
    found = changed(module, before)
    matrices = {"weight_hh", "weight_hm"} if "Mult" in repr(cell) else {"weight_hh"}
    assert {name.split("_l")[0] for name in found} == matrices
    for name in found:
        blocks = module.get_parameter(name).split(H // heads)
        for block in blocks:
            eye = torch.eye(H // heads, dtype=torch.float64)
            torch.testing.assert_close(block @ block.T, eye, rtol=0, atol=1e-12)
    again = made(cell, **options)
    initialise(again, "orthogonal")
    assert changed(again, copied(module)) == set()


def test_orthogonal_where_no_block_is_square() -> None:
    module = made(ProjectedLSTM("hidden/2"))
    initialise(module, "orthogonal")
    for block in module.weight_hh_l0.split(H):
        eye = torch.eye(H // 2, dtype=torch.float64)
        torch.testing.assert_close(block.T @ block, eye, rtol=0, atol=1e-12)
    jordan = made(JordanElman())
    before = copied(jordan)
    initialise(jordan, "orthogonal")
    assert changed(jordan, before) == {"weight_hh_l0", "weight_yh_l0", "weight_hy_l0"}


def test_identity_with_relu_is_an_irnn() -> None:
    module = made(Elman("relu"))
    initialise(module, "identity")
    assert torch.equal(module.weight_hh_l0, torch.eye(H, dtype=torch.float64))
    assert not torch.cat([module.bias_ih_l0, module.bias_hh_l0]).any()
    state = torch.rand(1, 1, H, dtype=torch.float64)
    still = torch.zeros(50, 1, 3, dtype=torch.float64)
    _, after = module(still, state)
    torch.testing.assert_close(after.h, state)  # what a unit holds, it keeps
    gated = made(GRU())
    initialise(gated, "identity")
    assert torch.equal(
        gated.weight_hh_l0, torch.eye(H, dtype=torch.float64).repeat(3, 1)
    )
    assert not gated.bias_ih_l0.any()
    assert not gated.bias_hh_l0.any()


@pytest.mark.parametrize("sparse", [False, True])
def test_all_that_reads_the_input_of_an_irnn_is_normal_and_small(sparse: bool) -> None:
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": True, "sparse_input": sparse}
    module = Recurrent(Elman("relu"), 700, H, **options)
    initialise(module, "identity")
    drawn = module.weight_ih_l0, module.weight_ih_l0_reverse
    for weight in drawn:
        assert kstest(weight.detach().flatten() / 0.001, "norm").pvalue > 0.01
    assert not torch.equal(*drawn)
    assert 0.0005 < module.weight_ih_l1.std() < 0.002


def kept_share(module: Recurrent, cell: tt.Cell) -> Tensor:
    """What is left of a state of ones after a step without input or weights."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            if not name.startswith("bias"):
                value.zero_()
    start = [
        torch.zeros(1, 1, one.size, dtype=torch.float64)
        for one in module.graphs[0].states
    ]
    one = [torch.ones_like(value) for value in start]
    x = torch.zeros(1, 1, 3, dtype=torch.float64)
    held = HELD[type(cell)]
    return getattr(module(x, one)[1], held) - getattr(module(x, start)[1], held)


@pytest.mark.parametrize("kind", GATES)
def test_a_forget_bias_is_what_the_kept_share_starts_with(kind: type[tt.Cell]) -> None:
    cell = kind()
    module = made(cell)
    before = copied(module)
    initialise(module, forget_bias=2.0, cell=cell)
    assert changed(module, before) <= {"bias_ih_l0", "bias_hh_l0"}
    share = kept_share(module, cell)
    expected = torch.full_like(share, 1 / (1 + math.exp(-2.0)))
    torch.testing.assert_close(share, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", GATES)
def test_chrono_draws_how_long_a_memory_lasts(kind: type[tt.Cell]) -> None:
    cell = kind()
    module = made(cell)
    initialise(module, "chrono", steps=20, cell=cell)
    share = kept_share(module, cell)[0]
    # The share is u / (u + 1) where the bias is log u, u from 1 to 19.
    lasting = share / (1 - share)
    assert bool((lasting >= 1 - 1e-9).all())
    assert bool((lasting <= 19 + 1e-9).all())
    assert lasting.std() > 1
    gate = GATES[kind]
    total = (module.bias_ih_l0 + module.bias_hh_l0).split(H)
    if gate.input is not None:
        torch.testing.assert_close(total[gate.input], -total[gate.block])


def test_chrono_has_the_distribution_of_the_paper() -> None:
    module = Recurrent(LSTM(), 1, 4000)
    torch.manual_seed(0)
    initialise(module, "chrono", steps=101, cell=LSTM())
    lasting = (module.bias_ih_l0 + module.bias_hh_l0)[4000:8000].detach().exp()
    # The characteristic time of the gate, 1 / (1 - sigmoid(b)), is uniform.
    assert kstest(1 + lasting, "uniform", (2, 99)).pvalue > 0.01
    assert kstest(1 + lasting, "uniform", (2, 90)).pvalue < 1e-6


def test_of_regularised_cells_and_of_torchs_own_kinds() -> None:
    for cell in (Zoneout(LSTM(), c=0.1), DropConnect(GRU(), 0.2)):
        module = made(cell)
        initialise(module, "orthogonal", forget_bias=1.0, cell=cell)
    own = tt.nn.LSTM(3, H, num_layers=2)
    initialise(own, forget_bias=1.0, cell=LSTM())
    total = own.bias_ih_l1 + own.bias_hh_l1
    assert torch.equal(total[H : 2 * H], torch.ones(H))


class Mine(LSTM):
    """Other equations may be behind an own name."""


@pytest.mark.parametrize(
    ("module", "said", "error", "words"),
    [
        (made(Elman()), {"init": "xavier"}, UnknownChoice, "init='xavier'"),
        (
            made(Elman()),
            {"init": "chrono", "steps": 9, "cell": Elman()},
            NotGated,
            "init='chrono' is asked of Elman, expected one of LSTM",
        ),
        (
            made(Mine()),
            {"forget_bias": 1.0, "cell": Mine()},
            NotGated,
            "forget_bias=1.0 is asked of Mine",
        ),
        (made(LSTM()), {"forget_bias": 1.0}, NotGated, "asked of LSTM"),
        (
            made(GRU()),
            {"forget_bias": 1.0, "cell": LSTM()},
            NothingToStart,
            "asked of GRU, which is not LSTM",
        ),
        (
            made(LSTM(), bias=False),
            {"forget_bias": 1.0, "cell": LSTM()},
            NothingToStart,
            "or has no biases",
        ),
        (
            made(LSTM()),
            {"init": "chrono", "cell": LSTM()},
            NumberOutOfRange,
            "steps=None",
        ),
        (
            made(LSTM()),
            {"init": "chrono", "steps": 1, "cell": LSTM()},
            NumberOutOfRange,
            "steps=1",
        ),
        (
            made(LSTM()),
            {"init": "chrono", "steps": 9, "forget_bias": 1.0, "cell": LSTM()},
            Pointless,
            "forget_bias=1.0 has nothing to act on with init='chrono'",
        ),
        (
            made(IndRNN()),
            {"init": "orthogonal"},
            NothingToStart,
            "init='orthogonal' is asked of IndRNN, where no matrix",
        ),
        (made(Feedforward()), {"init": "identity"}, NothingToStart, "Feedforward"),
    ],
)
def test_refusals(
    module: Recurrent, said: dict[str, Any], error: type[Exception], words: str
) -> None:
    before = copied(module)
    with pytest.raises(error, match=words):
        initialise(module, **said)
    assert changed(module, before) == set()


def test_these_cells_have_a_gate_that_is_known() -> None:
    names = {kind.__name__ for kind in GATES}
    assert names == {
        "CoupledLSTM",
        "GRU",
        "JANET",
        "LSTM",
        "LayerNormLSTM",
        "MGU",
        "MultiplicativeLSTM",
        "PeepholeLSTM",
        "ProjectedLSTM",
        "UGRNN",
    }
