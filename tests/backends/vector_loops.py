"""Compiles the functions of vector mathematics into loops over NumPy arrays."""

import ctypes

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from throughtime.backends.llvm.vector_math import VectorMath

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

ELEMENTS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}


def write_loop(mathematics: VectorMath, name: str, operands: int) -> None:
    """Write `map_<name>(sources..., target, count)`: one vector after the other."""
    index = ir.IntType(64)
    pointers = [ir.PointerType()] * (operands + 1)
    signature = ir.FunctionType(ir.VoidType(), [*pointers, index])
    function = ir.Function(mathematics.module, signature, f"map_{name}")
    entry, loop, done = map(function.append_basic_block, ("entry", "loop", "done"))
    builder = ir.IRBuilder(entry)
    builder.branch(loop)
    builder.position_at_end(loop)
    position = builder.phi(index)
    element = mathematics.vector.element
    places = [
        builder.gep(pointer, [position], source_etype=element)
        for pointer in function.args[:-1]
    ]
    values = [
        builder.load(place, typ=mathematics.vector, align=1) for place in places[:-1]
    ]
    if operands == 1 and name not in ("absolute", "reciprocal"):
        result = mathematics.call(builder, name, *values)
    else:
        result = getattr(mathematics, name)(builder, *values)
    builder.store(result, places[-1], align=1)
    after = builder.add(position, index(mathematics.vector.count))
    position.add_incoming(index(0), entry)
    position.add_incoming(after, loop)
    more = builder.icmp_signed("<", after, function.args[-1])
    builder.cbranch(more, loop, done)
    builder.position_at_end(done)
    builder.ret_void()


class VectorLoops:
    """Loops for some functions, compiled for a processor and its features."""

    def __init__(
        self,
        functions: dict[str, int],
        dtype: str,
        width: int,
        *,
        fused: bool,
        cpu: str | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.width = width
        module = ir.Module()
        mathematics = VectorMath(module, ELEMENTS[dtype], width, fused=fused)
        self.functions = functions
        for name, operands in functions.items():
            write_loop(mathematics, name, operands)
        self.text = str(module)
        host = llvm.get_host_cpu_features().flatten()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu or llvm.get_host_cpu_name(), features="" if cpu else host, opt=3
        )
        parsed = llvm.parse_assembly(self.text)
        parsed.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(parsed, passes)
        self.assembly = machine.emit_assembly(parsed)
        self.engine = llvm.create_mcjit_compiler(parsed, machine)
        self.engine.finalize_object()

    def __call__(self, name: str, *sources: NDArray) -> NDArray:
        """Map a function over arrays of equal length."""
        size = sources[0].size
        padding = -size % self.width
        padded = [np.pad(source.astype(self.dtype), (0, padding)) for source in sources]
        target = np.empty_like(padded[0])
        address = self.engine.get_function_address(f"map_{name}")
        pointers = [ctypes.c_void_p] * (len(sources) + 1)
        function = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)(address)
        function(*(array.ctypes.data for array in (*padded, target)), size + padding)
        return target[:size]
