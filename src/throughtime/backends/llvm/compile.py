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
    _optimise(module, machine)
    return machine.emit_object(module)


def _optimise(module: binding.ModuleRef, machine: binding.TargetMachine) -> None:
    """Inline the functions of vectors, and find what is written twice.

    The emitter writes loops as they shall run. LLVM's own pipeline would unroll them:
    four times the time to compile, and code that is no faster.
    """
    options = binding.create_pipeline_tuning_options(speed_level=2)
    passes = binding.create_pass_builder(machine, options)
    manager = binding.create_new_module_pass_manager()
    manager.add_always_inliner_pass()
    manager.add_sroa_pass()
    manager.add_instruction_combine_pass()
    manager.add_new_gvn_pass()
    manager.add_simplify_cfg_pass()
    manager.run(module, passes)


def load(code: bytes, target: Target) -> Code:
    """Make an object's functions callable."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target.machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Code(engine)
