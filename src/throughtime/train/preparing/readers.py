"""What stands before the network: from the numbers of columns to vectors.

All that is fitted on the training part is held here and goes with the model, so that
what is predicted later is read as training was: no step of it is left to the caller.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from throughtime.data import Column, Missing
from throughtime.data.tables.known import ABOUT_FEATURES
from throughtime.errors import FeatureCountMismatch, ValueMissing
from throughtime.train.preparing.scales import Scale, chosen

# What holds the place of a category that is missing: as of one never seen, all zeros.
_UNSEEN = -1.0


class Read(nn.Module):
    """Columns of raw numbers as vectors.

    The channels stand in this order: numbers, scaled, and booleans as they are, in the
    order of the columns; then one channel per category of each column, or its learned
    vector; then, for each column that has gaps in training, 1 where a value is missing.

    Parameters
    ----------
    columns
        The F columns.
    scale
        Their means and deviations in training. Those of booleans only fill gaps, those
        of categories stand for nothing.
    gaps
        Which of the columns get a channel that says what is missing.
    missing
        What takes the place of a missing value: the last one before it, and the mean
        where there is none; the mean; 0. A category without one before it is held as
        never seen. `"error"` refuses it.
    embedding
        The size of a category's learned vector; None: one channel per category.
    difference, changing, changes
        s > 0: the columns in these places are read as their change since s steps
        before, scaled by mean and deviation of the changes; where there is no such
        step, as the mean change.
    dtype, device
        Of learned vectors.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        scale: Scale,
        *,
        gaps: Sequence[bool] = (),
        missing: Missing = "error",
        embedding: int | None = None,
        difference: int = 0,
        changing: Sequence[int] = (),
        changes: Scale | None = None,
        dtype: torch.dtype | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__()
        self.columns, self.scale = tuple(columns), scale
        self.gaps = tuple(gaps) or (False,) * len(self.columns)
        self.missing, self.embedding = missing, embedding
        self.difference, self.changes = difference, changes
        self.changing = tuple(changing)
        self._plain = of_kind(self.columns, "number", "boolean")
        self._categories = of_kind(self.columns, "category")
        self._stand_in = [self._fallback(k) for k in range(len(self.columns))]
        self._changes = [place in self.changing for place in self._plain]
        self._mean, self._std = self._units()
        counts = [len(self.columns[place].categories) for place in self._categories]
        options: Any = {"dtype": dtype, "device": device}
        self.tables = nn.ModuleList(
            nn.Embedding(count, embedding, **options) for count in counts if embedding
        )
        widths = [embedding or count for count in counts]
        self.size = len(self._plain) + sum(widths) + sum(self.gaps)

    def forward(self, input: Tensor, dtype: torch.dtype) -> Tensor:
        """Read ``(T, B, F)`` raw numbers: ``(T, B, size)`` of the given dtype."""
        return self.vectors(self.numbers(input), dtype)

    def numbers(self, input: Tensor, before: Tensor | None = None) -> Tensor:
        """Read as far as nothing is learned: ``(T, B, width)``, float64.

        Where these steps go on from others, `before` are the filled numbers of the last
        of those, ``(n, B, F)``: as many as `reach` says, or all if there are fewer.
        """
        known = self.known(input, before)
        first = len(known) - len(input)
        parts = [self._scaled(known, first)] if self._plain else []
        if self._categories:
            parts.append(known[first:, ..., self._categories])
        if any(self.gaps):
            parts.append(input.isnan()[..., _true(self.gaps)].double())
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def vectors(self, numbers: Tensor, dtype: torch.dtype) -> Tensor:
        """Make ``(T, B, size)`` of the given dtype of what `numbers` gave."""
        sizes = [len(self._plain), len(self._categories), sum(self.gaps)]
        plain, places, gaps = numbers.split(sizes, -1)
        parts = [plain.to(dtype)] if self._plain else []
        for number, place in enumerate(places.unbind(-1)):
            parts.append(self._category(number, place).to(dtype))
        if any(self.gaps):
            parts.append(gaps.to(dtype))
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    @property
    def width(self) -> int:
        """How many numbers of a step `numbers` gives."""
        return len(self._plain) + len(self._categories) + sum(self.gaps)

    @property
    def reach(self) -> int:
        """How many steps before it are looked at to read one."""
        return max(self.difference, int(self.missing == "forward"))

    @property
    def plain(self) -> int:
        """How many channels, the first ones, are numbers or booleans."""
        return len(self._plain)

    @property
    def channels(self) -> list[str]:
        """The column of each channel."""
        names = [self.columns[place].name for place in self._plain]
        for place in self._categories:
            column = self.columns[place]
            names += [column.name] * (self.embedding or len(column.categories))
        return names + [self.columns[place].name for place in _true(self.gaps)]

    def column_of(self, channel: int) -> str:
        """Name the column of a channel of numbers and booleans."""
        return self.columns[self._plain[channel]].name

    def check(self, input: Tensor, lengths: Tensor | None = None) -> None:
        """Refuse what cannot be read.

        Raises
        ------
        FeatureCountMismatch
            There are not F columns.
        ValueMissing
            A value is missing, and nothing was said of missing values.
        """
        if input.dim() != 3 or input.shape[-1] != len(self.columns):
            expected = len(self.columns)
            raise FeatureCountMismatch(given=tuple(input.shape), expected=expected)
        if self.missing != "error" or not input.isnan().any():
            return
        for step, row, place in input.isnan().nonzero().tolist():
            if lengths is None or step < lengths[row]:
                raise ValueMissing(
                    where=f"The batch, row {row}, step {step}",
                    column=self.columns[place].name,
                    advice=ABOUT_FEATURES,
                )

    def fill(self, input: Tensor, before: Tensor | None = None) -> Tensor:
        """Put something in the place of every missing value.

        Parameters
        ----------
        input
            ``(T, B, F)`` raw numbers.
        before
            ``(B, F)``, the filled numbers of the step before the first, where these
            steps go on from others; None: they begin a sequence.

        Returns
        -------
        torch.Tensor
            ``(T, B, F)``, float64.
        """
        values = input.double()
        if self.missing == "error":
            return values
        missing = values.isnan()
        stand_in = values.new_tensor(self._stand_in).expand(values.shape[1:])
        if self.missing != "forward":
            return torch.where(missing, stand_in, values)
        first = stand_in if before is None else before
        step = torch.arange(1, len(values) + 1, device=values.device)[:, None, None]
        last = torch.where(missing, 0, step).cummax(0).values
        return torch.cat([first[None], values]).gather(0, last)

    def known(self, input: Tensor, before: Tensor | None = None) -> Tensor:
        """Fill gaps: ``(n + T, B, F)``, `before` as in `numbers` and then these."""
        if before is None:
            return self.fill(input)
        return torch.cat([before, self.fill(input, before[-1])])

    def _scaled(self, known: Tensor, first: int) -> Tensor:
        """Scale the filled numbers from this step on, in float64: none loses digits."""
        values = known[..., self._plain]
        mean, std = values.new_tensor(self._mean), values.new_tensor(self._std)
        if self.changes is not None:
            changes = torch.tensor(self._changes, device=values.device)
            values = torch.where(changes, since(values, self.difference), values)
            values = torch.where(values.isnan(), mean, values)
        return (values[first:] - mean) / std

    def _category(self, number: int, places: Tensor) -> Tensor:
        """Give the vectors of ``(T, B)`` places of a column; of -1 all zeros."""
        known, places = places >= 0, places.clamp(min=0).long()
        if self.embedding:
            vectors = self.tables[number](places)
        else:
            count = len(self.columns[self._categories[number]].categories)
            vectors = nn.functional.one_hot(places, count)
        return vectors.where(known[..., None], 0)

    def _units(self) -> tuple[list[float], list[float]]:
        """Give mean and deviation of each plain channel; booleans keep theirs."""
        mean, std = dict.fromkeys(self._plain, 0.0), dict.fromkeys(self._plain, 1.0)
        numbers = of_kind(self.columns, "number")
        scales = [(numbers, chosen(self.scale, numbers))]
        if self.changes is not None:
            scales.append((list(self.changing), self.changes))
        for places, scale in scales:
            mean.update(zip(places, scale.mean, strict=True))
            std.update(zip(places, scale.std, strict=True))
        return list(mean.values()), list(std.values())

    def _fallback(self, place: int) -> float:
        if self.columns[place].kind == "category":
            return _UNSEEN
        return 0.0 if self.missing == "zero" else self.scale.mean[place]


def since(values: Tensor, steps: int) -> Tensor:
    """Give the change of ``(T, B, n)`` since so many steps before, NaN at first."""
    return values - earlier(values, steps)


def earlier(values: Tensor, steps: int) -> Tensor:
    """Give the values ``(T, B, n)`` of so many steps before, NaN where none is."""
    steps = min(steps, len(values))
    missing = torch.full_like(values[:steps], torch.nan)
    return torch.cat([missing, values[: len(values) - steps]])


def later(values: Tensor, steps: int) -> Tensor:
    """Give the values ``(T, B, n)`` of so many steps later, NaN where none is."""
    steps = min(steps, len(values))
    missing = torch.full_like(values[:steps], torch.nan)
    return torch.cat([values[steps:], missing])


def of_kind(columns: Sequence[Column], *kinds: str) -> list[int]:
    """Return where the columns of some kinds stand."""
    return [place for place, column in enumerate(columns) if column.kind in kinds]


def _true(flags: Sequence[bool]) -> list[int]:
    return [place for place, flag in enumerate(flags) if flag]
