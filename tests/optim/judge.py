"""The dense update, written by hand in NumPy: the judge of what is put off.

A sparse logistic regression: few features are read at each step, all weights are
regularised at each step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

Array = NDArray[np.float64]
Rate = Callable[[int], float]

RATES: dict[str, Rate] = {
    "constant": lambda t: 0.2,
    "1/sqrt(t)": lambda t: 0.5 / (t + 1) ** 0.5,
    "1/t": lambda t: 2.0 / (t + 4),
}


@dataclass(frozen=True)
class Example:
    """What one step reads: rows (n,), values (n,), and the answer."""

    rows: NDArray[np.int64]
    values: Array
    answer: float


@cache
def examples(count: int, features: int, each: int, longest: int = 0) -> list[Example]:
    """Draw examples, rare features and frequent ones.

    With ``longest`` the last features are read in the first step and then not for so
    long.
    """
    random = np.random.default_rng(7)
    often = 1 / np.arange(1, features - 3) ** 1.2
    chance = np.append(often, np.zeros(4)) / often.sum()
    found = []
    for step in range(count):
        rows = np.sort(random.choice(features, each, replace=False, p=chance))
        if longest and step in {0, longest}:
            rows = np.append(rows, features - 4 + np.arange(4))
        values = random.normal(size=len(rows))
        found.append(Example(rows, values, float(random.random() < 0.5)))
    return found


def start(features: int) -> Array:
    return np.random.default_rng(3).normal(size=features) * 0.3


def truncated(weight: Array, amount: float | Array) -> Array:
    return np.sign(weight) * np.maximum(np.abs(weight) - amount, 0)


class Dense:
    """All weights, all of them changed at each step."""

    def __init__(self, kind: str, weight: Array, l1: float, l2: float) -> None:
        self.kind, self.weight, self.l1, self.l2 = kind, weight.copy(), l1, l2
        self.squares = np.full_like(weight, 0.1)
        self.z = -(weight * (1 / 0.3 + l2) + np.sign(weight) * l1)
        self.n = np.zeros_like(weight)

    def gradient(self, example: Example) -> Array:
        logit = example.values @ self.weight[example.rows]
        g = np.zeros_like(self.weight)
        g[example.rows] = (1 / (1 + np.exp(-logit)) - example.answer) * example.values
        return g

    def step(self, g: Array, lr: float) -> None:
        w, l1, l2 = self.weight, self.l1, self.l2
        if self.kind == "LazySGD":
            self.weight = truncated(w - lr * (g + l2 * w), lr * l1)
        elif self.kind == "LazyFOBOS":
            self.weight = truncated(w - lr * g, lr * l1) / (1 + lr * l2)
        elif self.kind == "LazyAdagrad":
            self.squares += g**2
            rate = lr / (np.sqrt(self.squares) + 1e-10)
            self.weight = truncated(w - rate * g, rate * l1) / (1 + rate * l2)
        else:
            self.z += g - (np.sqrt(self.n + g**2) - np.sqrt(self.n)) / lr * w
            self.n += g**2
            curvature = (1 + np.sqrt(self.n)) / lr + l2
            self.weight = -truncated(self.z, l1) / curvature


def table(weight: Array) -> nn.Embedding:
    """A table of one weight for each feature, with sparse gradients."""
    made = nn.Embedding(len(weight), 1, sparse=True, dtype=torch.float64)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight)[:, None])
    return made


def learn_by_hand(
    table: nn.Embedding, optimizer: Any, example: Example, lr: float
) -> None:
    """The same step without modules and autograd, which takes a third of the time."""
    optimizer.param_groups[0]["lr"] = lr
    weight, rows = table.weight, torch.from_numpy(example.rows)
    optimizer.catch_up(rows)
    logit = example.values @ weight.data[rows, 0].numpy()
    g = (1 / (1 + np.exp(-logit)) - example.answer) * example.values
    values, size = torch.from_numpy(g)[:, None], weight.shape
    weight.grad = torch.sparse_coo_tensor(
        rows[None], values, size, check_invariants=False, is_coalesced=True
    )
    optimizer.step()


def loss_of(table: nn.Embedding, example: Example) -> Tensor:
    weights = table(torch.tensor(example.rows)).squeeze(1)
    logit = weights @ torch.tensor(example.values)
    answer = torch.tensor(example.answer, dtype=torch.float64)
    return nn.functional.binary_cross_entropy_with_logits(logit, answer)


def learn(
    table: nn.Embedding, optimizer: Optimizer, example: Example, lr: float
) -> None:
    """Take one step at a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    loss_of(table, example).backward()
    optimizer.step()


def weights_of(table: nn.Embedding) -> Any:
    """The weights as anybody sees them who saves the table."""
    return table.state_dict()["weight"].squeeze(1).numpy()
