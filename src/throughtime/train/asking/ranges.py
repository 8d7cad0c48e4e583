"""Which values each setting of a training may have."""

import math
import sys
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import torch

from throughtime.nn.starting import WAYS
from throughtime.train.descent.averages import AVERAGES
from throughtime.train.descent.optimizers import OPTIMIZERS
from throughtime.train.descent.schedules import SCHEDULES
from throughtime.train.descent.torch_schedules import OF_TORCH

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# What PyTorch takes as a seed, and as a size. More threads than that no machine has:
# the system would end the process instead of starting them.
LARGEST_SEED = 2**64 - 1
LARGEST_SIZE = 2**31 - 1
MOST_THREADS = 1024
CHOICES: Mapping[str, Collection[str | None]] = {
    "optimizer": OPTIMIZERS,
    "schedule": (*SCHEDULES, *OF_TORCH),
    "average": (None, *AVERAGES),
    "init": WAYS,
    "dtype": DTYPES,
    "pool": (None, "last", "mean", "max"),
    "watch": (None, "gradients"),
}


class Range(NamedTuple):
    """Numbers that a setting may be; both ends are among them."""

    words: str
    least: float
    most: float = sys.float_info.max


FINITE: Final = Range("a finite number", -sys.float_info.max)
FROM_0: Final = Range("a finite number of at least 0", 0)
ABOVE_0: Final = Range("a finite number above 0", math.ulp(0.0))
SHARE: Final = Range("a number from 0 to 1", 0, 1)
BELOW_1: Final = Range("a number from 0 to below 1", 0, math.nextafter(1, 0))
NUMBERS: Final = {
    "learning_rate": ABOVE_0,
    "clip": FROM_0,
    "clip_value": FROM_0,
    "save_every": FROM_0,
    "dropout": SHARE,
    "drop_connect": SHARE,
}
NUMBERS_OR_NONE: Final = {
    "target_replication": SHARE,
    "activity_l1": FROM_0,
    "time_limit": ABOVE_0,
    "flow_penalty": FROM_0,
    "forget_bias": FINITE,
    "weight_decay": FROM_0,
    "momentum": FROM_0,
    "l1": FROM_0,
    "l2": FROM_0,
    "schedule_factor": SHARE,
    # With 1 no weights would ever be averaged.
    "ema_decay": BELOW_1,
    "swa_start": BELOW_1,
}
COUNTS_OR_NONE: Final = {
    "steps": 1,
    "embedding": 1,
    "chrono_steps": 2,
    "flossing": 1,
    "flossing_every": 1,
    "schedule_epochs": 1,
}
