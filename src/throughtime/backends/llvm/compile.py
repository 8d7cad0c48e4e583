"""From LLVM IR to machine code in this process."""

from dataclasses import dataclass

from llvmlite import binding

from throughtime.backends.llvm.target import Target


@dataclass(frozen=True)
class Code:
    """Machine code, loaded; it lives as long as this object."""

    engine: binding.ExecutionEngine

    def address(self, name: str) -> int:
        return self.engine.get_function_address(name)


def object_code(text: str, target: Target) -> bytes:
    """Compile a module's text."""
    machine = target.machine()
    module = binding.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    passes = binding.create_pass_builder(machine, options)
    manager = passes.getModulePassManager()
    manager.run(module, passes)
    return machine.emit_object(module)


def load(code: bytes, target: Target) -> Code:
    """Make an object's functions callable."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target.machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Code(engine)
