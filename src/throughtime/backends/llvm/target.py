"""The processor that code is made for: vector width, registers, fused arithmetic."""

import ctypes
import sys
from dataclasses import dataclass, replace
from functools import cache

from llvmlite import binding

AVX512 = "avx512f"
MATRICES = "amx-bf16"
AVX2 = "avx2"
BFLOAT16 = "avx512bf16"
ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18
"""Numbers of Linux on x86-64."""


@dataclass(frozen=True)
class Target:
    """What the emitter and the compiler know of a processor."""

    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fused: bool
    triple: str = ""
    """Another kind of machine than this one, in LLVM's words; such code cannot run
    here, but it shows that it can be made."""

    @property
    def key(self) -> str:
        """Everything that code for this processor depends on, as text."""
        return f"{binding.get_process_triple()} {self}"

    def lanes(self, item_bytes: int) -> int:
        """Numbers in one vector register."""
        return self.vector_bytes // item_bytes

    @property
    def largest_tile(self) -> int:
        """Vectors side by side in a tile of products."""
        return 4 if self.registers >= 32 else 2

    def rows(self, vectors: int) -> int:
        """Rows of a tile so that accumulators and operands fit the registers."""
        accumulators = self.registers - self.registers // 4
        return max(1, min(12, accumulators // vectors))

    @property
    def x86(self) -> bool:
        """Whether this is an x86-64."""
        triple = self.triple or binding.get_process_triple()
        return triple.startswith(("x86_64", "amd64"))

    @property
    def bfloat16(self) -> bool:
        """Whether one instruction multiplies and adds pairs of bfloat16."""
        return self.vector_bytes == 64 and f"+{BFLOAT16}" in self.features.split(",")

    @property
    def matrices(self) -> bool:
        """Whether one instruction multiplies tiles of matrices in bfloat16."""
        return self.bfloat16 and f"+{MATRICES}" in self.features.split(",")

    def without_matrices(self) -> "Target":
        """The same processor without tiles of matrices."""
        features = self.features.split(",")
        kept = [f"-{MATRICES}" if f == f"+{MATRICES}" else f for f in features]
        return replace(self, features=",".join(kept))

    def machine(self) -> binding.TargetMachine:
        """LLVM's code generator for this processor."""
        prepare()
        if self.triple:
            binding.initialize_all_targets()
            binding.initialize_all_asmprinters()
            kind = binding.Target.from_triple(self.triple)
        else:
            kind = binding.Target.from_default_triple()
        return kind.create_target_machine(
            cpu=self.cpu, features=self.features, opt=3, codemodel="jitdefault"
        )


@cache
def prepare() -> None:
    """Make LLVM know the processor of this process."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@cache
def host() -> Target:
    """The processor that this process runs on."""
    prepare()
    found = binding.get_host_cpu_features()
    return target_for(binding.get_host_cpu_name(), found.flatten(), dict(found))


@cache
def matrices_permitted() -> bool:
    """Ask the system for the tiles of matrices, which a process has on request alone.

    Linux saves them for each thread from then on, and wants larger stacks for signals
    (arch_prctl(2), ARCH_REQ_XCOMP_PERM): who does not need them does not ask. A refusal
    holds for the rest of the process.
    """
    if sys.platform != "linux":
        return False
    try:
        call = ctypes.CDLL(None).syscall
    except (OSError, AttributeError):
        return False
    numbers = map(ctypes.c_long, (ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA))
    return bool(call(*numbers) == 0)


def target_for(cpu: str, features: str, found: dict[str, bool]) -> Target:
    """A target from LLVM's feature names; the widest vectors that they allow."""
    if found.get(AVX512) and found.get("avx512vl") and found.get("avx512dq"):
        return Target(cpu, features, 64, 32, fused=True)
    if found.get(AVX2) and found.get("fma"):
        return Target(cpu, features, 32, 16, fused=True)
    if found.get("neon"):
        return Target(cpu, features, 16, 32, fused=True)
    return Target(cpu, features, 16, 16, fused=False)


FORCED = {
    "avx2": ("haswell", ""),
    "baseline": ("x86-64", ""),
}


AARCH64 = Target(
    "generic", "+neon", 16, 32, fused=True, triple="aarch64-unknown-linux-gnu"
)


def forced(name: str) -> Target:
    """A weaker x86-64 than the host, to try the code paths of other machines."""
    cpu, features = FORCED[name]
    found = {AVX2: True, "fma": True} if name == "avx2" else {}
    return target_for(cpu, features, found)
