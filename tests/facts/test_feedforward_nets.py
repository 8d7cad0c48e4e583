"""Networks without recurrent edges: layers, backpropagation, descent, sparsity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import throughtime as tt
from tests.facts.judges import (
    assert_exact,
    assert_gradient,
    assign,
    classes,
    differences,
    draw,
    gradients,
)
from throughtime.data import SequenceDataset, classified

B, F, H, K = 4, 3, 5, 4


def settings_of(backend: str) -> dict[str, Any]:
    return {"backend": backend, "dtype": torch.float64}


def linear_layers(module: tt.nn.Recurrent) -> nn.Sequential:
    """PyTorch's own layers with the weights of a feedforward network."""
    named, layers = dict(module.named_parameters()), []
    for layer in range(module.num_layers):
        weight = named[f"weight_l{layer}"]
        layers.append(nn.Linear(*reversed(weight.shape), dtype=torch.float64))
        assign(layers[-1], weight=weight.detach(), bias=named[f"bias_l{layer}"])
        layers.append(nn.Sigmoid())
    return nn.Sequential(*layers)


def test_each_layer_is_a_function_of_the_one_below(backend: str) -> None:
    """A multi-layer network and its gradients are PyTorch's linear layers'."""
    torch.manual_seed(0)
    cell = tt.cells.Feedforward("sigmoid")
    module = tt.nn.Recurrent(cell, F, H, 3, **settings_of(backend))
    judge, x, weigh = linear_layers(module), draw(1, B, F), draw(1, B, H, seed=1)
    output, _ = module(x)
    assert_exact(output, judge(x))
    expected = gradients((judge(x) * weigh).sum(), judge)
    found = gradients((output * weigh).sum(), module)
    for mine, theirs in zip(found, expected, strict=True):
        assert_exact(mine, theirs)


def test_a_multi_layer_network_is_a_recurrent_one_of_a_single_step(
    backend: str,
) -> None:
    """With T = 1 and zero states, recurrent edges carry nothing."""
    torch.manual_seed(0)
    recurrent = tt.nn.Recurrent(
        tt.cells.Elman("sigmoid"), F, H, 2, **settings_of(backend)
    )
    plain = tt.nn.Recurrent(
        tt.cells.Feedforward("sigmoid"), F, H, 2, **settings_of(backend)
    )
    named = dict(recurrent.named_parameters())
    for layer in range(2):
        bias = named[f"bias_ih_l{layer}"] + named[f"bias_hh_l{layer}"]
        values = {f"weight_l{layer}": named[f"weight_ih_l{layer}"].detach()}
        assign(plain, **values, **{f"bias_l{layer}": bias.detach()})
    x = draw(1, B, F)
    output, _ = recurrent(x)
    assert_exact(output, plain(x)[0])
    loss = [net(x)[0].square().sum() for net in (recurrent, plain)]
    found = dict(zip(named, gradients(loss[0], recurrent), strict=True))
    expected = dict(plain.named_parameters())
    for layer in range(2):
        assert not found[f"weight_hh_l{layer}"].any()
    for name, slope in zip(expected, gradients(loss[1], plain), strict=True):
        mine = name.replace("weight", "weight_ih").replace("bias", "bias_ih")
        assert_exact(found[mine], slope)


def test_the_three_equations_of_backpropagation(backend: str) -> None:
    """δ of outputs, δ of hidden nodes, and weight gradients as products of both.

    δ_k = y_k − t_k; δ_j = l′(a_j) Σ_k δ_k w_kj; ∂L/∂w_jj′ = δ_j v_j′, written out by
    hand for two hidden layers; every δ is also the finite difference ∂L/∂a_j.
    """
    torch.manual_seed(0)
    module = tt.nn.Recurrent(
        tt.cells.Feedforward("sigmoid"), F, H, 2, **settings_of(backend)
    )
    head = tt.nn.Softmax(H, K, **settings_of(backend))
    x, target = draw(1, 1, F), classes(K, 1, 1)

    def loss() -> Tensor:
        return head.loss(head.logits(module(x)[0]), target).sum()

    named = {name: p.detach() for name, p in module.named_parameters()}
    first = torch.sigmoid(x @ named["weight_l0"].T + named["bias_l0"])
    second = torch.sigmoid(first @ named["weight_l1"].T + named["bias_l1"])
    delta_k = head(second) - nn.functional.one_hot(target, K)
    delta_j = second * (1 - second) * (delta_k @ head.weight)
    delta_i = first * (1 - first) * (delta_j @ named["weight_l1"])
    found = tt.explain(module).deltas(x, (delta_k @ head.weight).detach())
    assert_exact(found[1, 0, "a"], delta_j.detach())
    assert_exact(found[0, 0, "a"], delta_i.detach())
    slopes = dict(zip(named, gradients(loss(), module), strict=True))
    products = {
        "weight_l0": (delta_i, x),
        "weight_l1": (delta_j, first),
    }
    for name, (delta, below) in products.items():
        assert_exact(slopes[name], delta.flatten()[:, None] * below.flatten())
    # A bias moves its node's sum one to one.
    for layer, delta in ((0, delta_i), (1, delta_j)):
        bias = module.get_parameter(f"bias_l{layer}")
        assert_gradient(differences(loss, bias), delta.detach().flatten())
    for parameter, slope in zip(
        [*module.parameters(), *head.parameters()],
        gradients(loss(), module, head),
        strict=True,
    ):
        assert_gradient(differences(loss, parameter), slope)


def ragged(count: int, seed: int = 0) -> SequenceDataset:
    """Sequences of 1 to 6 steps, ``count`` in each of the three parts."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 7, 3 * count)
    sequences = [random.normal(size=(n, F)) for n in lengths]
    thirds = np.arange(3 * count).reshape(3, count)
    names = ("train", "validation", "test")
    splits = dict(zip(names, thirds, strict=True))
    classes = ("left", "right")
    targets = random.integers(0, 2, 3 * count)
    return classified("ragged", sequences, targets, classes, splits)


def one_update(
    data: SequenceDataset, backend: str, folder: Path
) -> tuple[tt.train.Run, dict[str, Tensor], dict[str, Tensor], list[dict[str, Tensor]]]:
    """Train for one update; weights before and after, gradient of each example."""
    batch = len(data.splits["train"])
    run = tt.fit(
        tt.cells.LSTM(),
        data,
        hidden_size=H,
        optimizer="sgd",
        learning_rate=0.5,
        clip=0,
        threads=1,
        epochs=1,
        batch_size=batch,
        backend=backend,
        dtype="float64",
        out=folder,
    )
    before = load_file(folder / "initial.safetensors")
    after = load_file(folder / "model.safetensors")
    model, examples = run.model, []
    model.load_state_dict(before)
    for frame in data.read("train"):
        sequence = torch.from_numpy(frame[:, None, :F])
        answer = torch.tensor([[int(frame[0, F])]])
        lengths = torch.tensor([len(sequence)])
        logits, _ = model.logits(sequence, lengths=lengths)
        slopes = gradients(model.head.loss(logits, answer).sum(), model)
        names = [name for name, _ in model.named_parameters()]
        examples.append(dict(zip(names, slopes, strict=True)))
    return run, before, after, examples


def test_descent_on_one_example_is_its_equation_to_the_last_bit(
    backend: str, tmp_path: Path
) -> None:
    """One update is w − η ∂F_i; η is a power of two, so that η ∂F_i has no rounding."""
    _, before, after, (slopes,) = one_update(ragged(1), backend, tmp_path)
    assert slopes.keys() <= before.keys()
    for name, slope in slopes.items():
        assert slope.any()
        assert torch.equal(after[name], before[name] - 0.5 * slope)


def test_descent_on_a_minibatch_takes_the_mean_of_its_examples(
    backend: str, tmp_path: Path
) -> None:
    """Sequences of different lengths share a padded batch and weigh the same."""
    _, before, after, examples = one_update(ragged(B), backend, tmp_path)
    for name in examples[0]:
        mean = sum(slopes[name] for slopes in examples) / B
        assert isinstance(mean, Tensor)
        assert_exact(after[name], before[name] - 0.5 * mean)


@pytest.mark.parametrize("time", ["mean", "sum"])
@pytest.mark.parametrize("batch", ["mean", "sum"])
def test_sums_and_means_over_time_and_batch(
    backend: str, time: Any, batch: Any
) -> None:
    """The gradient of a padded batch is the mean, or the sum, of its sequences'."""
    torch.manual_seed(0)
    module = tt.nn.Recurrent(tt.cells.LSTM(), F, H, **settings_of(backend))
    head = tt.nn.Softmax(H, K, **settings_of(backend))
    lengths, x, target = torch.tensor([6, 1, 3, 5]), draw(6, B, F), classes(K, 6, B)
    losses = head.loss(head.logits(module(x, lengths=lengths)[0]), target)
    reduced = tt.nn.mean_loss(losses, lengths, time=time, batch=batch)
    total = torch.zeros((), dtype=torch.float64)
    for row, length in enumerate(lengths.tolist()):
        output, _ = module(x[:length, row])
        steps = head.loss(head.logits(output), target[:length, row])
        total = total + (steps.mean() if time == "mean" else steps.sum())
    expected = gradients(total / (B if batch == "mean" else 1), module, head)
    for mine, theirs in zip(gradients(reduced, module, head), expected, strict=True):
        assert_exact(mine, theirs)


@pytest.mark.parametrize("kind", ["Feedforward", "Elman"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_only_rectified_nodes_are_ever_exactly_zero(
    kind: str, activation: str, tmp_path: Path
) -> None:
    """The training metrics count exact zeros: none of sigmoid and tanh, half of ReLU.

    The count is that of a validation part of one batch, by hand, layer by layer.
    """
    data = ragged(20)
    run = tt.fit(
        getattr(tt.cells, kind)(activation),
        data,
        hidden_size=128,
        num_layers=2,
        epochs=1,
        batch_size=20,
        threads=1,
        learning_rate=1e-9,
        dtype="float64",
        backend="reference",
        out=tmp_path,
    )
    expected, model = [], run.model
    for layers in (1, 2):
        stack = tt.nn.Recurrent.from_graphs(
            model.network.graphs[:layers], backend="reference", dtype=torch.float64
        )
        stack.load_state_dict(model.network.state_dict(), strict=False)
        outputs = []
        for features in data.part("validation"):
            vectors = torch.from_numpy(features)[:, None]
            outputs.append(stack(model.reader(vectors, torch.float64))[0].flatten())
        expected.append((torch.cat(outputs) == 0).double().mean().item())
    found = run.metrics[0]["zero_fraction"]
    assert found == pytest.approx(expected, abs=1e-9)
    if activation == "relu":
        assert all(0.35 < fraction < 0.65 for fraction in found)
    else:
        assert found == [0.0, 0.0]
