"""Keras's own layers over JAX, compiled by `jit`.

Keras has batches first and one bias for most layers; both are turned before and after
what is timed. Its layers project the input inside of their loop.
"""

from typing import Any

import jax
import keras
import torch
from torch import Tensor

from benchmarks.jax_scan import Array, array, differentiated, tensor
from benchmarks.peers import Peer, Run, Weights
from benchmarks.shapes import Shape, Work

# Where each of Keras's gates lies among ours: i f c o, and z r h where ours are r z n.
GATES = {"RNN": [0], "GRU": [1, 0, 2], "GRUBefore": [1, 0, 2], "LSTM": [0, 1, 2, 3]}


def layer_of(cell: str, hidden: int) -> Any:
    """Build the layer of a cell."""
    if cell == "RNN":
        return keras.layers.SimpleRNN(hidden, return_sequences=True)
    if cell == "LSTM":
        return keras.layers.LSTM(hidden, return_sequences=True)
    after = cell == "GRU"
    return keras.layers.GRU(hidden, return_sequences=True, reset_after=after)


class KerasLayer(Peer):
    name = "Keras (jax)"
    cells = frozenset(GATES)

    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None:
        if keras.backend.backend() != "jax":
            raise RuntimeError(
                f"Keras runs over {keras.backend.backend()}, expected jax: it was "
                "imported before the benchmark; set KERAS_BACKEND=jax"
            )
        self.order = GATES[cell]
        self.two_biases = cell == "GRU"
        self.layer = layer_of(cell, shape.hidden)
        self.layer.build((shape.batch, shape.steps, shape.inputs))
        self.layer.set_weights([weight.numpy() for weight in self.to_keras(weights)])
        self.weights = [variable.value for variable in self.layer.trainable_variables]
        self.others = [v.value for v in self.layer.non_trainable_variables]

    def reordered(self, weight: Tensor, order: list[int]) -> Tensor:
        blocks = weight.chunk(len(order))
        return torch.cat([blocks[place] for place in order])

    def to_keras(self, weights: Weights) -> list[Tensor]:
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        w, u, b, c = (self.reordered(weights[name], self.order) for name in names)
        return [w.T, u.T, torch.stack([b, c]) if self.two_biases else b + c]

    def from_keras(self, gradients: list[Tensor]) -> list[Tensor]:
        w, u, b = gradients
        inverse = [self.order.index(place) for place in range(len(self.order))]
        # The gradient of a sum is that of each of its terms.
        biases = b.unbind(0) if self.two_biases else (b, b)
        return [self.reordered(weight, inverse) for weight in (w.T, u.T, *biases)]

    def outputs(self, weights: list[Array], x: Array) -> Array:
        return self.layer.stateless_call(weights, self.others, x)[0]

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        given = array(x.transpose(0, 1).contiguous())
        if work == "inference":
            infer = jax.jit(self.outputs)
            return Run(
                lambda: jax.block_until_ready(infer(self.weights, given)),
                lambda output: [tensor(output).transpose(0, 1)],
            )
        train = differentiated(self.outputs, 2 if work == "training with ∂x" else 1)
        wanted = array(error.transpose(0, 1).contiguous())
        return Run(
            lambda: jax.block_until_ready(train(wanted, self.weights, given)),
            lambda found: self.gradients(found[1]),
        )

    def gradients(self, found: tuple[Any, ...]) -> list[Tensor]:
        weights, *rest = found
        inputs = [tensor(gradient).transpose(0, 1) for gradient in rest]
        return self.from_keras([tensor(weight) for weight in weights]) + inputs
