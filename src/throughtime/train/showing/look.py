"""How all pictures look: their colours and their style."""

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
