"""What a training can be asked for, and what it does if nothing is asked."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch

from throughtime.data import Dataset, TextDataset
from throughtime.errors import (
    DeviceMissing,
    NothingToCut,
    NumberOutOfRange,
    UnknownChoice,
)
from throughtime.errors.base import did_you_mean
from throughtime.nn.settings import check_flag

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("cosine", "constant")
DTYPES = {"float32": torch.float32, "float64": torch.float64}

# What PyTorch takes as a seed, and as a size. More threads than that no machine has:
# the system would end the process instead of starting them.
LARGEST_SEED = 2**64 - 1
_LARGEST_SIZE = 2**31 - 1
_MOST_THREADS = 1024

# Found by experiments with LSTM and GRU on the bundled data.
_SEQUENCES: Mapping[str, Any] = {
    "hidden_size": 128,
    "epochs": 20,
    "batch_size": 64,
    "steps": None,
    "patience": 10,
    "learning_rate": {"adam": 5e-3, "sgd": 0.5},
}
_TEXT: Mapping[str, Any] = {
    "hidden_size": 256,
    "epochs": 12,
    "batch_size": 32,
    "steps": 32,
    "patience": 3,
    "learning_rate": {"adam": 4e-3, "sgd": 2.0},
}


@dataclass(frozen=True)
class Settings:
    """Everything that shapes a training beside its cell and its data.

    Parameters
    ----------
    hidden_size, num_layers, bidirectional
        The network, as in `Recurrent`.
    optimizer
        `"adam"` (Kingma and Ba 2015) or `"sgd"`, plain gradient descent.
    epochs, patience
        Passes over the training data at most, and how many in a row may bring no better
        validation loss.
    batch_size
        Sequences, or streams of a text, per update.
    steps
        Steps of a text between two updates; the state is carried on, the gradient is
        not. None for sequences, which are never cut.
    learning_rate, schedule, clip
        Step width; whether it falls to 0 over the epochs along half a cosine or stays;
        and the gradient's norm at most, where 0 lets every gradient pass.
    seed
        Draws first weights and order: the same seed gives the same bits.
    backend, dtype, device, threads
        Where and how numbers are computed; `threads` None leaves PyTorch's own.
    """

    hidden_size: int
    num_layers: int
    bidirectional: bool
    optimizer: str
    epochs: int
    patience: int
    batch_size: int
    steps: int | None
    learning_rate: float
    schedule: str
    clip: float
    seed: int
    backend: str
    dtype: str
    device: str
    threads: int | None

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("dtype", self.dtype, DTYPES)
        check_flag("bidirectional", self.bidirectional)
        for argument in ("epochs", "patience"):
            check_count(argument, getattr(self, argument), at_least=1)
        for argument in ("hidden_size", "num_layers", "batch_size"):
            check_count(argument, getattr(self, argument), 1, _LARGEST_SIZE)
        if self.steps is not None:
            check_count("steps", self.steps, 1, _LARGEST_SIZE)
        if self.threads is not None:
            check_threads(self.threads)
        check_count("seed", self.seed, 0, LARGEST_SEED)
        _check_real("learning_rate", self.learning_rate, zero=False)
        _check_real("clip", self.clip, zero=True)
        check_device(self.device)

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


def settle(dataset: Dataset, given: Mapping[str, Any]) -> Settings:
    """Pick the settings among what was given; None becomes what suits the data.

    Raises
    ------
    SettingError
        A value is not possible; the message names it.
    """
    defaults = dict(_TEXT if isinstance(dataset, TextDataset) else _SEQUENCES)
    defaults["threads"] = None
    rates = defaults["learning_rate"]
    # An optimiser that is not known is refused below, whatever its step width.
    defaults["learning_rate"] = rates.get(str(given.get("optimizer")), rates["adam"])
    if isinstance(dataset, TextDataset):
        defaults["batch_size"] = _streams(len(dataset.part("train")))
    elif given.get("steps") is not None:
        raise NothingToCut(given=given["steps"], data=dataset.name)
    names = {setting.name for setting in fields(Settings)}
    # None stands for a default only where there is one; elsewhere it is refused.
    asked: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if name in names and not (value is None and name in defaults)
    }
    if isinstance(asked.get("device"), torch.device):
        asked["device"] = str(asked["device"])
    return Settings(**{**defaults, **asked})


def _streams(symbols: int) -> int:
    """Fewer streams for a short text, so that each still has something to follow."""
    return max(1, min(_TEXT["batch_size"], symbols // 1000))


def check_choice(argument: str, given: str, known: Collection[str]) -> None:
    """Refuse a word that is none of those known."""
    # Compared one by one: what is given may be of any type, hashable or not.
    if given not in tuple(known):
        raise UnknownChoice(
            argument=argument,
            given=given,
            hint=did_you_mean(str(given), known),
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
    check_count("threads", given, 1, _MOST_THREADS)


def _check_real(argument: str, given: object, zero: bool) -> None:
    real = isinstance(given, int | float) and not isinstance(given, bool)
    # Compared, not converted: a whole number may be too large for a float.
    if not real or not 0 <= given <= sys.float_info.max or (given == 0 and not zero):
        raise NumberOutOfRange(
            argument=argument,
            given=given,
            expected="a finite number " + ("of at least 0" if zero else "above 0"),
        )


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
