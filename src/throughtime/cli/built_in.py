"""What `--cell` takes, in a few words."""

from throughtime.cells.built_in import BUILT_IN

CELL_HELP = f"{', '.join(BUILT_IN)}, or FILE.py:Class for your own."
"""What `--cell` takes."""
