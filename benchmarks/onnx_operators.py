"""ONNX Runtime on ONNX's own recurrent operators, with as many threads as PyTorch.

The graph is one operator, written from the weights: no exporter stands between.
"""

from typing import Any

import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from benchmarks.peers import Peer, Run, Weights
from benchmarks.shapes import Shape, Work

# The operator, and where each of ONNX's gates lies among ours: i o f c, and z r h.
OPERATORS: dict[str, tuple[str, list[int]]] = {
    "RNN": ("RNN", [0]),
    "GRU": ("GRU", [1, 0, 2]),
    "GRUBefore": ("GRU", [1, 0, 2]),
    "LSTM": ("LSTM", [0, 3, 1, 2]),
    "PeepholeLSTM": ("LSTM", [0, 3, 1, 2]),
}
# With the version of the file format that came with it: what runs since 2022 reads it.
OPERATOR_SET, FILE_FORMAT = 17, 8


def constants(weights: Weights, order: list[int]) -> dict[str, Tensor]:
    """Give the operator's inputs by their names in the standard, a direction each."""

    def reordered(name: str) -> Tensor:
        blocks = weights[name].chunk(len(order))
        return torch.cat([blocks[place] for place in order])

    bias = torch.cat([reordered("bias_ih_l0"), reordered("bias_hh_l0")])
    found = {"W": reordered("weight_ih_l0"), "R": reordered("weight_hh_l0"), "B": bias}
    if "peephole_i_l0" in weights:
        found["P"] = torch.cat([weights[f"peephole_{gate}_l0"] for gate in "iof"])
    return {name: value[None] for name, value in found.items()}


def model_of(cell: str, shape: Shape, weights: Weights) -> Any:
    """Write the model: X ``(T, B, I)`` in, Y ``(T, 1, B, H)`` out."""
    operator, order = OPERATORS[cell]
    given = constants(weights, order)
    attributes: dict[str, Any] = {"hidden_size": shape.hidden}
    if operator == "GRU":
        attributes["linear_before_reset"] = int(cell == "GRU")
    names = ["X", "W", "R", "B"]
    if "P" in given:  # after the lengths and both first states, which may be left out
        names += ["", "", "", "P"]
    extent = [shape.steps, shape.batch, shape.inputs]
    result = [shape.steps, 1, shape.batch, shape.hidden]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["Y"], **attributes)],
        cell,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, extent)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(value.numpy(), name) for name, value in given.items()],
    )
    operators = [helper.make_opsetid("", OPERATOR_SET)]
    model = helper.make_model(graph, opset_imports=operators, ir_version=FILE_FORMAT)
    onnx.checker.check_model(model)
    return model


class OnnxOperator(Peer):
    name = "ONNX Runtime"
    cells = frozenset(OPERATORS)
    works = frozenset({"inference"})

    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            model_of(cell, shape, weights).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        given = {"X": x.numpy()}
        return Run(
            lambda: self.session.run(["Y"], given)[0],
            lambda output: [torch.from_numpy(output)[:, 0]],
        )
