"""What is known of a training, as findings need it."""

from dataclasses import dataclass

from throughtime.diagnose.thresholds import LEARNED


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is known of a training beside what is measured inside its model.

    Parameters
    ----------
    cell
        The name of the cell.
    forgets
        Whether a gate of the cell says what is kept of a state.
    loss, constant, low
        The loss of the model on the sequences that were looked at; that of the best
        answer that is always the same; and the lower end of the 95 % interval of what
        the first gains over the second, paired over sequences.
    losses, validation
        The mean loss in training of each epoch, and that on the validation part.
    largest_gradient
        The largest norm of the gradient of an update, before it was clipped; None: it
        was not written down.
    clip, clip_rate
        The norm it was clipped to, 0 for none; the largest share of an epoch's updates
        that were.
    learning_rate, usual_rate
        The largest step width, and the one that a training has if nothing is asked.
    init
        How recurrent weights started.
    window_option
        What sets how far error flows back: `"--tbptt"` or `"--steps"`.
    stopped
        Why training ended, as `Run.stopped` says.
    epochs, best_epoch
        The epochs that were finished, and the one whose weights were kept.
    """

    cell: str
    forgets: bool
    loss: float
    constant: float
    low: float
    losses: list[float]
    validation: list[float]
    largest_gradient: float | None
    clip: float
    clip_rate: float
    learning_rate: float
    usual_rate: float
    init: str
    window_option: str
    stopped: str | None
    epochs: int
    best_epoch: int

    @property
    def learned(self) -> bool:
        """Whether it does better than the best constant answer, beyond chance."""
        return self.low > 0 and self.gain >= LEARNED

    @property
    def gain(self) -> float:
        """What share of the best constant answer's loss the model saves."""
        return (self.constant - self.loss) / self.constant if self.constant else 0.0
