"""What is known of an epoch while it goes on."""

import math
import time
from collections.abc import Mapping
from typing import Any

from throughtime.train.learning.updates import Update
from throughtime.train.metrics import Meter
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.showing.progress import Counted, Row
from throughtime.train.tasks import Answers


class Epoch:
    """Counts and measures an epoch as its updates come.

    Parameters
    ----------
    number
        Which it is, from 1.
    meter
        Takes loss and metric.
    counted
        What a rate per second is of.
    """

    def __init__(self, number: int, meter: Meter, counted: Counted) -> None:
        self.number, self.meter, self.counted = number, meter, counted
        self.updates = self.clipped = self.sequences = self.steps = 0
        self.norms = 0.0  # of the gradients of all updates, added up
        self.step_width = 0.0  # of the last update
        self.done = 0.0  # of the batches that were expected
        self.largest = 0.0  # norm of a gradient, before it was clipped
        self.complete = False
        self._since, self._before = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """How long it has gone on, those before an interruption included."""
        return self._before + time.perf_counter() - self._since

    @property
    def rate(self) -> float:
        """Sequences or steps per second."""
        count = self.sequences if self.counted == "sequences" else self.steps
        return count / self.seconds

    def add(self, answers: Answers, update: Update) -> None:
        """Take in a batch, and what it came to."""
        self.meter.update(answers)
        self.done += answers.updates
        self.count(update)
        self.sequences += answers.sequences
        self.steps += answers.steps

    def count(self, update: Update) -> None:
        """Count an update."""
        if not update.made:
            return
        self.updates += update.made
        self.clipped += update.clipped
        self.largest = max(self.largest, update.norm)
        self.norms += update.norm
        self.step_width = update.step_width

    def row(
        self, after: Mapping[str, float], seconds: float, ranks: Ranks = ALONE
    ) -> Row:
        """Say all of it, with what validation gave after so many seconds."""
        sequences = sum(ranks.gather(self.sequences))
        steps = sum(ranks.gather(self.steps))
        return {
            "epoch": self.number,
            **self.meter.result(ranks),
            **{f"validation_{name}": value for name, value in after.items()},
            "updates": self.updates,
            "seconds": seconds,
            "sequences_per_second": sequences / seconds,
            "steps_per_second": steps / seconds,
            "clip_rate": self.clipped / max(self.updates, 1),
            "largest_gradient": self.largest,
            "gradient_norm": self.norms / self.updates if self.updates else math.nan,
            "learning_rate": self.step_width if self.updates else math.nan,
            "interrupted": not self.complete,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what the row will be made of."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        meter = self.meter.state_dict()
        return {**counts, "seconds": self.seconds, "meter": meter}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        for name in _COUNTS:
            setattr(self, name, state[name])
        self._since, self._before = time.perf_counter(), state["seconds"]
        self.meter.load_state_dict(state["meter"])


_COUNTS = ("number", "updates", "done", "clipped", "sequences", "steps", "complete")
_COUNTS += ("norms", "largest", "step_width")
