"""`python -m benchmarks.streaming`: what one time step costs from Python.

A step of an LSTM whose state is carried on: our stream, given NumPy arrays and given
tensors, beside `torch.nn.LSTM`, `torch.nn.LSTMCell` and, where it is installed, ONNX
Runtime. One sequence, one thread, float32; in turn, medians.
"""

import json
from collections.abc import Callable
from importlib.util import find_spec

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import throughtime as tt
from benchmarks.measuring import Timing, measure_in_turn

OURS = "ours, NumPy"
Step = Callable[[], object]


def steps_of(inputs: int, hidden: int) -> dict[str, Step]:
    """Give what is measured: each call is the next step, and gives its output."""
    torch.manual_seed(0)
    torchs = nn.LSTM(inputs, hidden)
    ours = tt.nn.Recurrent(tt.cells.LSTM(), inputs, hidden, backend="llvm")
    ours.load_state_dict(torchs.state_dict())
    x = torch.randn(inputs)
    array = x.numpy()
    stream, other = ours.stream(), ours.stream()
    found: dict[str, Step] = {
        OURS: lambda: stream(array),
        "ours, tensors": lambda: other(x),
        "torch.nn.LSTM": torch_layer(torchs, x),
        "torch.nn.LSTMCell": torch_cell(torchs, x),
    }
    if find_spec("onnxruntime") and find_spec("onnx"):
        found["ONNX Runtime"] = onnx_step(torchs, x)
    return found


def torch_layer(layer: nn.LSTM, x: Tensor) -> Step:
    state: list[tuple[Tensor, Tensor] | None] = [None]

    @torch.inference_mode()
    def step() -> Tensor:
        output, state[0] = layer(x[None], state[0])
        return output[0]

    return step


def torch_cell(layer: nn.LSTM, x: Tensor) -> Step:
    cell = nn.LSTMCell(layer.input_size, layer.hidden_size)
    named = layer.state_dict().items()
    cell.load_state_dict({name.removesuffix("_l0"): one for name, one in named})
    state: list[tuple[Tensor, Tensor] | None] = [None]

    @torch.inference_mode()
    def step() -> Tensor:
        output, _ = state[0] = cell(x, state[0])
        return output

    return step


def onnx_step(layer: nn.LSTM, x: Tensor) -> Step:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from benchmarks.onnx_operators import (
        FILE_FORMAT,
        OPERATOR_SET,
        OPERATORS,
        constants,
    )

    operator, order = OPERATORS["LSTM"]
    weights = constants(dict(layer.state_dict()), order)
    size, state = [1, 1, layer.input_size], [1, 1, layer.hidden_size]

    def told(name: str, shape: list[int]) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    names = ["X", *weights, "", "H", "C"]
    node = helper.make_node(
        operator, names, ["", "HN", "CN"], hidden_size=layer.hidden_size
    )
    graph = helper.make_graph(
        [node],
        "step",
        [told("X", size), told("H", state), told("C", state)],
        [told("HN", state), told("CN", state)],
        [numpy_helper.from_array(w.numpy(), name) for name, w in weights.items()],
    )
    operators = [helper.make_opsetid("", OPERATOR_SET)]
    model = helper.make_model(graph, opset_imports=operators, ir_version=FILE_FORMAT)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = {"X": x.numpy().reshape(size)}
    given |= {name: np.zeros(state, np.float32) for name in "HC"}

    def step() -> object:
        given["H"], given["C"] = session.run(None, given)
        return given["H"].reshape(-1)

    return step


@click.command(help=__doc__)
@click.option("--input-size", default=16, show_default=True, type=click.IntRange(1))
@click.option("--hidden-size", default=64, show_default=True, type=click.IntRange(1))
@click.option(
    "--seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to measure, all of them together.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(input_size: int, hidden_size: int, seconds: float, as_json: bool) -> None:
    torch.set_num_threads(1)
    found = measure_in_turn(steps_of(input_size, hidden_size), seconds, rounds=5)
    if as_json:
        print(json.dumps({name: timing.seconds for name, timing in found.items()}))
        return
    Console().print(table_of(found, f"LSTM({input_size}, {hidden_size})"))


def table_of(found: dict[str, Timing], network: str) -> Table:
    """Put all into one table."""
    table = Table(title=f"One time step of {network} from Python, float32")
    table.add_column("")
    for column in ("µs", "of ours"):
        table.add_column(column, justify="right")
    for name, timing in found.items():
        ratio = timing.seconds / found[OURS].seconds
        table.add_row(name, f"{timing.seconds * 1e6:.1f}", f"{ratio:.1f}")
    return table


if __name__ == "__main__":
    main()
