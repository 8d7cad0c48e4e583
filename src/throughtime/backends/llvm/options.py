"""What compiled code does for the sake of speed alone; each can be left out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # options are read where llvmlite is missing
    from throughtime.backends.llvm.target import Target


@dataclass(frozen=True)
class Options:
    """Ways to the same numbers.

    Which of them is taken changes no bit of outputs, nor of gradients of inputs and
    states: every sum has one order.
    """

    project_in_loop: bool = True
    """Compute products that need no state in the step that uses them."""
    split_units: bool = True
    """Let threads share the units of a row where there are fewer rows than threads."""
    start_in_registers: bool = True
    """Load what sums start from where it lies, rather than from a copy."""
    join_products: bool = True
    """Keep sums in registers from one product to the next."""
    even_blocks: bool = True
    """Divide rows into blocks of like heights, rather than full ones and a rest."""
    fetch_ahead: bool = True
    """Ask for weights that outgrow the cache, and for rows of weight gradients, before
    they are needed."""
    overwrite_saved: bool = True
    """Write δ over stored values that nobody will read again."""
    most_by_pattern: float = 0.34
    """Share of units that are not 0 up to which products leave out zeros; 0: never, 1:
    always. It is less in narrow layers, and more for a single sequence."""


@dataclass(frozen=True)
class Settings:
    """What code is made for, beside its programs and its processor."""

    item_bytes: int
    """4 for float32, 8 for float64."""
    bfloat16: bool = False
    """Round the operands of products in programs to bfloat16; sums and everything else
    stay as they are."""
    split_units: bool = False
    """Let threads of a loop share the units of every row rather than the rows: for
    fewer rows than threads. The numbers are the same."""
    options: Options = Options()

    def matrices(self, target: "Target") -> bool:
        """Whether products run on tiles of matrices, which are of bfloat16 alone."""
        return self.bfloat16 and target.matrices
