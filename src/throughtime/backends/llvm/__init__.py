"""The LLVM backend: plans compiled for the CPU this process runs on.

It takes pointers and sizes, no tensors, and gives functions that run a whole layer
over all its time steps. `available` says whether code can be compiled here at all;
where it cannot, the reference backend serves. In order: ``schedule`` (phases of a
step), ``layout`` (tiles, panels, the table of arguments), ``body`` and ``sweep`` (the
loop over time), ``tiles``, ``pointwise`` and ``vector_math`` (what stays in
registers), ``contraction``, ``tiling``, ``parts``, ``row_lists`` (weight gradients),
``patterns``, ``by_pattern`` and ``thin_contraction`` (zeros left out), ``edges`` (first
and last states), ``overlay`` (δ over what was stored), ``module``, ``compile``,
``object_cache``, and ``kernel``, which callers use; ``row_updates`` (optimisers of
sparse tables), ``profile`` (times the parts), ``meeting`` (of two threads).

May import: ``math``, ``graph``, ``errors`` and llvmlite; no torch, no other backend.
Next: ``kernel``; ``nn``, which gives it the addresses of tensors.
"""

from functools import cache

__all__ = ["available", "multiplies_bfloat16"]


@cache
def available() -> tuple[bool, str]:
    """Whether LLVM can compile for this machine, and if not, why."""
    try:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine()
    except (ImportError, OSError, RuntimeError) as error:
        return False, f"llvmlite cannot compile here ({error})"
    return True, f"llvmlite compiles for {machine.triple}"


def multiplies_bfloat16() -> bool:
    """Whether code compiled here has products of bfloat16."""
    if not available()[0]:
        return False
    from throughtime.backends.llvm.target import host

    return host().bfloat16
