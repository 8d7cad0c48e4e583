"""COMMANDS: `throughtime train DATA`, `evaluate RUN`, `sample RUN`.

A command reads options, calls `train`, and prints; it holds no mathematics and no
defaults. A person's text goes to standard error, results to standard output; with
`--json` standard output is one object and nothing else. A mistake of the user is one
sentence and exit code 2, any other error keeps its traceback.

May import everything. Nothing slow is loaded before a command needs it, so that
`--help` answers at once.

Next: `commands` (the group), then a file per command; `cell_names` finds `--cell`.
"""

from throughtime.cli.commands import main

__all__ = ["main"]
