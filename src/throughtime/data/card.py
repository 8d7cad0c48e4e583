"""What a reader must know of a data set before believing a result on it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from textwrap import fill


@dataclass(frozen=True)
class Card:
    """Origin, licence, shape, task, split and trivial results of a data set.

    Parameters
    ----------
    name, title
        What it is called, and what it is in a few words.
    origin, licence
        Where it comes from, and on which terms.
    shape, task, split
        What is in it, what is to be predicted, how training and test are apart.
    metric
        The unit of `baselines`.
    baselines
        The test result of each trivial method; a network below them has learned
        nothing worth having.
    notes
        What a result on these data does not show.
    """

    name: str
    title: str
    origin: str
    licence: str
    shape: str
    task: str
    split: str
    metric: str
    baselines: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [(row, str(getattr(self, row))) for row in _ROWS]
        rows += [(name, f"{v:.4g} {self.metric}") for name, v in self.baselines.items()]
        rows += [("note", note) for note in self.notes]
        width = max(len(row) for row, _ in rows) + 2
        lines = [
            fill(
                text,
                88,
                initial_indent=row.ljust(width),
                subsequent_indent=" " * width,
                break_on_hyphens=False,
            )
            for row, text in rows
        ]
        return "\n".join([f"{self.name}: {self.title}", *lines])

    def to_json(self) -> str:
        """Return the card as JSON text, the same bytes for the same card."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["notes"] = tuple(fields["notes"])
        return cls(**fields)


_ROWS = ("origin", "licence", "shape", "task", "split")
