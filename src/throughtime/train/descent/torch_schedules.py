"""The schedules of PyTorch, by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from throughtime.errors import OptionMissing, UnfitOption
from throughtime.train.descent.by_name import (
    classes,
    find,
    is_number,
    largest,
    options_of,
    unknown_option,
)
from throughtime.train.descent.schedules import SCHEDULES

_FUNCTION = "it takes a function, and no option can hold one"
_OTHERS = "it takes other schedules, and no option can hold one; warmup goes with any"
_REFUSED = {
    "lambdalr": _FUNCTION,
    "multiplicativelr": _FUNCTION,
    "sequentiallr": _OTHERS,
    "chainedscheduler": _OTHERS,
    "swalr": "a mean of the weights is that of average='swa', with any schedule",
}
OF_TORCH = classes(lr_scheduler, LRScheduler, _REFUSED)
BY_UPDATES = ("cycliclr", "onecyclelr")
"""Those that move with every update; all others move with every epoch."""

_FURTHER = "schedule_options"
_MOMENTUM = "momentum stays as it is"
_SPREAD = "it is spread over all updates of the training"
# What is said elsewhere, and where.
_ELSEWHERE = {
    "optimizer": "it is that of the training",
    "last_epoch": "a training that goes on knows it",
    "max_lr": "it is the learning_rate",
    "total_steps": _SPREAD,
    "epochs": _SPREAD,
    "steps_per_epoch": _SPREAD,
    "cycle_momentum": _MOMENTUM,
    "base_momentum": _MOMENTUM,
    "max_momentum": _MOMENTUM,
    "scale_fn": _FUNCTION,
    "scale_mode": _FUNCTION,
}
_LOSS = {"mode": "what it waits for is a lower validation loss"}
_AT_LEAST = {
    **dict.fromkeys(("cooldown", "patience"), 0),
    **dict.fromkeys(("T_0", "T_max", "T_mult", "milestones", "total_iters"), 1),
    **dict.fromkeys(("step_size", "step_size_down", "step_size_up"), 1),
}
# Epochs over which a schedule is tried, and updates that one may be spread over.
_TRIED, _UPDATES = 1000, 10**6


def find_schedule(given: object) -> str:
    """Return the name of a schedule, ours or PyTorch's, in lower case.

    Raises
    ------
    UnfitChoice, UnknownChoice
        It is none, or none that can be used.
    """
    return find("schedule", given, (*SCHEDULES, *OF_TORCH), _REFUSED)


class TorchSchedule:
    """Sets the step width of an optimiser as a schedule of PyTorch does.

    That one moves an optimiser of its own, so that a warmup may come before it, and
    groups of weights and a training that goes on do not matter to it.

    Parameters
    ----------
    optimizer
        Whose step width.
    name
        One of `OF_TORCH`.
    learning_rate
        The step width that PyTorch's schedule begins with, or its largest.
    expected
        How many updates there will be at most.
    options
        Its further arguments.
    warmup
        Over so many updates the step width rises to the first one; those of
        `BY_UPDATES` move only afterwards.

    Raises
    ------
    UnfitOption
        Its options make no step width, or one that numbers of the weights' dtype
        cannot hold.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        name: str,
        learning_rate: float,
        expected: int,
        options: Mapping[str, Any],
        warmup: int = 0,
    ) -> None:
        self.optimizer, self.name, self.options = optimizer, name, options
        self.expected, self.warmup = expected, warmup
        self._done = 0.0
        self._most, self._words = largest(optimizer.param_groups[0]["params"][0].dtype)
        self._own = SGD([nn.Parameter(torch.zeros(()))], lr=learning_rate)
        with self._blaming():
            self._scheduler = _make(name, self._own, learning_rate, expected, options)
        self._own.step()  # PyTorch warns of schedules that move before any update
        self._set()

    def update(self, of_expected: float = 1.0) -> None:
        """Go on after an update, which may count as more or less than one."""
        self._done += of_expected
        if self.name in BY_UPDATES:
            moves = int(self._done - self.warmup)
            if self.name == "onecyclelr":
                # Where pieces are cut anew in each epoch, there may be some more.
                moves = min(moves, self.expected - 1)
            while self._scheduler.last_epoch < moves:
                self._move()
        self._set()

    def epoch(self, validation_loss: float) -> None:
        """Go on after an epoch."""
        if isinstance(self._scheduler, ReduceLROnPlateau):
            self._move(validation_loss)
        elif self.name not in BY_UPDATES:
            self._move()
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step width depends on."""
        moved = {
            name: value
            for name, value in vars(self._scheduler).items()
            if isinstance(value, int | float)
        }
        return {"done": self._done, "width": self._width, "moved": moved}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._done = state["done"]
        self._own.param_groups[0]["lr"] = state["width"]
        vars(self._scheduler).update(state["moved"])
        self._set()

    @property
    def _width(self) -> float:
        return float(self._own.param_groups[0]["lr"])

    def _move(self, *loss: float) -> None:
        scheduler: Any = self._scheduler
        with self._blaming():
            scheduler.step(*loss)

    def _set(self) -> None:
        width = self._width
        if not width <= self._most:
            reason = f"it makes a step width of {width:.4g}, beyond {self._words}"
            raise _unfit(self.options, self.name, reason, "smaller step widths")
        if self._done < self.warmup:
            width *= min(1.0, (self._done + 1) / self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = width

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        """Say of what PyTorch cannot compute with which options that is."""
        try:
            yield
        except (ValueError, TypeError, ArithmeticError) as error:
            reason, expected = str(error).rstrip("."), "values in their ranges"
            raise _unfit(self.options, self.name, reason, expected) from None


def check_schedule(
    name: str,
    learning_rate: float,
    options: Mapping[str, Any],
    epochs: int,
    dtype: torch.dtype,
    updates: int | None = None,
) -> None:
    """Refuse what a schedule of PyTorch does not take, or what it cannot be.

    Parameters
    ----------
    name, learning_rate, options
        As in `TorchSchedule`.
    epochs
        Passes over the data at most.
    dtype
        The numbers that are to hold the step widths.
    updates
        How many there will be at most; None: that is not known yet.

    Raises
    ------
    UnfitOption, OptionMissing
        The message names it, and what the schedule takes.
    """
    known = options_of(OF_TORCH[name], ())
    elsewhere = _ELSEWHERE | (_LOSS if name == "reducelronplateau" else {})
    free = {option: known[option] for option in known if option not in elsewhere}
    for option, value in options.items():
        one = {option: value}
        if option not in known:
            raise unknown_option(_FURTHER, one, _named(name), free)
        if option in elsewhere:
            raise _unfit(one, name, elsewhere[option], "none of that name")
        words, fits = _kind(option, known[option])
        if not fits(value):
            raise _unfit(one, name, "of another kind", words)
    for option, default in free.items():
        if default is inspect.Parameter.empty and option not in options:
            raise OptionMissing(
                argument=_FURTHER,
                given=dict(options),
                option=option,
                of=_named(name),
                expected=_kind(option, default)[0],
            )
    own = SGD([nn.Parameter(torch.zeros((), dtype=dtype))], lr=learning_rate)
    schedule = TorchSchedule(own, name, learning_rate, updates or _UPDATES, options)
    for _ in range(min(epochs, _TRIED)):
        schedule.update()
        schedule.epoch(0.0)


def _make(
    name: str,
    optimizer: Optimizer,
    learning_rate: float,
    expected: int,
    options: Mapping[str, Any],
) -> LRScheduler:
    # PyTorch takes 1 for no share.
    said = {
        option: float(value) if is_number(value) and option not in _AT_LEAST else value
        for option, value in options.items()
    }
    if isinstance(said.get("milestones"), int):
        said["milestones"] = [said["milestones"]]
    if name in BY_UPDATES:
        said |= {"max_lr": learning_rate, "cycle_momentum": False}
    if name == "onecyclelr":
        said["total_steps"] = expected
    kind: Any = OF_TORCH[name]
    return kind(optimizer, **said)


def _kind(option: str, default: Any) -> tuple[str, Callable[[Any], bool]]:
    """Say what an option must be, and give the test of it."""
    if isinstance(default, bool):
        return "True or False", lambda value: isinstance(value, bool)
    if isinstance(default, str):
        return f"such as {default!r}", lambda value: isinstance(value, str)
    least = _AT_LEAST.get(option)
    if least is None:
        return (
            "a finite number of at least 0",
            lambda value: is_number(value) and value >= 0,
        )

    def whole(value: Any) -> bool:
        return is_number(value) and isinstance(value, int) and value >= least

    if option != "milestones":
        return f"a whole number of at least {least}", whole
    return (
        "whole numbers of at least 1",
        lambda value: all(map(whole, value if isinstance(value, list) else [value])),
    )


def _named(name: str) -> str:
    return f"schedule={name!r}"


def _unfit(
    given: Mapping[str, Any], name: str, reason: str, expected: str
) -> UnfitOption:
    return UnfitOption(
        argument=_FURTHER,
        given=dict(given),
        of=_named(name),
        reason=reason,
        expected=expected,
    )
