"""What the machine could do: fused multiply-adds that never leave registers."""

import ctypes
import math
import time
from functools import cache

from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.threads import run_in_pool

# Independent sums, enough to hide the latency of one, few enough for 16 registers.
SUMS = 12
SINGLE_BYTES = 4
ITERATIONS = 1_000_000
# Nothing makes the loop quicker than the machine is, and much makes it slower: of
# several short samples the best is the nearest.
SAMPLES = 10


def loop_text(target: Target) -> str:
    """Write `peak(numbers, count)`: sums s ← s · a + b, count times over.

    ``numbers`` holds the vectors a, b and the first values of all sums.
    """
    lanes = target.lanes(SINGLE_BYTES)
    vector = f"<{lanes} x float>"
    name = f"@llvm.fma.v{lanes}f32"
    sums = range(SUMS)
    lines = [f"declare {vector} {name}({vector}, {vector}, {vector})"]
    lines += ["define void @peak(ptr %numbers, i64 %count) {", "entry:"]
    for place, label in enumerate(["a", "b", *(f"first{i}" for i in sums)]):
        pointer = f"getelementptr {vector}, ptr %numbers, i64 {place}"
        lines.append(f"  %at_{label} = {pointer}")
        lines.append(f"  %{label} = load {vector}, ptr %at_{label}, align 4")
    lines += ["  br label %loop", "loop:"]
    lines.append("  %i = phi i64 [ 0, %entry ], [ %more, %loop ]")
    for i in sums:
        lines.append(f"  %s{i} = phi {vector} [ %first{i}, %entry ], [ %t{i}, %loop ]")
    for i in sums:
        if target.fused:
            operands = f"{vector} %s{i}, {vector} %a, {vector} %b"
            lines.append(f"  %t{i} = call {vector} {name}({operands})")
        else:
            lines.append(f"  %p{i} = fmul {vector} %s{i}, %a")
            lines.append(f"  %t{i} = fadd {vector} %p{i}, %b")
    lines += ["  %more = add i64 %i, 1", "  %on = icmp slt i64 %more, %count"]
    lines += ["  br i1 %on, label %loop, label %done", "done:"]
    lines += [f"  store {vector} %t{i}, ptr %at_first{i}, align 4" for i in sums]
    return "\n".join([*lines, "  ret void", "}"])


@cache
def _compiled() -> Code:
    return load(object_code(loop_text(host()), host()), host())


def peak_gflops(
    threads: int, iterations: int = ITERATIONS, samples: int = SAMPLES
) -> float:
    """Measure the GFLOP/s in float32 of so many threads together, at their best."""
    lanes = host().lanes(SINGLE_BYTES)
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    loop = signature(_compiled().address("peak"))

    def run(_: int) -> None:
        # s ← s / 2 + 1 stays between its start and 2: neither overflow nor denormals.
        starts = [value for value in (0.5, 1.0, *range(SUMS)) for _ in range(lanes)]
        numbers = (ctypes.c_float * len(starts))(*starts)
        loop(ctypes.addressof(numbers), iterations)

    run_in_pool(run, threads)  # wakes threads and clock
    shortest = math.inf
    for _ in range(samples):
        start = time.perf_counter()
        run_in_pool(run, threads)
        shortest = min(shortest, time.perf_counter() - start)
    return 2 * SUMS * lanes * iterations * threads / shortest / 1e9
