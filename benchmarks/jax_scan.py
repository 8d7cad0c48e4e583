"""`jax.lax.scan` under `jit`: what people write in JAX.

The quickest of three ways takes part, after a short trial: the input projection before
the scan, inside of it, and inside with four steps unrolled. XLA mostly does best with
the second. Eight steps compile for seconds, and run slower.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import torch
from torch import Tensor

from benchmarks.measuring import sample
from benchmarks.peers import Peer, Run, Weights
from benchmarks.shapes import GATES, Shape, Work

Array = Any
Arrays = dict[str, Array]
# Of the state and a step's part of the input: the next state, and the output.
Step = Callable[[tuple[Array, ...], Array], tuple[tuple[Array, ...], Array]]
sigmoid = jax.nn.sigmoid


def rnn(weights: Arrays) -> Step:
    def step(state: tuple[Array, ...], a: Array) -> tuple[tuple[Array, ...], Array]:
        h = jnp.tanh(a + state[0] @ weights["weight_hh_l0"])
        return (h,), h

    return step


def gru(weights: Arrays) -> Step:
    def step(state: tuple[Array, ...], a: Array) -> tuple[tuple[Array, ...], Array]:
        (h,) = state
        r, z, n = jnp.split(a, 3, -1)
        b = h @ weights["weight_hh_l0"] + weights["bias_hh_l0"]
        r_h, z_h, n_h = jnp.split(b, 3, -1)
        r, z = sigmoid(r + r_h), sigmoid(z + z_h)
        h = (1 - z) * jnp.tanh(n + r * n_h) + z * h
        return (h,), h

    return step


def gru_before(weights: Arrays) -> Step:
    hidden = weights["weight_hh_l0"].shape[0]
    gates, candidate = jnp.split(weights["weight_hh_l0"], [2 * hidden], -1)

    def step(state: tuple[Array, ...], a: Array) -> tuple[tuple[Array, ...], Array]:
        (h,) = state
        a, n = jnp.split(a, [2 * hidden], -1)
        r, z = jnp.split(sigmoid(a + h @ gates), 2, -1)
        h = (1 - z) * jnp.tanh(n + (r * h) @ candidate) + z * h
        return (h,), h

    return step


def lstm(weights: Arrays) -> Step:
    def step(state: tuple[Array, ...], a: Array) -> tuple[tuple[Array, ...], Array]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ weights["weight_hh_l0"], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return step


def peephole_lstm(weights: Arrays) -> Step:
    def step(state: tuple[Array, ...], a: Array) -> tuple[tuple[Array, ...], Array]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ weights["weight_hh_l0"], 4, -1)
        i = sigmoid(i + weights["peephole_i_l0"] * c)
        f = sigmoid(f + weights["peephole_f_l0"] * c)
        c = f * c + i * jnp.tanh(g)
        h = sigmoid(o + weights["peephole_o_l0"] * c) * jnp.tanh(c)
        return (h, c), h

    return step


# Each with its number of states.
STEPS: dict[str, tuple[Callable[[Arrays], Step], int]] = {
    "RNN": (rnn, 1),
    "GRU": (gru, 1),
    "GRUBefore": (gru_before, 1),
    "LSTM": (lstm, 2),
    "PeepholeLSTM": (peephole_lstm, 2),
}


class Way(NamedTuple):
    """Where the input projection stands, and how many steps are unrolled."""

    projection_inside: bool
    unroll: int

    def __str__(self) -> str:
        place = "inside" if self.projection_inside else "before"
        return f"projection {place} the scan, unroll {self.unroll}"


WAYS = (Way(False, 1), Way(True, 1), Way(True, 4))
TRIALS = 3


def outputs(cell: str, way: Way, weights: Arrays, x: Array) -> Array:
    """Give the outputs ``(T, B, H)`` of x ``(T, B, I)``."""
    make, states = STEPS[cell]
    bias = weights["bias_ih_l0"]
    if cell != "GRU":  # there the reset gate stands between the two biases
        bias = bias + weights["bias_hh_l0"]
    hidden = weights["weight_hh_l0"].shape[0]
    start = (jnp.zeros((x.shape[1], hidden), x.dtype),) * states
    step = make(weights)

    def project(x: Array) -> Array:
        return x @ weights["weight_ih_l0"] + bias  # (…, B, G·H)

    def step_of_input(state: tuple[Array, ...], x: Array) -> Any:
        return step(state, project(x))

    if way.projection_inside:
        return jax.lax.scan(step_of_input, start, x, unroll=way.unroll)[1]
    return jax.lax.scan(step, start, project(x), unroll=way.unroll)[1]


def array(tensor: Tensor) -> Array:
    """Copy a tensor into JAX."""
    return jnp.array(tensor.detach().contiguous().numpy())


def tensor(given: Array) -> Tensor:
    """Copy an array out of JAX."""
    return torch.from_dlpack(given).clone()


def differentiated(
    function: Callable[..., Array], leaves: int
) -> Callable[..., tuple[Array, tuple[Any, ...]]]:
    """Give outputs, and gradients of so many first arguments, compiled.

    Its own arguments are the gradient of the outputs and those of ``function``.
    """

    def both(error: Array, *arguments: Any) -> tuple[Array, tuple[Any, ...]]:
        first, rest = arguments[:leaves], arguments[leaves:]

        def of_first(*ours: Any) -> Array:
            return function(*ours, *rest)

        output, pull = jax.vjp(of_first, *first)
        return output, pull(error)

    return jax.jit(both)


def seconds(run: Run) -> float:
    """Give the time of a run at its best."""
    run.once()
    return min(sample(run.once, 1) for _ in range(TRIALS))


class JaxScan(Peer):
    name = "jax scan"
    cells = frozenset(GATES)

    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None:
        self.cell = cell
        # Matrices are (inputs, outputs), as in JAX's own libraries.
        self.weights = {name: array(weight.t()) for name, weight in weights.items()}

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        runs = [self.compiled(way, work, x, error) for way in WAYS]
        return min(runs, key=seconds)

    def compiled(self, way: Way, work: Work, x: Tensor, error: Tensor) -> Run:
        given = array(x)
        function = partial(outputs, self.cell, way)
        if work == "inference":
            infer = jax.jit(function)
            return Run(
                lambda: jax.block_until_ready(infer(self.weights, given)),
                lambda output: [tensor(output)],
                str(way),
            )
        train = differentiated(function, 2 if work == "training with ∂x" else 1)
        wanted = array(error)
        return Run(
            lambda: jax.block_until_ready(train(wanted, self.weights, given)),
            lambda found: self.gradients(found[1]),
            str(way),
        )

    def gradients(self, found: tuple[Any, ...]) -> list[Tensor]:
        weights, *rest = found
        ours = [tensor(weights[name]).t() for name in self.weights]
        return [*ours, *map(tensor, rest)]
