"""What is computed: the graph of one time step and everything derived from it.

In reading order: ``operations`` (the table), ``nodes`` (the graph and its grammar),
``builder``, ``values`` and ``tracing`` (symbols), ``declarations`` (Cell, Parameter,
State, Input), ``calling`` and ``trace`` (equations to graph), ``block_diagonal``
(heads), ``simplify`` and ``reductions``,
``adjoint`` (the graph of the δ equations), ``watching`` (what it reports), ``plan``
(what leaves the loop, what is stored), ``serialize`` (versioned JSON), ``show`` and
``show_plan`` (graphs and plans as text, by ``lines``, ``drawn_letters``, ``reader``,
``expressions``).

May import: ``errors``. Knows no torch and no machine.
Next: ``math``, the words that make nodes; ``backends``, which run plans.
"""

from throughtime.graph.declarations import Cell, Input, Parameter, State
from throughtime.graph.nodes import Node, StepGraph, verify
from throughtime.graph.trace import refuse_unused, trace
from throughtime.graph.values import Value

__all__ = [
    "Cell",
    "Input",
    "Node",
    "Parameter",
    "State",
    "StepGraph",
    "Value",
    "refuse_unused",
    "trace",
    "verify",
]
