"""Which peers there are, what each needs, and which of them take part."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.loop_peers import CompiledLoop, EagerLoop, UnboundLoop
from benchmarks.peers import Peer, TorchNN


@dataclass(frozen=True)
class Source:
    """Where a peer comes from: its class, and the packages without which there is none.

    ``usual`` is False where it takes part only if it is asked for.
    """

    load: Callable[[], type[Peer]]
    needs: tuple[str, ...] = ()
    usual: bool = True

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def _jax_scan() -> type[Peer]:
    # XLA makes its pool when it is first used, with as many threads as this says.
    os.environ["NPROC"] = str(torch.get_num_threads())
    os.environ["JAX_PLATFORMS"] = "cpu"
    from benchmarks.jax_scan import JaxScan

    return JaxScan


def _keras_layer() -> type[Peer]:
    _jax_scan()
    os.environ["KERAS_BACKEND"] = "jax"  # read by Keras when it is imported
    from benchmarks.keras_layers import KerasLayer

    return KerasLayer


def _onnx_operator() -> type[Peer]:
    from benchmarks.onnx_operators import OnnxOperator

    return OnnxOperator


SOURCES: dict[str, Source] = {
    "torch.nn": Source(lambda: TorchNN),
    "eager loop": Source(lambda: EagerLoop),
    "eager loop (unbound)": Source(lambda: UnboundLoop),
    # A loop of a hundred steps takes more than a minute to compile.
    "torch.compile": Source(lambda: CompiledLoop, usual=False),
    "jax scan": Source(_jax_scan, needs=("jax",)),
    "Keras (jax)": Source(_keras_layer, needs=("keras", "jax")),
    "ONNX Runtime": Source(_onnx_operator, needs=("onnx", "onnxruntime")),
}


@dataclass(frozen=True)
class Chosen:
    """The peers that take part, and why the others do not."""

    kinds: list[type[Peer]]
    left_out: dict[str, str]


def choose(names: list[str] | None) -> Chosen:
    """Load the named peers, or the usual ones."""
    kinds: list[type[Peer]] = []
    left_out: dict[str, str] = {}
    for name, source in SOURCES.items():
        if names is not None and name not in names:
            continue
        if names is None and not source.usual:
            left_out[name] = "compiles for minutes; --peers asks for it"
        elif source.missing:
            left_out[name] = (
                f"needs {' and '.join(source.missing)}: "
                "pip install 'throughtime[bench]'"
            )
        else:
            kinds.append(source.load())
    return Chosen(kinds, left_out)
