"""What counts as much: every threshold of a diagnosis, with its reason.

They were set on runs of seeds 100 to 104; the runs of the documentation and the tests
have other seeds.
"""

from typing import Final

HORIZON: Final = 0.01
"""A gradient that is less than 1 % of what it is at lag 0 is lost among the rest: Adam
divides by the whole of a weight's gradient, and its noise is of that order."""

NEGLIGIBLE_GAIN: Final = 0.01
"""Less than 1 % of all that history brings is no reason to look further back."""

WASTEFUL: Final = 0.25
"""Error may flow four times as far as answers look: a window has to hold the lag in
full for most of its steps, and what a model uses is less than what it could use."""

WASTEFUL_WINDOW: Final = 16
"""Of windows so short nothing is won by shorter ones."""

MOST_SATURATED: Final = 0.5
"""Where half of all gates and activations of a layer are saturated, error is multiplied
by less than a fifth at nearly every step. Of networks that learned well, at most 0.66
were (at ten times the learning rate that suits them), at the one that suits 0.07."""

LEARNED: Final = 0.05
"""Of the loss of the best constant answer a model saves 5 % or more, or it has not
learned: chance alone gives less, on 40 sequences of two classes about 1.3 %."""

EXPLODED: Final = 100.0
"""The norm of an update's gradient. Inputs and targets are scaled, so that a gradient
of training has a norm of about 1; 100 moves weights by more than they are."""

GROWTH: Final = 10.0
"""Error that is ten times larger at some lag than at lag 0 grows on its way back."""

DEAD: Final = 0.5
"""Half of the units of a ReLU are 0 at every step: the layer has half its size."""

OVERFITS: Final = 1.2
"""The last validation loss is a fifth above the best one, while the training loss fell
on."""

SHORT: Final = 0.5
"""Error that reaches less than half of the steps before an answer cannot teach what the
rest says; with more, something else is to blame."""
