"""What a comparison has found: its rows, its verdict, its files."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.pairing import Compared
from throughtime.bench.comparing.verdict import duration, number, p_value
from throughtime.train.files.folder import write
from throughtime.train.measuring import check_picture
from throughtime.train.measuring.intervals import Interval
from throughtime.train.showing.progress import words

FILE: Final = "comparison.json"
PICTURE: Final = "comparison.png"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model.

    Parameters
    ----------
    name
        Its name.
    kind
        `"baseline"`, `"window"`, `"recurrent"` or `"successor"`.
    value, interval
        The metric of the test part, with its 95 % confidence interval.
    validation
        The metric of the validation part, by which models are chosen.
    parameters
        How many numbers it has learned.
    seconds
        How long it learned.
    step_seconds
        How long it took to read a step of the test part and answer it, many at a time.
    note
        What was chosen of it, or why nothing was measured.
    compared
        By how much the chosen recurrent network is better; None of recurrent ones.
    """

    name: str
    kind: str
    note: str
    value: float | None = None
    interval: Interval | None = None
    validation: float | None = None
    parameters: int | None = None
    seconds: float | None = None
    step_seconds: float | None = None
    compared: Compared | None = None


class Chosen(NamedTuple):
    """The best on validation data: a recurrent network, and a baseline."""

    network: str
    baseline: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Models that had the same time, data, split and metric.

    Parameters
    ----------
    data, question
        What was compared on, and what was asked.
    metric, higher_is_better
        In what.
    budget
        Seconds that each model had.
    answers
        How many test answers were compared.
    rows
        The models, in the order in which they learned.
    chosen
        Between whom was decided; None: there were none.
    history
        The metric of the chosen network with its history cut.
    verdict
        A few sentences, the first of which says what was decided.
    picture
        A PNG.
    seed
        What all was drawn from.
    """

    data: str
    question: str
    metric: str
    higher_is_better: bool
    budget: float
    answers: int
    rows: tuple[Row, ...]
    chosen: Chosen | None
    history: History | None
    verdict: str
    picture: bytes
    seed: int

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the heads of the columns, and what stands in each row."""
        headers = ["model", words(self.metric), "95 % interval", "parameters"]
        headers += ["trained", "read and answer a step"]
        headers += ["network better by (interval)", "p (Holm)", "what"]
        return headers, [self._cells(row) for row in self.rows]

    def _cells(self, row: Row) -> list[str]:
        if row.value is None:
            return [row.name, *[""] * 7, row.note]
        mark = "*" if self.chosen and row.name in self.chosen else ""
        ends = ""
        if row.interval is not None:
            ends = f"{row.interval.low:.4g} to {row.interval.high:.4g}"
        return [
            row.name + mark,
            f"{row.value:.4f}",
            ends,
            f"{row.parameters:,}",
            duration(row.seconds or 0.0),
            duration(row.step_seconds or 0.0),
            *_told(row.compared),
            row.note,
        ]

    def past(self) -> list[str]:
        """Say the metric by the history that is seen."""
        if self.history is None or self.chosen is None:
            return []
        found = self.history
        pairs = zip(found.steps, found.values, strict=True)
        told = [f"{k}: {value:.4f}" for k, value in pairs]
        some = f"{found.answers:,} of {found.of:,} answers"
        several = "all answers" if found.answers == found.of else some
        return [
            f"{words(self.metric)} of {self.chosen.network} by the steps that it sees, "
            f"{several}:",
            f"  {', '.join(told)}, all: {found.whole:.4f}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: everything but the picture."""
        found: dict[str, Any] = {
            name: value for name, value in vars(self).items() if name != "picture"
        }
        found["chosen"] = self.chosen and self.chosen._asdict()
        if self.history is not None:
            past = self.history._asdict()
            del past["kept"]
            found["history"] = past
        found["rows"] = [_plain(row) for row in self.rows]
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture.

        Parameters
        ----------
        path
            Where; it ends in `.png`. A file that is there is replaced.

        Raises
        ------
        UnknownTableFormat, CannotWrite
            It ends otherwise, or the system does not let us.
        """
        write(check_picture(path), self.picture)


def _told(compared: Compared | None) -> list[str]:
    if compared is None:
        return ["", ""]
    ends = "(too few units)"
    if isfinite(compared.low) and isfinite(compared.high):
        level = f"{100 * compared.confidence:.4g} %"
        ends = f"({level}: {number(compared.low)} to {number(compared.high)})"
    return [f"{number(compared.effect)} {ends}", p_value(compared.p).lstrip("= ")]


def _plain(row: Row) -> Mapping[str, Any]:
    found = asdict(row)
    for name in ("interval", "compared"):
        value = getattr(row, name)
        found[name] = None if value is None else value._asdict()
    return found
