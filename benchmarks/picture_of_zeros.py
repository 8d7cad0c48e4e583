"""Speed over the share of zeros: a panel per cell and work, a line per width."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.picture import STYLE

if TYPE_CHECKING:
    from benchmarks.zeros import Row

COLOURS = ("#0072b2", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")


def draw_zeros(rows: "Sequence[Row]") -> bytes:
    """Draw how many times as quick lists are, as PNG; dashed: what was chosen."""
    cells = list(dict.fromkeys(row.cell for row in rows))
    works = list(dict.fromkeys(row.work for row in rows))
    widths = list(dict.fromkeys(row.hidden for row in rows))
    with rc_context(STYLE):
        size = 4.2 * len(works), 0.6 + 2.8 * len(cells)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(cells), len(works), squeeze=False, sharex=True)
        for line, cell in zip(panels, cells, strict=True):
            for axes, work in zip(line, works, strict=True):
                for colour, width in zip(COLOURS, widths, strict=False):
                    place = cell, work, width
                    own = [r for r in rows if (r.cell, r.work, r.hidden) == place]
                    shares = [row.zeros for row in own]
                    listed = [row.by_pattern for row in own]
                    chosen = [row.chosen for row in own]
                    axes.plot(shares, listed, color=colour, label=f"H = {width}")
                    axes.plot(shares, chosen, color=colour, linestyle=(0, (2, 2)))
                axes.axhline(1, color="#374151", linewidth=1)
                axes.set_title(f"{cell}, {work}", loc="left", fontsize=10)
                axes.set_ylim(bottom=0)
                axes.xaxis.set_major_formatter(PercentFormatter(1))
            line[0].set_ylabel("times as quick as all units")
        for axes in panels[-1]:
            axes.set_xlabel("units that are 0 (dashed: as it was chosen)")
        panels[0][0].legend(frameon=False)
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=110, metadata={"Software": None})
    return written.getvalue()
