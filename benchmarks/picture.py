"""`results.png`: bars of GFLOP/s, a panel per cell and kind of work."""

import io

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.comparing import OURS, Row
from benchmarks.shapes import WORKS, Shape

# Okabe and Ito's colours, which people tell apart who see fewer; a contestant has the
# same one in every picture, whoever else takes part.
COLOURS = {
    OURS: "#d55e00",
    "torch.nn": "#0072b2",
    "eager loop": "#000000",
    "eager loop (unbound)": "#999999",
    "torch.compile": "#f0e442",
    "jax scan": "#009e73",
    "Keras (jax)": "#cc79a7",
    "ONNX Runtime": "#56b4e9",
}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": "#d1d5db",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#eef0f3",
}
GROUP = 0.84  # of the room between two shapes


def draw_rows(rows: list[Row], peak: float, title: str) -> bytes:
    """Draw useful GFLOP/s of every contestant, and the machine's peak as a line.

    Parameters
    ----------
    rows
        What was measured, at least one row.
    peak
        GFLOP/s of fused multiply-adds.
    title
        On what it was measured.

    Returns
    -------
    bytes
        A PNG.
    """
    cells = list(dict.fromkeys(row.cell for row in rows))
    works = [work for work in WORKS if any(row.work == work for row in rows)]
    names = [name for name in COLOURS if any(name in row.timings for row in rows)]
    with rc_context(STYLE):
        size = (1 + 6.2 * len(works), 1.2 + 2.5 * len(cells))
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        panels = figure.subplots(len(cells), len(works), squeeze=False, sharey=True)
        for line, cell in zip(panels, cells, strict=True):
            for axes, work in zip(line, works, strict=True):
                chosen = [r for r in rows if (r.cell, r.work) == (cell, work)]
                axes.set_title(f"{cell}, {work}", loc="left", fontsize=10)
                _draw(axes, chosen, peak)
            line[0].set_ylabel("useful GFLOP/s")
        handles = [
            Rectangle((0, 0), 1, 1, color=COLOURS[name], label=name) for name in names
        ]
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=min(len(names), 4 * len(works)),
            frameon=False,
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _draw(axes: Axes, rows: list[Row], peak: float) -> None:
    # No room for who has no such cell or work.
    names = [name for name in COLOURS if any(name in row.timings for row in rows)]
    width = GROUP / max(1, len(names))
    for place, row in enumerate(rows):
        for position, name in enumerate(names):
            if name in row.timings:
                at = place - GROUP / 2 + (position + 0.5) * width
                axes.bar(at, row.gflops(name), width * 0.92, color=COLOURS[name])
    axes.axhline(peak, color="#374151", linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"fused multiply-adds: {peak:.0f}",
        (1, peak),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color="#374151",
        fontsize=8,
    )
    axes.set_xticks(range(len(rows)), [_label(row.shape) for row in rows], fontsize=8)
    axes.tick_params(axis="x", length=0)


def _label(shape: Shape) -> str:
    return f"T {shape.steps} B {shape.batch}\nI {shape.inputs} H {shape.hidden}"
