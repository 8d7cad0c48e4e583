"""What the argument ``checkpoint`` says: how many steps lie between stored states."""

import math
import re
from collections.abc import Sequence

import torch

from throughtime.backends.llvm.overlay import overlay
from throughtime.backends.llvm.rows import row_width
from throughtime.errors import BadSetting, BadSettingType, BudgetTooSmall
from throughtime.graph import StepGraph
from throughtime.graph.plan import plan
from throughtime.graph.programs import DELTA, OUTPUT, SAVED
from throughtime.nn.settings import check_size

Checkpoint = int | str | None
SQUARE_ROOT = "sqrt"
BUDGET = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(i?)B")
UNITS = ("", "K", "M", "G", "T")
FORMS = "32 for every 32 steps, 'sqrt', or a budget such as '512MB'"


def read_budget(checkpoint: Checkpoint) -> int:
    """Bytes of a budget; 0 where the argument is none.

    Raises
    ------
    BadSetting, BadSettingType
        The argument is nothing that `Recurrent` takes.
    """
    if isinstance(checkpoint, str):
        found = BUDGET.fullmatch(checkpoint)
        size = 0 if found is None else _bytes(*found.groups())
        if size or checkpoint == SQUARE_ROOT:
            return size
        raise BadSetting(
            argument="checkpoint",
            expected="must be a number of steps, 'sqrt' or a budget of memory",
            given=repr(checkpoint),
            advice=f"give {FORMS}",
        )
    if checkpoint is None:
        return 0
    if not isinstance(checkpoint, int) or isinstance(checkpoint, bool):
        raise BadSettingType(
            argument="checkpoint",
            expected="int or str",
            given=type(checkpoint).__name__,
            advice=f"give {FORMS}",
        )
    check_size("checkpoint", checkpoint)
    return 0


def _bytes(number: str, unit: str, binary: str) -> int:
    thousand = 1024 if binary else 1000
    return int(float(number) * thousand ** UNITS.index(unit))


class Spacing:
    """How far apart the layers of a module store their states.

    Parameters
    ----------
    checkpoint
        As in `Recurrent`.
    graphs
        One per layer.
    directions
        D.
    """

    def __init__(
        self, checkpoint: Checkpoint, graphs: Sequence[StepGraph], directions: int
    ) -> None:
        self.checkpoint = checkpoint
        self.budget = read_budget(checkpoint)
        # A program that torch compiles can read numbers, not make plans.
        rows = [_row(graph) for graph in graphs] if self.budget else [0]
        self._row, self._all_rows = max(rows), directions * sum(rows)
        self._states = directions * sum(s.size for g in graphs for s in g.states)

    def length(self, steps: int, batch: int, itemsize: int) -> int:
        """Steps of each segment, of so many in all; 0: nothing is computed again.

        A budget is kept with as few segments as can be.

        Raises
        ------
        BudgetTooSmall
            No number of segments is within the budget.
        """
        if isinstance(self.checkpoint, int):
            return self.checkpoint
        if self.checkpoint == SQUARE_ROOT:
            # Rounded up, in words that programs which torch saves may have, and with
            # what only they do not know: that there is one step at least.
            root = math.trunc((max(steps, 1) - 1) ** 0.5) + 1
            length: int = torch.sym_max(root, 1)  # type: ignore[bad-assignment]
            return length
        if not self.budget:
            return 0
        numbers = self.budget // max(itemsize * batch, 1)
        if (steps + 1) * self._all_rows <= numbers:
            return 0
        # At least so many, for the rows alone; the states may need some more.
        most = max(numbers // self._row - 1, 1)
        for count in range(-(-steps // most), steps + 1):
            if self.numbers(count, steps) <= numbers:
                return -(-steps // count)
        return self._refuse(steps, batch, itemsize)

    def numbers(self, count: int, steps: int) -> int:
        """Numbers per sequence that so many segments of so many steps keep at once.

        They are the states before the segments of all layers and directions, and
        what the recomputation of one segment stores.
        """
        return count * self._states + (-(-steps // count) + 1) * self._row

    def _refuse(self, steps: int, batch: int, itemsize: int) -> int:
        least = min(self.numbers(count, steps) for count in range(1, steps + 1))
        raise BudgetTooSmall(
            given=self.checkpoint,
            steps=steps,
            batch=batch,
            least=f"{math.ceil(least * batch * itemsize / 1000)}KB",
        )


def _row(graph: StepGraph) -> int:
    """Numbers that a step of one sequence stores for its backward pass."""
    inputs = ["x", *(declared.name for declared in graph.inputs)]
    made = plan(graph, training=True, input_gradients=inputs)
    names = [SAVED, *([DELTA] if overlay(made) is None else [])]
    stored = [made.widths.get(name, 0) for name in names]
    apart = [max(row_width(width, size) for size in (4, 8)) for width in stored]
    return made.widths.get(OUTPUT, 0) + sum(apart)
