"""How all pictures look: their colours, their style, and the file they become."""

import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI: Final = 150
"""Points of a picture to the inch."""
TRAINING, VALIDATION, QUIET = "#8aa4c8", "#c2410c", "#6b7280"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.edgecolor": "#d1d5db",
    "axes.labelcolor": "#374151",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eef0f3",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def png(figure: "Figure") -> bytes:
    """Give a figure as a PNG that does not name the version of what drew it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
