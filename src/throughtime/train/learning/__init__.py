"""LEARNING: the loop over epochs, and what it is made of.

`loop` goes through epochs, validates, keeps the best weights and stops; `epoch` is what
is known of the one that goes on; `updates` makes new weights of losses; `checkpoints`
are all of it in one file, from which a training goes on as if it had never stopped;
`resuming` finds it, and refuses what would be another training; `blame` finds where a
number that is not finite came from.

May import what `train` may, all rooms before it, `descent`, `ranks`, `metrics` and
`showing`.

Next: `fitting`, which calls the loop.
"""

from throughtime.train.learning.loop import Loop, Outcome

__all__ = ["Loop", "Outcome"]
