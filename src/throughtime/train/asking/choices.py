"""What suits an optimiser, a schedule or an average, and what has nothing to act on."""

from collections.abc import Iterator, Mapping
from typing import Any

from throughtime.errors import (
    NumberOutOfRange,
    Pointless,
    UnfitChoice,
    UnfitOption,
    UnusedSetting,
)
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.averages import AVERAGES
from throughtime.train.descent.optimizers import STEADY
from throughtime.train.descent.schedules import BY_EPOCHS, FALLING
from throughtime.train.descent.torch_schedules import BY_UPDATES, OF_TORCH

# The average of about the last hundred updates: data sets of one sitting have some
# hundreds of them in all.
_EMA_DECAY = 0.99
_SWA_START = 0.75
_FACTORS = {"exponential": 0.9, "step": 0.5, "plateau": 0.5}
_EPOCHS = {"step": 5, "plateau": 2}
_ONE_CYCLE = ("onecycle", "onecyclelr")
_SPREAD = (*FALLING, "onecyclelr")


def suited(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is done if nothing is said, by what is said."""
    schedule, average = asked.get("schedule"), asked.get("average")
    return {
        "optimizer_options": {},
        "weight_decay": None,
        "momentum": None,
        "l1": None,
        "l2": None,
        "schedule": "constant" if asked.get("optimizer") in STEADY else "cosine",
        "schedule_factor": _FACTORS.get(str(schedule)),
        "schedule_epochs": _EPOCHS.get(str(schedule)),
        "schedule_options": {} if schedule in OF_TORCH else None,
        "average": None,
        "time_limit": None,
        "ema_decay": _EMA_DECAY if average == "ema" else None,
        "forget_bias": None,
        "chrono_steps": None,
        "flossing": None,
        "flossing_every": None,
        "zoneout": None,
        "variational_dropout": None,
        "k_winners": None,
        "activity_l1": None,
        "watch": None,
        "flow_penalty": None,
        "swa_start": _SWA_START if average == "swa" else None,
    }


def follows_epochs(settings: Settings) -> bool:
    """Whether more epochs would have made the first ones others."""
    return settings.schedule in _SPREAD or settings.average == "swa"


def check_choices(settings: Settings) -> None:
    """Refuse what has nothing to act on, or lacks what it acts by.

    Raises
    ------
    UnusedSetting, Pointless, NumberOutOfRange, UnfitOption, OptionMissing
        The message names it.
    """
    settings.check_descent()
    for argument, needed, reason in _needs(settings):
        given = getattr(settings, argument)
        if given is not None and not needed:
            raise UnusedSetting(argument=argument, given=given, reason=reason)
    if settings.init == "chrono" and settings.chrono_steps is None:
        raise NumberOutOfRange(
            argument="chrono_steps",
            given=None,
            expected="a whole number of at least 2, as no longest stretch is learned",
        )
    _check_steady(settings)
    own_steps = f"optimizer={settings.optimizer!r}, whose step widths are its own"
    if settings.optimizer == "rprop" and settings.schedule != "constant":
        raise Pointless(
            argument="schedule",
            given=settings.schedule,
            expected="'constant'",
            reason=own_steps,
        )
    if settings.warmup and settings.optimizer == "rprop":
        raise _no_warmup(settings, own_steps)
    if settings.warmup and settings.schedule in _ONE_CYCLE:
        reason = f"schedule={settings.schedule!r}, which has its own"
        raise _no_warmup(settings, reason)


def _check_steady(settings: Settings) -> None:
    """Refuse a step width that changes with every update where each change is dear."""
    if settings.optimizer not in STEADY:
        return
    of = f"optimizer={settings.optimizer!r}"
    reason = STEADY[settings.optimizer]
    if settings.schedule in (*FALLING, *BY_UPDATES):
        known = [repr(name) for name in ("constant", *BY_EPOCHS)]
        raise UnfitChoice(
            argument="schedule",
            given=settings.schedule,
            reason=f"{of}: {reason}",
            known=", ".join(known) + ", or PyTorch's that move after every epoch",
        )
    if settings.warmup:
        raise UnfitOption(
            argument="warmup",
            given=settings.warmup,
            of=of,
            reason=reason,
            expected="0",
        )


def check_updates(settings: Settings, batches: int) -> None:
    """Refuse what a training cannot come to with so many batches an epoch.

    Raises
    ------
    NumberOutOfRange, UnfitOption
        The message names it.
    """
    updates = settings.updates(batches)
    for argument, most, what in [
        ("accumulate", batches, "the batches of an epoch"),
        ("warmup", updates, "all updates of the training"),
    ]:
        if getattr(settings, argument) > most:
            raise NumberOutOfRange(
                argument=argument,
                given=getattr(settings, argument),
                expected=f"a whole number of at most {most}, {what}",
            )
    settings.check_schedule(updates)


def _needs(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    """Give each argument, whether it acts on anything, and what it is unused for."""
    schedule = f"schedule={settings.schedule!r}"
    yield "schedule_factor", settings.schedule in BY_EPOCHS, schedule
    yield "schedule_epochs", settings.schedule in _EPOCHS, schedule
    yield "schedule_options", settings.schedule in OF_TORCH, schedule
    init = f"init={settings.init!r}"
    yield "chrono_steps", settings.init == "chrono", init
    own = f"optimizer={settings.optimizer!r}, which makes the weights of its own sums"
    yield "flossing", settings.optimizer != "ftrl-proximal", own
    yield "flossing_every", settings.flossing is not None, "a training without flossing"
    average = (
        f"average={settings.average!r}" if settings.average else "weights as they are"
    )
    for argument, kind in zip(("ema_decay", "swa_start"), AVERAGES, strict=True):
        yield argument, settings.average == kind, average


def _no_warmup(settings: Settings, reason: str) -> Pointless:
    given = settings.warmup
    return Pointless(argument="warmup", given=given, expected="0", reason=reason)
