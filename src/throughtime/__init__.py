"""Recurrent networks from the equations of one time step.

The rooms, each standing only on those to its right::

    cli > (report | bench) > serve > baselines > estimators > train
        > (diagnose | data | export) > optim > nn > (cells | backends)
        > math > graph > errors

This file only opens doors: it loads no torch until something needs it, and nobody
inside the package imports it. Start reading at `cells`, then `graph`.
"""
