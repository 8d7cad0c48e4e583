"""Successors learn what a recurrent network learns: same data, batches and losses."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import torch

from throughtime.bench.successors.attention import CausalAttention
from throughtime.bench.successors.convolution import TemporalConvolution, blocks_for
from throughtime.bench.successors.history import History
from throughtime.bench.successors.loop import TimedLoop
from throughtime.data import Dataset, TextDataset
from throughtime.data.pieces import START, STOP
from throughtime.errors import ItemsForSuccessor, NumberOutOfRange
from throughtime.train import Model
from throughtime.train.asking.defaults import unused
from throughtime.train.asking.settings import Settings, check_choice
from throughtime.train.interruption import Interruption
from throughtime.train.preparing.building import model_around, prepare
from throughtime.train.preparing.item_readers import ReadItems
from throughtime.train.tasks import make_task
from throughtime.train.threads import using_threads

NAMES: Final = ("tcn", "attention")
#: The steps of a text that are learned together.
STRETCH: Final = 256
# Found by experiments on the bundled data.
_RATES: Mapping[str, float] = {"tcn": 4e-3, "attention": 3e-3}
_DEPTH = 3  # blocks of attention
_HEADS = 4
# Longer sequences are not seen whole.
_MOST_BLOCKS, _MOST_WINDOW = 8, 1024
_WIDTHS = range(8, 2049, 8)
# What only a recurrent network or its own loop has, and how it is left out.
_LEFT_OUT: Mapping[str, Any] = {
    "bidirectional": False,
    "heads": 1,
    "residual": False,
    "dropout": 0.0,
    "checkpoint": None,
    "zoneout": None,
    "drop_connect": 0.0,
    "variational_dropout": None,
    "k_winners": None,
    "watch": None,
    "flow_penalty": None,
    "init": "default",
    "forget_bias": None,
    "chrono_steps": None,
    "flossing": None,
    "flossing_every": None,
    "tbptt": None,
    "optimizer": "adam",
    "weight_decay": None,
    "momentum": None,
    "l1": None,
    "l2": None,
    "optimizer_options": {},
    "schedule": "cosine",
    "schedule_factor": None,
    "schedule_epochs": None,
    "schedule_options": None,
    "warmup": 0,
    "accumulate": 1,
    "average": None,
    "ema_decay": None,
    "swa_start": None,
}


class Trained(NamedTuple):
    """What came of a training.

    Parameters
    ----------
    model
        With its best weights; tasks, `predict` and `judge` take it as any other. It has
        no step of its own, so no `stream`.
    parameters
        How many weights it has, head and embeddings included.
    seconds
        How long it took, validation included.
    epochs
        Passes over the training data; the last one may be a part.
    validation_loss
        Of the weights that were kept.
    stopped
        What ended it: `"epochs"`, `"patience"`, `"time"` or `"interrupted"`.
    """

    model: Model
    parameters: int
    seconds: float
    epochs: float
    validation_loss: float
    stopped: str


def learn(
    name: str,
    dataset: Dataset,
    settings: Settings,
    *,
    seconds: float,
    seed: int | None = None,
    learning_rate: float | None = None,
    dropout: float = 0.1,
    interruption: Interruption | None = None,
) -> Trained:
    """Train a successor beside a recurrent network, within a time.

    Data are read, asked and batched as for the recurrent network of these settings, and
    the network has about as many weights as an LSTM of their `hidden_size` and
    `num_layers`. It sees the longest training sequence whole, up to 1021 steps as a
    convolution, 1024 as attention. In a text, a stretch of 256 steps is learned at
    once, none of which sees a step before it; an update has as many steps in all as the
    settings say. Answers to a whole text have the 252 steps before them as a
    convolution, at least 128 as attention.

    Parameters
    ----------
    name
        `"tcn"`, `TemporalConvolution`, or `"attention"`, `CausalAttention`.
    dataset
        What is learned; not one whose steps name items.
    settings
        Those of the recurrent network, without what only that has: `without_recurrence`
        leaves it out. Sizes, `embedding`, `pool`, `class_weights`,
        `target_replication`, `activity_l1`, `epochs`, `patience`, `batch_size`,
        `steps`, `clip`, `clip_value`, `dtype`, `device` and `threads` mean what they
        mean there, and `backend` is the head's. Of `learning_rate`, `schedule` and
        `save_every` it has its own, or no use.
    seconds
        The time for all of it, see `TimedLoop`.
    seed
        Draws first weights, order and dropout; None: that of the settings.
    learning_rate
        The largest step width; None: what suits the network.
    dropout
        Probability that a value is zeroed in training.
    interruption
        Ends it soon when a Ctrl-C has come; the best weights till then are kept.

    Raises
    ------
    UnknownChoice, NumberOutOfRange, UnusedSetting, ItemsForSuccessor
        An argument cannot be; the message names it.
    SuccessorDiverged
        A loss or gradient is not finite.
    """
    check_choice("name", name, NAMES)
    rate = _RATES[name] if learning_rate is None else learning_rate
    _check_numbers(seconds, rate, dropout)
    _check_settings(name, settings)
    seed = settings.seed if seed is None else seed
    settings = _stretched(dataset, replace(settings, seed=seed))
    devices = [settings.device] if settings.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices), using_threads(settings.threads):
        torch.manual_seed(seed)
        model = make_successor(name, dataset, settings, dropout)
        task = make_task(dataset, settings)
        loop = TimedLoop(model, task, settings, seconds, rate, interruption)
        loop.run()
    count = sum(one.numel() for one in model.parameters())
    return Trained(
        model, count, loop.seconds, loop.epochs, loop.best_loss, loop.stopped
    )


def without_recurrence(settings: Settings) -> Settings:
    """Leave out of settings what only a recurrent network or its loop has.

    A truncation becomes the steps between its updates.
    """
    rule = settings.rule
    steps = settings.steps if rule is None else rule.steps
    return replace(settings, **_LEFT_OUT, steps=steps)


def make_successor(
    name: str, dataset: Dataset, settings: Settings, dropout: float
) -> Model:
    """Build a successor for data; torch's generator draws the weights."""
    prepared = prepare(dataset, settings)
    if isinstance(prepared.reader, ReadItems):
        raise ItemsForSuccessor(data=dataset.name, name=name)
    size = prepared.reader.size + sum(one.size for one in prepared.inputs.values())
    steps = _longest(dataset, settings)
    if name == "tcn":
        # In a text half of a stretch, so that half of it sees all that it can.
        seen = steps // 2 if isinstance(dataset, TextDataset) else steps
        blocks = min(blocks_for(seen), _MOST_BLOCKS)
        build = partial(TemporalConvolution, size, blocks=blocks, dropout=dropout)
    else:
        window = min(steps + steps % 2, _MOST_WINDOW)
        build = partial(
            CausalAttention,
            size,
            blocks=_DEPTH,
            window=window,
            heads=_HEADS,
            dropout=dropout,
        )
    width = _width(build, _weights_of_lstm(size, settings))
    network = build(width, device=settings.device, dtype=settings.torch_dtype)
    return model_around(network, prepared, settings)


def _width(build: Callable[[int], History], weights: int) -> int:
    """Find the widest network of at most so many weights."""

    def count(width: int) -> int:
        with torch.device("meta"):
            return sum(one.numel() for one in build(width).parameters())

    return _WIDTHS[max(bisect_right(_WIDTHS, weights, key=count) - 1, 0)]


def _weights_of_lstm(size: int, settings: Settings) -> int:
    hidden = settings.hidden_size
    sizes = [size] + [hidden] * (settings.num_layers - 1)
    return sum(4 * hidden * (one + hidden + 2) for one in sizes)


def _longest(dataset: Dataset, settings: Settings) -> int:
    """Count the steps of the longest piece that is learned at once."""
    if isinstance(dataset, TextDataset):
        return STRETCH
    pieces = dataset.splits["train"]
    longest = int((pieces[:, STOP] - pieces[:, START]).max(initial=1))
    if settings.steps is None:
        return longest
    return min(longest, settings.steps + dataset.question.difference)


def _stretched(dataset: Dataset, settings: Settings) -> Settings:
    """Give a text fewer rows of longer stretches, of as many steps in all."""
    if not isinstance(dataset, TextDataset) or settings.steps is None:
        return settings
    rows = max(1, settings.batch_size * settings.steps // STRETCH)
    return replace(settings, batch_size=rows, steps=STRETCH)


def _check_numbers(seconds: float, learning_rate: float, dropout: float) -> None:
    for argument, given in (("seconds", seconds), ("learning_rate", learning_rate)):
        if not 0 < given < math.inf:
            expected = "a number above 0"
            raise NumberOutOfRange(argument=argument, given=given, expected=expected)
    if not 0 <= dropout < 1:
        expected = "a number from 0 to below 1"
        raise NumberOutOfRange(argument="dropout", given=dropout, expected=expected)


def _check_settings(name: str, settings: Settings) -> None:
    for argument, neutral in _LEFT_OUT.items():
        given = getattr(settings, argument)
        if given != neutral:
            reason = f"{name!r}; without_recurrence(settings) leaves such out"
            raise unused(argument, given, reason)
