"""What a training can be asked for."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch

from throughtime.errors import (
    DeviceMissing,
    NumberOutOfRange,
    TruncatedTwice,
    UnknownChoice,
    UnusedSetting,
)
from throughtime.errors.base import did_you_mean
from throughtime.nn.checkpointing import read_budget
from throughtime.nn.heads import Pooling
from throughtime.nn.settings import check_flag
from throughtime.train.asking.ranges import (
    CHOICES,
    COUNTS_OR_NONE,
    DTYPES,
    FROM_0,
    LARGEST_SEED,
    LARGEST_SIZE,
    MOST_THREADS,
    NUMBERS,
    NUMBERS_OR_NONE,
    Range,
)
from throughtime.train.descent.optimizers import (
    Descent,
    check_optimizer,
)
from throughtime.train.descent.torch_schedules import OF_TORCH, check_schedule
from throughtime.train.truncation import Rule, read_rule


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that shapes a training beside its cell and its data.

    Parameters
    ----------
    hidden_size, num_layers, bidirectional, heads, residual, dropout, checkpoint
        The network, as in `Recurrent`.
    embedding
        The size of a category's learned vector, as in `Read`. A text always has one.
    pool
        How one answer per sequence is made of all steps: `"last"`, `"mean"`, `"max"`;
        None: last, or mean for a cell without states. None for answers per step.
    class_weights
        `"balanced"`, or a weight for some classes; the others have 1.
    target_replication
        How much the answers before the last step count, of one per sequence.
    zoneout, drop_connect, variational_dropout
        Regularisers of the cell: the probability of each state, or one for all; that
        of recurrent weights; those of `"input"` and `"hidden"`, or one for both.
    k_winners
        How many of the cell's output units are not 0, or what share of them.
    activity_l1
        How much it costs in training that units are not 0; None: nothing.
    watch
        `"gradients"`: how long error is at each step, what is saturated and how much
        weights change is seen at some updates and written down. None: nothing is.
    flow_penalty
        How much it costs that error changes its size as it flows back; None: nothing.
    init, forget_bias, chrono_steps
        How recurrent weights and gates start, as in `throughtime.nn.initialise`.
    flossing, flossing_every
        Updates that push the network's Lyapunov exponents towards 0 before the first
        epoch, or before the first of every so many; None: none.
    optimizer, weight_decay, momentum, optimizer_options
        One of PyTorch's or of `throughtime.optim` by its name in lower case, and its
        arguments; None: its own. Weights decay where they are matrices.
    l1, l2
        Penalties of the weights that read the input, by an optimiser that has them;
        None: none.
    epochs, patience
        Passes over the training data at most, and how many in a row may bring no better
        validation loss.
    time_limit
        Seconds that learning and validation may take in all; None: any.
    batch_size
        Sequences, or streams of a text, per update.
    steps
        Of a text, the steps between two updates; the state is carried on, the gradient
        is not. Of answers per step, the longest stretch that is learned at once; None:
        whole sequences. None for one answer per sequence, and with `tbptt`.
    tbptt
        How error is truncated along a stream whose state is carried on, as `read_rule`
        takes it; None: at pieces of so many `steps`.
    learning_rate, schedule, schedule_factor, schedule_epochs, warmup
        The largest step width, and how it changes, as in `Schedule`.
    schedule_options
        Of a schedule of PyTorch, as in `TorchSchedule`; None: it is none.
    clip, clip_value
        The gradient's norm at most, and the magnitude of each of its numbers; 0 lets
        every gradient pass.
    accumulate
        Batches of an update.
    average, ema_decay, swa_start
        A mean of the weights that is validated and kept in their place, as in
        `Average`; `"swa"` is of the epochs after a share of them.
    save_every
        Seconds between two checkpoints, from which a training that was cut off goes on.
    seed
        Draws first weights and order: the same seed gives the same bits.
    backend, dtype, device, threads
        Where and how numbers are computed; `threads` None leaves PyTorch's own.
    """

    hidden_size: int
    num_layers: int
    bidirectional: bool
    heads: int
    residual: bool
    dropout: float
    checkpoint: int | str | None
    embedding: int | None
    pool: Pooling | None
    class_weights: str | Mapping[str, float] | None
    target_replication: float | None
    zoneout: float | Mapping[str, float] | None
    drop_connect: float
    variational_dropout: float | Mapping[str, float] | None
    k_winners: float | None = None  # older runs have none
    activity_l1: float | None = None
    watch: str | None = None
    flow_penalty: float | None = None
    init: str
    forget_bias: float | None
    chrono_steps: int | None
    flossing: int | None = None
    flossing_every: int | None = None
    optimizer: str
    weight_decay: float | None
    momentum: float | None
    l1: float | None = None  # nor these
    l2: float | None = None
    optimizer_options: Mapping[str, Any]
    epochs: int
    patience: int
    time_limit: float | None = None
    batch_size: int
    steps: int | None
    tbptt: str | None
    learning_rate: float
    schedule: str
    schedule_factor: float | None
    schedule_epochs: int | None
    schedule_options: Mapping[str, Any] | None = None
    warmup: int
    clip: float
    clip_value: float
    accumulate: int
    average: str | None
    ema_decay: float | None
    swa_start: float | None
    save_every: float
    seed: int
    backend: str
    dtype: str
    device: str
    threads: int | None

    def __post_init__(self) -> None:
        for argument, known in CHOICES.items():
            check_choice(argument, getattr(self, argument), known)
        check_flag("bidirectional", self.bidirectional)
        check_flag("residual", self.residual)
        for argument in ("epochs", "patience", "heads", "accumulate"):
            check_count(argument, getattr(self, argument), at_least=1)
        check_count("warmup", self.warmup, at_least=0)
        for argument in ("hidden_size", "num_layers", "batch_size"):
            check_count(argument, getattr(self, argument), 1, LARGEST_SIZE)
        for argument, least in COUNTS_OR_NONE.items():
            if getattr(self, argument) is not None:
                check_count(argument, getattr(self, argument), least, LARGEST_SIZE)
        if self.tbptt is not None:
            self._check_truncation(self.tbptt)
        if self.threads is not None:
            check_threads(self.threads)
        check_count("seed", self.seed, 0, LARGEST_SEED)
        self._check_numbers()
        _check_weights(self.class_weights)
        read_budget(self.checkpoint)
        _check_table("optimizer_options", self.optimizer_options)
        if self.schedule_options is not None:
            _check_table("schedule_options", self.schedule_options)
        check_device(self.device)

    @property
    def rule(self) -> Rule | None:
        """How error is truncated along a stream; None: it is not."""
        return None if self.tbptt is None else read_rule(self.tbptt, "tbptt")

    @property
    def descent(self) -> Descent:
        """The optimiser and all that it is told."""
        return Descent(
            self.optimizer,
            self.learning_rate,
            self.weight_decay,
            self.momentum,
            self.l1,
            self.l2,
            self.optimizer_options,
        )

    def updates(self, batches: int) -> int:
        """Count the updates there will be at most, by the batches of an epoch."""
        # Of an epoch the last update may be of fewer batches.
        return self.epochs * -(-batches // self.accumulate)

    def check_descent(self) -> None:
        """Refuse what the optimiser or the schedule does not take.

        Both are tried for that, which loads much of PyTorch: it is left to those who
        train.
        """
        check_optimizer(self.descent, self.torch_dtype)
        self.check_schedule()

    def check_schedule(self, updates: int | None = None) -> None:
        """Refuse options of a schedule; how many updates there are may be known."""
        if self.schedule in OF_TORCH:
            check_schedule(
                self.schedule,
                self.learning_rate,
                self.schedule_options or {},
                self.epochs,
                self.torch_dtype,
                updates,
            )

    def _check_truncation(self, tbptt: str) -> None:
        """Refuse what is no truncation, or what it cannot go together with."""
        read_rule(tbptt, "tbptt")
        if self.steps is not None:
            raise TruncatedTwice(steps=self.steps, tbptt=tbptt)
        if self.bidirectional:
            reason = "a bidirectional network, which has to read a sequence to its end"
            raise UnusedSetting(argument="tbptt", given=tbptt, reason=reason)

    def _check_numbers(self) -> None:
        for argument, expected in NUMBERS.items():
            check_number(argument, getattr(self, argument), expected)
        for argument, expected in NUMBERS_OR_NONE.items():
            if getattr(self, argument) is not None:
                check_number(argument, getattr(self, argument), expected)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave, for use on this machine.

        Raises
        ------
        TypeError, SettingError
            Something is missing or damaged.
        """
        # The device of the training may not exist here; the model's is asked for anew.
        here: dict[str, Any] = {**stored, "device": "cpu"}
        return cls(**here)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as PyTorch's."""
        return DTYPES[self.dtype]


def check_choice(argument: str, given: Any, known: Collection[str | None]) -> None:
    """Refuse a word that is none of those known."""
    # Compared one by one: what is given may be of any type, hashable or not.
    if given not in tuple(known):
        raise UnknownChoice(
            argument=argument,
            given=given,
            hint=did_you_mean(str(given), filter(None, known)),
            known=", ".join(map(repr, known)),
        )


def check_count(
    argument: str, given: object, at_least: int, at_most: int | None = None
) -> None:
    """Refuse what is no whole number of at least, and at most, so much."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or given < at_least or (at_most is not None and given > at_most):
        expected = f"a whole number of at least {at_least}"
        if at_most is not None:
            expected += f" and at most {at_most}"
        raise NumberOutOfRange(argument=argument, given=given, expected=expected)


def check_threads(given: object) -> None:
    """Refuse what cannot be a number of threads."""
    check_count("threads", given, 1, MOST_THREADS)


def check_number(argument: str, given: object, expected: Range) -> None:
    """Refuse what is no number, or outside the range."""
    real = isinstance(given, int | float) and not isinstance(given, bool)
    # Compared, not converted: a whole number may be too large for a float.
    if not real or not expected.least <= given <= expected.most:
        raise NumberOutOfRange(argument=argument, given=given, expected=expected.words)


def _check_table(argument: str, given: object) -> None:
    if not isinstance(given, Mapping):
        known = "a value for each of some options"
        raise UnknownChoice(argument=argument, given=given, hint="", known=known)


def _check_weights(given: object) -> None:
    if given is None or given == "balanced":
        return
    if not isinstance(given, Mapping) or not given:
        raise UnknownChoice(
            argument="class_weights",
            given=given,
            hint="",
            known="'balanced' or a weight for each of some classes",
        )
    for name, weight in given.items():
        check_number(f"class_weights[{name!r}]", weight, FROM_0)


def check_device(given: str | torch.device) -> None:
    """Refuse a device that is not one, or not there."""
    try:
        device = torch.device(given)
    except (RuntimeError, TypeError):
        raise UnknownChoice(
            argument="device", given=given, hint="", known="'cpu', 'cuda', 'cuda:N'"
        ) from None
    if device.type == "cpu":
        return
    if device.type != "cuda":
        raise UnknownChoice(
            argument="device", given=given, hint="", known="'cpu', 'cuda', 'cuda:N'"
        )
    if not torch.cuda.is_available():
        raise DeviceMissing(given=given, reason="PyTorch finds no CUDA device")
    if (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise DeviceMissing(given=given, reason=f"there are {found} CUDA devices")
