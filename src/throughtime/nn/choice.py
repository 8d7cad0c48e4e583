"""Which backend serves, and why."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch

from throughtime.backends import llvm
from throughtime.cells import GRU, LSTM, Elman
from throughtime.errors import BackendCannotServe, UnknownBackend
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell, StepGraph, trace
from throughtime.nn.precision import takes_bfloat16

LLVM_DTYPES = (torch.float32, torch.float64)
CUDNN_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PLAIN: dict[str, Cell] = {
    "rnn_tanh": Elman("tanh"),
    "rnn_relu": Elman("relu"),
    "lstm": LSTM(),
    "gru": GRU(),
}
PLAIN_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
BACKENDS = ("llvm", "cudnn", "reference")
# Asked once and here: a compiled graph can read it, but not find it out.
COMPILER = llvm.available()


class Choice(NamedTuple):
    """A backend and why it serves."""

    backend: str
    reason: str
    operation: str = ""
    """The operation of torch that is this cell, for ``"cudnn"``."""
    bfloat16: bool = False
    """Whether compiled products round their operands to bfloat16."""


def plain_operation(graph: StepGraph) -> str:
    """Name of torch's own operation that computes this graph, or nothing."""
    names = tuple(declaration.name for declaration in graph.parameters)
    if names not in {PLAIN_PARAMETERS, PLAIN_PARAMETERS[:2]}:
        return ""
    bias = names == PLAIN_PARAMETERS
    for operation, cell in PLAIN.items():
        plain = trace(cell, graph.input_size, graph.hidden_size, bias=bias)
        if _equations(plain) == _equations(graph):
            return operation
    return ""


def _equations(graph: StepGraph) -> tuple[object, ...]:
    states = tuple(state.name for state in graph.states)
    return states, graph.nodes, graph.output, graph.new_states


def choose(
    requested: str,
    graphs: Sequence[StepGraph],
    operation: str,
    dtype: torch.dtype,
    device: torch.device,
) -> Choice:
    """The backend that serves these graphs.

    Parameters
    ----------
    requested
        ``"auto"`` or the name of a backend.
    graphs
        One per layer.
    operation
        What `plain_operation` says of all of them.
    dtype, device
        Of input and parameters.

    Raises
    ------
    UnknownBackend
        There is none of that name.
    BackendCannotServe
        The requested one cannot run this.
    """
    if requested == "auto":
        return _rounding(_automatic(operation, dtype, device), dtype)
    obstacle = ""
    if check_backend(requested) == "llvm":
        obstacle = _llvm_obstacle(dtype, device)
    elif requested == "cudnn":
        obstacle = _cudnn_obstacle(operation, dtype, device)
    if obstacle:
        raise BackendCannotServe(
            backend=requested,
            cell=graphs[0].cell,
            dtype=dtype,
            device=device,
            reason=obstacle,
        )
    return _rounding(Choice(requested, "it was asked for by name", operation), dtype)


def _rounding(chosen: Choice, dtype: torch.dtype) -> Choice:
    """Add whether products take bfloat16, as the autocast around this call asks."""
    if not takes_bfloat16(chosen.backend, dtype):
        return chosen
    reason = f"{chosen.reason}; products take bfloat16, as autocast asks"
    return chosen._replace(bfloat16=True, reason=reason)


def check_backend(name: str) -> str:
    """Give the name back if it is ``"auto"`` or a backend's, else raise."""
    known = ("auto", *BACKENDS)
    if name not in known:
        hint = did_you_mean(str(name), known)
        raise UnknownBackend(given=name, hint=hint, known=", ".join(known))
    return name


def _automatic(operation: str, dtype: torch.dtype, device: torch.device) -> Choice:
    uncompiled = _llvm_obstacle(dtype, device)
    if not uncompiled:
        return Choice("llvm", "float32 and float64 on the CPU are compiled")
    untorched = _cudnn_obstacle(operation, dtype, device)
    if not untorched:
        return Choice("cudnn", f"torch has {operation} for this device", operation)
    possible, reason = COMPILER
    if device.type == "cpu" and not possible:
        _warn_once(reason)
    return Choice("reference", untorched if device.type == "cuda" else uncompiled)


def _llvm_obstacle(dtype: torch.dtype, device: torch.device) -> str:
    if device.type != "cpu":
        return f"it compiles for the CPU, not for {device.type}"
    if dtype not in LLVM_DTYPES:
        return f"it compiles float32 and float64, not {dtype}"
    possible, reason = COMPILER
    return "" if possible else reason


def _cudnn_obstacle(operation: str, dtype: torch.dtype, device: torch.device) -> str:
    if not operation:
        return "the cell is none of torch's own (Elman with tanh or relu, LSTM, GRU)"
    if device.type != "cuda":
        return f"cuDNN needs a CUDA device, not {device.type}"
    if dtype not in CUDNN_DTYPES:
        return f"cuDNN has no recurrent layers in {dtype}"
    return ""


def _warn_once(reason: str) -> None:
    if reason in _warned or torch.compiler.is_compiling():
        return
    _warned.add(reason)
    warnings.warn(
        f"throughtime runs its slow reference backend, because {reason}.",
        RuntimeWarning,
        stacklevel=2,
    )


_warned: set[str] = set()
