"""What callers must know of a compiled half, also of one that was kept on disk."""

from dataclasses import asdict, dataclass
from functools import cached_property

from throughtime.backends.llvm.module import Work
from throughtime.backends.llvm.rows import LINE_BYTES

PER_LINE = 2000
"""Multiply-adds that pay for each line of rows that a core far away reads: it has to
fetch them, and the next step's writes to take them back."""


@dataclass(frozen=True)
class Facts:
    """Sizes of memory, and what decides on threads."""

    names: tuple[str, ...]
    """Words of the table of arguments behind the fixed ones."""
    panel_size: int
    scratch_width: int
    regions: tuple[Work, ...]
    sums: int
    """Numbers of all gradients of parameters, as a part sums them."""
    row_bytes: int
    """Of the columns of all buffers."""
    packs_apart: bool
    """Whether threads may pack the tiles of a panel at once."""

    @cached_property
    def splits(self) -> bool:
        """Whether threads share the units of a row somewhere."""
        return any(work.shares for work in self.regions)

    @cached_property
    def moves_rows(self) -> bool:
        """Whether some region shares rows, and none computes much for their bytes."""
        shared = [work.per_row for work in self.regions if not work.recurrent]
        if len(shared) == len(self.regions):
            return False  # there is no loop that one thread runs
        most = max(shared, default=0)
        return 0 < LINE_BYTES * most < PER_LINE * self.row_bytes

    def to_json(self) -> dict[str, object]:
        """Give all of it."""
        regions = [asdict(work) for work in self.regions]
        return {**asdict(self), "names": list(self.names), "regions": regions}


def facts_of(stored: dict[str, object]) -> Facts:
    """Read them from JSON."""
    regions = stored["regions"]
    names = stored["names"]
    assert isinstance(regions, list) and isinstance(names, list)
    return Facts(
        names=tuple(str(name) for name in names),
        panel_size=int(str(stored["panel_size"])),
        scratch_width=int(str(stored["scratch_width"])),
        regions=tuple(Work(**work) for work in regions),
        sums=int(str(stored["sums"])),
        row_bytes=int(str(stored["row_bytes"])),
        packs_apart=bool(stored["packs_apart"]),
    )
