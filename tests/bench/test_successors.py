"""Convolution and attention in the place of a recurrent network."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.compare import assert_close
from throughtime.bench.successors import CausalAttention, TemporalConvolution
from throughtime.bench.successors.attention import sinusoids
from throughtime.bench.successors.convolution import blocks_for, reach
from throughtime.bench.successors.history import History
from throughtime.errors import NumberOutOfRange

STEPS, ROWS, FEATURES, UNITS = 13, 3, 2, 8
WINDOW = 6
KINDS = ["tcn", "attention", "attention in windows"]


def built(kind: str, **more: float) -> History:
    """A network of two blocks; 13 steps are five windows of 6."""
    torch.manual_seed(0)
    options = {"dtype": torch.float64, **more}
    if kind == "tcn":
        return TemporalConvolution(FEATURES, UNITS, 2, **options).eval()
    window = WINDOW if kind.endswith("windows") else 2 * STEPS
    return CausalAttention(FEATURES, UNITS, 2, window, heads=2, **options).eval()


def drawn(steps: int = STEPS, rows: int = ROWS, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (steps, rows, FEATURES)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_changes_what_follows_and_nothing_before(kind: str) -> None:
    network, x = built(kind), drawn()
    before, _ = network(x)
    for step in range(STEPS):
        other = x.clone()
        other[step] += 1.0
        after, _ = network(other)
        assert torch.equal(after[:step], before[:step])
        assert not torch.equal(after[step], before[step])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learning", [False, True])
def test_each_row_is_as_if_alone_and_padding_is_never_read(
    kind: str, learning: bool
) -> None:
    network, x = built(kind).train(learning), drawn()
    lengths = torch.tensor([7, STEPS, 0])
    step = torch.arange(STEPS)[:, None]
    x = x.where((step < lengths)[..., None], math.nan)
    output, _, layers = network(x, lengths=lengths, return_layers=True)
    assert torch.equal(layers[-1], output)
    assert len(layers) == 2
    output.sum().backward()
    assert all(one.grad.isfinite().all() for one in network.parameters())  # type: ignore[union-attr]
    for row, length in enumerate(lengths.tolist()):
        assert not output[length:, row].any()
        if length:
            alone, _ = network(x[:length, row : row + 1])
            assert_close(output[:length, row], alone[:, 0])


def by_hand(network: TemporalConvolution, x: Tensor) -> Tensor:
    """The equations of the paper, one step after the other, of one sequence."""
    for number, block in enumerate(network.blocks):
        dilation, values = 2**number, x
        for convolution in block.convolutions:  # type: ignore[union-attr]
            kernel, bias = convolution.weight, convolution.bias
            k, steps = kernel.shape[-1], []
            for t in range(len(values)):
                total = bias
                for j in range(k):
                    back = t - j * dilation
                    if back >= 0:
                        total = total + kernel[:, :, k - 1 - j] @ values[back]
                steps.append(torch.relu(total))
            values = torch.stack(steps)
        past = block.past  # type: ignore[union-attr]
        if isinstance(past, nn.Conv1d):
            x = x @ past.weight[:, :, 0].T + past.bias
        x = torch.relu(values + x)
    return x


def test_the_convolution_is_that_of_its_paper() -> None:
    network, x = built("tcn"), drawn()
    assert isinstance(network, TemporalConvolution)
    output, _ = network(x)
    for row in range(ROWS):
        assert_close(output[:, row], by_hand(network, x[:, row]))


def test_attention_is_that_of_torch_behind_a_mask() -> None:
    network, x = built("attention"), drawn()
    assert isinstance(network, CausalAttention)
    mask = nn.Transformer.generate_square_subsequent_mask(STEPS, dtype=x.dtype)
    values = network.embedding(x) + sinusoids(STEPS, UNITS, x)[:, None]
    for block in network.blocks:
        theirs = nn.TransformerEncoderLayer(
            UNITS, 2, 4 * UNITS, 0.0, "gelu", norm_first=True, dtype=x.dtype
        )
        ours = block.state_dict().values()
        for own, weight in zip(_in_their_order(theirs), ours, strict=True):
            own.data.copy_(weight)
        values = theirs(values, src_mask=mask)
    assert_close(network(x)[0], network.norm(values))


def _in_their_order(theirs: nn.TransformerEncoderLayer) -> list[Tensor]:
    """The weights in the order of ours: norms, attention, layers of a step."""
    attention = theirs.self_attn
    return [
        *theirs.norm1.parameters(),
        *theirs.norm2.parameters(),
        attention.in_proj_weight,
        attention.in_proj_bias,
        *attention.out_proj.parameters(),
        *theirs.linear1.parameters(),
        *theirs.linear2.parameters(),
    ]


def test_positions_are_sines_and_cosines() -> None:
    found = sinusoids(5, 4, drawn())
    for t in range(5):
        expected = [math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)]
        assert_close(found[t], torch.tensor(expected, dtype=torch.float64))


@settings(max_examples=20)
@given(blocks=st.integers(1, 6), kernel=st.integers(2, 5))
def test_an_output_sees_as_far_as_is_said(blocks: int, kernel: int) -> None:
    far = reach(blocks, kernel)
    assert blocks_for(far + 1, kernel) == blocks
    assert blocks_for(far + 2, kernel) == blocks + 1
    if far > 60:
        return
    torch.manual_seed(0)
    options = {"kernel_size": kernel, "dtype": torch.float64}
    network = TemporalConvolution(1, 4, blocks, **options)
    for weight in network.parameters():
        nn.init.uniform_(weight, 0.1, 1.0)  # so that no ReLU hides a path
    x = torch.rand(far + 2, 1, 1, dtype=torch.float64, requires_grad=True)
    network(x)[0][-1].sum().backward()
    assert x.grad is not None
    seen = x.grad[:, 0, 0] != 0
    assert seen.nonzero()[0] == 1  # the step before is out of reach


@settings(max_examples=30)
@given(
    cuts=st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=1),
)
def test_stretches_of_any_lengths_give_the_convolution_whole(
    cuts: list[list[int]],
) -> None:
    """Each row goes on where it ended, whatever the others do."""
    network = built("tcn")
    totals = torch.tensor(cuts).sum(0)
    x = drawn(int(totals.max()) + 1, 2)
    whole, _ = network(x)
    state, done = None, torch.zeros(2, dtype=torch.long)
    for lengths in map(torch.tensor, cuts):
        steps = int(lengths.max())
        places = (done + torch.arange(steps)[:, None]).clamp(max=len(x) - 1)
        stretch = x.gather(0, places[..., None].expand(-1, -1, FEATURES))
        output, state = network(stretch, state, lengths=lengths)
        for row in range(2):
            first, count = int(done[row]), int(lengths[row])
            if count:
                expected = whole[first : first + count, row]
                assert_close(output[:count, row], expected)
        done = done + lengths


@pytest.mark.parametrize("stretch", [1, 4, 13, 25])
def test_answers_of_attention_see_half_a_window_at_least(stretch: int) -> None:
    network, steps = built("attention in windows"), 25
    # Row b but the last is the last one with another step b.
    x = drawn(steps, 1).tile(1, steps + 1, 1)
    x[torch.arange(steps), torch.arange(steps)] += 1.0
    found, state = [], None
    for part in x.split(stretch):
        output, state = network(part, state)
        found.append(output)
    whole = torch.cat(found)
    # Not by bits: those of a library's product depend on the rows beside a row.
    changed = (whole[:, :-1] - whole[:, -1:]).abs().amax(-1) > 1e-9
    for step in range(steps):
        seen = changed[:, step].nonzero().flatten()
        least = torch.arange(step, min(step + WINDOW // 2 + 1, steps))
        assert torch.equal(seen[: len(least)], least)
        assert seen[-1] < step + WINDOW


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_begins_anew(kind: str) -> None:
    network = built(kind).train()
    _, state = network(drawn())
    assert not state
    again, _ = network(drawn(seed=2), state)
    alone, _ = network(drawn(seed=2))
    assert torch.equal(again, alone)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_differences(kind: str) -> None:
    network = built(kind)
    lengths = torch.tensor([5, 8])
    x = drawn(8, 2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: network(x, lengths=lengths)[0], (x,), fast_mode=True
    )


def test_further_inputs_are_read_beside_the_features() -> None:
    network, x = built("tcn"), drawn()
    expected, _ = network(x)
    found, _ = network(x[..., :1], gap=x[..., 1:])
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("argument", "sizes"),
    [("units", (7, 2, 6)), ("window", (8, 2, 5)), ("blocks", (8, 0, 6))],
)
def test_attention_refuses_sizes_that_do_not_fit(
    argument: str, sizes: tuple[int, int, int]
) -> None:
    with pytest.raises(NumberOutOfRange, match=f"^{argument}="):
        CausalAttention(FEATURES, *sizes, heads=2)


@pytest.mark.parametrize(
    ("argument", "sizes"), [("channels", (0, 2)), ("blocks", (8, 0))]
)
def test_the_convolution_refuses_sizes_below_one(
    argument: str, sizes: tuple[int, int]
) -> None:
    with pytest.raises(NumberOutOfRange, match=f"^{argument}="):
        TemporalConvolution(FEATURES, *sizes)
