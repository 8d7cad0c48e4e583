"""Functions of a vector that stays in registers: exp, tanh, sigmoid and their kin.

`VectorMath` writes them into a module as internal functions that LLVM inlines; `call`
is all an emitter needs. `functions` holds the mathematics, `formats` the numbers that
differ between float32 and float64, `lanes` the vocabulary both are written in.
No function calls a library and none has a fast-math flag: a value gives the same bits
in every lane, width and copy. `MAXIMUM_ULP` says how far from the truth they are.

Imports llvmlite and nothing of the package.
Next: `functions`.
"""

from throughtime.backends.llvm.vector_math.functions import MAXIMUM_ULP
from throughtime.backends.llvm.vector_math.library import VectorMath

__all__ = ["MAXIMUM_ULP", "VectorMath"]
