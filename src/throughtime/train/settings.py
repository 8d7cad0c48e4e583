"""What a training can be asked for, and what it does if nothing is asked."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch

from throughtime.data import Dataset, TextDataset
from throughtime.errors import DeviceMissing, NumberOutOfRange, UnknownChoice
from throughtime.errors.base import did_you_mean

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("cosine", "constant")
DTYPES = {"float32": torch.float32, "float64": torch.float64}

# Found by experiments with LSTM and GRU on the bundled data.
_SEQUENCES: Mapping[str, Any] = {
    "hidden_size": 128,
    "epochs": 20,
    "batch_size": 64,
    "patience": 10,
    "learning_rate": {"adam": 5e-3, "sgd": 0.5},
}
_TEXT: Mapping[str, Any] = {
    "hidden_size": 256,
    "epochs": 12,
    "batch_size": 32,
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
        not.
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
    steps: int
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
        for argument in (
            *("hidden_size", "num_layers", "epochs", "patience"),
            *("batch_size", "steps"),
        ):
            check_count(argument, getattr(self, argument), at_least=1)
        if self.threads is not None:
            check_count("threads", self.threads, at_least=1)
        check_count("seed", self.seed, at_least=0)
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
    rates = defaults.pop("learning_rate")
    if isinstance(dataset, TextDataset):
        defaults["batch_size"] = _streams(len(dataset.part("train")))
    names = {setting.name for setting in fields(Settings)}
    asked: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if name in names and value is not None
    }
    optimizer = asked.get("optimizer", "adam")
    if optimizer in OPTIMIZERS:
        defaults["learning_rate"] = rates[optimizer]
    else:
        defaults["learning_rate"] = rates["adam"]
    complete: dict[str, Any] = {"threads": None, **defaults, **asked}
    return Settings(**complete)


def _streams(symbols: int) -> int:
    """Fewer streams for a short text, so that each still has something to follow."""
    return max(1, min(_TEXT["batch_size"], symbols // 1000))


def check_choice(argument: str, given: str, known: Collection[str]) -> None:
    """Refuse a word that is none of those known."""
    if given not in known:
        raise UnknownChoice(
            argument=argument,
            given=given,
            hint=did_you_mean(str(given), known),
            known=", ".join(map(repr, known)),
        )


def check_count(argument: str, given: object, at_least: int) -> None:
    """Refuse what is no whole number of at least so much."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or given < at_least:
        raise NumberOutOfRange(
            argument=argument,
            given=given,
            expected=f"a whole number of at least {at_least}",
        )


def _check_real(argument: str, given: object, zero: bool) -> None:
    real = isinstance(given, int | float) and not isinstance(given, bool)
    if not real or not math.isfinite(given) or given < 0 or (given == 0 and not zero):
        raise NumberOutOfRange(
            argument=argument,
            given=given,
            expected="a finite number " + ("of at least 0" if zero else "above 0"),
        )


def check_device(given: str) -> None:
    """Refuse a device that is not one, or not there."""
    try:
        device = torch.device(given)
    except RuntimeError:
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
