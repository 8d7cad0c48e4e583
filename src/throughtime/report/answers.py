"""What an answer on the page is made of."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "note", "alarm", "unknown"]


@dataclass(frozen=True)
class Said:
    """One answer of the verdict.

    Parameters
    ----------
    tone
        How it stands: `"good"`, `"note"`, `"alarm"`, or `"unknown"`.
    word
        The answer in a few words.
    sentence
        The answer in full.
    remedy
        What mends it: an option, or a command; None: there is nothing to do.
    command
        The whole command to copy; None: the remedy is all that is known.
    """

    tone: Tone
    word: str
    sentence: str
    remedy: str | None = None
    command: str | None = None
