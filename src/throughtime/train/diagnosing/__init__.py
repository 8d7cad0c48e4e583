"""WHY DOES IT NOT LEARN: a saved run, looked into.

`looking` draws sequences of a run and asks its model, `training` says what is known of
the training, `parts` measures inside the recurrent layers, `diagnosing` makes a
diagnosis of all of it and writes it into the run's folder; `picture` draws it.

May import what `train` may, and `diagnose`, which knows nothing of runs.

Next: `cli.diagnose`, the command.
"""

from throughtime.train.diagnosing.diagnosing import diagnose

__all__ = ["diagnose"]
