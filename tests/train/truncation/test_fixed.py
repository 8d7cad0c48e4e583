"""TBPTT(k1, k2), in plain loops: which losses flow how far back."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import throughtime as tt
from tests.facts.judges import assert_exact, draw
from tests.nn.test_carrying import Learned
from tests.train.truncation.streams import (
    F,
    H,
    build,
    capped_gradients,
    cut,
    gradients,
    losses,
    stream,
    whole_gradients,
)
from throughtime.data.stream_batches import Chunk, StreamBatches
from throughtime.errors import (
    BadChunk,
    BadTruncation,
    InputShapeMismatch,
    TwoDirections,
    WindowNotRun,
)
from throughtime.train.truncation import TBPTT

T = 17


@pytest.mark.parametrize("cell", [tt.cells.LSTM(), tt.cells.GRU(), Learned()], ids=repr)
@pytest.mark.parametrize(("k1", "k2"), [(1, T), (4, T), (5, 40), (T, T), (30, 30)])
def test_as_far_back_as_the_stream_is_backpropagation_through_time(
    backend: str, cell: tt.Cell, k1: int, k2: int
) -> None:
    """Weights frozen, the sum over all windows is the gradient of the whole."""
    module = build(backend, cell)
    expected = whole_gradients(module, stream(T))
    found = gradients(TBPTT(module, k1, k2), stream(T))
    for own, slope in zip(found, expected, strict=True):
        assert_exact(own, slope)


@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (3, 3), (3, 5), (4, 7), (2, 9)])
def test_each_loss_flows_as_far_as_its_window_reaches(k1: int, k2: int) -> None:
    module = build()
    found = gradients(TBPTT(module, k1, k2), stream(T))
    expected = capped_gradients(module, stream(T), k1, k2)
    for own, slope in zip(found, expected, strict=True):
        assert_exact(own, slope)


@given(st.integers(1, 5), st.integers(0, 6), st.lists(st.integers(1, 7), min_size=1))
def test_windows_do_not_depend_on_the_chunks(k1: int, more: int, sizes: Any) -> None:
    module = build("reference", tt.cells.Elman(), layers=1)
    whole = stream(sum(sizes), rows=3)
    pieces = [TBPTT(module, k1, k1 + more) for _ in range(2)]
    for own, slope in zip(
        gradients(pieces[0], cut(whole, sizes)),
        gradients(pieces[1], whole),
        strict=True,
    ):
        assert_exact(own, slope)
    assert pieces[0].state is not None
    assert pieces[1].state is not None
    assert_exact(pieces[0].state.h, pieces[1].state.h)


def test_every_loss_counts_once_and_windows_keep_to_k2() -> None:
    tbptt, whole = TBPTT(build(), 3, 8), stream(T)
    assert whole.targets is not None
    assert whole.lengths is not None
    seen, counted = [], 0
    for window in tbptt.windows(whole):
        window.run()
        assert window.steps <= 3
        assert len(window.inputs) <= 8
        seen.append(window.targets)
        counted += int(window.counts.sum())
    assert torch.equal(torch.cat(seen), whole.targets)
    assert counted == whole.lengths.sum()


def test_weights_of_now_run_from_the_newest_state_of_that_step() -> None:
    """Weights change after each window; a loop by hand keeps all that it computes."""
    k1, k2 = 2, 5
    module, judge = build(), build()
    chunk = Chunk(draw(11, 2, F), draw(11, 2, H, seed=1))
    states: dict[int, Any] = {0: None}
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    other = torch.optim.SGD(judge.parameters(), 0.1)
    end = 0
    for window in TBPTT(module, k1, k2).windows(chunk):
        loss = window.mean(losses(window.run(), window.targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        old, end = end, min(end + k1, 11)
        first = max(end - k2, 0)
        state, outputs = states[first], []
        for t in range(first, end):
            output, state = judge.step(chunk.inputs[t], state)
            states[t + 1] = tuple(value.detach() for value in state)
            outputs.append(output)
        assert chunk.targets is not None
        own = losses(torch.stack(outputs)[old - end :], chunk.targets[old:end]).mean()
        other.zero_grad()
        own.backward()
        other.step()
        assert_exact(loss, own)
    for mine, theirs in zip(module.parameters(), judge.parameters(), strict=True):
        assert_exact(mine, theirs)


MODULES: dict[str, Any] = {
    "LSTM": lambda: tt.nn.LSTM(F, H, 2, dtype=torch.float64),
    "GRU": lambda: tt.nn.GRU(F, H, dtype=torch.float64),
    "RNN": lambda: tt.nn.RNN(F, H, dtype=torch.float64),
}


@pytest.mark.parametrize("name", MODULES)
def test_torchs_own_classes_take_lengths_and_resets_here(name: str) -> None:
    module = MODULES[name]()
    cell = tt.cells.Elman() if name == "RNN" else getattr(tt.cells, name)()
    judge = build(cell=cell, layers=module.num_layers)
    judge.load_state_dict(module.state_dict())
    expected = dict(
        zip(
            dict(judge.named_parameters()),
            whole_gradients(judge, stream(T)),
            strict=True,
        )
    )
    found = gradients(TBPTT(module, 4, T), stream(T))
    for (label, _), own in zip(module.named_parameters(), found, strict=True):
        assert_exact(own, expected[label])


def test_a_network_of_ones_own_is_run() -> None:
    """With an embedding in front, which learns through all steps of the window."""
    torch.manual_seed(0)
    embedding = nn.Embedding(6, F, dtype=torch.float64)
    module = build()
    symbols = torch.randint(6, (T, 2))

    def network(
        x: torch.Tensor, state: Any, **packing: Any
    ) -> tuple[torch.Tensor, Any]:
        return module(embedding(x), state, **packing)

    output, _ = module(embedding(symbols))
    (expected,) = torch.autograd.grad(output.square().sum(), embedding.weight)
    total = torch.zeros_like(expected)
    for window in TBPTT(module, 3, T).windows(Chunk(symbols)):
        loss = window.sum(window.run(network).square().sum(-1))
        total += torch.autograd.grad(loss, embedding.weight)[0]
    assert_exact(total, expected)


def learn(tbptt: TBPTT, loader: StreamBatches, most: int) -> list[float]:
    """Real updates; at most so many windows."""
    found: list[float] = []
    optimizer = torch.optim.SGD(tbptt.module.parameters(), 0.1)
    for window in tbptt.windows(loader):
        loss = window.mean(losses(window.run(), window.targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
        if len(found) == most:
            break
    return found


@pytest.mark.parametrize(("steps", "k1", "k2"), [(4, 4, 4), (4, 4, 10), (5, 2, 7)])
def test_it_goes_on_where_it_was_stored(steps: int, k1: int, k2: int) -> None:
    """Loader, truncation and weights are stored between any two windows.

    Also between the last ones, which are given when the loader has come to its end.
    """
    lengths = (9, 14, 3, 6, 15)
    sequences = [draw(n, F, seed=n).numpy() for n in lengths]
    targets = [draw(n, H, seed=n).numpy() for n in lengths]

    def loader() -> StreamBatches:
        return StreamBatches(sequences, 2, steps, targets=targets)

    whole = learn(TBPTT(build(), k1, k2), loader(), 100)
    assert len(whole) > 5
    for windows in range(1, len(whole) + 1):
        first, chunks = TBPTT(build(), k1, k2), loader()
        begun = learn(first, chunks, windows)
        stored = copy.deepcopy((first.state_dict(), chunks.state_dict()))
        other, rest = TBPTT(build(), k1, k2), loader()
        other.module.load_state_dict(copy.deepcopy(first.module.state_dict()))
        other.load_state_dict(stored[0])
        rest.load_state_dict(stored[1])
        assert begun + learn(other, rest, 100) == whole


def test_a_stream_begins_with_a_given_state_and_ends_with_one() -> None:
    module, x = build(), draw(T, 2, F)
    carried = tt.CarriedState(module, 2)
    carried.update(module(x[:6], carried)[1])
    tbptt = TBPTT(module, 4, 7, state=carried.detach())
    outputs = [window.run() for window in tbptt.windows(Chunk(x[6:]))]
    whole, final = module(x)
    assert_exact(torch.cat(outputs), whole[6:])
    assert tbptt.state is not None
    assert_exact(tbptt.state.c, final.c)
    assert not tbptt.state.c.requires_grad


def run(chunks: Any, module: Any = None) -> None:
    for window in TBPTT(module or build(), 2, 3).windows(chunks):
        window.run()


def skip() -> None:
    for _ in TBPTT(build(), 2).windows(stream(6)):
        pass


def wrong_losses() -> None:
    for window in TBPTT(build(), 2).windows(stream(6)):
        window.mean(window.run())


def untargeted() -> None:
    for window in TBPTT(build(), 2).windows(Chunk(draw(4, 2, F))):
        losses(window.run(), window.targets)


def returning() -> list[Chunk]:
    x = draw(4, 2, F)
    return [Chunk(x, lengths=torch.tensor([4, 2])), Chunk(x)]


def of(*shape: int) -> Any:
    return Chunk(draw(4, 2, F), **{"resets": torch.zeros(shape, dtype=torch.bool)})


REFUSALS: list[tuple[Any, type[Exception], str]] = [
    (lambda: TBPTT(build(), 0), BadTruncation, "k1=0, expected a whole number of at"),
    (lambda: TBPTT(build(), 4, 3), BadTruncation, "k2=3, expected a whole number of"),
    (lambda: TBPTT(build(), True), BadTruncation, "k1=True"),
    (
        lambda: TBPTT(tt.nn.GRU(F, H, bidirectional=True), 2),
        TwoDirections,
        "TBPTT() was called on a bidirectional module",
    ),
    (
        lambda: TBPTT(tt.nn.GRU(F, H, batch_first=True), 2),
        BadTruncation,
        "build the module time first",
    ),
    (skip, WindowNotRun, "left without being run"),
    (wrong_losses, InputShapeMismatch, "losses is of shape (2, 4, 5), expected (2, 4)"),
    (untargeted, BadChunk, "A chunk has no targets"),
    (lambda: run(returning()), BadChunk, "steps of row 1, which has ended"),
    (
        lambda: run([Chunk(draw(4, 2, F)), Chunk(draw(4, 3, F))]),
        BadChunk,
        "expected ((2, 3), torch.float64)",
    ),
    (lambda: run(Chunk(draw(4))), BadChunk, "inputs of shape (4,), expected (T, B, …)"),
    (lambda: run(of(3, 2)), BadChunk, "resets of shape (3, 2), expected (4, 2)"),
    (
        lambda: run(Chunk(draw(4, 2, F), draw(4, 3))),
        BadChunk,
        "targets of shape (4, 3), expected (4, 2, …)",
    ),
    (
        lambda: run(Chunk(draw(4, 2, F), lengths=torch.ones(3))),
        BadChunk,
        "lengths of shape (3,), expected (2,)",
    ),
]


@pytest.mark.parametrize(("call", "error", "sentence"), REFUSALS)
def test_what_cannot_be_cut_is_refused(
    call: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        call()
    assert sentence in str(refusal.value)


def test_a_mean_is_of_the_steps_that_there_are() -> None:
    window = next(TBPTT(build(), T).windows(stream(T)))
    each = losses(window.run(), window.targets)
    assert_exact(window.mean(each), each[window.counts].mean())
    assert not torch.isnan(window.mean(each))
