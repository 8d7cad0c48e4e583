"""`compare`: all models on the same data, in the same time, and what follows."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from throughtime.bench.comparing.comparison import FILE, PICTURE, Comparison
from throughtime.bench.comparing.competing import compete
from throughtime.bench.comparing.contestants import (
    check_comparable,
    chosen,
    field_of,
)
from throughtime.bench.comparing.judging import judge
from throughtime.bench.comparing.networks import check_machine
from throughtime.bench.comparing.picture import draw
from throughtime.data import Missing
from throughtime.errors import NumberOutOfRange
from throughtime.train.asking.asked import reading_of
from throughtime.train.asking.ranges import ABOVE_0
from throughtime.train.asking.settings import check_number
from throughtime.train.asking.sources import read
from throughtime.train.files.documents import as_json
from throughtime.train.files.folder import make_folder, write
from throughtime.train.metrics import HIGHER_IS_BETTER

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)([smh])")
_MACHINE = ("seed", "backend", "dtype", "device", "threads")


def compare(
    data: Any,
    *,
    models: Sequence[str] | None = None,
    budget: str | float = "1m",
    sequence: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    items: str | Sequence[str] | None = None,
    target: Any = None,
    inputs: Mapping[str, str | Sequence[str]] | None = None,
    task: str | None = None,
    per: str | None = None,
    horizon: int | None = None,
    difference: int | None = None,
    missing: Missing = "error",
    time_difference: bool = False,
    split: str | None = None,
    split_seed: int = 0,
    memory: str = "256MB",
    seed: int = 0,
    backend: str = "auto",
    dtype: str = "float32",
    device: str | torch.device = "cpu",
    threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Comparison:
    """Say whether a recurrent network is needed: baselines beside it, fairly.

    All models learn from the same training part, each for the same time, and choose on
    the same validation part; the test part is answered once. The recurrent network and
    the baseline that the verdict is about are the best of theirs on validation data.
    Answers to the test part are compared by a paired sign-flip test, corrected for all
    comparisons that are made. Ctrl-C keeps what is measured.

    Parameters
    ----------
    data
        As `throughtime.fit` takes them.
    models
        Names of models; None: all that can answer the question.
    budget
        The time of each model: seconds, or a text such as `"30s"`, `"10m"`, `"1h"`.
    sequence, time, features, items, target, inputs
        Which columns are what, as in `throughtime.fit`; a cell's further inputs are
        refused.
    task, per, horizon, difference
        The question, where it shall not follow from the columns.
    missing, time_difference, split, split_seed, memory
        How the data are read.
    seed
        Draws first weights, order, resamples and flips.
    backend, dtype, device, threads
        Where and how networks are computed, as in `throughtime.fit`.
    out
        A new folder for `comparison.json`, `comparison.png` and the runs of networks.
        None: nothing is kept.
    say
        Told what each model reached, as it comes.

    Returns
    -------
    Comparison
        The table, the metric by history, the verdict and a picture.

    Raises
    ------
    ThroughtimeError
        An argument or the data cannot be used. A model that fails is a row that says
        why.
    """
    asked = {**locals()}
    seconds = seconds_of(budget)
    dataset = read(data, reading_of(asked))
    check_comparable(dataset)
    names = chosen(dataset, models)
    machine = {name: asked[name] for name in _MACHINE}
    check_machine(dataset, machine)
    folder = None if out is None else make_folder(out, dataset.name, "comparison")
    runs = None if folder is None else folder / "runs"
    entries = compete(dataset, names, seconds, machine, runs, say or _nothing)
    found = judge(dataset, entries, seconds, seed)
    metric = next((one.metric for one in entries if one.metric), "")
    comparison = Comparison(
        data=dataset.name,
        question=field_of(dataset).name,
        metric=metric,
        higher_is_better=metric in HIGHER_IS_BETTER,
        budget=seconds,
        answers=found.answers,
        rows=found.rows,
        chosen=found.chosen,
        history=found.history,
        verdict=found.verdict,
        picture=draw(dataset.name, metric, found),
        seed=seed,
    )
    if folder is not None:
        said = json.dumps(as_json(comparison.to_json()), indent=1, allow_nan=False)
        write(folder / FILE, f"{said}\n".encode())
        comparison.save(folder / PICTURE)
    return comparison


def seconds_of(budget: str | float) -> float:
    """Read a time.

    Raises
    ------
    NumberOutOfRange
        It is none, or not above 0.
    """
    if not isinstance(budget, str):
        check_number("budget", budget, ABOVE_0)
        return float(budget)
    found = _BUDGET.fullmatch(budget)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not seconds > 0:
        expected = "a time above 0 such as '30s', '10m' or '1h'"
        raise NumberOutOfRange(argument="budget", given=budget, expected=expected)
    return seconds


def _nothing(_: str) -> None:
    """Say nothing."""
