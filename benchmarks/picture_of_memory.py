"""Resident memory over time, a line for each way of reading."""

import io
from collections.abc import Mapping
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.picture import STYLE

COLOURS = ("#d55e00", "#0072b2")


def draw_memory(found: Mapping[str, Mapping[str, Any]], gigabytes: float) -> bytes:
    """Draw what each process held beyond its imports, as PNG."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7, 3.2), layout="constrained")
        axes = figure.subplots()
        for colour, (name, one) in zip(COLOURS, found.items(), strict=True):
            held = [megabytes / 1000 for megabytes in one["megabytes"]]
            axes.plot(one["seconds"], held, color=colour, label=name)
        axes.set_xlabel("seconds: reading, one pass in batches, learning")
        axes.set_ylabel("resident memory beyond the import, GB")
        axes.set_title(f"{gigabytes:g} GB of Parquet")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=150)
    return written.getvalue()
