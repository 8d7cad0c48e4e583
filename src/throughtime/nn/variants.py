"""Graphs of the same layers for other calls than training's."""

from collections.abc import Sequence

from throughtime.graph import StepGraph
from throughtime.graph.evaluation import evaluated
from throughtime.graph.exposing import Exposed, exposed
from throughtime.graph.resetting import resettable
from throughtime.graph.serialize import text_of


class Variants:
    """What follows from the graphs that run, one for each layer.

    Parameters
    ----------
    running
        The graphs as they run in training.

    Attributes
    ----------
    running
        Those that were given.
    evaluated
        What runs in evaluation: every random value is at its mean.
    exposed, exposed_means
        Those that give out every named value, in training and in evaluation.
    resettable
        Those that read where to begin anew; None where there is no state.
    """

    def __init__(self, running: Sequence[StepGraph]) -> None:
        self.running = tuple(running)
        self.evaluated = tuple(map(evaluated, running))
        self.exposed = tuple(map(exposed, running))
        self.exposed_means = tuple(map(exposed, self.evaluated))
        self.resettable = tuple(map(resettable, running))
        others = [one.graph for one in (*self.exposed, *self.exposed_means)]
        others += [graph for graph in self.resettable if graph is not None]
        for graph in (*self.running, *self.evaluated, *others):
            text_of(graph)  # a program that torch compiles can read it, not write it

    @property
    def can_begin_anew(self) -> bool:
        """Whether all layers can begin anew inside the step."""
        return None not in self.resettable

    def graph(self, layer: int, *, draws: bool, anew: bool = False) -> StepGraph:
        """The one of a call that draws or not, or reads where to begin anew."""
        resettable = self.resettable[layer] if anew else None
        return resettable or (self.running if draws else self.evaluated)[layer]

    def shown(self, layer: int, *, draws: bool) -> Exposed:
        """The one that gives out its values."""
        return (self.exposed if draws else self.exposed_means)[layer]
